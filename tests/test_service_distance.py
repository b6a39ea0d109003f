"""Distance between logs: published figures come out, and each measure says what it promises."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR
from gemel.packs.service import distance
from gemel.packs.service.log import MISSING, Log, Names

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def log_of(rows: list[tuple[str, str, str, int, int]]) -> Log:
    """Return a log of (case, activity, resource, start, end), ordered as logs are."""
    columns = list(zip(*rows, strict=True))
    cases = {name: code for code, name in enumerate(dict.fromkeys(columns[0]))}
    order = sorted(range(len(rows)), key=lambda i: (cases[rows[i][0]], rows[i][3]))
    named = []
    for column in columns[:3]:
        codes = {name: code for code, name in enumerate(dict.fromkeys(column))}
        named.append(Names(np.array([codes[column[i]] for i in order], np.int32), tuple(codes)))
    start, end = (np.array([columns[k][i] for i in order], np.int64) for k in (3, 4))
    return Log(*named, np.full(len(rows), MISSING), start, end, np.zeros(len(rows), bool))


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def loan(folder: Path, part: str) -> Log:
    """Return Simod's sample of loan applications, read by a few lines of this test's own."""
    with gzip.open(folder / f"services/simod_LoanApp_simplified_{part}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: (int(row["case_id"]), row["start_time"]))
    times = [(moment(row["start_time"]), moment(row["end_time"])) for row in rows]
    return log_of(
        [(row["case_id"], row["activity"], row["resource"], *time) for row, time in zip(rows, times, strict=True)]
    )


def test_the_floor_that_log_distance_measures_finds_comes_out(data: Path) -> None:
    """Train against test of LoanApp: figures of log-distance-measures 2.2.0, measured for Simod's evaluation."""
    found = distance.distances(loan(data, "train"), loan(data, "test"))
    theirs = {"2-gram": 0.0206, "3-gram": 0.0283, "relative": 0.146, "circadian": 0.056, "cycle time": 0.596}
    assert {name: round(found[name], len(str(figure)) - 2) for name, figure in theirs.items()} == theirs


@given(numbers, numbers)
def test_the_earth_movers_distance_is_scipys(one: list[float], other: list[float]) -> None:
    """SciPy's `wasserstein_distance` is the reference."""
    expected = stats.wasserstein_distance(one, other)
    assert distance.wasserstein(np.array(one), np.array(other)) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_a_log_is_at_no_distance_from_itself() -> None:
    """All measures are 0."""
    log = log_of([("1", "a", "ann", 0, HOUR), ("1", "b", "bob", HOUR, 3 * HOUR), ("2", "a", "ann", DAY, DAY + HOUR)])
    assert set(distance.distances(log, log).values()) == {0.0}


def test_ngrams_count_the_edges_of_cases() -> None:
    """ab against ac: of 2 × 3 pairs (·a ab b· and ·a ac c·) four differ."""
    one = log_of([("1", "a", "x", 0, 1), ("1", "b", "x", 2, 3)])
    other = log_of([("1", "a", "x", 0, 1), ("1", "c", "x", 2, 3)])
    assert distance.ngrams(one, other, 2) == pytest.approx(4 / 6)


def test_names_decide_and_not_codes() -> None:
    """Logs number their activities as they meet them; that makes no difference."""
    one = log_of([("1", "a", "x", 0, 1), ("2", "b", "x", 2, 3)])
    other = log_of([("1", "b", "x", 0, 1), ("2", "a", "x", 2, 3)])
    assert distance.ngrams(one, other, 3) == 0.0


@given(st.integers(1, 500))
def test_a_log_later_by_hours_is_that_far_on_the_calendar_and_no_longer_in_itself(hours: int) -> None:
    """The same service some hours later: absolute and arrivals say so, relative and cycle time do not mind."""
    rows = [("1", "a", "x", 0, HOUR), ("2", "a", "x", 5 * HOUR, 9 * HOUR)]
    later = [(case, what, who, start + hours * HOUR, end + hours * HOUR) for case, what, who, start, end in rows]
    one, other = log_of(rows), log_of(later)
    assert distance.absolute(one, other) == pytest.approx(hours)
    assert distance.arrivals(one, other) == pytest.approx(hours)
    assert distance.relative(one, other) == distance.cycle_time(one, other) == 0.0


def test_a_weekday_that_only_one_log_knows_is_as_far_as_can_be() -> None:
    """Thursday against Friday: two of seven weekdays at 23 h."""
    one, other = (log_of([("1", "a", "x", at, at + HOUR)]) for at in (0, DAY))
    assert distance.circadian(one, other) == pytest.approx(2 * 23 / 7)


def test_remaining_times_are_those_of_the_cases_under_way() -> None:
    """At hour 2 one case has 2 h to go, in the other log 5 h; over by then counts not."""
    one = log_of([("1", "a", "x", 0, HOUR), ("2", "a", "x", 0, 4 * HOUR)])
    other = log_of([("1", "a", "x", 0, 7 * HOUR)])
    assert distance.remaining_time(one, other, 2 * HOUR) == pytest.approx(3.0)


def test_the_workforce_counts_who_is_at_work_in_each_hour_of_the_week() -> None:
    """Two people in one hour against one: of 168 hours one differs by one."""
    one = log_of([("1", "a", "x", 0, 1), ("2", "a", "y", 0, 1)])
    other = log_of([("1", "a", "x", 0, 1), ("2", "a", "x", 0, 1)])
    assert distance.workforce(one, other) == pytest.approx(1 / 168)


def test_nothing_is_at_no_distance_from_something() -> None:
    """An empty sample is refused, not called alike."""
    with pytest.raises(BadInput, match="without events"):
        distance.wasserstein(np.array([]), np.array([1.0]))
