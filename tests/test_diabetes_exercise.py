"""Exercise in the twin: what a heart rate above rest does, now and hours later, and where it is told from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.dynamics import Dose, Subject
from gemel.errors import GemelError
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.asset import LILY, VirtualPerson
from gemel.packs.diabetes.demo import REST, SEED
from gemel.packs.diabetes.person import DYNAMICS, Person
from gemel.packs.diabetes.scenarios import FORMS
from gemel.packs.diabetes.watch import QUIET, live_exercise, recognised, with_exercise
from gemel.streams import Item, Place, Watched
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
    assert [item.value for item in told if item.name == "exercise"] == [0.0, 55.0, 75.0, 0.0]
    assert len({(item.source_id, item.name) for item in told}) == len(told)


@dataclass(frozen=True)
class Worn:
    """A watch that says heart rate (None: nothing) and steps of each five minutes, one after the other."""

    told: tuple[tuple[float | None, float], ...]
    name: str = "watch"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        for i, (rate, steps) in enumerate(self.told):
            if rate is not None:
                yield Item("heart_rate", rate, "bpm", i * 5 * MINUTE, None, Place("watch"))
            yield Item("steps", steps, "step", i * 5 * MINUTE, None, Place("watch"))


def exercise_of(*told: tuple[float | None, float]) -> list[tuple[float, int]]:
    found = with_exercise(Worn(told), rest=65.0).read()
    return [(item.value, item.at // MINUTE) for item in found if item.name == "exercise"]


def test_a_fast_heart_without_steps_is_no_exercise_unless_it_is_very_fast() -> None:
    """A fright is none, running is, and so is cycling; walking without a heart rate is."""
    assert exercise_of((70, 0), (100, 30), (70, 0)) == [(0.0, 0)]
    assert exercise_of((70, 0), (100, 400), (70, 0)) == [(0.0, 0), (35.0, 5), (0.0, 10)]
    assert exercise_of((70, 0), (130, 0), (70, 0)) == [(0.0, 0), (65.0, 5), (0.0, 10)]
    assert exercise_of((None, 0), (None, 500), (None, 20)) == [(0.0, 0), (40.0, 5), (0.0, 10)]


def test_a_watch_taken_off_in_the_middle_of_a_bout_does_not_go_on_for_ever() -> None:
    """The next reading of another device, ten minutes later, ends it."""
    beats = [Item("heart_rate", 130.0, "bpm", 0, None, Place("watch"))]
    glucose = [Item("glucose", 120.0, "mg/dL", i * 5 * MINUTE, None, Place("cgm")) for i in range(6)]
    told = recognised([*beats, *glucose], 65.0)
    assert [(item.value, item.at // MINUTE) for item in told if item.name == "exercise"] == [(65.0, 0), (0.0, 15)]


@settings(max_examples=15, deadline=None)
@given(st.floats(15, 95), st.integers(1, 12), st.booleans())
def test_recognised_exercise_does_what_told_exercise_does(above: float, steps: int, walks: bool) -> None:
    """A bout as a watch shows it, and the same bout told by hand: glucose is the same, up to rounding the effort."""
    bout = (65.0 + above, 600.0 if walks or above < 50.0 else 0.0)
    told = with_exercise(Worn(((65.0, 0.0), *([bout] * steps), (65.0, 0.0))), rest=65.0).read()
    seen = [Dose("exercise", item.value, item.at) for item in told if item.name == "exercise"]
    by_hand = [Dose("exercise", above, 5 * MINUTE), Dose("exercise", 0.0, (1 + steps) * 5 * MINUTE)]
    assert [dose.at for dose in seen if dose.at] == [dose.at for dose in by_hand]
    np.testing.assert_allclose(shift(*seen, hours=4), shift(*by_hand, hours=4), atol=0.05)


@dataclass(frozen=True)
class Tended(Beats):
    """A watch whose connection is looked after."""

    def watched(self, on_problem: Callable[[GemelError], None], on_connect: Callable[[], None]) -> Tended:
        on_connect()
        return self


def test_who_looks_after_a_watch_s_connection_still_hears_of_it() -> None:
    heard: list[str] = []
    source = live_exercise(Tended((70.0, 130.0)))
    assert isinstance(source, Watched)

    async def told() -> list[Item]:
        return [item async for item in source.watched(lambda _: None, lambda: heard.append("connected")).items()]

    assert [item.value for item in asyncio.run(told()) if item.name == "exercise"] == [0.0, 65.0]
    assert heard == ["connected"]


def test_the_demo_s_child_has_exercise_that_her_watch_recognised() -> None:
    """A week of Lily's: something on most days, and most of the time nothing."""
    told = [Item(name, value, unit, at, None, Place("room")) for name, value, unit, at in lily_week()]
    found = [item for item in recognised(told, REST) if item.name == "exercise"]
    assert {item.at // DAY for item in found if item.value > 0}
    active = sum(after.at - now.at for now, after in pairwise(found) if now.value > 0)
    assert 0.0 < active / (7 * DAY) < 0.1


def lily_week() -> list[tuple[str, float, str, Time]]:
    person = VirtualPerson(LILY, SEED, 0, id="lily")
    watch = [person._household.wearers[0].watched(at) for at in range(0, 7 * DAY, 5 * MINUTE)]
    return [record for records in watch for record in records]
