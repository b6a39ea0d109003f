"""Errors as answers: one shape (RFC 9457), a status that fits, and never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gemel.errors import BadInput, GemelError, NotFound, Refused, Tampered, Unavailable
from gemel.server.schema import Problem

MEDIA = "application/problem+json"
KINDS: tuple[tuple[type[GemelError], int, str], ...] = (
    (Refused, 403, "refused"),
    (NotFound, 404, "not_found"),
    (BadInput, 422, "bad_input"),
    (Unavailable, 503, "unavailable"),
    (Tampered, 500, "tampered"),
    (GemelError, 500, "internal"),
)

log = logging.getLogger(__name__)


class Turned(GemelError):
    """A request that is turned away for a reason of HTTP's own: who asks, how often, in which state."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.kind, self.headers = status, kind, dict(headers or {})
        super().__init__(detail)


def failure(
    status: int, kind: str, detail: str, asked: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the one shape of an error."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, kind=kind, asked=asked)
    return JSONResponse(body.model_dump(mode="json"), status, dict(headers or {}), MEDIA)


def told(error: GemelError) -> tuple[int, str]:
    """Return the status and the kind of an error."""
    if isinstance(error, Turned):
        return error.status, error.kind
    return next((status, kind) for family, status, kind in KINDS if isinstance(error, family))


def answer(error: GemelError) -> JSONResponse:
    """Return an error as an answer."""
    status, kind = told(error)
    headers = error.headers if isinstance(error, Turned) else {"Retry-After": "1"} if status == 503 else None
    return failure(status, kind, str(error), error.field if isinstance(error, BadInput) else None, headers)


def install(app: FastAPI) -> None:
    """Answer every failure of *app* in the one shape."""

    @app.exception_handler(GemelError)
    async def known(_: Request, error: GemelError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        return failure(422, "bad_input", f"field {field!r}: {first['msg']}", field)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        kinds = {404: "not_found", 403: "refused"}
        text = f"{request.method} {request.url.path}: {HTTPStatus(error.status_code).phrase.lower()}"
        return failure(error.status_code, kinds.get(error.status_code, "bad_input"), text, headers=error.headers)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return failure(500, "internal", "something failed inside; the server's log says more")
