"""Kill -9 in the middle, again and again: no acknowledged reading is lost, and the belief is that of a quiet run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemel.bank import Bank
from gemel.bank.tokens import Tokens
from gemel.facts import DAY, MINUTE, Time
from gemel.packs.diabetes import Person
from gemel.server.run import serve
from gemel.thread import open_thread

KILLS = int(os.environ.get("GEMEL_KILLS", "50"))
SECRET = "gemel_known-to-this-test-alone-0123456789"
SHOWN = {"Authorization": f"Bearer {SECRET}"}
FORGE = multiprocessing.get_context("forkserver")
FORGE.set_forkserver_preload(["gemel.server.run", "gemel.packs.diabetes", "gemel.packs.service"])
"""Lives are forked from a process that has loaded its libraries; it has seen no store and run no numerics."""

SOON_S, LATEST_S = 0.4, 4.0
"""Most kills come while readings do, every fifth while the loop may still be at work on them."""

START: Time = 1_795_154_400_000
"""A while ago: what the readings are about, whenever the test runs."""


def readings(count: int) -> list[dict[str, Any]]:
    """Return readings every five minutes and a dose now and then, some out of order."""
    rng = random.Random(4)
    made: list[dict[str, Any]] = []
    value = 130.0
    for i in range(count):
        at = START + i * 5 * MINUTE
        value = min(max(value + rng.gauss(0, 6), 60), 260)
        made.append({"name": "glucose", "value": round(value), "unit": "mg/dL", "at": at})
        if i % 37 == 5:
            made.append({"name": "carbs", "value": 30.0, "unit": "g", "at": at + MINUTE})
            made.append({"name": "bolus", "value": 1.5, "unit": "U", "at": at + MINUTE})
    for i in range(0, len(made) - 3, 11):
        made[i], made[i + 2] = made[i + 2], made[i]
    return made


def make(store: Path) -> None:
    """Make a store with one twin that was told its basal rate."""
    with Bank.open(str(store), clock=lambda: START - DAY) as bank:
        bank.create(Person, "lily", by="sarah")
        Tokens(bank).create(SECRET, "sarah", ["care"], by="sarah")


@dataclass
class Server:
    """A real server on a store, and what it acknowledged."""

    store: Path
    port: int
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    process: ForkServerProcess | None = None
    heard: Connection | None = None

    def start(self) -> float:
        """Start it on the store, and return the seconds until it answers."""
        began = time.monotonic()
        heard, said = FORGE.Pipe(duplex=False)
        how = {"port": self.port, "actor": "sarah", "purpose": "care", "tell": said.send}
        self.process = FORGE.Process(target=serve, args=(str(self.store),), kwargs=how)
        self.process.start()
        said.close()
        self.heard = heard
        assert "Gemel serves" in heard.recv()
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill it without warning."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def feed(self, waiting: list[dict[str, Any]], rng: random.Random) -> None:
        """Post readings, in small batches, until none wait or the server is gone; one not answered is posted again."""
        home = f"http://127.0.0.1:{self.port}"
        with (
            httpx.Client(base_url=home, headers=SHOWN, timeout=60, trust_env=False) as client,
            contextlib.suppress(httpx.TransportError),
        ):
            while waiting:
                batch = waiting[: rng.choice([1, 1, 1, 2, 5])]
                answer = client.post("/api/twins/lily/readings", json={"items": batch})
                assert answer.status_code == 200, answer.text
                assert sum(answer.json().values()) == len(batch)
                self.acknowledged += batch
                del waiting[: len(batch)]

    def get(self, path: str) -> Any:
        """Return what it answers."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=SHOWN, timeout=120, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def port() -> int:
    """Return a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        found: int = sock.getsockname()[1]
        return found


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Server]:
    """Return a server that is not yet started."""
    make(tmp_path / "store")
    made = Server(tmp_path / "store", port)
    yield made
    made.kill()


def test_killed_fifty_times_it_loses_nothing(server: Server, tmp_path: Path) -> None:
    """Every acknowledged reading is there, the store is intact, and the belief is bit by bit that of a run in peace."""
    rng = random.Random(9)
    waiting = readings(KILLS * 6)
    starts = []
    for left in range(KILLS, 0, -1):
        starts.append(server.start())
        part = waiting[: len(waiting) // left]
        del waiting[: len(part)]
        killer = threading.Timer(rng.uniform(0.0, LATEST_S if left % 5 == 0 else SOON_S), server.kill)
        killer.start()
        server.feed(part, rng)
        killer.join()
        waiting[:0] = part
    starts.append(server.start())
    server.feed(waiting, rng)
    assert waiting == []
    found = server.get("/api/twins/lily/belief")
    server.kill()

    with contextlib.closing(open_thread(server.store, readonly=True)) as thread:
        assert thread.verify().problems == ()
        kept = {(f.body["name"], f.true_at) for f in thread.read("lily", kinds=["observed/1", "acted/1"])}
    assert {(one["name"], one["at"]) for one in server.acknowledged} == kept
    assert len(starts) == KILLS + 1

    make(tmp_path / "quiet")
    quiet = Server(tmp_path / "quiet", server.port)
    quiet.start()
    quiet.feed(readings(KILLS * 6), random.Random(1))
    again = quiet.get("/api/twins/lily/belief")
    quiet.kill()
    assert again == found
    print(f"starts: median {sorted(starts)[len(starts) // 2]:.1f} s, longest {max(starts):.1f} s")  # noqa: T201 - for -s
