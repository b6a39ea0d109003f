"""Learn on virtual people what a twin's forecasts get wrong, for twins of whom little is known yet.

`python -m gemel.packs.diabetes.cold_start` writes `cold_start.json` anew; a test says when the twin type has changed since.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from gemel.assimilate import Lessons, learn
from gemel.bank import Bank, Record, record
from gemel.bank.cold import LEARNING, ColdStart
from gemel.facts import DAY
from gemel.packs.diabetes.asset.person import virtual_days
from gemel.packs.diabetes.person import Person
from gemel.streams import Item, Place
from gemel.thread import MemoryThread

SUBJECTS = (*(f"adult#{i:03d}" for i in range(1, 9)), *(f"adolescent#{i:03d}" for i in range(1, 5)))
DAYS, SEED, START = 3, 11, 19_675 * DAY
SETTLING = 24
SIGNAL = "glucose"


def cold_start(subjects: Sequence[str] = SUBJECTS, days: float = DAYS) -> ColdStart:
    """Return what is learned on some virtual people over *days*."""
    told = virtual_days(subjects, days, SEED, start=START)
    bank = Bank(MemoryThread(), clock=lambda: START + (DAYS + 1) * DAY)
    lessons = []
    for name, records in told.items():
        twin = bank.create(Person, name, by="virtual")
        twin.record([Item(*entry, None, Place("virtual")) for entry in records])
        lessons.append(_lessons(record(bank.replica(name), SIGNAL)))
        sys.stderr.write(f"{name}: {len(lessons[-1].weight)} forecasts\n")
    learned = learn(lessons, LEARNING)
    assert learned is not None
    how = f"{len(told)} virtual people of UVA/Padova S2008, {days:g} days each, seed {SEED}"
    arrays = (np.round(array, 6).tolist() for array in (learned.centre, learned.scale, learned.weights))
    return ColdStart(Person.hash, SIGNAL, how, *arrays)


def _lessons(found: Record) -> Lessons:
    rows = slice(SETTLING, None)
    return Lessons(found.features[rows], (found.truth - found.said)[rows], np.ones(len(found.at[rows])))


if __name__ == "__main__":
    text = msgspec.json.format(msgspec.json.encode(cold_start()), indent=0)
    Path(__file__).with_suffix(".json").write_bytes(text + b"\n")
