"""What only PostgreSQL can promise or break: a server that goes away, other writers, strangers with SQL, the way it reads."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from postgres import PASSWORD, NewStore, Server

from gemel.errors import Tampered, Unavailable
from gemel.testing.thread import ThreadContract, draft
from gemel.thread import Thread, open_thread, postgres_writing, verify_store
from gemel.thread.postgres import PostgresThread


class TestPostgresThread(ThreadContract):
    """In a schema of a database."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres: Server, tmp_path: Path) -> None:
        self.server, self.keys = postgres, tmp_path

    def make(self) -> Thread:
        """Return an empty thread."""
        return open_thread(self.server.address(self.keys))


@pytest.fixture
def address(postgres: Server, tmp_path: Path) -> str:
    """Return the address of a store that does not exist yet."""
    return postgres.address(tmp_path)


@pytest.fixture
def thread(address: str) -> Iterator[PostgresThread]:
    """Yield an empty thread."""
    with PostgresThread(address) as made:
        yield made


def session(thread: PostgresThread) -> int:
    """Return the server's process that writes for a thread."""
    assert thread._end is not None
    return thread._end.db.info.backend_pid


def end(server: Server, pid: int) -> None:
    """End a session, as an administrator does."""
    with server.admin() as db:
        assert db.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,)).fetchone() == (True,)


# what is stored


def test_a_store_opened_again_goes_on_where_it_was(address: str) -> None:
    """Facts, keys, tree, time, notes and idempotency survive; a checkpoint was signed on closing, once."""
    with open_thread(address) as thread:
        thread.append([draft(i, key=f"k{i}") for i in range(600)], now=50)
        thread.keep("lily", "belief", b"\0 sealed")
        before, public = list(thread.read()), thread.public_key
    open_thread(address).close()
    with open_thread(address) as thread:
        signed = thread.checkpoints()
        appended = thread.append([draft(599, key="k599"), draft(600, key="k600")], now=1)

        assert (thread.public_key, [each.size for each in signed]) == (public, [600])
        assert (appended.duplicates, appended.facts[0].seq, appended.facts[0].known_at) == (1, 601, 50)
        assert list(thread.read()) == [*before, *appended.facts]
        assert (thread.kept("lily", "belief"), thread.kept("max", "belief")) == (b"\0 sealed", None)
        assert thread.verify().problems == ()


def test_any_name_is_kept_and_ordered_by_its_bytes(new_store: NewStore) -> None:
    """NUL, accents and signs beyond the basic plane, on each back end alike; what cannot be Unicode is found nowhere."""
    names = ["\0", "a\0b", "a", "Z", "é", "z", "\uffff", "\U0001f600", "a\\x", "%s", "'; --"]
    with open_thread(new_store()) as thread:
        thread.append([draft(i, twin=name, key=name) for i, name in enumerate(names)], now=1)

        assert thread.twins() == sorted(names, key=str.encode)
        assert [[fact.twin for fact in thread.read(name)] for name in names] == [[name] for name in names]
        assert list(thread.read(kinds=["a\0/1"])) == []


def test_nothing_said_can_be_read_in_the_database_nor_any_key(postgres: Server, address: str) -> None:
    """Body, author and idempotency key are in no table; the keys are in a folder of their owner's alone."""
    with PostgresThread(address) as thread:
        thread.append([draft(body={"note": "private"}, by="private-by", key="private-key")], now=1)
        thread.keep("lily", "belief", b"private")
        folder, schema = thread._keys.folder, thread.address.schema
    with postgres.admin() as db:
        names = [row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))]
        said = " ".join(str(db.execute(f"SELECT * FROM {schema}.{name}").fetchall()) for name in names)  # type: ignore[arg-type]

    assert len(names) == 6 and "private" not in said
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {folder.name: 0o700, "subjects": 0o600, "signing": 0o600, "checkpoint": 0o600}


