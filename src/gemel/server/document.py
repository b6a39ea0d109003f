"""The document: OpenAPI of this server, with who may ask, what can go wrong, and which headers are read and written."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gemel.server.door import OPEN
from gemel.server.errors import MEDIA
from gemel.server.events import CloudEvent, Data, Happened
from gemel.server.schema import Problem

ABOUT = """Live digital twins. Every answer passes the gate: it shows what the asker's grants open, and no more.
A twin of which one may see nothing answers 404, exactly as one that does not exist.
`WS /api/twins/{twin}/live` pushes the view of a twin after each change. Not a medical device."""

SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "a token of `gemel token create`, or the provider's JWT",
    },
    "cookie": {"type": "apiKey", "in": "cookie", "name": "gemel", "description": "what a login gives a browser"},
}
WHY = {
    "401": "nobody is logged in", "403": "no grant opens this, or the login is for something else",
    "404": "there is no such thing, or none that one may know of", "405": "not this method",
    "408": "the request came too slowly", "409": "the same is being done at this moment",
    "412": "more is known than the tag says", "413": "too large", "415": "not such a body",
    "422": "it cannot be used as it is; `asked` names the field", "429": "too much at once; Retry-After says when",
    "500": "something failed inside", "503": "disk or database failed; try again",
}  # fmt: skip
ALWAYS = ("401", "403", "408", "413", "422", "429", "500", "503")
LIMITS = {
    name: {"$ref": f"#/components/headers/{name}"}
    for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
}
HEADERS = {
    "RateLimit-Limit": {"schema": {"type": "integer"}, "description": "what may be asked at once; a write counts five"},
    "RateLimit-Remaining": {"schema": {"type": "integer"}, "description": "what is left of it"},
    "RateLimit-Reset": {"schema": {"type": "integer"}, "description": "seconds until all of it is there again"},
    "ETag": {"schema": {"type": "string"}, "description": "the twin's version and a digest: equal tags, equal bytes"},
    "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
    "WWW-Authenticate": {"schema": {"type": "string"}},
}
PURPOSE = {
    "name": "Gemel-Purpose", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "what for, one of the token's purposes; by default its first. Where headers cannot be sent: ?purpose=",
}  # fmt: skip
KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "the same key with the same body is done once, and answered the same",
}  # fmt: skip
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"},
                 "description": "an ETag: 304 if nothing else would be said"}  # fmt: skip


def install(app: FastAPI) -> None:
    """Let *app* describe itself wholly."""

    def described() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's manual says


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of *app*."""
    whole = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    held = whole.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):
        held.setdefault("schemas", {}).pop(name, None)
    for model in (Problem, CloudEvent, Data, Happened):
        held["schemas"][model.__name__] = _own(model)
    held["securitySchemes"], held["headers"] = SCHEMES, HEADERS
    held["responses"] = {f"Problem{status}": _problem(status) for status in WHY}
    whole["security"] = [{"token": []}, {"cookie": []}]
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return whole


def _own(model: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


def _problem(status: str) -> dict[str, Any]:
    headers = dict(LIMITS)
    if status in ("429", "503"):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == "401":
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": WHY[status], "headers": headers, "content": {MEDIA: {"schema": schema}}}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation has: parameters, headers, what can go wrong."""
    responses, parameters = operation["responses"], operation.setdefault("parameters", [])
    of_twin = path.startswith("/api/twins/")
    if path in OPEN:
        operation["security"] = [{}, {"token": []}, {"cookie": []}]
    else:
        parameters.append(PURPOSE)
    if method != "get" and not path.startswith(("/api/login", "/api/logout", "/api/tokens")):
        parameters.append(KEY)
    good = next(responses[code] for code in responses if code.startswith("2"))
    good.setdefault("headers", {}).update(LIMITS)
    if of_twin and method == "get":
        good["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        responses["304"] = {"description": "nothing else would be said"}
        parameters.append(IF_NONE_MATCH)
    statuses = {*ALWAYS, *([] if path in OPEN else ["404"])}
    if method != "get":
        statuses |= {"409"} | ({"412"} if path.endswith("/decision") else set())
        statuses |= {"415"} if path == "/api/events" else set()
    for status in sorted(statuses):
        responses[status] = {"$ref": f"#/components/responses/Problem{status}"}
