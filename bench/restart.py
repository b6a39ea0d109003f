"""From a crash to work again, in s, with many facts in the store.

    python -m bench.restart --facts 10000000 --json

A process appends to the store, a hundred facts at a time, and is killed (SIGKILL) in the middle of it, each time after
another number of appends. Then another process is started; the clock runs from its start until it has opened the store,
had its first append acknowledged, and done its first read. All that was acknowledged before the kill must be there. The
figure is the worst of all rounds, the interpreter's own start included. The limit is that of issue 3: 5 s.

The facts appended here stay in the store, as those of a twin of their own: some thousands per run.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from bench.big_store import big_store, options, twin
from bench.report import emit

LIMIT, ROUNDS, TOGETHER, LAST = 5.0, 5, 100, 12

APPENDING = f"""
import sys
from gemel.facts import Draft
from gemel.thread import SqliteThread
with SqliteThread(sys.argv[1]) as thread:
    while True:
        facts = thread.append([Draft("crash", "observed/1", {{"value": i}}, i, "bench") for i in range({TOGETHER})], 0).facts
        print(facts[-1].seq, flush=True)
"""
STARTING = f"""
import sys, time
begin = time.perf_counter()
from gemel.facts import Draft
from gemel.thread import SqliteThread
loaded = time.perf_counter()
with SqliteThread(sys.argv[1]) as thread:
    opened = time.perf_counter()
    seq = thread.append([Draft("crash", "observed/1", {{"value": 0}}, 0, "bench")], 0).facts[0].seq
    appended = time.perf_counter()
    read = len(list(thread.read(sys.argv[2], reverse=True, limit={LAST})))
    done = time.perf_counter()
    print(seq, read, loaded - begin, opened - loaded, appended - opened, done - appended, flush=True)
"""


def crash(folder: Path, appends: int) -> int:
    """Kill a process after so many appends; return the last seq it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", APPENDING, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(appends)]
    process.kill()
    said += process.stdout.read().splitlines(keepends=True)
    process.wait()
    return max(int(line) for line in said if line.endswith("\n"))


def start(folder: Path, acknowledged: int) -> tuple[float, list[float]]:
    """Return the seconds until the store works again, and those of loading, opening, appending and reading."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", STARTING, str(folder), twin(0)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seq, read, *parts = process.stdout.readline().split()
    took = time.perf_counter() - begin
    process.communicate()
    assert int(seq) > acknowledged and int(read) == LAST
    return took, [float(part) for part in parts]


def main() -> None:
    """Measure and print."""
    asked = options(__doc__)
    folder, draw = big_store(asked.facts), random.Random(7)
    rounds = [start(folder, crash(folder, draw.randrange(1, 60))) for _ in range(asked.rounds or ROUNDS)]
    worst, parts = max(rounds)
    details = {
        "facts": asked.facts,
        "rounds": len(rounds),
        "limit_s": LIMIT,
        "each_s": [round(one, 3) for one, _ in rounds],
    }
    details |= {
        f"{what}_s": round(part, 4) for what, part in zip(("load", "open", "append", "read"), parts, strict=True)
    }
    emit(
        "restart",
        worst,
        f"s from a kill to work, worst, {asked.facts:,} facts (less is better)",
        {"limit": LIMIT},
        details,
    )


if __name__ == "__main__":
    main()
