"""A small waterworks behind a server: two tanks, their keeper, a carer who may see some of one, and a stranger."""

from __future__ import annotations

import contextlib
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from tank import BORN, Clock, Tank, drafts, lived

from gemel.bank import Bank
from gemel.bank.tokens import Tokens
from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Field, Form, Metric, Scenario
from gemel.loop import Loop
from gemel.server.app import Access, create_app
from gemel.thread import MemoryThread, Thread

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have httpx2
    from starlette.testclient import TestClient

HOME = "http://127.0.0.1:8642"
NOW: Time = BORN + 3 * HOUR
CARE = "care"


def secret_of(actor: str) -> str:
    """Return the token of an actor."""
    return f"gemel_{actor:-<40}"


def bearer(actor: str) -> dict[str, str]:
    """Return the header that shows it."""
    return {"Authorization": f"Bearer {secret_of(actor)}"}


def reading(value: float, at: Time, name: str = "gauge", **more: Any) -> dict[str, Any]:
    """Return one reading as JSON."""
    return {"name": name, "value": value, "unit": Tank.port(name).unit, "at": at, **more}


def _fill(amount: float) -> Scenario:
    return Scenario("fill", lambda plan, now: [*plan, Dose("bucket", amount, now)])


TANK = replace(
    Tank,
    metrics={"mean": Metric("gauge", "L", "higher", lambda draws: np.mean(draws, axis=0))},
    scenarios={"fill": Form("Fill", (Field("amount", "Amount", "L", 0.0, 50.0, 10.0),), _fill)},
)


@dataclass
class Works:
    """Tanks "north" and "south" of ann's; bea may read north's gauge, for care; the gauge may write; eve may nothing."""

    thread: Thread = field(default_factory=MemoryThread)
    ticks: Clock = field(default_factory=lambda: Clock(0))

    def __post_init__(self) -> None:
        self.clock = Clock(NOW)
        self.bank = Bank(self.thread, self.clock, {"tank": TANK})
        self.loop = Loop(self.bank, [])
        self.tokens = Tokens(self.bank)
        if "north" not in self.bank:
            self._build()

    def _build(self) -> None:
        for seed, name in enumerate(("north", "south")):
            self.bank.create("tank", name, by="ann")
            self.bank.append(drafts(*lived(2.5, seed=seed), twin=name))
        north = self.north
        north.grant(to="bea", purpose=CARE, read="gauge")
        north.grant(to="stream:gauge", purpose=CARE, write="gauge")
        for actor in ("ann", "bea", "stream:gauge", "eve"):
            self.tokens.create(secret_of(actor), actor, [CARE, "research"], by="ann")

    @property
    def north(self) -> Any:
        """Return the north tank, as ann has it."""
        return self.bank.find("north", by="ann", purpose=CARE)

    def app(self, access: Access | None = None) -> FastAPI:
        """Return the server over it."""
        return create_app(self.bank, self.loop, access or Access(ticks=lambda: float(self.ticks())))

    @contextlib.contextmanager
    def door(self, actor: str | None = "ann", access: Access | None = None, **more: Any) -> Iterator[TestClient]:
        """Yield a client that shows the token of an actor, or none."""
        shown = {} if actor is None else bearer(actor)
        app = self.app(access)
        with TestClient(app, base_url=HOME, headers=shown, raise_server_exceptions=False, follow_redirects=False,
                        **more) as door:  # fmt: skip
            yield door

    def pass_time(self, length: Time) -> None:
        """Let time go by."""
        self.clock.now += length


LATER: Time = NOW + 5 * MINUTE


@contextlib.contextmanager
def listening(app: FastAPI | Any) -> Iterator[str]:
    """Yield the address of a real server of *app*, on a loopback port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)
        started = threading.Event()
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1)
        )
        startup = server.startup

        async def said(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            started.set()

        server.startup = said  # type: ignore[method-assign]
        running = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        running.start()
        assert started.wait(30)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            if hasattr(app.state, "desk"):
                app.state.desk.close()
            server.should_exit = True
            running.join(30)
