"""Journeys: touchpoints, pain points and one customer's own way, on made logs with a known answer and on real ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound
from gemel.facts import HOUR, MINUTE, SECOND, Time
from gemel.packs.service.journeys import Expected, Promise, journey, journeys
from gemel.packs.service.log import MISSING, Log, Names
from gemel.packs.service.touchpoints import delays, phases, span
from gemel.packs.service.variants import variants

T0: Time = 1_700_000_000_000
DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[2] / "shared/data")) / "services"

Row = tuple[str, str, Time, Time, Time]
"""Case, activity, queued, start, end."""


def a_log(rows: Sequence[Row], abandoned: Sequence[int] = (), **more: object) -> Log:
    """Return a log of rows, given in order of case and start; *more* are its other columns."""
    cases, activities = (tuple(dict.fromkeys(row[i] for row in rows)) for i in (0, 1))
    gone = np.zeros(len(rows), bool)
    gone[list(abandoned)] = True
    queued, start, end = (np.array([row[i] for row in rows], np.int64) for i in (2, 3, 4))
    return Log(
        Names(np.array([cases.index(row[0]) for row in rows], np.int32), cases),
        Names(np.array([activities.index(row[1]) for row in rows], np.int32), activities),
        Names(np.full(len(rows), -1, np.int32), ()), queued, start, end, gone, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def clinic(n: int, seed: int = 1) -> Log:
    """Return n visits: registration, a doctor (20 min on average late by 12), and for a third a bill; scores fall with waits."""
    rng, rows, scores = np.random.default_rng(seed), [], []
    for i in range(n):
        at = T0 + i * 10 * MINUTE
        wait = int(rng.exponential(12) * MINUTE) if rng.random() < 0.5 else 0
        begun = at + 5 * MINUTE + wait
        rows.append((f"c{i}", "register", at, at + MINUTE, at + 5 * MINUTE))
        rows.append((f"c{i}", "doctor", at + 5 * MINUTE, begun, begun + 20 * MINUTE))
        if rng.random() < 1 / 3:
            rows.append((f"c{i}", "bill", begun + 20 * MINUTE, begun + 22 * MINUTE, begun + 24 * MINUTE))
        scores.append(8.0 - (wait > 0) * 2 + rng.normal())
    return a_log(rows, about={"score": np.array(scores)})


PROMISE = Promise({"register": 60.0, "doctor": 0.0, "bill": 60.0}, {"bill": 2.0})


def test_the_moment_of_truth_parts_before_from_after() -> None:
    """The doctor is the main service: most work is done there."""
    found = journeys(clinic(60), PROMISE)
    assert found.truth == "doctor"
    assert [(point.name, point.phase) for point in found.touchpoints] == [
        ("register", "before"), ("doctor", "during"), ("bill", "after"),
    ]  # fmt: skip
    assert str(found).startswith("60 journeys; the moment of truth is doctor: of what at least 60 customers pass")


def test_pain_is_customers_times_excess_times_cost() -> None:
    """The figures, by hand: three late by 30 min, one of them twice as costly."""
    rows = [("a", "x", T0, T0 + 40 * MINUTE, T0 + 50 * MINUTE), ("b", "x", T0, T0 + 40 * MINUTE, T0 + 60 * MINUTE)]
    rows += [("c", "y", T0, T0 + 30 * MINUTE, T0 + 31 * MINUTE)]
    found = journeys(a_log(rows), Promise({"x": 600.0, "y": 0.0}, {"y": 3.0}, "EUR"))
    assert [(p.touchpoint, p.customers.value, p.excess.value, p.score.value) for p in found.pains] == [
        ("y", 1.0, 1800.0, 1.5), ("x", 2.0, 1800.0, 1.0),
    ]  # fmt: skip
    assert found.pains[0].text.startswith(
        "y: 1 of 1 customers waited longer than promised (0 s), by 30 min on average; that is 1.5 EUR"
    )


def test_pain_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Half the patients of the clinic wait 12 min on average: of 200 that is 20 h; about 95 of 100 intervals hold it."""
    held = [journeys(clinic(200, seed), PROMISE).pains[0].score.holds(200 * 0.5 * 12 / 60) for seed in range(60)]
    assert np.mean(held) >= 0.87


def test_who_waited_too_long_is_known_to_feel_worse() -> None:
    """The score of those who waited is two lower, within its interval, and the sentence says so."""
    pain = journeys(clinic(400, seed=2), PROMISE, feelings=["score"]).pains[0]
    assert pain.touchpoint == "doctor"
    assert pain.felt["score"].holds(-2.0)
    assert not pain.felt["score"].holds(0.0)
    assert "score is -2" in pain.text


def test_ranks_that_cannot_be_told_apart_overlap() -> None:
    """Two touchpoints alike share their ranks; one ten times worse does not."""
    rng, rows = np.random.default_rng(3), []
    for i in range(80):
        at = T0
        for name, much in (("one", 5), ("two", 5), ("worst", 100)):
            begun = at + int(rng.exponential(much) * MINUTE)
            rows.append((f"c{i}", name, at, begun, at := begun + MINUTE))
    found = journeys(a_log(rows), Promise({"one": 0.0, "two": 0.0, "worst": 0.0}))
    assert [pain.ranks for pain in found.pains] == [(1, 1), (2, 3), (2, 3)]


