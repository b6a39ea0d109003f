"""Columns are disposable: whatever becomes of them, an aggregate says what it says without; only time differs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import NewStore
from tank import BORN, Tank, bank

from gemel.bank import Bank, columns
from gemel.bank.aggregate import Aggregate, aggregate
from gemel.bank.retention import keep, thin
from gemel.errors import NotFound
from gemel.facts import DAY, HOUR, HOUSE, MINUTE, Draft, Time
from gemel.thread import Thread, open_thread
from gemel.thread.thinning import THINNED, covering

FIRST = BORN // DAY * DAY
NOTE = "column-gauge"


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a column of two readings, use it for any span, and keep it anew when the store has grown by nine facts."""
    for name, value in (("MANY", 1), ("SHORT", 0), ("FAR", 9)):
        monkeypatch.setattr(columns, name, value)


class Bare:
    """A thread that keeps nothing beside it."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thread, name)

    def kept(self, twin: str, name: str) -> bytes | None:
        return None

    def keep(self, twin: str, name: str, data: bytes) -> None:
        pass


def read(key: int, value: float, minute: int, name: str = "gauge") -> Draft:
    """Return a reading; another may have its key."""
    body = {"name": name, "value": value, "unit": "L", "source": "", "key": f"k{key}"}
    return Draft("tank", "observed/1", body, FIRST + minute * MINUTE, "gauge")


def took_back(key: int) -> Draft:
    return Draft("tank", "retracted/1", {"key": f"k{key}", "name": "gauge"}, FIRST, "gauge")


def many(count: int = 60) -> list[Draft]:
    return [read(i, i + 0.5, i) for i in range(count)]


Span = tuple[Time | None, Time | None]


def told(thread: Thread, span: Span = (None, None), known: Time | None = None) -> Aggregate:
    return aggregate(thread, "tank", "gauge", "L", HOUR, *span, known)


def opened(thread: Thread, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that fills with how many readings each aggregate opens from now on."""
    counts: list[int] = []
    bodies = thread.bodies

    def counting(shape: Any, twin: str, kind: str, **which: Any) -> Any:
        found = bodies(shape, twin, kind, **which)
        counts.extend([len(found)] if kind == "observed/1" else [])
        return found

    monkeypatch.setattr(thread, "bodies", counting)
    return counts


# in whatever order

keys, minutes = st.integers(0, 12), st.integers(0, 200)
readings = st.builds(read, keys, st.floats(0, 500, width=32), minutes, st.sampled_from(["gauge", "gauge", "other"]))
appends = st.lists(st.one_of(readings, readings, readings, st.builds(took_back, keys)), min_size=1, max_size=8)
bounds = st.none() | minutes.map(lambda minute: FIRST + minute * MINUTE)
asks = st.tuples(st.just((None, None)) | st.tuples(bounds, bounds), st.none() | st.integers(0, 15))
"""Of a span, as known by a step or now."""
rounds = st.tuples(appends, asks, st.sampled_from(["", "", "", "cover", "thin", "cover and thin"]), asks)


def lived(thread: Thread, what: list[Any]) -> None:
    """Append, ask, thin and ask; every aggregate must be what it is without a column."""
    thread.append([Draft("tank", "created/1", {}, FIRST, "me")], BORN)
    pending = list[int]()
    for now, (drafts, first, thinning, second) in enumerate(what, BORN):
        thread.append(drafts, now)
        same(thread, *first)
        rows = [row for row in thread.rows("tank") if row.kind == "observed/1" and row.sealed][1::2]
        if "cover" in thinning and not pending and rows:
            pending = [
                fact.seq for fact in thread.append([Draft(HOUSE, THINNED, covering(rows), FIRST, "me")], now).facts
            ]
        if "thin" in thinning and pending:
            thread.thin(pending.pop())
        same(thread, *second)


def same(thread: Thread, span: Span, known: int | None) -> None:
    known_by = None if known is None else BORN + known
    assert told(thread, span, known_by) == told(Bare(thread), span, known_by)  # type: ignore[arg-type]


@settings(max_examples=300)
@given(st.lists(rounds, max_size=7))
def test_a_column_changes_no_answer(what: list[Any]) -> None:
    """Late readings, keys said twice, taken back before or after, asked for any span as known by any time, thinned."""
    with open_thread("memory:") as thread:
        lived(thread, what)


def test_a_column_changes_no_answer_on_disk(new_store: NewStore) -> None:
    """The same on the back ends that keep facts."""

    @settings(max_examples=25)
    @given(st.lists(rounds, max_size=5))
    def holds(what: list[Any]) -> None:
        with open_thread(new_store()) as thread:
            lived(thread, what)

    holds()


# that it is used


@pytest.fixture
def thread(store: str) -> Iterator[Thread]:
    """Yield a thread of sixty readings, an hour of them, on each back end."""
    with open_thread(store) as made:
        made.append(many(), BORN)
        yield made


