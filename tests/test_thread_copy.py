"""A store copied from one back end to another is the same store: rows, hashes, proofs, signatures, keys, erasures."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import Server

from gemel.errors import BadInput, NotFound, Refused, Tampered, Unavailable
from gemel.facts import Draft
from gemel.testing.thread import draft
from gemel.thread import Thread, checkpoint_holds, inclusion_holds, open_thread, verify_store
from gemel.thread import copy as copying
from gemel.thread.copy import copy_thread

Stores = Callable[[str], str]
WAYS = [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql")]
both_ways = pytest.mark.parametrize(("source", "target"), WAYS[1:3])
every_way = pytest.mark.parametrize(("source", "target"), WAYS)


@pytest.fixture
def new(postgres: Server, tmp_path: Path) -> Stores:
    """Return a function from a kind of back end to the address of a store that is not there yet."""
    numbers = itertools.count(1)
    return lambda kind: (
        postgres.address(tmp_path / "keys") if kind == "postgresql" else str(tmp_path / f"store{next(numbers)}")
    )


def filled(address: str, count: int = 600) -> str:
    """Return the address of a store with facts of three twins, one of them erased, and two checkpoints."""
    with open_thread(address) as thread:
        thread.append([draft(i, key=f"k{i}" if i % 2 else None) for i in range(count)], now=5)
        thread.checkpoint(now=6)
        thread.append([draft(1, cause=(1,), body={"note": "ü" * 3_000})], now=7)
        thread.erase("lily")
    return address


def said(thread: Thread) -> list[object]:
    """Return all that a thread says of itself."""
    size = len(list(thread.rows()))
    proofs = [thread.prove(seq) for seq in (1, 256, size)]
    growth = [thread.prove_growth(first) for first in (1, 300, size)]
    everything = [list(thread.rows()), list(thread.read()), thread.twins(), thread.checkpoints(), thread.public_key]
    return [*everything, proofs, growth, thread.erased("lily"), thread.sign(b"receipt")]


@every_way
def test_a_copy_is_the_same_store(new: Stores, source: str, target: str) -> None:
    """It says the same, verifies, knows what it held by key, and goes on by itself."""
    a, b = filled(new(source)), new(target)

    copied = copy_thread(a, b, now=9)

    with open_thread(a) as one, open_thread(b) as other:
        assert said(one) == said(other)
        assert (copied.facts, copied.root, copied.before) == (601, one.checkpoints()[-1].root, 0)
        assert all(checkpoint_holds(made, other.public_key) for made in other.checkpoints())
        assert inclusion_holds(other.prove(5), copied.root)
        assert other.append([draft(1, key="k1")], now=9).duplicates == 1
        with pytest.raises(Refused, match="lily was erased"):
            other.append([draft(0)], now=9)
        assert [fact.seq for fact in other.append([draft(2)], now=9).facts] == [602]
    assert (verify_store(a).problems, verify_store(b).problems) == ((), ())


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: not name.startswith("@"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
drafts = st.builds(
    Draft,
    twin=names,
    kind=st.sampled_from(["observed/1", "acted/1", "a-b.c_d/12"]),
    body=st.dictionaries(st.text(max_size=8), values, max_size=4),
    true_at=st.integers(-(1 << 63), (1 << 63) - 1),
    by=names,
    key=st.none() | names,
)


def test_facts_that_went_to_postgresql_and_back_are_the_same(new: Stores) -> None:
    """Whatever names, times and bodies they have: SQLite to PostgreSQL to SQLite is exact."""

    @settings(max_examples=8)
    @given(appends=st.lists(st.lists(drafts, min_size=1, max_size=5), max_size=4), now=st.integers(0, 1 << 50))
    def same(appends: list[list[Draft]], now: int) -> None:
        first, second, third = new("sqlite"), new("postgresql"), new("sqlite")
        with open_thread(first) as thread:
            for each in appends:
                thread.append(each, now)
        copy_thread(first, second, now)
        copy_thread(second, third, now)
        with open_thread(first) as one, open_thread(third) as other:
            assert list(one.rows()) == list(other.rows())
            assert list(one.read()) == list(other.read())
            assert one.checkpoints() == other.checkpoints()[:-1]
        assert verify_store(third).problems == ()

    same()


@both_ways
def test_a_copy_cut_short_is_no_store_and_goes_on_where_it_was(
    new: Stores, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after some rows: nobody can open it, verification says so, and the same copy finishes it."""
    a, b = filled(new(source)), new(target)
    monkeypatch.setattr(copying, "BATCH", 100)

    def interrupt(done: int, whole: int) -> None:
        assert whole == 601
        if done == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_thread(a, b, now=9, tell=interrupt)
    for readonly in (True, False):
        with pytest.raises(
            Unavailable, match="is an unfinished copy; `gemel thread copy` from the same store finishes it"
        ):
            open_thread(b, readonly=readonly)
    assert any("is an unfinished copy" in problem for problem in verify_store(b).problems)

    went = list[int]()
    copied = copy_thread(a, b, now=10, tell=lambda done, whole: went.append(done))

    assert (copied.before, went[0]) == (300, 400)
    with open_thread(a) as one, open_thread(b) as other:
        assert said(one) == said(other)
    assert verify_store(b).problems == ()


