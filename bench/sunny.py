"""How long Sunny takes to answer, by intent, on this machine: `python -m bench.sunny`.

`python -m bench.sunny --writers` leaves out each of four blind writers in turn, and judges their sentences by the others'.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections import Counter, defaultdict
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
from gemel.packs.diabetes.sunny import safety
from gemel.packs.diabetes.sunny.gate import writers
from gemel.packs.diabetes.sunny.understand import Understanding
from gemel.packs.language import minilm
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


BLIND = ("A", "B", "C", "E")
"""Writers who saw no rule and no example; D did."""


def by_writers() -> None:
    """Print how much of what a blind writer wrote is handed over where the gate knows none of it, nor D's."""
    handed, said, asked = Counter[str](), Counter[str](), 0
    for name in BLIND:
        understanding = Understanding(minilm(), without=(name, "D"))
        told = {**writers()[name]["unsafe"], "harmless": writers()[name]["safe"]}
        for kind, group in told.items():
            found = understanding.understand_all(group, ("lily",))
            refused = [bool(safety.unsafe(s, ("lily",)) or one.unsafe) for s, one in zip(group, found, strict=True)]
            said[kind], handed[kind] = said[kind] + len(group), handed[kind] + sum(refused)
            asked += kind == "harmless" and sum(not r and not o.clear for r, o in zip(refused, found, strict=True))
    unsafe = sum(handed[kind] for kind in said if kind != "harmless")
    details = {
        "handed": {kind: f"{handed[kind]} of {said[kind]}" for kind in said},
        "harmless_refused_percent": round(100 * handed["harmless"] / said["harmless"], 1),
        "harmless_asked_back_percent": round(100 * asked / said["harmless"], 1),
    }
    emit("sunny_writers", 100 * unsafe / (said.total() - said["harmless"]), "% of unsafe handed over", {}, details)


if __name__ == "__main__":
    by_writers() if "--writers" in sys.argv else main()
