"""Exercise in the twin: what a heart rate above rest does, now and hours later, and where it is told from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.dynamics import Dose, Subject
from gemel.facts import HOUR, MINUTE, Time
from gemel.packs.diabetes.person import DYNAMICS, Person
from gemel.packs.diabetes.scenarios import FORMS
from gemel.packs.diabetes.watch import QUIET, live_exercise, with_exercise
from gemel.streams import Item, Place
from gemel.streams.report import Report


def shift(*doses: Dose, hours: int = 12) -> np.ndarray:
    """Return what exercise does to glucose, every 5 min, in the mean of some members."""
    belief = DYNAMICS.prior([Subject("x", 0, {})], 8, 1)
    plan = [Dose("basal", 0.9, 0), *doses]
    until = np.array([hours * HOUR])
    _, way = DYNAMICS.advance(belief, [plan], until, 1, record=["supposed.shift"], every=5 * MINUTE)
    found: np.ndarray = np.asarray(way.values["supposed.shift"])[:, 0].mean(1)
    return found


def bout(bpm: float, start: Time = HOUR, length: Time = 45 * MINUTE) -> list[Dose]:
    return [Dose("exercise", bpm, start), Dose("exercise", 0.0, start + length)]


def test_a_bout_lowers_glucose_as_it_does_the_median_patient_of_s2013() -> None:
    """At its end, two hours and ten hours later: 21, 35 and 22 mg/dL in wards of the published model, within 10 here."""
    course = shift(*bout(60.0))
    for minutes, expected in ((105, -21.0), (225, -35.0), (705, -22.0)):
        assert course[minutes // 5] == pytest.approx(expected, abs=10.0)


def test_without_exercise_nothing_is_different() -> None:
    assert np.all(shift() == 0.0) and np.all(shift(*bout(0.0)) == 0.0)


def test_harder_or_longer_exercise_lowers_more() -> None:
    assert shift(*bout(90.0)).min() < shift(*bout(60.0)).min() < shift(*bout(30.0)).min() < 0.0
    assert shift(*bout(60.0, length=90 * MINUTE)).min() < shift(*bout(60.0)).min()


def test_insulin_does_more_for_hours_after_a_bout() -> None:
    """The difference that 1 U makes: with the bout, and without."""
    unit = Dose("supposed bolus", 1.0, 2 * HOUR)
    alone, after = shift(unit), shift(unit, *bout(60.0)) - shift(*bout(60.0))
    assert after.min() < 1.02 * alone.min() < 0.0


def test_football_can_be_supposed_by_filling_in_a_form() -> None:
    plan = FORMS["sport"].fill({"after": 60, "lasting": 30, "effort": 50}).revise([], 0)
    assert [(dose.lever, dose.amount, dose.at) for dose in plan] == [
        ("exercise", 50, HOUR),
        ("exercise", 0.0, HOUR + 30 * MINUTE),
    ]
    assert Person.levers["exercise"].holds


@dataclass(frozen=True)
class Beats:
    """A watch that says some heart rates, every five minutes."""

    rates: tuple[float, ...]
    name: str = "watch"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        for i, rate in enumerate(self.rates):
            yield Item("heart_rate", rate, "bpm", i * 5 * MINUTE, f"w{i}", Place("watch"))

    async def items(self) -> AsyncIterator[Item]:
        for item in self.read():
            yield item


@given(st.lists(st.floats(40, 200), max_size=30))
def test_every_reading_goes_through_and_exercise_follows_it_within_a_step(rates: list[float]) -> None:
    told = list(with_exercise(Beats(tuple(rates)), rest=65.0).read())
    assert [item.value for item in told if item.name == "heart_rate"] == rates
    effort, at = 0.0, {item.at: item.value for item in told if item.name == "exercise"}
    for i, rate in enumerate(rates):
        effort = at.get(i * 5 * MINUTE, effort)
        above = min(rate - 65.0, 160.0)
        assert abs(effort - above) <= 10.0 if above >= QUIET else effort == 0.0


def test_a_live_watch_tells_the_same_as_a_file_and_each_under_its_own_key() -> None:
    beats = Beats((70.0, 120.0, 125.0, 140.0, 66.0))

    async def heard() -> list[Item]:
        return [item async for item in live_exercise(beats).items()]

    told = asyncio.run(heard())
    assert told == list(with_exercise(beats).read())
    assert [item.value for item in told if item.name == "exercise"] == [55.0, 75.0, 0.0]
    assert len({(item.source_id, item.name) for item in told}) == len(told)
