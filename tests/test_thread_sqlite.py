"""What only the embedded store can promise: durability, one writer, files, keys, a process killed at any moment."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

import gemel.facts
from gemel.errors import Tampered, Unavailable
from gemel.testing.thread import draft
from gemel.thread import SqliteThread, open_thread, verify_store

# durability


def test_a_store_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """Facts, keys, tree, time and idempotency survive; a checkpoint was signed on closing."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i, key=f"k{i}") for i in range(600)], now=50)
        before, public = list(thread.read()), thread.public_key
    with open_thread(tmp_path / "store") as thread:
        signed = thread.checkpoints()
        appended = thread.append([draft(599, key="k599"), draft(600, key="k600")], now=1)

        assert (thread.public_key, [each.size for each in signed]) == (public, [600])
        assert (appended.duplicates, appended.facts[0].seq, appended.facts[0].known_at) == (1, 601, 50)
        assert list(thread.read()) == [*before, *appended.facts]
        assert thread.verify().problems == ()


def test_closing_an_unchanged_store_signs_nothing(tmp_path: Path) -> None:
    """Checkpoints are of news."""
    for _ in range(3):
        with open_thread(tmp_path / "store") as thread:
            thread.append([draft(key="once")], now=1)

    with open_thread(tmp_path / "store", readonly=True) as thread:
        assert len(thread.checkpoints()) == 1


WRITER = """
import sys, threading, types
package = types.ModuleType("gemel")  # not through the door: that would load JAX twenty times
package.__path__ = [sys.argv.pop(1)]
sys.modules["gemel"] = package
from gemel.facts import Draft
from gemel.thread import open_thread

thread = open_thread(sys.argv[1])
speak = threading.Lock()

def write(worker):
    i = 0
    while True:
        i += 1
        bodies = [{"w": worker, "i": i, "j": j} for j in range(2)]
        facts = thread.append([Draft("lily", "observed/1", body, i, "cgm", (), str(body)) for body in bodies], i).facts
        with speak:
            print(worker, i, *(fact.seq for fact in facts), flush=True)

for worker in sys.argv[2:]:
    threading.Thread(target=write, args=(worker,)).start()
"""


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Twenty times, SIGKILL after some acknowledgements: all of them are there, whole appends only, and intact."""
    package = str(Path(gemel.facts.__file__).parent)
    draws, acknowledged = random.Random(20), dict[int, tuple[str, int]]()
    for round_ in range(20):
        workers = [f"{round_}{name}" for name in "abc"[: 1 + round_ % 3]]
        command = [sys.executable, "-c", WRITER, package, str(tmp_path / "store"), *workers]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(draws.randrange(1, 12)):
                _note(process.stdout.readline(), acknowledged)
            process.kill()
            for line in process.stdout.read().splitlines(keepends=True):
                _note(line, acknowledged)

    verdict = verify_store(tmp_path / "store")
    with open_thread(tmp_path / "store") as thread:
        facts = list(thread.read())

    assert verdict.problems == ()
    stored = {fact.seq: (fact.body["w"], fact.body["i"]) for fact in facts}
    assert {seq: stored.get(seq) for seq in acknowledged} == acknowledged
    assert [fact.body["j"] for fact in facts] == [0, 1] * (len(facts) // 2)


def _note(line: str, acknowledged: dict[int, tuple[str, int]]) -> None:
    """Take down an acknowledgement; a line cut off by the kill is none."""
    if line.endswith("\n"):
        worker, i, *seqs = line.split()
        acknowledged.update({int(seq): (worker, int(i)) for seq in seqs})


# one writer, many readers


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    """In this process or another."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
        with pytest.raises(Unavailable, match=rf"is held by process {os.getpid()} \(.+\); stop that first, or"):
            open_thread(tmp_path / "store")
        program = "import sys; from gemel.thread import open_thread; open_thread(sys.argv[1])"
        other = subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")], capture_output=True, text=True)
        assert f"is held by process {os.getpid()}" in other.stderr
    open_thread(tmp_path / "store").close()


def test_readers_go_on_beside_the_writer(tmp_path: Path) -> None:
    """They see what is stored since they opened, verify, notice erasures, and change nothing."""
    with open_thread(tmp_path / "store") as writer:
        writer.append([draft(0)], now=1)
        with open_thread(tmp_path / "store", readonly=True) as reader:
            writer.append([draft(1), draft(2)], now=2)

            assert [fact.seq for fact in reader.read()] == [1, 2, 3]
            assert (reader.verify().size, reader.verify().problems) == (3, ())
            writer.erase("lily")
            assert reader.twins() == ["max", "zoë"]
            assert [fact.seq for fact in reader.read()] == [2, 3]
            for use in (lambda: reader.append([draft()], 1), lambda: reader.erase("max"), lambda: reader.checkpoint(1)):
                with pytest.raises(Unavailable, match="was opened read-only"):
                    use()


