"""Once: a write with an `Idempotency-Key` is done once, however often it is sent, and across restarts.

That a key was used is a fact before the work begins, and what was answered is one after it, both of the twin that the
address names: so an erasure reaches them. Between the two the process may die; sent again, the work is done again, and
the thread's own keys see to it that nothing is there twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.consent import ALL
from gemel.errors import GemelError
from gemel.facts import HOUSE, Draft
from gemel.server.asker import WRITES, Asker
from gemel.server.desk import Desk
from gemel.server.errors import Turned, answer

ASKED, ANSWERED = "asked/1", "answered/1"
TWIN = re.compile(r"^/api/twins/([^/]+)/")
UNKEPT = ("/api/login", "/api/logout", "/api/tokens")
"""Where an answer is a secret, or repeating is harmless: a key is not needed, and not looked at."""

NEEDS = (
    (re.compile(r"/decision$"), "read"),
    (re.compile(r"/suppose$"), "fork"),
)
"""What the asker must still be allowed, for all of the twin, to be told again what was answered there."""


class Once:
    """Repeats what was answered to the same key; refuses the same key for something else."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app, self._desk = app, desk
        self._running: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        asker = scope.get("state", {}).get("asker")
        if key is None or asker is None or scope["method"] not in WRITES or scope["path"].startswith(UNKEPT):
            return await self._app(scope, receive, send)
        try:
            await self._once(scope, receive, send, asker, key)
        except GemelError as error:
            await answer(error)(scope, receive, send)

    async def _once(self, scope: Scope, receive: Receive, send: Send, asker: Asker, key: str) -> None:
        if not 1 <= len(key) <= 255:
            raise Turned(422, "bad_input", "an Idempotency-Key has 1 to 255 characters")
        name = _digest(asker.actor, asker.purpose, scope["method"], scope["path"], key)
        if name in self._running:
            raise Turned(409, "conflict", "the first request with this Idempotency-Key is still being done")
        self._running.add(name)
        try:
            body = await receive()  # the guard gives it in one piece
            await self._do(scope, _again(body, receive), send, asker, name, _digest(body.get("body", b"")))
        finally:
            self._running.discard(name)

    async def _do(self, scope: Scope, receive: Receive, send: Send, asker: Asker, name: str, content: str) -> None:
        subject = await asyncio.to_thread(self._subject, scope["path"], asker)
        fresh = await asyncio.to_thread(self._begin, subject, asker, name, content)
        held = None if fresh else await asyncio.to_thread(self._held, subject, name)
        if held is not None:
            await asyncio.to_thread(self._require, scope["path"], asker, subject)
            return await _response(held)(scope, receive, send)
        scope["state"]["again"] = not fresh
        caught = Caught()
        await self._app(scope, receive, caught)
        if 200 <= caught.status < 300:
            body = {"key": name, "status": caught.status, "type": caught.media, "body": caught.body.decode()}
            await asyncio.to_thread(self._say, subject, ANSWERED, asker, body)
        return await caught.replay(send)

    def _subject(self, path: str, asker: Asker) -> str:
        """Return whose facts the key is kept among: the twin's, if the asker may know of it, else the house's."""
        found = TWIN.match(path)
        if found is None:
            return HOUSE
        self._desk.known(asker, found[1])
        return found[1]

    def _begin(self, subject: str, asker: Asker, name: str, content: str) -> bool:
        """Return whether the key is new here; raise if it was used for something else."""
        if self._say(subject, ASKED, asker, {"key": name, "content": content}):
            return True
        asked = self._found(subject, ASKED, name)
        if asked is None or asked["content"] != content:
            raise Turned(422, "bad_input", "this Idempotency-Key was used for another request: take a new one")
        return False

    def _held(self, subject: str, name: str) -> Mapping[str, Any] | None:
        return self._found(subject, ANSWERED, name)

    def _say(self, subject: str, kind: str, asker: Asker, body: dict[str, Any]) -> bool:
        draft = Draft(subject, kind, body, self._desk.bank.now(), asker.actor, key=f"{kind}|{body['key']}")
        return bool(self._desk.bank.append([draft]).facts)

    def _found(self, subject: str, kind: str, name: str) -> Mapping[str, Any] | None:
        facts = self._desk.bank.thread.read(subject, kinds=[kind], reverse=True)
        return next((fact.body for fact in facts if fact.body["key"] == name), None)

    def _require(self, path: str, asker: Asker, subject: str) -> None:
        """Raise unless the asker may still see what was answered then."""
        for pattern, verb in NEEDS:
            if subject != HOUSE and pattern.search(path):
                self._desk.bank.gate.require(asker.actor, verb, subject, ALL, asker.purpose)


class Caught:
    """Takes an answer in, whole, to be sent later."""

    def __init__(self) -> None:
        self.start: Message = {"status": 500, "headers": []}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    @property
    def status(self) -> int:
        """Return the status of the answer."""
        return int(self.start["status"])

    @property
    def media(self) -> str:
        """Return what the body is."""
        return Headers(raw=self.start["headers"]).get("content-type", "")

    async def replay(self, send: Send) -> None:
        """Send it."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


def _digest(*parts: str | bytes) -> str:
    """Return a digest in which no two lists of parts look alike."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        whole.update(len(raw).to_bytes(8, "big") + raw)
    return whole.hexdigest()[:40]


def _again(first: Message, receive: Receive) -> Receive:
    """Return a `receive` that gives *first* once more."""
    waiting = [first]

    async def out() -> Message:
        return waiting.pop() if waiting else await receive()

    return out


def _response(held: Mapping[str, Any]) -> Response:
    headers = {"Idempotency-Replayed": "true"} | ({"Content-Type": held["type"]} if held["type"] else {})
    return Response(held["body"] or None, int(held["status"]), headers)
