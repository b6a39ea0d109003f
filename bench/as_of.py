"""Reading the last facts of any twin as they were known at any time, in ms, with many facts in the store.

    python -m bench.as_of --facts 10000000 --json

Each read takes a twin and a moment of the store's past at random and returns the twelve facts that were then the last known
of it, in full: `thread.read(twin, known_by=moment, reverse=True, limit=12)`. Half of the moments fall into the last hours,
when readings came live, and each of the twelve lies on a page of its own. The limit is that of issue 3: 10 ms at the
99th percentile. The store's file is as warm as building and earlier reads left it; nothing of it is held by the process
but what its own reads brought in, and the slowest read is told too.
"""

from __future__ import annotations

import random
import time

import numpy as np

from bench.big_store import BORN, EVERY, LIVE, READINGS, big_store, options, twin, twins
from bench.report import emit
from gemel.facts import Time
from gemel.thread import SqliteThread

LIMIT, LAST, ROUNDS = 10.0, 12, 3_000


def moment(draw: random.Random) -> Time:
    """Return a time at which some readings of every twin were known."""
    first = READINGS - LIVE if draw.random() < 0.5 else 1_000
    return BORN + draw.randrange(first, READINGS) * EVERY


def main() -> None:
    """Measure and print."""
    asked = options(__doc__)
    folder, draw, took = big_store(asked.facts), random.Random(7), list[tuple[float, float]]()
    with SqliteThread(folder, readonly=True) as thread:
        for _ in range(asked.rounds or ROUNDS):
            name, known_by = twin(draw.randrange(twins(asked.facts))), moment(draw)
            begin, worked = time.perf_counter(), time.thread_time()
            found = list(thread.read(name, known_by=known_by, reverse=True, limit=LAST))
            took.append((1e3 * (time.perf_counter() - begin), 1e3 * (time.thread_time() - worked)))
            assert len(found) == LAST and all(fact.twin == name and fact.known_at <= known_by for fact in found)
    shares = {"p50": 50, "p99": 99, "max": 100}
    details = {"facts": asked.facts, "twins": twins(asked.facts), "reads": len(took), "limit_ms": LIMIT}
    for place, what in enumerate(("", "cpu_")):  # what the processor did shows how much of it was waiting for its turn
        each = [one[place] for one in took]
        details |= {f"{what}{name}_ms": round(float(np.percentile(each, share)), 3) for name, share in shares.items()}
    p99 = float(np.percentile([one[0] for one in took], 99))
    emit("as_of", p99, f"ms for an as-of read, p99, {asked.facts:,} facts (less is better)", {"limit": LIMIT}, details)


if __name__ == "__main__":
    main()
