"""How long Sunny takes to answer, by intent, on this machine: `python -m bench.sunny`."""

from __future__ import annotations

import time
import tomllib
from collections import defaultdict
from pathlib import Path

import numpy as np

from bench.report import emit
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
    """Answer every sentence of the held set, and print one object."""
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
    by_intent = {name: {"n": len(held), "median_ms": round(float(np.median(held))), "longest_ms": round(max(held))}
                 for name, held in sorted(took.items())}  # fmt: skip
    details = {
        "first_s": round(first, 1),
        "median_ms": round(float(np.median(whole))),
        "answers": len(whole),
        "intents": by_intent,
    }
    emit("sunny", float(np.percentile(whole, 95)), "ms for an answer of Sunny's, p95 (less is better)", {}, details)


if __name__ == "__main__":
    main()
