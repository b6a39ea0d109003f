"""Aggregating 10,000 readings of one twin by the hour, in ms, with many facts in the store.

    python -m bench.aggregate --facts 10000000 --json

`Twin.aggregate` of all of a twin's readings, chosen at random: asked at the gate, read, those taken back left out, and put
into 834 bins of an hour. The limit is that of issue 3: 50 ms at the median. The twin is not held in memory, and was asked
about some time before, so that there is a sealed column of its readings; `first` is the same without one: all facts are
read, decrypted and checked one by one, and the column is kept. `in_memory` is the same of a twin that the bank holds in
memory, as it does of every live one. The peer `by_hand` is what somebody would write with apsw, cryptography and the json
of the standard library: the same rows, decrypted with the same keys and put into bins in a loop, with no gate and nothing
taken back.
"""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from functools import partial

import apsw
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.big_store import EVERY, HOLDER, READINGS, Gauge, big_store, options, twin, twins
from bench.report import emit
from gemel.bank import Bank, Twin
from gemel.facts import HOUR
from gemel.thread import SqliteThread

LIMIT, ROUNDS, COLUMN = 50.0, 60, "column-level"
CLEAR = struct.Struct(">BQqqHHB")
ROWS = "SELECT rowid, true_at, known_at, mark, nonce, sealed FROM fact WHERE twin = ? AND kind = ? ORDER BY true_at"


def by_hand(db: apsw.Connection, secret: bytes, name: str) -> int:
    """Return how many bins a loop written for this one purpose makes."""
    cipher, bins, names = AESGCM(secret), dict[int, list[float]](), f"{name}observed/1".encode()
    lengths = len(name), len("observed/1"), 16
    for seq, at, known_at, mark, nonce, sealed in db.execute(ROWS, (name, "observed/1")):
        clear = CLEAR.pack(1, seq, at, known_at, *lengths) + names + mark
        body = json.loads(cipher.decrypt(nonce, sealed, clear))["body"]
        if body["name"] == "level":
            bins.setdefault(int(str(at)) // HOUR, []).append(body["value"])
    told = [(len(some), sum(some) / len(some), min(some), max(some), some[-1]) for some in bins.values()]
    return len(told)


def timed(run: Callable[[], int]) -> tuple[float, float]:
    """Return the ms that a run takes, and those of them that the processor works; it must make all bins."""
    begin, worked = time.perf_counter(), time.thread_time()
    bins = run()
    took = 1e3 * (time.perf_counter() - begin), 1e3 * (time.thread_time() - worked)
    assert abs(bins - READINGS * EVERY / HOUR) < 2, bins
    return took


def ask(view: Twin) -> int:
    """Return how many bins there are, by the product's own way."""
    return len(view.aggregate("level").bins)


def main() -> None:
    """Measure in turn and print."""
    asked = options(__doc__)
    folder, draw, live = big_store(asked.facts), random.Random(7), list[float]()
    names = [twin(draw.randrange(twins(asked.facts))) for _ in range(asked.rounds or ROUNDS)]
    ours, first, theirs = list[tuple[float, float]](), list[tuple[float, float]](), list[tuple[float, float]]()
    with SqliteThread(folder) as thread:
        bank = Bank(thread, types={Gauge.name: Gauge})
        db = apsw.Connection(str(thread.path), flags=apsw.SQLITE_OPEN_READONLY)
        for name in names:
            ask(bank.find(name, by=HOLDER, purpose="self-management"))
        for name in names:
            view, secret = bank.find(name, by=HOLDER, purpose="self-management"), thread.secrets(name)[0]
            ours.append(timed(partial(ask, view)))
            thread.keep(name, COLUMN, b"")
            first.append(timed(partial(ask, view)))
            theirs.append(timed(partial(by_hand, db, secret, name)))
            bank.replica(name)
            live.append(timed(partial(ask, view))[0])
            bank.forget(name)
        db.close()
    shares = {"p50": 50, "p99": 99, "max": 100}
    details = {"facts": asked.facts, "points": READINGS, "aggregates": len(ours), "limit_ms": LIMIT}
    told = {"": ours, "first_": first}
    figures = {name: [took for took, _ in some] for name, some in told.items()} | {"in_memory_": live}
    figures |= {f"{name}cpu_": [worked for _, worked in some] for name, some in told.items()}  # the rest was waiting
    for what, some in figures.items():
        details |= {f"{what}{name}_ms": round(float(np.percentile(some, share)), 1) for name, share in shares.items()}
    mine, opened, peer = (float(np.median([took for took, _ in some])) for some in (ours, first, theirs))
    unit = f"ms to aggregate 10,000 readings, {asked.facts:,} facts (less is better)"
    emit("aggregate", mine, unit, {"first": opened, "by_hand": peer, "limit": LIMIT}, details)


if __name__ == "__main__":
    main()
