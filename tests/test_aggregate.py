"""Aggregates say what the readings say, as they stand, to whoever may read them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from statistics import fmean

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import BORN, Tank, bank
from typer.testing import CliRunner

from gemel.bank.aggregate import Bin, aggregate
from gemel.bank.bank import Bank
from gemel.bank.retention import keep, thin
from gemel.cli.main import app
from gemel.errors import BadInput, NotFound, Refused, Tampered
from gemel.facts import DAY, HOUR, MINUTE, Draft, iso
from gemel.thread import open_thread

FIRST = BORN // HOUR * HOUR


def said(i: int, value: float, at: int, name: str = "gauge") -> Draft:
    """Return a reading."""
    body = {"name": name, "value": value, "unit": "L", "source": "", "key": f"k{i}"}
    return Draft("tank", "observed/1", body, at, "gauge", key=f"k{i}")


def taken_back(i: int) -> Draft:
    """Return what withdraws a reading."""
    return Draft("tank", "retracted/1", {"key": f"k{i}", "name": "gauge"}, FIRST, "gauge")


@pytest.fixture
def tanks() -> Bank:
    """Return a bank in memory with one tank."""
    made = bank()
    made.create(Tank, "tank", by="keeper")
    return made


@settings(max_examples=60)
@given(
    readings=st.lists(
        st.tuples(st.floats(0, 500, width=32), st.integers(0, 300), st.sampled_from(["gauge", "other"])), max_size=40
    ),
    withdrawn=st.sets(st.integers(0, 45)),
    since=st.none() | st.integers(0, 300),
    until=st.none() | st.integers(0, 300),
    every=st.sampled_from([1, 7, 60, 1440]),
    known=st.none() | st.integers(0, 50),
)
def test_an_aggregate_is_what_the_standing_readings_give(
    readings: list[tuple[float, int, str]], withdrawn: set[int], since: int | None, until: int | None, every: int,
    known: int | None,
) -> None:  # fmt: skip
    """Whatever was read, taken back before or after, and asked: the same as sorting the replica's readings into bins."""
    tanks = bank()
    view = tanks.create(Tank, "tank", by="keeper")
    for i, (value, minute, name) in enumerate(readings):
        early = [taken_back(i)] if i in withdrawn and i % 2 else []
        tanks.thread.append([*early, said(i, value, FIRST + minute * MINUTE, name)], BORN + i)
    tanks.thread.append([taken_back(i) for i in sorted(withdrawn) if i % 2 == 0], BORN + 40)
    start, end = (None if minute is None else FIRST + minute * MINUTE for minute in (since, until))
    known_by = None if known is None else BORN + known

    found = view.aggregate("gauge", start, end, f"{every} min", known_by)

    replica = tanks.replica_known_by("tank", known_by)
    plain = [(r.at, r.value) for r in replica.read(start, end) if r.signal == "gauge"]
    width = every * MINUTE
    expected = {at: [value for _, value in some] for at, some in groupby(plain, lambda r: r[0] // width * width)}
    assert [one.at for one in found.bins] == list(expected)
    for one, values in zip(found.bins, expected.values(), strict=True):
        assert (one.count, one.min, one.max) == (len(values), min(values), max(values))
        assert one.mean == pytest.approx(fmean(values))
    assert (found.unit, found.every, found.count) == ("L", every * MINUTE, len(plain))


@settings(max_examples=40, deadline=None)
@given(
    readings=st.lists(st.tuples(st.floats(0, 500, width=32), st.integers(0, 300)), max_size=30),
    withdrawn=st.sets(st.integers(0, 30)),
    since=st.none() | st.integers(0, 300),
    until=st.none() | st.integers(0, 300),
    loaded_after=st.integers(0, 30),
)
def test_a_twin_in_memory_says_what_its_facts_say(
    readings: list[tuple[float, int]], withdrawn: set[int], since: int | None, until: int | None, loaded_after: int
) -> None:
    """Whenever its replica was loaded, and whatever came, twice at one moment too, or was taken back since."""
    made = bank()
    keeper = made.create(Tank, "tank", by="keeper")
    drafts = [said(i, value, FIRST + minute * MINUTE) for i, (value, minute) in enumerate(readings)]
    made.append(drafts[:loaded_after])
    made.replica("tank")
    made.append([*drafts[loaded_after:], *(taken_back(i) for i in withdrawn)])
    span = [None if minute is None else FIRST + minute * MINUTE for minute in (since, until)]
    found = keeper.aggregate("gauge", *span)
    assert made.beliefs.loaded("tank") is not None
    assert found == aggregate(made.thread, "tank", "gauge", "L", HOUR, *span)


def test_the_last_of_a_bin_is_the_latest_reading_in_it(tanks: Bank) -> None:
    """By when it was true, not by when it came; of two at one time, the one that came last."""
    tanks.thread.append([said(2, 30.0, FIRST + 20), said(1, 10.0, FIRST + 10), said(3, 40.0, FIRST + 20)], BORN)

    found = tanks.find("tank", by="keeper", purpose="self-management").aggregate("gauge")

    assert found.bins == (Bin(FIRST, 3, 80.0 / 3, 10.0, 40.0, 40.0),)


def test_what_was_said_again_under_a_key_counts_once(tanks: Bank) -> None:
    """As in the belief: the first stands."""
    first, second = said(1, 10.0, FIRST + 20), said(1, 99.0, FIRST)
    tanks.thread.append([first, Draft("tank", "observed/1", second.body, FIRST, "gauge", key="another")], BORN)

    found = tanks.find("tank", by="keeper", purpose="self-management").aggregate("gauge")

    assert [(one.count, one.last) for one in found.bins] == [(1, 10.0)]


def test_thinned_readings_go_on_to_count(tanks: Bank) -> None:
    """What stands for them says as much of every bin that is no finer."""
    tanks.thread.append([said(i, 50 + 40.0 * (i % 7), FIRST + i * MINUTE) for i in range(300)], BORN)
    view = tanks.find("tank", by="keeper", purpose="self-management")
    before = view.aggregate("gauge")
    keep(tanks, "tank", "keeper", "gauge", {"raw": "1d", "5min": None})
    tanks.now.now = FIRST + DAY + 200 * MINUTE  # type: ignore[attr-defined]  # the clock of tank.bank

    assert thin(tanks, "tank", "keeper")[0].facts > 100

    after = view.aggregate("gauge")
    assert [(one.at, one.count, one.min, one.max, one.last) for one in after.bins] == [
        (one.at, one.count, one.min, one.max, one.last) for one in before.bins
    ]
    assert [one.mean for one in after.bins] == pytest.approx([one.mean for one in before.bins])


def test_a_stranger_is_refused_and_a_signal_that_is_none_is_named(tanks: Bank) -> None:
    """The gate is asked as for the readings themselves."""
    view = tanks.find("tank", by="keeper", purpose="self-management")
    view.grant(to="dr-lee", purpose="care", read="other")

    with pytest.raises(Refused, match="dr-lee may not read gauge"):
        tanks.as_writer("tank", "dr-lee", "care").aggregate("gauge")
    with pytest.raises(NotFound, match="unknown signal 'gouge'; possible: gauge"):
        view.aggregate("gouge")
    for every in (0, -MINUTE, "soon"):
        with pytest.raises(BadInput):
            view.aggregate("gauge", every=every)


def test_nothing_is_left_of_an_erased_twin(tanks: Bank) -> None:
    """The numbers were sealed with its key."""
    tanks.thread.append([said(1, 10.0, FIRST)], BORN)
    tanks.thread.erase("tank")

    assert tanks.thread.bodies(dict, "tank", "observed/1") == []


def test_a_changed_reading_is_named(tmp_path: Path) -> None:
    """The quick way to many numbers checks each of them."""
    with open_thread(tmp_path) as thread:
        thread.append([said(i, 10.0, FIRST + i) for i in range(5)], BORN)
    with apsw.Connection(str(tmp_path / "thread.db")) as db:
        db.execute("UPDATE fact SET true_at = true_at - 1 WHERE rowid = 4")
    with (
        open_thread(tmp_path, readonly=True) as thread,
        pytest.raises(Tampered, match=r"fact 4 \(tank, observed/1\) is not as it was written"),
    ):
        thread.bodies(dict, "tank", "observed/1")


def test_a_body_that_does_not_say_what_is_asked_for_is_named() -> None:
    """Not guessed, not left out."""

    class Wanted(msgspec.Struct):
        value: float

    with open_thread("memory:") as thread:
        thread.append([Draft("tank", "observed/1", {"value": "high"}, FIRST, "gauge")], BORN)
        with pytest.raises(BadInput, match="does not say what is asked for"):
            thread.bodies(Wanted, "tank", "observed/1")


def test_the_command_line_prints_bins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people a line each, with --json one object."""
    monkeypatch.setattr("gemel.bank.bank.installed", lambda: {"tank": Tank})
    with bank(str(tmp_path)) as tanks:
        tanks.create(Tank, "tank", by="keeper")
        tanks.thread.append([said(i, float(i), FIRST + i * MINUTE) for i in range(61)], BORN)
    given = ["--store", str(tmp_path), "--as", "keeper"]

    text = CliRunner().invoke(app, ["aggregate", "tank", "gauge", *given])
    told = CliRunner().invoke(app, ["aggregate", "tank", "gauge", "--every", "30min", *given, "--json"])

    assert text.output.splitlines()[1] == f"{iso(FIRST)}  60  29.5  0  59  59"
    body = msgspec.json.decode(told.output)
    assert (body["twin"], body["signal"], body["count"], body["every"]) == ("tank", "gauge", 61, 30 * MINUTE)
    assert [one["count"] for one in body["bins"]] == [30, 30, 1]