def test_a_promise_that_nobody_made_is_not_said_to_be_broken() -> None:
    """Without a promise the usual wait takes its place, and the words say so."""
    pain = journeys(clinic(50)).pains[0]
    assert "longer than usual there" in pain.text
    assert "promised" not in pain.text


def test_a_promise_of_its_own_row_goes_before_all_others() -> None:
    """Who was told 30 min and waited 40 waited 10 too long."""
    rows = [("a", "x", T0, T0 + 40 * MINUTE, T0 + HOUR), ("b", "x", T0, T0 + 40 * MINUTE, T0 + HOUR)]
    log = a_log(rows, attributes={"promise": np.array([1800.0, np.nan])})
    assert journeys(log, Promise({"x": 2400.0})).pains[0].excess.value == pytest.approx(600)
    assert "10 min longer than promised" in str(journey(log, "a"))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Draw a log of a few cases, with times that may be missing."""
    rows, told = [], st.integers(0, 50)
    for case in range(draw(st.integers(1, 4))):
        steps = draw(st.lists(st.tuples(st.sampled_from("abc"), told, told, st.booleans()), min_size=1, max_size=4))
        for name, start, length, known in sorted(steps, key=lambda s: s[1]):
            at = T0 + start * SECOND
            rows.append((str(case), name, MISSING, at if known else MISSING, at + length * SECOND))
    return a_log(rows)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_delays_and_phases_are_those_of_a_plain_loop(log: Log) -> None:
    """Each row waits from the last end so far of its own case; phases turn at the first and last moment of truth."""
    said, where = delays(log), phases(log, 0)
    for first, last in zip(log.bounds()[:-1], log.bounds()[1:], strict=True):
        truths = [i for i in range(first, last) if log.activity.codes[i] == 0]
        for i in range(first, last):
            began = log.start[i] if log.start[i] != MISSING else log.end[i]
            ready = max((int(log.end[j]) for j in range(first, i)), default=None)
            expected = np.nan if ready is None else max(began - ready, 0) / SECOND
            assert said.seconds[i] == pytest.approx(expected, nan_ok=True)
            phase = -1 if not truths else 0 if i < truths[0] else 2 if i > truths[-1] else 1
            assert where[i] == phase


@settings(max_examples=60, deadline=None)
@given(logs())
def test_variants_count_each_way_through(log: Log) -> None:
    """Against a counter of tuples."""
    counted = Counter(tuple(trace.tolist()) for trace in log.traces())
    found = variants(log, most=100)
    assert {one.activities: one.cases for one in found} == {
        tuple(log.activity.names[code] for code in way): n for way, n in counted.items()
    }
    assert [one.cases for one in found] == sorted((one.cases for one in found), reverse=True)


def test_a_customer_sees_her_own_journey() -> None:
    """Where she is, for how long, what is expected and why; who gave up is said to have."""
    rows = [("eve", "register", T0, T0 + MINUTE, T0 + 2 * MINUTE), ("eve", "doctor", T0 + 2 * MINUTE, MISSING, MISSING)]
    to_come = Expected("the doctor", T0 + 20 * MINUTE, T0 + 30 * MINUTE, "two are before you")
    found = journey(a_log(rows), "eve", PROMISE, truth="doctor", now=T0 + 10 * MINUTE, ahead=[to_come])
    assert found.where == "waiting for doctor"
    assert found.steps[1].waited == 480.0
    assert str(found).endswith("the doctor: two are before you")
    gone = a_log([("eve", "doctor", T0, MISSING, T0 + MINUTE)], abandoned=[0])
    assert journey(gone, "eve").where == "gave up: doctor"


def test_what_is_not_in_the_log_is_named() -> None:
    """A case, a moment of truth, a column: what there is instead."""
    log = clinic(2)
    with pytest.raises(NotFound, match="unknown case 'x'; possible: c0, c1"):
        journey(log, "x")
    with pytest.raises(NotFound, match="unknown activity 'surgery'; possible: "):
        journeys(log, truth="surgery")
    with pytest.raises(NotFound, match="unknown column 'joy'"):
        journeys(log, feelings=["joy"])
    with pytest.raises(BadInput, match="holds no activity"):
        journeys(log.only(np.zeros(2, bool)))


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (90, "1.5 min"), (5400, "1.5 h"), (172800, "2 d")])
def test_a_length_of_time_is_said_as_people_do(seconds: float, text: str) -> None:
    """The unit fits the length."""
    assert span(seconds) == text


@pytest.mark.skipif(not DATA.exists(), reason=f"no event logs in {DATA}; GEMEL_DATA names their folder")
@pytest.mark.parametrize("name", ["simod_LoanApp_simplified_train.csv.gz", "receipt.xes.gz", "teleclaims.xes.gz"])
def test_real_logs_tell_where_it_hurts(name: str) -> None:
    """Pain points of a real log add up to all of it, in order."""
    found = journeys(read(DATA / name))
    assert sum(pain.share for pain in found.pains) == pytest.approx(1)
    scores = [pain.score.value for pain in found.pains]
    assert scores == sorted(scores, reverse=True)
    assert all(pain.score.low <= pain.score.value <= pain.score.high for pain in found.pains[:3])


def read(path: Path) -> Log:
    """Return a log as the readers give it."""
    logs = pytest.importorskip("gemel.packs.service.logs")
    if not hasattr(logs, "open_log"):
        pytest.skip("there is no open_log yet")
    return logs.open_log(path).log  # type: ignore[no-any-return]
