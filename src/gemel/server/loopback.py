"""Loopback: this server knows no passwords yet, so it answers this machine alone, and no page but its own."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.errors import BadInput
from gemel.server.errors import failure

HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")

ANSWERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def check_host(host: str) -> None:
    """Raise unless *host* is the loopback address."""
    if host not in HOSTS:
        raise BadInput(
            f"cannot listen on {host}: whoever reaches the port is taken for its actor, so it must be {HOSTS[0]}; "
            "put a proxy that checks who asks before it",
            field="host",
        )


class Loopback:
    """Refuses requests that name another host (DNS rebinding) or come from another page (Origin)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        reason = _objection(Headers(scope=scope))
        if reason is None:
            return await self._app(scope, receive, _guarded(send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return await failure(403, "refused", reason)(scope, receive, send)


def _objection(headers: Headers) -> str | None:
    host, origin = headers.get("host", ""), headers.get("origin")
    if urlsplit(f"//{host}").hostname not in HOSTS:
        return "this server answers this machine only, by the name localhost or 127.0.0.1"
    if origin is not None and urlsplit(origin).netloc != host:
        return "this server answers its own page only, not one from elsewhere"
    return None


def _guarded(send: Send) -> Send:
    """Add headers to answers of the API; files may be kept."""

    async def out(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWERS.items():
                if name != "Cache-Control" or headers.get("content-type", "").startswith("application/json"):
                    headers.setdefault(name, value)
        await send(message)

    return out
