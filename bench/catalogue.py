"""Search of a large catalogue by the latest value of a signal, in ms, beside SQLite with an index over plaintext rows.

    python -m bench.catalogue --json [--twins 1000000]

Each search asks for the first fifty twins of a type below a threshold, largest first, as the bank answers it: index in step
with the thread, fields asked at the gate, access put on record. The peer is what somebody would write by hand: one table
with the latest value of every twin in the clear, an index over it, `ORDER BY value DESC, id LIMIT 50`, no gate and no
record. The store is written, sealed, before; how long the index takes to build from it, and its memory, is in the details.
"""

from __future__ import annotations

import argparse
import gc
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np

from bench.report import emit
from gemel.bank import Bank
from gemel.facts import MINUTE, Draft
from gemel.packs import diabetes
from gemel.thread import open_thread
from gemel.twintype import Signal

LIMIT_MS = 100.0
PAGE = 50
NOW = 1_795_000_000_000
BATCH = 20_000
Kind = replace(diabetes.Person, name="person", attributes={"weight": Signal("kg", 0, 500)})


def name_of(i: int) -> str:
    """Return the id of a twin."""
    return f"twin-{i:07d}"


def values(count: int) -> np.ndarray:
    """Return what each twin's sensor read last."""
    return np.round(np.random.default_rng(7).gamma(9.0, 15.0, count).clip(40, 400), 2)


def drafts(start: int, end: int, read: np.ndarray) -> list[Draft]:
    """Return who twins are and what was read of each; one actor holds them all."""
    made = []
    for i in range(start, end):
        body = {"type": "person", "hash": Kind.hash, "holder": "ward", "attributes": {"weight": 40.0 + i % 60}}
        said = {"name": "glucose", "value": float(read[i]), "unit": "mg/dL", "source": "cgm", "key": "last"}
        made.append(Draft(name_of(i), "created/1", body, NOW - MINUTE, "ward", key="created"))
        made.append(Draft(name_of(i), "observed/1", said, NOW - i % MINUTE, "cgm", key="last"))
    return made


def peer(folder: Path, read: np.ndarray) -> apsw.Connection:
    """Return a table of the latest values, in the clear, with an index."""
    db = apsw.Connection(str(folder / "plain.db"))
    db.execute("CREATE TABLE latest(id TEXT PRIMARY KEY, type TEXT, value REAL) STRICT, WITHOUT ROWID")
    with db:
        rows = ((name_of(i), "person", float(value)) for i, value in enumerate(read))
        db.executemany("INSERT INTO latest VALUES (?, ?, ?)", rows)
    db.execute("CREATE INDEX by_value ON latest(type, value DESC, id); ANALYZE")
    return db


def plain(db: apsw.Connection, below: float) -> list[str]:
    """Return what the peer finds."""
    asked = "SELECT id FROM latest WHERE type = 'person' AND value < ? ORDER BY value DESC, id LIMIT ?"
    return [str(row[0]) for row in db.execute(asked, (below, PAGE))]


def timed(
    ask: Callable[[float], object], thresholds: np.ndarray, clock: Callable[[], float] = time.perf_counter
) -> np.ndarray:
    """Return how long each ask took, in ms."""
    took = []
    for threshold in thresholds:
        begin = clock()
        ask(float(threshold))
        took.append(1000 * (clock() - begin))
    return np.array(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--twins", type=int, default=1_000_000)
    parser.add_argument("--searches", type=int, default=60)
    options = parser.parse_args()
    read = values(options.twins)
    with tempfile.TemporaryDirectory(prefix="gemel-catalogue-") as folder:
        with open_thread(f"{folder}/store") as thread:
            begin = time.perf_counter()
            for start in range(0, options.twins, BATCH):
                thread.append(drafts(start, min(start + BATCH, options.twins), read), NOW)
            written = time.perf_counter() - begin
        db = peer(Path(folder), read)
        with Bank.open(f"{folder}/store", lambda: NOW, {"person": Kind}) as bank:
            report(bank, db, read, written, options.searches)


def report(bank: Bank, db: apsw.Connection, read: np.ndarray, written: float, searches: int) -> None:
    """Measure the searches of one bank, and print."""
    gc.collect()
    before, begin = resident(), time.perf_counter()
    bank.index.fresh()
    built, memory = time.perf_counter() - begin, resident() - before

    def ask(threshold: float, query: str = "person[glucose<{}]", sort: str = "-glucose") -> list[str]:
        return bank.search(query.format(threshold), by="ward", purpose="care", sort=sort, limit=PAGE).ids

    thresholds = np.random.default_rng(11).uniform(100, 300, searches)
    assert all(ask(float(t)) == plain(db, float(t)) for t in thresholds[:5]), "the peer finds something else"
    ours, theirs = timed(ask, thresholds), timed(lambda t: plain(db, t), thresholds)
    worked = timed(ask, thresholds + 0.005, time.process_time)
    by_name = timed(lambda t: ask(t, "person[glucose={}..400, weight>60, alert=none]", "id"), thresholds)
    none = timed(lambda t: bank.search(f"person[glucose>{t}]", by="stranger", purpose="care").ids, thresholds[:10])
    details = {
        "twins": len(read), "p50_ms": round(float(np.median(ours)), 2), "p99_ms": p99(ours),
        "processor_p50_ms": round(float(np.median(worked)), 2),
        "three_conditions_by_name_p99_ms": p99(by_name), "asker_who_may_see_nobody_p99_ms": p99(none),
        "seen_after_append_ms": round(appended(bank, read), 2), "build_s": round(built, 1), "write_s": round(written, 1),
        "bytes_per_twin": round(memory / len(read)), "sqlite": "plaintext rows, no gate, no record of access",
    }  # fmt: skip
    peers = {"limit": LIMIT_MS, "sqlite_plaintext_index": p99(theirs)}
    emit("catalogue", p99(ours), "ms of a search by latest signal, p99 (less is better)", peers, details)


def p99(took: np.ndarray) -> float:
    """Return what one in a hundred takes longer than."""
    return round(float(np.quantile(took, 0.99)), 3)


def appended(bank: Bank, read: np.ndarray) -> float:
    """Return the ms from an append to a search that shows it, both counted: the median of some."""
    took = []
    for i in range(15):
        name = name_of(i * len(read) // 15)
        body = {"name": "glucose", "value": 400.0 + i, "unit": "mg/dL", "source": "cgm", "key": f"new-{i}"}
        begin = time.perf_counter()
        bank.append([Draft(name, "observed/1", body, NOW + i, "cgm", key=f"new-{i}")])
        found = bank.search("person[glucose>300]", by="ward", purpose="care", sort="-glucose", limit=1).ids
        took.append(1000 * (time.perf_counter() - begin))
        assert found == [name], "what was appended is not found"
    return float(np.median(took))


def resident() -> int:
    """Return the memory that the process holds, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
