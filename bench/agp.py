"""The AGP report of one person: 90 days of readings each five minutes, from the twin to the page, in seconds.

    python -m bench.agp --json

Ours: the readings are taken from a loaded twin as its reader may see them, the figures are worked out, and the page is written
as HTML. The first page of a process is left out, and the worst of the others is told. There is no peer; the limit is 1 s. Setting
the page as PDF is WeasyPrint's work, and is told beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np

from bench.report import emit
from gemel.bank import Bank, Twin
from gemel.bank.tools import pdf
from gemel.facts import DAY, MINUTE, Time
from gemel.packs.diabetes.person import Person
from gemel.packs.diabetes.reports import agp_page, letter
from gemel.packs.diabetes.reports.agp import agp
from gemel.packs.diabetes.reports.seen import glucose
from gemel.streams import Item, Place
from gemel.thread import MemoryThread

START: Time = 1_767_222_000_000
ZONE = ZoneInfo("Europe/Amsterdam")
LIMIT = 1.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    until = START + options.days * DAY
    twin = lived(until)
    at, values = glucose(twin, START, until)
    page = agp_page.make(twin, START, until, ZONE)
    took = worst(lambda: agp_page.make(twin, START, until, ZONE), options.runs)
    details = {
        "days": options.days, "readings": len(at), "limit_s": LIMIT, "bytes": len(page),
        "figures_s": worst(lambda: agp(at, values, START, until, ZONE), options.runs),
        "pdf_s": worst(lambda: pdf(page), 2),
        "letter_s": worst(lambda: letter.make(twin, until - 14 * DAY, until, ZONE), 2),
    }  # fmt: skip
    emit("agp", took, f"s for the AGP page of {options.days} days (less is better)", {"limit": LIMIT}, details)


def lived(until: Time) -> Twin:
    """Return a made-up person's twin, loaded."""
    bank = Bank(MemoryThread(), lambda: until, {Person.name: Person})
    twin = bank.create(Person, "somebody", by="herself")
    at = np.arange(START, until, 5 * MINUTE)
    values = 150 + 45 * np.sin(4 * np.pi * (at - START) / DAY) + np.random.default_rng(0).normal(0, 25, len(at))
    place = Place("made up")
    twin.record([Item("glucose", float(v), "mg/dL", int(t), None, place) for t, v in zip(at, values, strict=True)])
    return twin


def worst(do: Callable[[], object], runs: int) -> float:
    """Return the longest of some runs, s."""
    took = []
    for _ in range(runs):
        begun = time.perf_counter()
        do()
        took.append(time.perf_counter() - begun)
    return round(max(took), 4)


if __name__ == "__main__":
    main()
