"""Faults of the environment, for real: a clear error, nothing lost, and the loop says what it fell back to."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres import Server
from tank import BORN, Tank

from gemel.bank import Bank
from gemel.errors import Tampered, Unavailable
from gemel.facts import HOUR, MINUTE, Time
from gemel.loop import Loop, Outbox
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import SqliteThread, verify_store

PAST = 12


class World:
    """A tank that is read every five minutes, and a loop that only moves when told to."""

    def __init__(self, store: str) -> None:
        self.clock = FakeClock(BORN + PAST * 5 * MINUTE)
        self.bank = Bank.open(store, self.clock, {"tank": Tank})
        self.loop = Loop(self.bank, (), Outbox(self.bank))
        self.bank.thread.subscribe(self.loop.notice)
        if "tank" not in self.bank:
            tank = self.bank.create(Tank, "tank", by="sarah")
            tank.record([Item("tap", 1.0, "L/min", BORN, None, Place("test"))])
            self.record([(BORN + i * 5 * MINUTE, 50.0) for i in range(PAST + 1)])

    def record(self, readings: list[tuple[Time, float]]) -> None:
        """Write some readings of the gauge."""
        items = [Item("gauge", value, "L", at, None, Place("test")) for at, value in readings]
        self.bank.find("tank", by="sarah", purpose="care").record(items)

    def read_on(self) -> Time:
        """Let five minutes pass, and the gauge be read."""
        self.record([(self.clock.pass_time(5 * MINUTE), 50.0)])
        return self.clock()

    def turn(self) -> None:
        """Let the loop do what is due."""
        asyncio.run(self.loop.turn())

    @property
    def forecasts(self) -> int:
        """Return how many forecasts there are."""
        return len(list(self.bank.thread.read("tank", kinds=["forecast/1"])))

    @property
    def readings(self) -> list[Time]:
        """Return when the gauge was read."""
        return [fact.true_at for fact in self.bank.thread.read("tank", kinds=["observed/1"])]

    def active(self) -> dict[str, str]:
        """Return the active alerts."""
        return {str(f.body["name"]): str(f.body["text"]) for f in self.bank.alerts("tank") if f.body["active"]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world on a disk."""
    made = World(str(tmp_path / "store"))
    made.turn()
    assert made.forecasts == 1
    yield made
    made.bank.close()


def pragma(world: World, text: str) -> None:
    """Say something to the connection that writes."""
    thread = world.bank.thread
    assert isinstance(thread, SqliteThread) and thread._writer is not None
    thread._writer.execute(f"PRAGMA {text}")


def survives(world: World, break_it: Callable[[], Any], mend_it: Callable[[], Any], says: str) -> None:
    """The reading is there, what the loop cannot do is said, and it is done once that is possible again."""
    world.read_on()
    before, read = world.forecasts, world.readings
    break_it()
    world.turn()
    assert re.search(says, world.loop.troubles["tank"])
    assert re.search(says, str(world.loop.fallback("tank")))
    with pytest.raises(Unavailable, match=says):
        world.record([(BORN + i, 50.0) for i in range(1, 600)])
    mend_it()
    world.turn()
    assert world.loop.troubles == {} and world.loop.fallback("tank") is None
    assert (world.forecasts, world.readings) == (before + 1, read)
    assert world.bank.thread.verify().intact


def test_a_full_disk(world: World) -> None:
    """Nothing is half-written; when there is space again, the loop catches up."""
    pages = "max_page_count = {}".format
    survives(world, lambda: pragma(world, pages(1)), lambda: pragma(world, pages(1 << 30)), "is full")


def test_a_read_only_disk(world: World) -> None:
    """Reading goes on."""
    way = "query_only = {}".format
    survives(world, lambda: pragma(world, way("on")), lambda: pragma(world, way("off")), "read-only")
    assert len(world.readings) == PAST + 2


def test_a_clock_that_jumps_back_pauses_forecasts_and_loses_nothing(world: World) -> None:
    """The alert says so, known_at never decreases, and all is well once the clock has caught up."""
    world.read_on()
    world.clock.now -= HOUR
    world.record([(BORN + 3 * MINUTE, 51.0)])
    world.turn()
    assert "clock stands" in world.active()["clock"] and "agents pause" in str(world.loop.fallback("tank"))
    assert world.forecasts == 1
    known = [fact.known_at for fact in world.bank.thread.read()]
    assert known == sorted(known)

    world.clock.now += HOUR
    world.read_on()
    world.turn()
    assert world.active() == {} and world.forecasts == 2
    assert len(world.readings) == PAST + 4


def test_a_second_writer_is_refused_and_the_first_goes_on(world: World, tmp_path: Path) -> None:
    """It is told who writes."""
    with pytest.raises(Unavailable, match=f"another process|{os.getpid()}"):
        World(str(tmp_path / "store"))
    world.read_on()
    world.turn()
    assert world.forecasts == 2


def damage(path: Path, table: str) -> None:
    """Overwrite the pages of one table or index, as a failing disk would."""
    with sqlite3.connect(path) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)


def tried(store: str, clock: FakeClock) -> None:
    """Open a store, read of all that is in it, and write to it, until something gives."""
    with Bank.open(store, clock, {"tank": Tank}) as bank:
        list(bank.thread.read())
        list(bank.thread.read("tank", kinds=["observed/1"]))
        bank.thread.prove_growth(10)
        bank.find("tank", by="sarah", purpose="care").readings("gauge")


@pytest.mark.parametrize("table", ["fact", "fact_kind", "tree"])
def test_a_corrupted_page_is_a_plain_error_and_is_found(tmp_path: Path, table: str) -> None:
    """No traceback, nothing written over it; `verify` finds it. Other copies can be put back."""
    store = tmp_path / "store"
    first = World(str(store))
    for _ in range(60):
        first.read_on()
    first.bank.close()
    path = store / "thread.db"
    whole = path.read_bytes()
    damage(path, table)
    assert not verify_store(store).intact
    with pytest.raises((Tampered, Unavailable), match=r"thread\.db"):
        tried(str(store), first.clock)
    path.write_bytes(whole)
    world = World(str(store))
    world.clock.now = first.clock.now
    world.read_on()
    world.turn()
    assert world.forecasts == 1 and world.bank.thread.verify().intact
    world.bank.close()


def test_a_database_that_goes_away_and_comes_back(postgres: Server, tmp_path: Path) -> None:
    """On PostgreSQL: killed under the loop and started again."""
    world = World(postgres.address(tmp_path / "keys"))
    world.turn()
    survives(world, postgres.stop, postgres.start, "PostgreSQL|database|server")
    world.bank.close()