def test_keys_lie_where_the_user_says_or_among_their_data(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word, in a folder named after the store; never beside the facts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    address = postgres.address(tmp_path).partition("&keys=")[0]
    with PostgresThread(address) as thread:
        thread.append([draft()], now=1)
        assert thread._keys.folder.parent == tmp_path / "data/gemel/keys"
    with PostgresThread(address) as thread:
        assert len(list(thread.read())) == 1
        monkeypatch.setenv("GEMEL_KEYS", str(tmp_path / "elsewhere"))
    with pytest.raises(Unavailable, match="elsewhere is without its signing key"):
        open_thread(address)


def test_keys_of_a_store_with_facts_make_no_new_store(postgres: Server, tmp_path: Path) -> None:
    """A database put back empty is found out where the keys are."""
    address = postgres.address(tmp_path, "emptied")
    with open_thread(address) as thread:
        thread.append([draft()], now=1)
    with postgres.admin() as db:
        db.execute("DROP SCHEMA emptied CASCADE")

    with pytest.raises(Unavailable, match=r"holds nothing, but the keys in .* belong to a store with facts"):
        open_thread(address)


# one writer, many readers


def test_a_second_writer_is_told_who_writes(address: str) -> None:
    """In this process or another; when the first is gone, the next may write."""
    with open_thread(address) as thread:
        thread.append([draft()], now=1)
        with pytest.raises(Unavailable, match=rf"is held by process {os.getpid()} \(.+\) on .+; stop that first, or"):
            open_thread(address)
        program = "import sys; from gemel.thread import open_thread; open_thread(sys.argv[1])"
        other = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True)
        assert f"is held by process {os.getpid()}" in other.stderr
    open_thread(address).close()


def test_of_many_who_make_a_store_at_once_one_does(address: str) -> None:
    """The others hear that it is held."""
    opened: list[Thread] = []

    def make(_: int) -> str:
        try:
            opened.append(open_thread(address))
        except Unavailable as error:
            return str(error)
        return "made"

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(make, range(6)))
    for each in opened:
        each.close()

    assert said.count("made") == 1
    assert sum("is held by process" in each for each in said) == 5


def test_readers_go_on_beside_the_writer(address: str) -> None:
    """They see what is stored since they opened, verify, notice erasures, and change nothing."""
    with open_thread(address) as writer:
        writer.append([draft(0)], now=1)
        with open_thread(address, readonly=True) as reader:
            writer.append([draft(1), draft(2)], now=2)

            assert [fact.seq for fact in reader.read()] == [1, 2, 3]
            assert (reader.verify().size, reader.verify().problems) == (3, ())
            writer.erase("lily")
            assert reader.twins() == ["max", "zoë"]
            assert [fact.seq for fact in reader.read()] == [2, 3]
            for use in (lambda: reader.append([draft()], 1), lambda: reader.erase("max"), lambda: reader.checkpoint(1)):
                with pytest.raises(Unavailable, match="was opened read-only"):
                    use()


def test_a_read_in_progress_holds_no_transaction(postgres: Server, thread: PostgresThread) -> None:
    """However slowly somebody reads, the server may clean up."""
    thread.append([draft(i) for i in range(1_500)], now=1)
    reading = thread.read("lily")
    next(reading)
    with postgres.admin() as db:
        open_ones = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gemel' AND xact_start IS NOT NULL"
        )
        assert open_ones.fetchone() == (0,)
    assert len(list(reading)) == 499


def test_whoever_lost_the_lock_hears_what_another_wrote_meanwhile(postgres: Server, address: str) -> None:
    """Before it reads or writes anything: facts, keys and erasures of another process, and nothing is written over."""
    heard: list[int] = []
    with PostgresThread(address) as thread:
        thread.append([draft(0), draft(1)], now=1)
        told = threading.Event()
        thread.subscribe(lambda facts: (heard.extend(fact.seq for fact in facts), told.set())[1])
        end(postgres, session(thread))
        with open_thread(address) as other:
            other.append([draft(2), draft(0, twin="new")], now=2)
            other.erase("lily")
            with pytest.raises(Unavailable, match="is held by process"):
                list(thread.read())

        assert thread.size == 4
        assert [fact.seq for fact in thread.read()] == [2, 3, 4]
        assert thread.append([draft(0, twin="newer")], now=3).facts[0].seq == 5
        assert thread.append([draft(0, twin="new")], now=3).facts[0].seq == 6
        assert told.wait(30)
    with open_thread(address) as thread:
        assert [fact.twin for fact in thread.read()] == ["max", "zoë", "new", "newer", "new"]
        assert thread.verify().problems == ()
    assert heard[:2] == [3, 4]


# a server that goes away


