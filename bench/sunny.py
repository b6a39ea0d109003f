"""How long Sunny takes to answer, by intent, on this machine: `python -m bench.sunny`."""

from __future__ import annotations

import platform
import time
import tomllib
from collections import defaultdict
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path

import numpy as np

from gemel.bank import Bank
from gemel.bank.catalogue import roles
from gemel.bank.companion import talk
from gemel.bank.team import join
from gemel.facts import DAY, HOUR
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.asset import LILY, VirtualPerson
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

START = 20_000 * DAY
SET = Path(__file__).parents[1] / "tests/data/sunny_sentences.toml"


def main() -> None:
    bank = Bank(MemoryThread(), FakeClock(START + 34 * HOUR), {Person.name: Person})
    twin = bank.create(Person, "lily", by="sarah")
    join(twin, roles(Person.name), "lily", "child")
    lived = VirtualPerson(LILY, 7, START, id="lily").advance(START + 34 * HOUR)
    twin.record([Item(name, value, unit, at, None, Place("room")) for name, value, unit, at in lived])
    lily = bank.find("lily", by="lily", purpose="self-management")
    told = tomllib.loads(SET.read_text(encoding="utf-8"))
    said = [s for part in ("intents", "unsafe") for group in told[part].values() for s in group]
    began = time.perf_counter()
    talk(lily, {}, "how am I now")
    first = time.perf_counter() - began
    for sentence in said:
        talk(lily, {}, sentence)  # compiles what is new
    took: dict[str, list[float]] = defaultdict(list)
    for sentence in said:
        began = time.perf_counter()
        _, reply = talk(lily, {}, sentence)
        took[reply.intent].append(1000 * (time.perf_counter() - began))
    whole = [one for held in took.values() for one in held]
    print(f"{platform.node()} {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}, load {getloadavg()[0]:.1f}")
    print(
        f"first answer {first:.1f} s; {len(whole)} answers: mid {np.median(whole):.0f} ms, p95 {np.percentile(whole, 95):.0f} ms"
    )
    for name, held in sorted(took.items()):
        print(f"{name:18} {len(held):4}  median {np.median(held):5.0f} ms  longest {max(held):5.0f} ms")


if __name__ == "__main__":
    main()