def test_a_store_on_a_read_only_disk_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite wants to write beside the file even to read it; then the file is read as it lies there."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(5)], now=1)
    connection = apsw.Connection

    def as_on_a_read_only_disk(name: str, **given: int) -> apsw.Connection:
        if "immutable" not in name:
            raise apsw.CantOpenError("unable to open database file")
        return connection(name, **given)

    monkeypatch.setattr(apsw, "Connection", as_on_a_read_only_disk)

    with open_thread(tmp_path / "store", readonly=True) as reader:
        assert len(list(reader.read())) == 5
        assert reader.verify().intact


def test_reads_do_not_wait_for_a_commit(tmp_path: Path) -> None:
    """Another connection holds the write lock of the file: reading goes on."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
        other = apsw.Connection(str(tmp_path / "store" / "thread.db"))
        other.execute("BEGIN IMMEDIATE")
        assert [fact.seq for fact in thread.read()] == [1]
        other.execute("ROLLBACK")
        other.close()


# when the disk does not play along


def _writer(thread: SqliteThread) -> apsw.Connection:
    assert thread._writer is not None
    return thread._writer


def test_a_full_disk_stores_nothing_and_is_survived(tmp_path: Path) -> None:
    """The append fails with a clear sentence; when there is space again, the thread goes on."""
    with SqliteThread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
        _writer(thread).execute("PRAGMA max_page_count = 20")
        with pytest.raises(Unavailable, match=r"the disk of .*thread\.db is full; nothing was stored"):
            thread.append([draft(i, body={"big": "x" * 3_000}) for i in range(100)], now=2)
        assert [fact.seq for fact in thread.read()] == [1]

        _writer(thread).execute("PRAGMA max_page_count = 100000")
        assert [fact.seq for fact in thread.append([draft(7)], now=3).facts] == [2]
        assert thread.verify().problems == ()


def test_a_full_disk_hits_all_who_wait_alike(tmp_path: Path) -> None:
    """Nobody waits for ever, and nobody is told that something was stored."""
    errors: list[str] = []
    with SqliteThread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
        _writer(thread).execute("PRAGMA max_page_count = 20")

        def write() -> None:
            try:
                thread.append([draft(body={"big": "x" * 300_000})], now=2)
            except Unavailable as error:
                errors.append(str(error))

        writers = [threading.Thread(target=write) for _ in range(8)]
        for each in writers:
            each.start()
        for each in writers:
            each.join(30)

        assert [each.split(" is ")[1] for each in errors] == ["full; nothing was stored"] * 8
        assert [fact.seq for fact in thread.read()] == [1]


def test_a_locked_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Somebody with a tool holds the file; then lets go."""
    with SqliteThread(tmp_path / "store") as thread:
        _writer(thread).set_busy_timeout(1)
        other = apsw.Connection(str(tmp_path / "store" / "thread.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="is locked by another process; stop that and try again"):
            thread.append([draft()], now=1)
        other.execute("ROLLBACK")
        other.close()

        assert [fact.seq for fact in thread.append([draft()], now=1).facts] == [1]


def test_a_failed_sync_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of the tree in memory is forgotten, and read from the file again."""
    with SqliteThread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)

        def fail(*_: object) -> None:
            raise apsw.IOError("disk I/O error")

        with monkeypatch.context() as broken:
            broken.setattr("gemel.thread.sqlite_store.store", fail)
            with pytest.raises(Unavailable, match="cannot be used: disk I/O error"):
                thread.append([draft(1)], now=1)

        assert [fact.seq for fact in thread.append([draft(2)], now=1).facts] == [2]
        assert thread.verify().problems == ()


def test_an_interrupt_hits_only_whom_it_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the thread that commits: it is raised there, and the store goes on."""
    with SqliteThread(tmp_path / "store") as thread:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr("gemel.thread.sqlite_store.store", interrupt)
            with pytest.raises(KeyboardInterrupt):
                thread.append([draft()], now=1)

        assert [fact.seq for fact in thread.append([draft()], now=1).facts] == [1]


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        open_thread(tmp_path / "file" / "store")


# keys and what lies on the disk


def test_keys_are_apart_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    """0700 for the folder, 0600 for the files."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
        thread.checkpoint(now=1)

    keys = tmp_path / "store" / "keys"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [keys, *keys.iterdir()]}
    assert modes == {"keys": 0o700, "subjects": 0o600, "signing": 0o600, "checkpoint": 0o600}


def test_nothing_said_can_be_read_from_the_disk(tmp_path: Path) -> None:
    """Body, author and idempotency key are in no file, neither before nor after a checkpoint of the log."""
    secret = draft(body={"note": "very-private"}, by="somebody-private", key="key-private", cause=())
    thread = open_thread(tmp_path / "store")
    thread.append([secret], now=1)
    files = _contents(tmp_path)
    thread.close()

    assert b"private" not in files + _contents(tmp_path)


def _contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_an_erased_key_is_in_no_file(tmp_path: Path) -> None:
    """Overwritten in place; the store opened again still knows of the erasure, and verifies."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(0), draft(1)], now=1)
        slots = (tmp_path / "store" / "keys" / "subjects").read_bytes()
        thread.erase("lily")
    left = _contents(tmp_path)

    assert [slots[place + 33 : place + 65] in left for place in (0, 128)] == [False, True]
    with open_thread(tmp_path / "store") as thread:
        assert thread.erased("lily")
        assert [fact.twin for fact in thread.read()] == ["max"]
        assert thread.verify().problems == ()


def test_idempotency_keys_of_two_subjects_cannot_be_compared(tmp_path: Path) -> None:
    """The same key leaves different marks."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(0, key="breakfast"), draft(1, key="breakfast")], now=1)
    db = apsw.Connection(str(tmp_path / "store" / "thread.db"))

    assert db.execute("SELECT count(DISTINCT mark) FROM fact").fetchall() == [(2,)]
    db.close()


def test_a_lost_key_is_not_replaced(tmp_path: Path) -> None:
    """A subject with facts gets no second key: the facts would look erased."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
    (tmp_path / "store" / "keys" / "subjects").write_bytes(b"")

    with open_thread(tmp_path / "store") as thread:
        with pytest.raises(Unavailable, match="the key of lily is missing; put the keys back from a copy"):
            thread.append([draft()], now=2)
        with pytest.raises(Unavailable, match=r"fact 1 \(lily, observed/1\) cannot be read: its subject's key"):
            list(thread.read())


def test_a_lost_signing_key_is_not_replaced(tmp_path: Path) -> None:
    """Else anybody could sign a new history."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft()], now=1)
    (tmp_path / "store" / "keys" / "signing").unlink()

    with pytest.raises(Unavailable, match="is without its signing key"):
        open_thread(tmp_path / "store")


def test_a_key_cut_short_by_a_crash_is_written_over(tmp_path: Path) -> None:
    """It was never used."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(0)], now=1)
    with (tmp_path / "store" / "keys" / "subjects").open("ab") as file:
        file.write(b"\x07" * 50)

    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(0), draft(1)], now=1)
    with open_thread(tmp_path / "store") as thread:
        assert [fact.twin for fact in thread.read()] == ["lily", "lily", "max"]


