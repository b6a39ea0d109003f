"""The HTTP and WebSocket door: one actor, one purpose, this machine only; every request passes the gate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from gemel.bank import Bank, Twin
from gemel.bank.why import walk
from gemel.errors import GemelError, NotFound
from gemel.facts import Fact, time_of
from gemel.loop import Loop
from gemel.server import errors, feed
from gemel.server import schema as s
from gemel.server.changes import Changes
from gemel.server.forks import Forks, fork_views, form_view
from gemel.server.loopback import Loopback
from gemel.server.view import moment, primary_of, proposal_view, summary, view
from gemel.server.why import why_view
from gemel.streams import Item, Place

STATIC = Path(__file__).parent / "static"
PUSH_S, REFRESH_S = 0.25, 5.0
"""Seconds between pushes at the least, and at the most: time alone changes a view too."""

SILENT_KINDS = ("accessed/1",)
Hours = Annotated[float, Query(gt=0, le=24 * 31)]

NOT_BUILT = """<!doctype html><meta charset=utf-8><title>Gemel</title>
<h1>The console is not built</h1>
<p>The server runs; its API is under <a href=/api/meta>/api</a>. To build the page, with Node.js installed:</p>
<pre>cd console && npm ci && npm run build</pre>"""


class Desk:
    """What the endpoints share: the bank and the loop, who asks and what for, the forks, the changes."""

    def __init__(self, bank: Bank, loop: Loop, actor: str, purpose: str, speed: float) -> None:
        self.bank, self.loop, self.actor, self.purpose, self.speed = bank, loop, actor, purpose, speed
        self.forks, self.changes = Forks(), Changes()

    def seen(self, twin: str) -> Twin:
        """Return a twin as the actor may see it, or raise with the reason."""
        return self.bank.find(twin, by=self.actor, purpose=self.purpose)

    def view(self, twin: str, hours: float) -> s.View:
        """Return the view of a twin."""
        return view(self.seen(twin), hours, self.speed, self.loop, self.forks)

    def heard(self, facts: Sequence[Fact]) -> None:
        """Wake those who look at the twins that *facts* are about."""
        for twin in {fact.twin for fact in facts if fact.kind not in SILENT_KINDS}:
            self.changes.mark(twin)


def create_app(
    bank: Bank, loop: Loop, *, actor: str, purpose: str, demo: bool = False, speed: float = 1.0
) -> FastAPI:  # fmt: skip
    """Return the app over *bank*, whose twins *loop* keeps in step; whoever reaches it is *actor* for *purpose*."""
    desk = Desk(bank, loop, actor, purpose, speed)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        quiet = bank.thread.subscribe(desk.heard)
        loop.listeners.append(desk.changes.mark)
        yield
        quiet()
        loop.listeners.remove(desk.changes.mark)

    app = FastAPI(
        title="Gemel", version=version("gemel"), lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", responses={"4XX": {"model": s.Failure}, "5XX": {"model": s.Failure}},
    )  # fmt: skip
    app.add_middleware(Loopback)
    errors.install(app)
    _general(app, desk, demo)
    _twin(app, desk)
    _proposing(app, desk)
    _supposing(app, desk)
    _feeding(app, desk)
    _live(app, desk)
    _console(app)
    return app


def _general(app: FastAPI, desk: Desk, demo: bool) -> None:
    @app.get("/api/meta")
    def meta() -> s.Meta:
        return s.Meta(version=version("gemel"), actor=desk.actor, purpose=desk.purpose, demo=demo)

    @app.get("/api/health")
    async def health() -> feed.Health:
        troubles = dict(desk.loop.troubles)
        status = "degraded" if troubles else "ok"
        return feed.Health(status=status, now=desk.bank.now(), twins=len(desk.bank.twins()), troubles=troubles)

    @app.get("/api/twins")
    def twins() -> list[s.TwinSummary]:
        found = []
        for twin in desk.bank.twins():
            with contextlib.suppress(GemelError):
                if desk.bank.visible(twin, desk.actor, desk.purpose):
                    found.append(summary(desk.seen(twin), desk.loop))
        return found


def _twin(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/twins/{twin}/view")
    def look(twin: str, hours: Hours = 12) -> s.View:
        return desk.view(twin, hours)

    @app.get("/api/twins/{twin}/why/{seq}")
    def why(twin: str, seq: int) -> s.Why:
        return why_view(walk(desk.seen(twin), seq))

    @app.get("/api/twins/{twin}/belief")
    def belief(twin: str) -> feed.BeliefView:
        return feed.belief_view(desk.seen(twin).belief())


def _proposing(app: FastAPI, desk: Desk) -> None:
    @app.post("/api/twins/{twin}/proposals/{seq}/decision")
    def decide(twin: str, seq: int, body: s.Decide) -> s.Proposal:
        seen = desk.seen(twin)
        return proposal_view(seen.decide(seq, body.decision == "approve", body.note), seen.type)


def _supposing(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/twins/{twin}/scenarios")
    def scenarios(twin: str) -> list[s.Scenario]:
        return [form_view(name, form) for name, form in desk.seen(twin).type.scenarios.items()]

    @app.post("/api/twins/{twin}/suppose")
    def suppose(twin: str, body: s.Suppose) -> s.ForkView:
        seen = desk.seen(twin)
        made = fork_views(seen, primary_of(seen), {body.name: body}, moment(seen, desk.loop)[0])[0]
        desk.forks.add(seen, body)
        desk.changes.mark(twin)
        return made

    @app.delete("/api/twins/{twin}/forks/{name}", status_code=204)
    def remove(twin: str, name: str) -> None:
        desk.forks.remove(desk.seen(twin), name)
        desk.changes.mark(twin)


def _feeding(app: FastAPI, desk: Desk) -> None:
    @app.post("/api/twins/{twin}/readings")
    def readings(twin: str, body: feed.Readings) -> feed.Recorded:
        if twin not in desk.bank:
            desk.seen(twin)  # raises: there is no such twin
        new, known = desk.loop.take(twin, [_item(i, one) for i, one in enumerate(body.items)], desk.actor, desk.purpose)
        return feed.Recorded(new=new, known=known)


def _item(row: int, one: feed.ReadingIn) -> Item:
    at = one.at if isinstance(one.at, int) else time_of(one.at, what=f"items.{row}.at")
    return Item(one.name, one.value, one.unit, at, one.id, Place("items", row + 1))


def _live(app: FastAPI, desk: Desk) -> None:
    @app.websocket("/api/twins/{twin}/live")
    async def live(socket: WebSocket, twin: str, hours: Hours = 12) -> None:
        await socket.accept()
        pushing = asyncio.create_task(_push(socket, desk, twin, hours))
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await socket.receive_text()
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)


async def _push(socket: WebSocket, desk: Desk, twin: str, hours: float) -> None:
    """Send the view after each change; a slow client gets the latest when it is ready for it, never a backlog."""
    sent = -1
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            version = await desk.changes.after(twin, sent, REFRESH_S)
            try:
                now = await asyncio.to_thread(desk.view, twin, hours)
            except GemelError as error:
                return await socket.close(*_closing(error))
            await socket.send_text(s.Push(view=now).model_dump_json())
            sent = version
            await asyncio.sleep(PUSH_S)


def _closing(error: GemelError) -> tuple[int, str]:
    """Return code and reason (123 bytes at most) to close a socket with: refused or unknown, or to be tried again."""
    status, _ = errors.told(error)
    return 1013 if status >= 500 else 1008, str(error).encode()[:120].decode(errors="ignore")


def _console(app: FastAPI) -> None:
    @app.api_route("/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nothing(rest: str) -> None:
        raise NotFound(f"there is no /api/{rest}")

    if (STATIC / "index.html").is_file():
        app.mount("/", StaticFiles(directory=STATIC, html=True))
        return

    @app.get("/", include_in_schema=False)
    def not_built() -> HTMLResponse:
        return HTMLResponse(NOT_BUILT, 503)