def test_what_was_opened_once_is_not_opened_again(thread: Thread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what came since is; when that is much, the column is kept anew; a part of the span is in it too."""
    counts = opened(thread, monkeypatch)
    told(thread)
    told(thread)
    thread.append([read(100, 9.0, 5)], BORN + 1)
    told(thread, (FIRST, None), BORN)
    told(thread, (FIRST, FIRST + HOUR))
    thread.append([read(200 + i, 9.0, 70 + i) for i in range(5)], BORN + 2)
    assert told(thread).count == 66
    told(thread)
    assert counts == [60, 0, 0, 1, 6, 0]


def test_a_column_of_a_part_is_of_no_use_for_more(thread: Thread, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds what was asked for, not the whole of a long life."""
    counts = opened(thread, monkeypatch)
    part = (FIRST + 10 * MINUTE, FIRST + 40 * MINUTE)
    assert [told(thread, part).count, told(thread, part).count, told(thread).count] == [30, 30, 60]
    assert counts == [30, 0, 60]


def test_a_column_that_is_damaged_or_planted_is_not_used(thread: Thread) -> None:
    """Nonsense, the note of another signal, one from a longer store, one from a store that went another way."""
    before, made = told(thread), columns._read(thread.kept("tank", NOTE))
    assert made is not None and made.size == 60
    wrong = {"values": bytes(len(made.values))}
    for changed in (wrong | {"size": 61}, wrong | {"size": 1 << 62}, wrong | {"leaf": bytes(32)}, wrong | {"form": 2}):
        planted = msgspec.to_builtins(made, builtin_types=(bytes,)) | changed
        thread.keep("tank", NOTE, msgspec.msgpack.encode(planted))
        assert told(thread) == before
    for note in (b"nonsense", b"", b"\x00" * 50):
        thread.keep("tank", NOTE, note)
        assert told(thread) == before


def test_a_store_put_back_from_a_copy_does_not_use_what_was_kept_since(tmp_path: Path) -> None:
    """It grew again to the same length, with other readings."""
    place, copy = tmp_path / "store", tmp_path / "copy"
    with open_thread(place) as thread:
        thread.append([read(0, 1.0, 0)], BORN)
    shutil.copytree(place, copy)
    with open_thread(place) as thread:
        thread.append(many()[1:], BORN)
        told(thread)
        assert thread.kept("tank", NOTE)
    shutil.copytree(place / "notes", copy / "notes")
    with open_thread(copy) as thread:
        thread.append([read(i, 500.0 - i, i) for i in range(1, 60)], BORN)
        assert thread.kept("tank", NOTE)
        assert told(thread) == told(Bare(thread))  # type: ignore[arg-type]


# that nothing stays


def test_no_reading_lies_open_on_the_disk_and_none_is_left_after_erasure(tmp_path: Path) -> None:
    """The column is sealed with the twin's key, and goes with it."""
    with open_thread(tmp_path) as thread:
        thread.append([read(i, 123.456, i) for i in range(60)], BORN)
        told(thread)
        notes = [path for path in (tmp_path / "notes").rglob("*") if path.is_file()]
        assert [path.name for path in notes] == [NOTE]
        assert not any(word in notes[0].read_bytes() for word in (b"k59", b"keys", b"values"))
        kept = thread.kept("tank", NOTE)
        thread.erase("tank")
        assert kept and not [path for path in (tmp_path / "notes").rglob("*") if path.is_file()]
        thread.keep("tank", NOTE, kept)
        assert thread.kept("tank", NOTE) is None and told(thread).count == 0
        with pytest.raises(NotFound):
            thread.secrets("tank")


@pytest.mark.parametrize("crash", [False, True])
def test_thinned_readings_do_not_stay_in_a_column(store: str, crash: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor when the process dies between saying that they were thinned and doing it."""
    with bank(store, FIRST) as tanks:
        view = tanks.create(Tank, "tank", by="keeper")
        tanks.append(many())
        before = view.aggregate("gauge")
        tanks.forget("tank")
        assert view.aggregate("gauge") == before and tanks.thread.kept("tank", NOTE)
        keep(tanks, "tank", "keeper", "gauge", {"raw": "1d", "5min": None})
        tanks.now.now = FIRST + 3 * DAY  # type: ignore[attr-defined]  # the clock of tank.bank
        if crash:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(tanks.thread, "thin", _dies)
                thin(tanks, "tank", "keeper")
        else:
            thin(tanks, "tank", "keeper")
            assert tanks.thread.kept("tank", NOTE) == b""
    with bank(store, FIRST + 3 * DAY) as tanks:
        assert tanks.thread.kept("tank", NOTE) == b""
        after = _view(tanks).aggregate("gauge")
    assert [(one.count, one.min, one.max) for one in after.bins] == [
        (one.count, one.min, one.max) for one in before.bins
    ]


def _dies(cover: int) -> int:
    raise KeyboardInterrupt


def _view(tanks: Bank) -> Any:
    return tanks.find("tank", by="keeper", purpose="self-management")


def test_a_column_read_before_a_thinning_is_not_kept_after_it(thread: Thread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was reading meanwhile leaves none behind."""
    rows, bodies, thinned = list(thread.rows("tank"))[1:], thread.bodies, False

    def slow(shape: Any, twin: str, kind: str, **which: Any) -> Any:
        nonlocal thinned
        found = bodies(shape, twin, kind, **which)
        if kind == "observed/1" and not thinned:
            thinned = True
            thread.thin(thread.append([Draft(HOUSE, THINNED, covering(rows), 3, "me")], BORN).facts[0].seq)
        return found

    monkeypatch.setattr(thread, "bodies", slow)
    assert told(thread).count == 60
    assert not thread.kept("tank", NOTE)
    assert told(thread).count == 1
