"""Nightscout's API, so that phone apps upload to a twin: one address per twin, `/nightscout/TWIN`.

Shapes are those of Nightscout's public descriptions (`lib/server/swagger.yaml`, `lib/api3/swagger.yaml` and its
tutorial). None of its code is here.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from gemel.errors import GemelError, Refused
from gemel.server import nightscout_v1, nightscout_v3
from gemel.server.desk import Desk
from gemel.server.errors import Turned, told
from gemel.server.nightscout_auth import create
from gemel.server.nightscout_desk import Documents

ROOT = "/nightscout/{twin}"


class _Answering(APIRoute):
    """Answers failures as Nightscout does: a status, a message, and what is meant."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with failures turned into answers."""
        inner = super().get_route_handler()

        async def handle(asked: Request) -> Response:
            try:
                return await inner(asked)
            except GemelError as error:
                return _failed(error)
            except RequestValidationError:
                return _json(400, "Bad or missing request body", "the body is no JSON")

        return handle


def _failed(error: GemelError) -> Response:
    status, _ = told(error)
    status = 400 if status == 422 else status
    message = {401: "Unauthorized", 403: "Forbidden", 404: "Not found"}.get(status, str(error))
    told_more = "Invalid or missing api-secret or token" if status == 401 else str(error)
    return _json(status, message, told_more, error.headers if isinstance(error, Turned) else {})


def _json(status: int, message: str, description: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"status": status, "message": message, "description": description}, status, headers)


def routes(desk: Desk) -> APIRouter:
    """Return the addresses, for the twins of *desk*; they are in no schema of ours."""
    made = APIRouter(route_class=_Answering, include_in_schema=False)
    documents = Documents(desk)
    nightscout_v1.add(made, ROOT, documents)
    nightscout_v3.add(made, ROOT, documents)
    _add_secret(made, desk)
    return made


def _add_secret(made: APIRouter, desk: Desk) -> None:
    @made.post(f"{ROOT}/secret", status_code=201)
    def secret(twin: str, asked: Request, body: Annotated[dict[str, Any], Body()]) -> Any:
        """Make a secret for an app: for a holder of the twin, by a token with the scope `tokens` or the printed link."""
        asker = desk.entry.identify("POST", "/api/tokens", asked.headers, asked.cookies, None)
        desk.known(asker, twin)
        if not desk.bank.holds(asker.actor, twin):
            raise Refused(f"{asker.actor} does not hold the keys of {twin}")
        actor, purposes = str(body.get("actor", "")), body.get("purposes", [asker.purpose])
        if not isinstance(purposes, list) or not all(isinstance(one, str) for one in purposes):
            raise Turned(422, "bad_input", "purposes is a list of texts")
        shown, token = create(
            desk.bank, desk.entry.tokens, twin, actor, purposes, by=asker.actor, until=body.get("until")
        )
        return {"secret": shown, "token": token.id, "actor": token.actor, "path": f"/nightscout/{twin}"}
