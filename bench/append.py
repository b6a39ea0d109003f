"""Durable appends acknowledged per second at 1, 64 and 512 producers, beside a bare apsw loop that does the same work.

Ours: so many threads, each appending one fact, waiting until it is durable, and appending the next, to its own twin.

The peer: one thread and one connection that somebody would write by hand for this one purpose. Same tables, indices and
PRAGMAs (WAL, synchronous = FULL); the same JSON, sealed with AES-256-GCM under a key per twin, the same keyed mark in a
unique index, the same SHA-256 leaf, and the peaks of the RFC 9162 tree written in the same transaction. It commits as
many rows at a time as ours did on average in the run just before (one for a lone producer), over as many twins, and
inserts them many per statement as ours does. It has nobody to wait for, to wake or to acknowledge, checks no draft and
returns no facts: what it lacks is what ours may cost.

`served` is the same loop with as many producers as ours has: threads that hand their fact to it through a queue and wait
until it is durable, as one would write it by hand. A lone producer calls the loop itself. All run in turn, several
rounds; a ratio is the median of rounds.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import shutil
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import mean, median

import apsw
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.report import emit
from gemel.facts import Draft
from gemel.thread import SqliteThread
from gemel.thread.merkle import Tree
from gemel.thread.row import Row, clear
from gemel.thread.tables import SCHEMA, WRITING, store

SECONDS = 1.5
ROUNDS = 7
PRODUCERS = (1, 64, 512)
GOAL = 0.7


def draft_of(producer: int, i: int) -> Draft:
    """Return the i-th reading of a producer."""
    key = f"{producer}.{i}"
    body = {"name": "level", "value": 100 + i % 80, "unit": "mm", "source": "gauge", "key": key}
    return Draft(f"twin-{producer}", "observed/1", body, i * 300_000, "stream:gauge", (), key)


def ours(folder: Path, producers: int) -> tuple[float, float]:
    """Return acknowledged appends per second of one fact each, and how many were committed together on average."""
    with SqliteThread(folder / "store") as thread:
        thread.append([draft_of(producer, -1) for producer in range(producers)], 0)
        sizes: list[int] = []
        thread.subscribe(lambda facts: sizes.append(len(facts)))
        counts, ready = [0] * producers, threading.Barrier(producers + 1)
        until = [0.0]

        def produce(producer: int) -> None:
            ready.wait()
            i = 0
            while time.perf_counter() < until[0]:
                thread.append([draft_of(producer, i)], i)
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
        return sum(counts) / (time.perf_counter() - begin), mean(sizes)


class Bare:
    """The loop by hand, over one connection."""

    def __init__(self, path: Path, producers: int) -> None:
        self.db = apsw.Connection(str(path))
        self.db.execute(WRITING)
        for statement in SCHEMA.values():
            self.db.execute(statement)
        self.db.execute("INSERT INTO tree VALUES (1, 0, 0, x'')")
        secrets = [AESGCM.generate_key(256) for _ in range(producers)]
        self.ciphers = [AESGCM(secret) for secret in secrets]
        self.marking = [sha256(secret).digest() for secret in secrets]
        self.tree = Tree()

    def commit(self, drafts: list[tuple[int, Draft]]) -> None:
        """Store the drafts of some producers, durably."""
        rows, nodes, tree = [], [], self.tree
        for producer, draft in drafts:
            seq, nonce = tree.size + 1, os.urandom(12)
            mark = hmac.digest(self.marking[producer], str(draft.key).encode(), "sha256")[:16]
            text = msgspec.json.encode({"by": draft.by, "body": draft.body, "key": draft.key})
            head = clear(seq, draft.twin, draft.kind, draft.true_at, seq, mark)
            sealed = self.ciphers[producer].encrypt(nonce, text, head)
            leaf = sha256(b"\x00" + head + nonce + sealed).digest()
            nodes += tree.add(leaf)
            rows.append(Row(seq, draft.twin, draft.kind, draft.true_at, seq, mark, leaf, nonce, sealed))
        self.db.execute("BEGIN IMMEDIATE")
        store(self.db, rows)
        if nodes:
            self.db.executemany("INSERT INTO node VALUES (?, ?, ?)", nodes)
        self.db.execute("UPDATE tree SET size = ?, known_at = ?, peaks = ?", (tree.size, seq, b"".join(tree.peaks)))
        self.db.execute("COMMIT")


def bare(folder: Path, producers: int, together: int) -> float:
    """Return rows per second of the loop that commits so many at a time."""
    loop = Bare(folder / "bare.db", producers)
    begin, made = time.perf_counter(), 0
    while time.perf_counter() < begin + SECONDS:
        places = range(made, made + together)
        loop.commit([(at % producers, draft_of(at % producers, at // producers)) for at in places])
        made += together
    rate = made / (time.perf_counter() - begin)
    loop.db.close()
    return rate


def served(folder: Path, producers: int) -> float:
    """Return rows per second of the loop that commits whatever producers have handed it, and then wakes them."""
    if producers == 1:
        return bare(folder, 1, 1)
    loop = Bare(folder / "served.db", producers)
    handed: SimpleQueue[tuple[int, Draft, threading.Lock]] = SimpleQueue()
    counts, ready = [0] * producers, threading.Barrier(producers + 1)
    until = [0.0]

    def produce(producer: int) -> None:
        ready.wait()
        i, durable = 0, threading.Lock()
        durable.acquire()
        while time.perf_counter() < until[0]:
            handed.put((producer, draft_of(producer, i), durable))
            durable.acquire()
            i += 1
        counts[producer] = i

    workers = [threading.Thread(target=produce, args=(producer,)) for producer in range(producers)]
    for worker in workers:
        worker.start()
    begin = time.perf_counter()
    until[0] = begin + SECONDS
    ready.wait()
    while any(worker.is_alive() for worker in workers):
        batch = []
        with contextlib.suppress(Empty):
            batch.append(handed.get(timeout=0.01))
            while True:
                batch.append(handed.get_nowait())
        if batch:
            loop.commit([(producer, draft) for producer, draft, _ in batch])
        for _, _, durable in batch:
            durable.release()
    rate = sum(counts) / (time.perf_counter() - begin)
    loop.db.close()
    return rate


def measure(producers: int) -> dict[str, float]:
    """Return the figures of one round."""
    folder = Path(tempfile.mkdtemp(prefix="gemel-bench-", dir=os.environ.get("GEMEL_BENCH_DIR", Path.cwd())))
    (folder / "served").mkdir()
    try:
        rate, together = ours(folder, producers)
        peer, shared = bare(folder, producers, max(round(together), 1)), served(folder / "served", producers)
    finally:
        shutil.rmtree(folder)
    return {
        "ours": rate, "together": together, "bare": peer, "ratio": rate / peer, "served": shared,
        "of_served": rate / shared,
    }  # fmt: skip


def main() -> None:
    """Measure in turn, several rounds, and print medians."""
    rounds = [{count: measure(count) for count in PRODUCERS} for _ in range(ROUNDS)]
    figures = {
        count: {name: median(one[count][name] for one in rounds) for name in rounds[0][count]} for count in PRODUCERS
    }
    details = {
        f"{count} producers": {
            "ours_per_s": round(found["ours"]),
            "facts_per_commit": round(found["together"], 1),
            "bare_apsw_per_s": round(found["bare"]),
            "ratio": round(found["ratio"], 2),
            "ratio_of_each_round": [round(one[count]["ratio"], 2) for one in rounds],
            "served_apsw_per_s": round(found["served"]),
            "ratio_of_served": round(found["of_served"], 2),
            "goal": GOAL,
        }
        for count, found in figures.items()
    }
    emit(
        "append",
        figures[64]["ours"],
        "durable appends/s, 64 producers",
        {"bare_apsw": figures[64]["bare"], "served_apsw": figures[64]["served"]},
        details,
    )


if __name__ == "__main__":
    main()