def test_nothing_acknowledged_is_lost_when_the_server_is_restarted(postgres: Server, address: str) -> None:
    """In the middle of concurrent appends, without a word: all go on by themselves, and nothing is stored twice."""
    acknowledged: dict[int, tuple[int, int]] = {}
    heard: list[int] = []
    enough, stop = threading.Event(), threading.Event()

    def write(worker: int) -> None:
        i = 0
        while not stop.is_set() or i < 30:
            i += 1
            one = draft(worker, body={"w": worker, "i": i}, key=f"{worker}:{i}")
            while True:
                try:
                    done = thread.append([one], now=i)
                    break
                except Unavailable:
                    continue  # as a loop does: again, with the same key
            acknowledged.update({fact.seq: (worker, i) for fact in done.facts})
            if len(acknowledged) > 60:
                enough.set()

    with PostgresThread(address) as thread:
        thread.subscribe(lambda facts: heard.extend(fact.seq for fact in facts))
        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for each in writers:
            each.start()
        for _ in range(2):
            enough.clear()
            assert enough.wait(60)
            postgres.restart()
        stop.set()
        for each in writers:
            each.join(60)
        facts = list(thread.read())

    stored = {fact.seq: (fact.body["w"], fact.body["i"]) for fact in facts}
    assert {seq: stored.get(seq) for seq in acknowledged} == acknowledged
    assert len(set(stored.values())) == len(facts) == facts[-1].seq
    assert heard == sorted(stored)
    assert verify_store(address).problems == ()


