"""The guard: which host's name and which page a request may bear, how large and how slow it may be, and what all answers say."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.server.errors import Turned, answer

HOSTS = ("127.0.0.1", "localhost", "::1")
"""The names of this machine, as it calls itself."""

LARGEST = 4 * 1024 * 1024
"""Bytes of a request: ten thousand readings are about a million."""

SLOWEST_S = 20.0
"""Seconds within which a request must have arrived."""

ANSWERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests that name another host (DNS rebinding) or come from another page, and those that are too much."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = HOSTS, secure: bool = False) -> None:
        self._app, self._hosts = app, hosts
        self._answers = ANSWERS | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        reason = self._objection(Headers(scope=scope))
        if scope["type"] == "websocket":
            if reason is None:
                return await self._app(scope, receive, send)
            return await send({"type": "websocket.close", "code": 1008, "reason": reason})
        if reason is not None:
            return await answer(Turned(403, "refused", reason))(scope, receive, self._guarded(send))
        try:
            whole = await _whole(scope, receive)
        except Turned as turned:
            return await answer(turned)(scope, receive, self._guarded(send))
        return await self._app(scope, whole, self._guarded(send))

    def _objection(self, headers: Headers) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            if urlsplit(f"//{host}").hostname not in self._hosts:
                return f"this server answers by the name {' or '.join(self._hosts)}"
            if origin is not None and urlsplit(origin).netloc != host:
                return "this server answers its own page only, not one from elsewhere"
        except ValueError:
            return "the Host or Origin header is no address"
        return None

    def _guarded(self, send: Send) -> Send:
        """Add headers to answers; files may be kept, what the API says may not."""

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                kept = headers.get("content-type", "").startswith(
                    ("text/html", "text/javascript", "text/css", "image/")
                )
                for name, value in self._answers.items():
                    if name != "Cache-Control" or not kept:
                        headers.setdefault(name, value)
            await send(message)

        return out


async def _whole(scope: Scope, receive: Receive) -> Receive:
    """Return a `receive` that gives the body in one piece, once it has arrived."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return receive
    length = Headers(scope=scope).get("content-length", "0")
    if length.isdecimal() and int(length) > LARGEST:
        raise _too_large()
    try:
        async with asyncio.timeout(SLOWEST_S):
            body = await _body(receive)
    except TimeoutError:
        raise Turned(408, "bad_input", f"the request did not arrive within {SLOWEST_S:g} s") from None
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _body(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and bool(message.get("more_body", False))
        if len(body) > LARGEST:
            raise _too_large()
    return bytes(body)


def _too_large() -> Turned:
    return Turned(413, "bad_input", f"a request has at most {LARGEST} bytes: send it in parts")
