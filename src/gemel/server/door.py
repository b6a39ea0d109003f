"""The door: every request to the API is limited, and is somebody's, before anything else looks at it."""

from __future__ import annotations

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.errors import GemelError
from gemel.server.asker import WRITES, Asker, Entry
from gemel.server.errors import Turned, answer, told
from gemel.server.guard import HOSTS
from gemel.server.limits import LOOK, WRITE, WRONG, Buckets

FIGURES = "/metrics"
OPEN = ("/api/login", "/api/health", "/api/openapi.json")
"""What anybody may ask: how to log in, whether the server lives, what it speaks."""


class Door:
    """Puts the asker into the request's state (None where all may ask), or turns the request away."""

    def __init__(
        self, app: ASGIApp, entry: Entry, actors: Buckets, addresses: Buckets, near: bool = True
    ) -> None:  # fmt: skip
        self._app, self._entry, self._actors, self._addresses, self._near = app, entry, actors, addresses, near

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        try:
            asker, left = await self._admit(HTTPConnection(scope))
        except GemelError as error:
            return await _turn_away(error, scope, receive, send)
        scope.setdefault("state", {})["asker"] = asker
        return await self._app(scope, receive, _telling(left, send))

    async def _admit(self, asked: HTTPConnection) -> tuple[Asker | None, dict[str, str]]:
        """Return who asks, and what they have left."""
        method = asked.scope.get("method", "GET")
        cost = WRITE if method in WRITES else LOOK
        address = asked.client.host if asked.client else ""
        left = self._addresses.take(address, cost)
        path = asked.url.path
        if not path.startswith(("/api/", FIGURES)) or self._figures_for_this_machine(asked, address):
            return None, {}
        try:
            asker = await asyncio.to_thread(
                self._entry.identify,
                method,
                path,
                asked.headers,
                asked.cookies,
                _purpose(asked),
                asked.query_params.get("as"),
            )
        except GemelError as error:
            if path in OPEN:
                return None, left.headers()
            if told(error)[0] == 401:
                self._addresses.charge(address, WRONG if "authorization" in asked.headers else LOOK)
            raise
        return asker, self._actors.take(asker.actor, cost).headers()

    def _figures_for_this_machine(self, asked: HTTPConnection, address: str) -> bool:
        """Return whether a program beside this one looks at the figures, and no proxy speaks for somebody else."""
        return self._near and asked.url.path == FIGURES and address in HOSTS and "authorization" not in asked.headers


def _purpose(asked: HTTPConnection) -> str | None:
    return asked.headers.get("gemel-purpose") or asked.query_params.get("purpose")


async def _turn_away(error: GemelError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        return await answer(error)(scope, receive, send)
    await receive()  # the opening; a browser can read why only of a socket that was open
    await send({"type": "websocket.accept"})
    return await send({"type": "websocket.close"} | dict(zip(("code", "reason"), closing(error), strict=True)))


def closing(error: GemelError) -> tuple[int, str]:
    """Return code and reason (123 bytes at most) to close a socket with: refused or unknown, or to be tried again."""
    status, _ = told(error)
    return 1013 if status in (429, 500, 503) else 1008, str(error).encode()[:120].decode(errors="ignore")


def _telling(left: dict[str, str], send: Send) -> Send:
    async def out(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in left.items():
                headers.setdefault(name, value)
        await send(message)

    return out


def still(asker: Asker) -> None:
    """Raise unless what the asker came in with still holds."""
    if not asker.holds():
        raise Turned(401, "login", "the login has ended or was revoked")