@both_ways
@pytest.mark.parametrize("step", ["_carry", "finish"])
def test_a_copy_that_ends_between_its_last_steps_is_no_store(
    new: Stores, source: str, target: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after the keys arrived: it is unfinished until the mark is taken away, and can be finished."""
    a, b = filled(new(source)), new(target)
    carry = copying._carry

    def cut(keys: object, into: object) -> None:
        if step == "finish":
            carry(keys, into)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(copying, "_carry", cut)
        copy_thread(a, b, now=9)
    with pytest.raises(Unavailable, match="unfinished copy"):
        open_thread(b)

    assert copy_thread(a, b, now=9).before == 601
    assert verify_store(b).problems == ()


@both_ways
def test_only_an_empty_store_takes_a_copy(
    new: Stores, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one with facts, not an unfinished copy of another store; one that was made and never used does."""
    a, other, b, empty = filled(new(source)), filled(new(source), 40), new(target), new(target)
    open_thread(empty).close()
    copy_thread(a, empty, now=9)
    for full in (filled(new(target)), empty):
        with pytest.raises(Refused, match=r"is not empty: it has 601 facts; a copy needs an empty store"):
            copy_thread(a, full, now=9)

    with monkeypatch.context() as broken, contextlib.suppress(KeyboardInterrupt):
        broken.setattr(copying, "_carry", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        copy_thread(other, b, now=9)
    with pytest.raises(Refused, match="is an unfinished copy of another store"):
        copy_thread(a, b, now=9)


@every_way
def test_nobody_writes_to_either_meanwhile(new: Stores, source: str, target: str) -> None:
    """Else a fact could be missed, or an erasure undone."""
    a, b = filled(new(source)), new(target)
    with open_thread(a), pytest.raises(Unavailable, match="is held by process"):
        copy_thread(a, b, now=9)

    def write(done: int, whole: int) -> None:
        for address in (a, b):
            with pytest.raises(Unavailable, match="is held by process"):
                open_thread(address)

    copy_thread(a, b, now=9, tell=write)


def test_what_cannot_be_copied_says_why(new: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No store, the same store, one in memory, one whose keys would be the same."""
    a = filled(new("sqlite"), 5)
    for source, target, error, message in [
        ("memory:", a, BadInput, "a thread in memory cannot be copied"),
        (str(tmp_path / "none"), a, NotFound, "no store at .*none"),
        (a, a, BadInput, "cannot be copied into itself"),
    ]:
        with pytest.raises(error, match=message):
            copy_thread(source, target, now=9)
    assert not (tmp_path / "none").exists()

    (tmp_path / "store1/keys").rename(tmp_path / "one-for-all")
    monkeypatch.setenv("GEMEL_KEYS", str(tmp_path / "one-for-all"))
    with pytest.raises(BadInput, match=r"both stores would have their keys in .*one-for-all; unset GEMEL_KEYS"):
        copy_thread(a, str(tmp_path / "second"), now=9)


def test_a_damaged_store_is_not_copied(new: Stores) -> None:
    """The fact is named, and the copy stays unfinished."""
    a, b = filled(new("sqlite"), 20), new("postgresql")
    db = apsw.Connection(f"{a}/thread.db")
    db.execute("UPDATE fact SET known_at = known_at - 1 WHERE rowid = 8")
    db.close()

    with pytest.raises(Tampered, match=r"fact 8 \(max, acted/1\) is not as it was written; it is not copied"):
        copy_thread(a, b, now=9)
    with pytest.raises(Unavailable, match="unfinished copy"):
        open_thread(b)


def test_the_command_copies_verifies_and_hides_the_password(postgres: Server, tmp_path: Path) -> None:
    """`gemel thread copy A B`, `gemel verify B`, with one JSON object each."""
    a, b = filled(str(tmp_path / "a")), postgres.tcp_address(tmp_path, "copied")

    copied, verified, again, refused = (
        subprocess.run([sys.executable, "-m", "gemel.cli", *command.split(" ")], capture_output=True, text=True)
        for command in (
            f"thread copy {a} {b} --json", f"verify {b} --json", f"thread copy {a} {b}",
            f"thread copy {a} {postgres.tcp_address(tmp_path, 'other', 'wrong-secret')}",
        )
    )  # fmt: skip

    shown = f"postgresql://gemel@127.0.0.1:{postgres.port}/gemel?schema=copied"
    body = json.loads(copied.stdout)
    assert body == {"from": a, "to": shown, "facts": 601, "root": body["root"], "before": 0}
    found = json.loads(verified.stdout)
    assert (found["store"], found["intact"], found["root"]) == (shown, True, body["root"])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"gemel: {shown} is not empty: it has 601 facts; a copy needs an empty store\n"
    assert refused.returncode == 3 and "password authentication failed" in refused.stderr
    assert not any("secret" in done.stdout + done.stderr or "open:se" in done.stderr for done in (copied, refused))
    postgres.address(tmp_path, "copied")