def test_a_commit_whose_answer_was_lost_is_acknowledged(
    postgres: Server, thread: PostgresThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found in the store when connecting anew, and stored once."""
    real = postgres_writing.write

    def cut_off_after(db: Any, entry: Any) -> None:
        monkeypatch.undo()
        real(db, entry)
        end(postgres, db.info.backend_pid)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("gemel.thread.postgres_writing.write", cut_off_after)
    done = thread.append([draft(0, key="a"), draft(1)], now=1)

    assert [fact.seq for fact in done.facts] == [1, 2]
    assert list(thread.read()) == list(done.facts)
    assert thread.append([draft(0, key="a")], now=2).duplicates == 1


def test_a_commit_that_never_arrived_is_made_again(
    postgres: Server, thread: PostgresThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is ended before the statement: nothing is there, and the append goes through all the same."""
    real = postgres_writing.write

    def cut_off_before(db: Any, entry: Any) -> None:
        monkeypatch.undo()
        end(postgres, db.info.backend_pid)
        real(db, entry)

    monkeypatch.setattr("gemel.thread.postgres_writing.write", cut_off_before)

    assert [fact.seq for fact in thread.append([draft(i) for i in range(700)], now=1).facts] == list(range(1, 701))
    assert thread.verify().problems == ()


def test_a_session_that_lingers_is_ended_before_anything_is_believed(thread: PostgresThread) -> None:
    """The network broke, but the server has not noticed: its session still holds the lock, and could still commit."""
    thread.append([draft()], now=1)
    assert thread._end is not None
    lingering, thread._end._writer._db = thread._end.db, None

    assert [fact.seq for fact in thread.append([draft()], now=2).facts] == [2]
    with pytest.raises(psycopg.OperationalError):
        lingering.execute("SELECT 1")


def test_what_cannot_be_known_is_said_and_told_later(
    postgres: Server, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stays away after a commit: the append says so; when it is back, subscribers hear what was stored."""
    heard: list[int] = []
    real = postgres_writing.write

    def stop_after(db: Any, entry: Any) -> None:
        monkeypatch.undo()
        real(db, entry)
        server.stop()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    server = postgres
    with PostgresThread(address, pauses_s=(0.0, 0.0)) as thread:
        thread.subscribe(lambda facts: heard.extend(fact.seq for fact in facts))
        monkeypatch.setattr("gemel.thread.postgres_writing.write", stop_after)
        try:
            with pytest.raises(
                Unavailable, match="facts 1 to 1 were on their way, and whether they are stored cannot be"
            ):
                thread.append([draft(0, key="a")], now=1)
            with pytest.raises(
                Unavailable, match=r"postgresql://gemel@.* cannot be reached: .*; start it, or check host"
            ):
                thread.append([draft(1)], now=2)
            with pytest.raises(Unavailable, match="cannot be reached"):
                list(thread.read())
        finally:
            server.start()
        assert thread.append([draft(0, key="a")], now=3).duplicates == 1
        assert [fact.seq for fact in thread.append([draft(1)], now=3).facts] == [2]
        assert heard == [1, 2]


def test_closing_without_a_server_loses_nothing(
    postgres: Server, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The signature is made up for when the store is opened and closed again."""
    thread = open_thread(address)
    thread.append([draft()], now=1)
    postgres.stop()
    thread.close()
    postgres.start()

    assert "closed without a signature" in caplog.text
    open_thread(address).close()
    with open_thread(address, readonly=True) as reader:
        assert [each.size for each in reader.checkpoints()] == [1]


def test_reads_begin_again_by_themselves(postgres: Server, thread: PostgresThread) -> None:
    """Connections that were idle while the server was restarted are not used."""
    thread.append([draft(i) for i in range(3)], now=1)
    before = list(thread.read())
    postgres.restart()

    assert list(thread.read()) == before


def test_a_server_that_lost_facts_is_not_written_to(postgres: Server, address: str) -> None:
    """As after a switch to a copy that lagged behind: what was acknowledged is not there."""
    thread = PostgresThread(address)
    thread.append([draft(i) for i in range(4)], now=1)
    with postgres.admin() as db:
        schema = thread.address.schema
        db.execute(f"DELETE FROM {schema}.fact; UPDATE {schema}.tree SET size = 0, peaks = ''")  # type: ignore[arg-type]
    end(postgres, session(thread))

    for use in (lambda: thread.append([draft(4)], now=2), thread.close):
        with pytest.raises(Tampered, match="ends at fact 0, but 4 were stored; the server lost"):
            use()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("53100", r"the disk of postgresql://.* is full; nothing was stored"),
        ("25006", r"cannot be written: the server or database is read-only"),
        ("42501", r"does not let this user do that: planted"),
        ("57014", r"broke off \(planted.*\); nothing was stored; try again"),
    ],
)
def test_what_the_server_refuses_is_said_and_survived(
    postgres: Server, thread: PostgresThread, code: str, message: str
) -> None:
    """Nothing of the append is stored; when the cause is gone, the thread goes on."""
    thread.append([draft()], now=1)
    schema = thread.address.schema
    with postgres.admin() as db:
        db.execute(
            f"CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS"  # type: ignore[arg-type]
            f" $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{code}'; END $$;"
            f" CREATE TRIGGER fail AFTER INSERT ON {schema}.fact EXECUTE FUNCTION {schema}.fail()"
        )
        for count in (2, 700):
            with pytest.raises(Unavailable, match=message):
                thread.append([draft(i) for i in range(count)], now=2)
        assert [fact.seq for fact in thread.read()] == [1]
        assert "the definition of fact is not as it was written" in thread.verify().problems

        db.execute(f"DROP FUNCTION {schema}.fail CASCADE")  # type: ignore[arg-type]
    assert [fact.seq for fact in thread.append([draft(7)], now=3).facts] == [2]


