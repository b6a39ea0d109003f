"""Errors as answers: one shape, a status that fits, and never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gemel.errors import BadInput, GemelError, NotFound, Refused, Tampered, Unavailable
from gemel.server.schema import Failure, Problem

KINDS: tuple[tuple[type[GemelError], int, str], ...] = (
    (Refused, 403, "refused"),
    (NotFound, 404, "not_found"),
    (BadInput, 422, "bad_input"),
    (Unavailable, 503, "unavailable"),
    (Tampered, 500, "tampered"),
    (GemelError, 500, "internal"),
)

log = logging.getLogger(__name__)


def failure(status: int, kind: str, message: str, asked: str | None = None) -> JSONResponse:
    """Return the one shape of an error."""
    body = Failure(error=Problem(message=message, kind=kind, asked=asked))
    return JSONResponse(body.model_dump(mode="json"), status)


def told(error: GemelError) -> tuple[int, str]:
    """Return the status and the kind of an error."""
    return next((status, kind) for family, status, kind in KINDS if isinstance(error, family))


def install(app: FastAPI) -> None:
    """Answer every failure of *app* in the one shape."""

    @app.exception_handler(GemelError)
    async def known(_: Request, error: GemelError) -> JSONResponse:
        status, kind = told(error)
        return failure(status, kind, str(error), error.field if isinstance(error, BadInput) else None)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        return failure(422, "bad_input", f"field {field!r}: {first['msg']}", field)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        kinds = {404: "not_found", 403: "refused"}
        text = f"{request.method} {request.url.path}: {HTTPStatus(error.status_code).phrase.lower()}"
        return failure(error.status_code, kinds.get(error.status_code, "bad_input"), text)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return failure(500, "internal", "something failed inside; the server's log says more")
