"""The app: the door, the endpoints noun by noun, the live socket, the console's page."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig

from gemel.bank import Bank
from gemel.errors import NotFound
from gemel.loop import Loop
from gemel.server import (
    alerting,
    cohorts,
    deciding,
    document,
    errors,
    events,
    feeding,
    live,
    login,
    looking,
    nightscout,
    reaching,
    remembering,
    search,
    service,
    talking,
    team,
    tokens,
    tooling,
)
from gemel.server.asker import Entry
from gemel.server.desk import Desk
from gemel.server.door import Door
from gemel.server.figures import MEDIA, Counted
from gemel.server.guard import HOSTS, Guard
from gemel.server.limits import Buckets, Rate
from gemel.server.oidc import Issuer, Provider
from gemel.server.once import Once
from gemel.server.tags import Tagged
from gemel.server.tracing import Traced

STATIC = Path(__file__).parent / "static"
SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans bear addresses with the names of twins in them; `tracing` makes ours."""

NOT_BUILT = """<!doctype html><meta charset=utf-8><title>Gemel</title>
<h1>The console is not built</h1>
<p>The server runs; its API is under <a href=/api/openapi.json>/api</a>. To build the page, with Node.js installed:</p>
<pre>cd console && npm ci && npm run build</pre>"""


@dataclass(frozen=True)
class Access:
    """Who may enter: *holder* (actor, purpose) by a link, people whom *provider* vouches for, all who have tokens.

    With *open_as*, whoever reaches the port is taken for that one, or with `?as=` for one of *others* (actor: purpose): only
    demonstrations do so. `url` is the address under which people reach the server, if it is another than that of this
    machine; `used` hears each next link.
    """

    holder: tuple[str, str] | None = None
    provider: Provider | None = None
    open_as: tuple[str, str] | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    actors: Rate = field(default_factory=Rate)
    addresses: Rate = field(default_factory=lambda: Rate(200.0, 2000.0))
    used: Callable[[str], object] = lambda link: None
    ticks: Callable[[], float] = time.monotonic

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names by which the server answers."""
        return HOSTS if self.url is None else (str(urlsplit(self.url).hostname), *HOSTS)


def create_app(bank: Bank, loop: Loop, access: Access, *, speed: float = 1.0, cookie: str = "gemel") -> FastAPI:
    """Return the app over *bank*, whose twins *loop* keeps in step, for those whom *access* lets in."""
    issuer = None if access.provider is None else Issuer(access.provider, bank.now, access.ticks)
    entry = Entry(bank, issuer=issuer, open_as=access.open_as, cookie=cookie, others=access.others)
    desk = Desk(bank, loop, entry, speed, demo=access.open_as is not None)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        quiet, unwatch = bank.thread.subscribe(desk.heard), bank.gate.watch(desk.turned)
        loop.listeners.append(desk.changes.mark)
        watching = asyncio.create_task(desk.figures.watch_lag())
        yield
        watching.cancel()
        quiet()
        unwatch()
        loop.listeners.remove(desk.changes.mark)

    app = FastAPI(
        title="Gemel", version=version("gemel"), lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", telemetry=SILENT,
    )  # fmt: skip
    app.state.desk, app.state.porter = desk, login.Porter(entry, access.holder, access.url, access.used)
    app.add_middleware(Tagged, desk=desk)
    app.add_middleware(Once, desk=desk)
    actors, addresses = (Buckets(rate, access.ticks) for rate in (access.actors, access.addresses))
    app.add_middleware(Door, entry=entry, actors=actors, addresses=addresses, near=access.url is None)
    app.add_middleware(Guard, hosts=access.hosts, secure=bool(access.url and access.url.startswith("https:")))
    app.add_middleware(Counted, figures=desk.figures)
    app.add_middleware(Traced, tracer=desk.tracer)
    errors.install(app)
    for noun in (
        looking,
        deciding,
        alerting,
        reaching,
        team,
        tooling,
        talking,
        remembering,
        service,
        feeding,
        events,
        login,
        tokens,
        search,
        cohorts,
        live,
    ):
        app.include_router(noun.routes)
    app.include_router(nightscout.routes(desk))
    _figures(app, desk)
    document.install(app)
    _console(app)
    return app


def _figures(app: FastAPI, desk: Desk) -> None:
    @app.get("/metrics", response_class=Response, responses={200: {"content": {MEDIA: {}}}})
    def figures() -> Response:
        """What the server counts of itself, for Prometheus."""
        return Response(desk.figures.text(), media_type=MEDIA)


def _console(app: FastAPI) -> None:
    @app.api_route("/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nothing(rest: str, asked: Request) -> None:
        raise NotFound(f"there is no /api/{rest}")

    if (STATIC / "index.html").is_file():
        app.mount("/", StaticFiles(directory=STATIC, html=True))
        return

    @app.get("/", include_in_schema=False)
    def not_built() -> HTMLResponse:
        return HTMLResponse(NOT_BUILT, 503)
