"""Acknowledged durable appends per second at 1, 64 and 512 producers, beside a bare apsw loop.

The loop is what somebody would write by hand for this one purpose: same tables and indices, same row, encrypted and
hashed alike, one commit per row; and, as the best that grouping could give, as many rows per commit as producers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

import apsw
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.report import emit
from gemel.facts import Draft
from gemel.thread import SqliteThread
from gemel.thread.tables import SCHEMA, WRITING, insert

SECONDS = 1.5
ROUNDS = 3
PRODUCERS = (1, 64, 512)


def _draft(producer: int, i: int) -> Draft:
    body = {"signal": "glucose", "value": 100 + i % 80, "unit": "mg/dL", "source": "cgm"}
    return Draft(f"twin-{producer}", "observed/1", body, i * 300_000, "cgm", (), f"{producer}.{i}")


def ours(folder: Path, producers: int) -> float:
    """Return acknowledged appends per second of one fact each."""
    with SqliteThread(folder / "store") as thread:
        thread.append([_draft(producer, -1) for producer in range(producers)], 0)
        counts, ready = [0] * producers, threading.Barrier(producers + 1)
        until = [0.0]

        def produce(producer: int) -> None:
            ready.wait()
            i = 0
            while time.perf_counter() < until[0]:
                thread.append([_draft(producer, i)], i)
                i += 1
            counts[producer] = i

        workers = [threading.Thread(target=produce, args=(producer,)) for producer in range(producers)]
        for worker in workers:
            worker.start()
        begin = time.perf_counter()
        until[0] = begin + SECONDS
        ready.wait()
        for worker in workers:
            worker.join()
        return sum(counts) / (time.perf_counter() - begin)


def bare(folder: Path, per_commit: int) -> float:
    """Return rows per second of a loop over one connection."""
    db = apsw.Connection(str(folder / "bare.db"))
    db.execute(WRITING)
    for name in ("fact", "fact_when", "fact_kind", "fact_mark"):
        db.execute(SCHEMA[name])
    cipher, encode, statement = AESGCM(AESGCM.generate_key(256)), msgspec.json.encode, insert(1)
    begin, seq = time.perf_counter(), 0
    while time.perf_counter() < begin + SECONDS:
        db.execute("BEGIN IMMEDIATE")
        for _ in range(per_commit):
            seq += 1
            draft = _draft(seq % per_commit, seq)
            head, nonce = f"{seq}|{draft.twin}|{draft.kind}|{draft.true_at}|{seq}".encode(), os.urandom(12)
            sealed = cipher.encrypt(nonce, encode({"by": draft.by, "body": draft.body, "key": draft.key}), head)
            leaf, mark = sha256(b"\x00" + head + nonce + sealed).digest(), sha256(str(draft.key).encode()).digest()[:16]
            db.execute(statement, (seq, draft.twin, draft.kind, draft.true_at, seq, mark, leaf, nonce, sealed))
        db.execute("COMMIT")
    rate = seq / (time.perf_counter() - begin)
    db.close()
    return rate


def _measure(run: Callable[[Path, int], float], count: int) -> float:
    folder = Path(tempfile.mkdtemp(prefix="gemel-bench-", dir=os.environ.get("GEMEL_BENCH_DIR", Path.cwd())))
    try:
        return run(folder, count)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure all in turn, several rounds, and print medians."""
    runs = {f"{name} {count}": (run, count) for count in PRODUCERS for name, run in (("ours", ours), ("bare", bare))}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (run, count) in runs.items():
            taken[name].append(_measure(run, count))
    rates = {name: median(each) for name, each in taken.items()}
    details = {
        str(count): {
            "ours": round(rates[f"ours {count}"]),
            "bare_apsw_one_row_per_commit": round(rates["bare 1"]),
            f"bare_apsw_{count}_rows_per_commit": round(rates[f"bare {count}"]),
            "ratio_to_one_row_per_commit": round(rates[f"ours {count}"] / rates["bare 1"], 2),
            "ratio_to_grouped": round(rates[f"ours {count}"] / rates[f"bare {count}"], 2),
        }
        for count in PRODUCERS
    }
    emit("append", rates["ours 64"], "durable appends/s, 64 producers", {"bare_apsw": rates["bare 1"]}, details)


if __name__ == "__main__":
    main()