def test_an_interrupt_hits_only_whom_it_hit(thread: PostgresThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the thread that commits: it is raised there, the store goes on, and what was stored is heard of."""
    heard: list[int] = []
    thread.subscribe(lambda facts: heard.extend(fact.seq for fact in facts))
    real = postgres_writing.write

    def interrupt(db: Any, entry: Any) -> None:
        monkeypatch.undo()
        real(db, entry)
        raise KeyboardInterrupt

    monkeypatch.setattr("gemel.thread.postgres_writing.write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.append([draft()], now=1)

    assert [fact.seq for fact in thread.append([draft()], now=1).facts] == [2]
    assert heard == [1, 2]


def test_an_address_that_leads_nowhere_says_what_to_do_and_no_password(postgres: Server, tmp_path: Path) -> None:
    """Wrong password, no server, no database, no right to make a schema."""
    good = postgres.tcp_address(tmp_path, "elsewhere")
    closed = good.replace(f":{postgres.port}/", ":1/")
    for address, message in {
        postgres.tcp_address(
            tmp_path, "elsewhere", "wrong-secret"
        ): "check user and password (in PGPASSWORD or ~/.pgpass",
        closed: "; start it, or check host and port",
        good.replace("/gemel?", "/nowhere?"): 'database "nowhere" does not exist; make it with `createdb`',
        good.replace("/gemel?", "/postgres?"): "cannot be made: permission denied for database postgres",
    }.items():
        with pytest.raises(Unavailable) as refused:
            open_thread(address)
        assert message in str(refused.value)
        assert "postgresql://gemel@127.0.0.1" in str(refused.value)
        assert PASSWORD not in str(refused.value) and "secret" not in str(refused.value)
    with open_thread(good) as thread:
        assert thread.append([draft()], now=1).facts


# strangers with SQL


def rewritten(address: str, server: Server, statement: str) -> tuple[str, ...]:
    """Return what verification finds after a statement of the superuser's."""
    schema = address.partition("schema=")[2].partition("&")[0]
    with server.admin() as db:
        db.execute(f"SET search_path TO {schema}; {statement}")  # type: ignore[arg-type]
    return verify_store(address).problems


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE fact SET sealed = set_byte(sealed, 5, get_byte(sealed, 5) # 1) WHERE seq = 3", "fact 3 (zoë, observed/1)"),
        ("UPDATE fact SET known_at = known_at - 1 WHERE seq = 3", "fact 3 (zoë, observed/1) is not as it was written"),
        ("UPDATE fact SET twin = 'nobody' WHERE seq = 3", "fact 3 (nobody, observed/1) is not as it was written"),
        ("UPDATE fact SET leaf = 'short' WHERE seq = 3", "fact 3 (zoë, observed/1) cannot be read"),
        ("UPDATE fact SET kind = '\\xff' WHERE seq = 3", "fact 3 (zoë, \ufffd) cannot be read"),
        ("DELETE FROM fact WHERE seq = 3", "fact 3 is missing"),
        ("DELETE FROM fact WHERE seq > 597", "facts 598 to 600 are missing"),
        ("INSERT INTO fact SELECT 601, twin, kind, true_at, known_at, NULL, leaf, nonce, sealed FROM fact WHERE seq = 1",
         "fact 601 (lily, observed/1) was never part of the thread"),
        ("UPDATE fact SET seq = -3 WHERE seq = 3; UPDATE fact SET seq = 3 WHERE seq = 6; UPDATE fact SET seq = 6 WHERE"
         " seq = -3", "fact 6 (zoë, observed/1) is not as it was written"),
        ("UPDATE node SET hash = sha256(hash) WHERE level = 8 AND place = 1", "facts 257 to 512: the hash over them"),
        ("DELETE FROM node", "facts 1 to 256: the hash over them"),
        ("UPDATE tree SET known_at = 7", "the tree's time is not that of the last fact"),
        ("UPDATE tree SET peaks = sha256(peaks)", "the tree's root is not that of the stored facts"),
        ("DELETE FROM tree", "the tree is not as it was written"),
        ("UPDATE checkpoint SET root = repeat('00', 32)", "the first 600 facts are not those that were signed"),
        ("UPDATE checkpoint SET at = at + 1", "is not signed by this store"),
        ("DELETE FROM checkpoint", "the last checkpoint, of 600 facts, is missing"),
        ("UPDATE meta SET value = repeat('00', 32) WHERE name = 'public key'", "public key is not that of its signing key"),
        ("UPDATE meta SET value = '2' WHERE name = 'format'", "the store's format is not as it was written"),
        ("DROP TABLE node", "the definition of node is not as it was written"),
        ("DROP TABLE tree", "the definition of tree is not as it was written"),
        ("DROP INDEX fact_mark", "the definition of fact_mark is not as it was written"),
        ("ALTER TABLE fact ALTER seq TYPE text", "the definition of fact is not as it was written"),
        ("ALTER TABLE fact DROP CONSTRAINT fact_pkey; DROP INDEX fact_mark; INSERT INTO fact SELECT * FROM fact WHERE seq = 3",
         "fact 3 (zoë, observed/1) was never part of the thread, or is there twice"),
        ("ALTER TABLE fact ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY few ON fact USING (seq <> 3)",
         "fact 3 is missing"),
        ("ALTER TABLE fact RENAME TO facts; CREATE VIEW fact AS SELECT * FROM facts", "the definition of fact is not as"),
    ],
)  # fmt: skip
def test_whatever_is_changed_by_sql_is_found_and_named(
    postgres: Server, tmp_path: Path, statement: str, named: str
) -> None:
    """Flip, delete, insert, swap, cut off, in every table, and in what the tables are."""
    address = postgres.address(tmp_path)
    with open_thread(address) as thread:
        thread.append([draft(i, kind="observed/1", key=f"k{i}") for i in range(600)], now=1)
    assert verify_store(address).problems == ()

    problems = rewritten(address, postgres, statement)

    assert any(problem.startswith(named) or named in problem for problem in problems), problems


