"""Tags: a strong ETag on what is said of a twin, its version first; who has the same already is told so, 304."""

from __future__ import annotations

import asyncio
import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.server.desk import Desk

TWIN = re.compile(r"^/api/twins/([^/]+)/")
TAG = re.compile(r'"[^"]*"')


class Tagged:
    """Puts `ETag: "<version>-<digest>"` onto JSON about a twin, and answers `If-None-Match`."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app, self._desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = TWIN.match(scope.get("path", "")) if scope["type"] == "http" and scope["method"] == "GET" else None
        if found is None:
            return await self._app(scope, receive, send)
        version = await asyncio.to_thread(
            self._desk.version, found[1]
        )  # before the work: never newer than what is said
        return await self._app(scope, receive, _Tagging(scope, receive, send, version))


class _Tagging:
    """Holds an answer back until its digest is known, if it is JSON and went well; lets all else through."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, version: int) -> None:
        self._scope, self._receive, self._send, self._version = scope, receive, send, version
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _taggable(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        tag = f'"{self._version}-{hashlib.sha256(self._body).hexdigest()[:20]}"'
        wanted = Headers(scope=self._scope).get("if-none-match", "")
        if wanted.strip() == "*" or tag in TAG.findall(wanted):
            headers = Headers(raw=start["headers"])
            kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
            return await Response(status_code=304, headers=kept | {"ETag": tag})(self._scope, self._receive, self._send)
        MutableHeaders(scope=start)["ETag"] = tag
        await self._send(start)
        return await self._send({"type": "http.response.body", "body": self._body})


def _taggable(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type", "") == "application/json"