def test_another_database_is_not_taken_for_a_store(tmp_path: Path) -> None:
    """Nor one of a later format."""
    db = apsw.Connection(str(tmp_path / "thread.db"))
    db.execute("CREATE TABLE t(a)")
    db.close()
    with pytest.raises(Tampered, match="is not a store of Gemel"):
        open_thread(tmp_path)

    with open_thread(tmp_path / "store"):
        pass
    db = apsw.Connection(str(tmp_path / "store" / "thread.db"))
    db.execute("UPDATE meta SET value = '2' WHERE name = 'format'")
    db.close()
    with pytest.raises(Tampered, match="has format 2; this version reads format 1"):
        open_thread(tmp_path / "store")


# how it reads


@pytest.mark.parametrize(
    "read",
    [
        lambda thread: thread.read("lily", true_from=10, true_until=20),
        lambda thread: thread.read("lily", kinds=["acted/1"], reverse=True, limit=1),
        lambda thread: thread.read("lily", reverse=True, limit=1),
        lambda thread: thread.read(kinds=["forecast/1"]),
        lambda thread: thread.read("lily", known_by=3),
    ],
)
def test_no_read_of_a_twin_or_a_kind_walks_the_table(tmp_path: Path, read: Callable[[SqliteThread], object]) -> None:
    """Every statement searches an index or the seq; only what an index holds is ever sorted."""
    with SqliteThread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(50)], now=1)
        plans: list[str] = []
        ask = thread._ask

        def explained(statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
            plans.append(" / ".join(str(row[3]) for row in ask(f"EXPLAIN QUERY PLAN {statement}", values)))
            return ask(statement, values)

        thread._ask = explained  # type: ignore[method-assign]  # to look over its shoulder
        list(read(thread))  # type: ignore[call-overload]  # an iterator

    assert plans
    assert [plan for plan in plans if "SCAN fact" in plan and "SCAN fact USING COVERING" not in plan] == []
    assert [plan for plan in plans if "ORDER BY" in plan and "COVERING INDEX" not in plan] == []
