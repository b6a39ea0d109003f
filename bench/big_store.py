"""A store of many facts, built once and kept in a cache folder: what the benchmarks of reading and of starting open.

Each twin is a gauge read every five minutes, 10,000 times. All but the last hundred readings came in bulk, a thousand at
a time, twin after twin; the last hundred came live, all twins' interleaved, so that each of them lies on another page.

The store lies in $GEMEL_BENCH_CACHE, or else in gemel-bench under the folder for temporary files; 10 million facts need
about 5 GB. Building goes on where it was left. Remove the folder when it is no longer of use.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gemel.facts import MINUTE, SECOND, Draft, Time
from gemel.model import Composite, Module, Sensor, State
from gemel.thread import SqliteThread
from gemel.thread.tables import FORMAT
from gemel.twintype import Asset, Level, Scope, Signal, TwinType

READINGS, LIVE, CHUNK = 10_000, 100, 990
TOGETHER = 4
"""Chunks per commit."""

BORN: Time = 1_700_000_100_000
EVERY: Time = 5 * MINUTE
HOLDER, UNIT = "keeper", "L"

Gauge = TwinType(
    name="gauge",
    asset=Asset.PHYSICAL,
    scope=Scope.ORGAN,
    level=Level(),
    dynamics=Composite(
        [Module(name="tank", states={"tank.level": State(UNIT, 50.0)}, change=lambda v: {"tank.level": 0.0})],
        inputs={},
        sensors={"level": Sensor("tank.level", 0.5)},
    ),
    signals={"level": Signal(UNIT, 0, 500)},
    levers={},
    members=2,
)


def options(about: str | None) -> argparse.Namespace:
    """Return what the command line asks for: `facts` in the store, `rounds` to measure."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--facts", type=int, default=1_000_000, help="how many facts the store is to hold")
    parser.add_argument("--rounds", type=int, help="how often to measure")
    return parser.parse_args()


def twin(number: int) -> str:
    """Return the name of a twin."""
    return f"gauge-{number:05}"


def twins(facts: int) -> int:
    """Return how many twins a store of so many facts has."""
    return max(facts // READINGS, 1)


def reading(number: int, i: int) -> Draft:
    """Return the i-th reading of a twin."""
    at, key = BORN + i * EVERY, f"level|{i}"
    body = {"name": "level", "value": 50.0 + (i * 7 + number) % 997 / 10, "unit": UNIT, "source": "live", "key": key}
    return Draft(twin(number), "observed/1", body, at, "stream:live", (), key)


def big_store(facts: int) -> Path:
    """Return the folder of a store of so many readings, built as far as it is not there yet."""
    cache = Path(os.environ.get("GEMEL_BENCH_CACHE") or Path(tempfile.gettempdir()) / "gemel-bench")
    folder = cache / f"store-{FORMAT}-{facts}"
    with SqliteThread(folder) as thread:
        there = next((fact.seq for fact in thread.read(reverse=True, limit=1)), 0)
        done, begin = 0, time.perf_counter()
        for drafts, size, now in _batches(twins(facts)):
            done += size
            if done > there:
                thread.append([draft for some in drafts for draft in some], now)
                rate = (done - there) / (time.perf_counter() - begin)
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r{folder}: {done:,} facts, {rate:,.0f}/s  ")
    sys.stderr.write(f"\r{folder}: {done:,} facts\n" if done > there else "")
    return folder


Batch = tuple[list[Iterator[Draft]], int, Time]
"""Drafts yet to be made, how many they are, and when they become known."""


def _batches(count: int) -> Iterator[Batch]:
    yield [_created(number) for number in range(count)], count, BORN
    for first in range(0, READINGS - LIVE, CHUNK):
        now = BORN + (first + CHUNK) * EVERY
        for start in range(0, count, TOGETHER):
            some = range(start, min(start + TOGETHER, count))
            yield [_readings(number, first, first + CHUNK) for number in some], CHUNK * len(some), now
    for i in range(READINGS - LIVE, READINGS):
        yield [_readings(number, i, i + 1) for number in range(count)], count, BORN + i * EVERY + 5 * SECOND


def _created(number: int) -> Iterator[Draft]:
    body = {"type": Gauge.name, "hash": Gauge.hash, "holder": HOLDER, "attributes": {}}
    yield Draft(twin(number), "created/1", body, BORN, HOLDER, (), "created")


def _readings(number: int, first: int, last: int) -> Iterator[Draft]:
    return (reading(number, i) for i in range(first, last))