def test_a_corrupted_page_is_named_by_its_facts(postgres: Server, tmp_path: Path) -> None:
    """Bytes of the table's file are overwritten while the server is down; all other facts are still looked at."""
    address = postgres.address(tmp_path)
    with open_thread(address) as thread:
        thread.append([draft(i) for i in range(600)], now=1)
        schema = thread.address.schema
    with postgres.admin() as db:
        db.execute("CHECKPOINT")
        (path,) = db.execute("SELECT pg_relation_filepath(%s)", (f"{schema}.fact",)).fetchone() or ("",)
        lost = [row[0] for row in db.execute(f"SELECT seq FROM {schema}.fact WHERE (ctid::text::point)[0] = 2")]  # type: ignore[arg-type]
    postgres.stop()
    with (postgres.folder / "data" / str(path)).open("r+b") as file:
        file.seek(2 * 8192)
        file.write(b"\x5a" * 200)
    postgres.start()

    problems = verify_store(address).problems

    assert len(lost) > 10
    assert {f"fact {seq} cannot be read" for seq in lost} <= {each.partition(":")[0] for each in problems}
    with (
        pytest.raises(Tampered, match=r"is damaged .*invalid page.*`gemel verify` names what"),
        open_thread(address) as it,
    ):
        list(it.read())


def test_rows_that_an_index_left_out_are_missed(postgres: Server, address: str) -> None:
    """The table is counted as it lies, without its index."""
    with open_thread(address) as thread:
        thread.append([draft(i) for i in range(5)], now=1)
    problems = rewritten(
        address,
        postgres,
        "SET allow_system_table_mods = on; UPDATE pg_index SET indisready = false WHERE indexrelid = 'fact_pkey'::regclass;"
        " INSERT INTO fact SELECT 9, twin, kind, true_at, known_at, NULL, leaf, nonce, sealed FROM fact WHERE seq = 5;"
        " UPDATE pg_index SET indisready = true WHERE indexrelid = 'fact_pkey'::regclass",
    )
    assert problems == ("the table holds 6 facts, its index leads to 5; REINDEX mends it",)


# how it reads


class Value(msgspec.Struct):
    """What drafts say."""

    value: float


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "analysed"])
def test_no_read_of_a_twin_or_a_kind_walks_the_table(thread: PostgresThread, known: bool) -> None:
    """Every statement searches the index that was made for it, whatever the server believes of the table."""
    thread.append([draft(i, twin=f"twin {i % 30}", kind="observed/1") for i in range(3_000)], now=1)
    thread.append([draft(i, twin="twin 3", kind="acted/1") for i in range(9)], now=2)
    plans: list[str] = []
    ask = thread._ask

    def explained(statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        asked = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}"
        plans.append("\n".join(row[0] for row in ask(asked, values)))
        return ask(statement, values)

    if known:
        with thread._readers.one() as db:
            db.execute("VACUUM ANALYZE fact")
    thread._ask = explained  # type: ignore[method-assign]  # to look over its shoulder
    list(thread.read("twin 3", true_from=10, true_until=20_000))
    list(thread.read("twin 3", true_from=10, kinds=["acted/1", "observed/1"], reverse=True))
    list(thread.read("twin 3", kinds=["acted/1"], reverse=True, limit=1))
    list(thread.read("twin 3", reverse=True, limit=1))
    list(thread.read(kinds=["acted/1"], known_by=3))
    assert len(thread.bodies(Value, "twin 3", "observed/1")) == 100
    assert len(thread.bodies(Value, "twin 3", "observed/1", after_seq=2_900, true_from=0)) == 3
    thread.twins()

    assert len(plans) > 10
    walked = re.compile(r"Seq Scan on fact|Removed by .*: \d{3}|Disabled")
    assert [plan for plan in plans if walked.search(plan)] == []
