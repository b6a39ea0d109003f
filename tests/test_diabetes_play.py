"""Play: what earns points, what never does, and what parents may tune."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.bank import Bank, Twin
from gemel.bank.catalogue import roles
from gemel.bank.team import join
from gemel.bank.tools import named
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import DAY, HOUR, MINUTE, Fact, Time
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.play import BADGES, DEEDS, LESSONS, TOOLS, play, score, tune
from gemel.packs.diabetes.sunny.tools import TOOLS as SUNNY
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

START: Time = 20_000 * DAY + 9 * HOUR
SMALL = replace(Person, members=8)


def fact(kind: str, at: Time, by: str = "lily", **body: Any) -> Fact:
    return Fact("lily", kind, body, at, at, by, (), 1)


def logged(at: Time, by: str = "lily", grams: float = 30.0) -> Fact:
    return fact("acted/1", at, by, name="carbs", value=grams)


def read(at: Time, value: float) -> Fact:
    return fact("observed/1", at, "stream:cgm", name="glucose", value=value)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(1, 100)), max_size=20),
    st.lists(st.floats(40, 400), min_size=20, max_size=20),
)
def test_no_glucose_value_and_no_number_of_grams_ever_changes_the_score(
    meals: list[tuple[int, float]], glucose: list[float]
) -> None:
    days = [logged(START + day * DAY, grams=grams) for day, grams in meals]
    plain = [logged(START + day * DAY, grams=1.0) for day, _ in meals]
    seen = [read(START + i * DAY, value) for i, value in enumerate(glucose)]
    now = START + 41 * DAY
    assert score([*days, *seen], "lily", now) == score(plain, "lily", now)


def test_a_deed_is_worth_its_points_up_to_so_many_times_a_day() -> None:
    deed = DEEDS["log"]
    facts = [logged(START + i * MINUTE) for i in range(deed.daily + 5)]
    found = score(facts, "lily", START + HOUR)
    assert found.points == found.today == deed.points * deed.daily


def test_what_a_sensor_or_a_parent_writes_earns_the_child_nothing() -> None:
    assert score([logged(START, by="stream:pump"), logged(START, by="sarah")], "lily", START).points == 0


def test_looking_earns_once_an_hour_however_often_the_page_reloads() -> None:
    facts = [fact("accessed/1", START + i * MINUTE, allowed=True, verb="read", signal="glucose") for i in range(59)]
    assert score(facts, "lily", START + HOUR).points == DEEDS["check"].points


def test_a_streak_lasts_through_a_young_day_and_ends_after_a_missed_one() -> None:
    facts = [logged(START + day * DAY) for day in range(3)]
    assert score(facts, "lily", START + 3 * DAY).streak == 3
    late = score(facts, "lily", START + 4 * DAY)
    assert late.streak == 0 and "streak-3" in {badge.name for badge in late.badges}


def placed(name: str, at: Time = 0) -> Fact:
    return fact("companion/1", at, "sarah", timezone=name)


def when(text: str, name: str) -> Time:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp() * 1000)


def test_days_begin_at_local_midnight() -> None:
    evening = 20_000 * DAY + 23 * HOUR
    facts = [logged(evening), logged(evening + 2 * HOUR)]
    assert score(facts, "lily", evening + 2 * HOUR).streak == 2
    assert score([placed("America/New_York"), *facts], "lily", evening + 2 * HOUR).streak == 1
    assert score(facts, "lily", evening + 2 * HOUR, ZoneInfo("America/New_York")).streak == 1


def test_the_zone_that_a_holder_set_goes_before_the_one_of_whoever_looks() -> None:
    facts = [placed("Asia/Tokyo"), logged(START)]
    assert score(facts, "lily", START, ZoneInfo("America/New_York")) == score(facts, "lily", START)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_day_of_23_or_25_hours_is_one_day(day: str) -> None:
    """Oslo springs forward on 29 March and falls back on 25 October 2026."""
    first, last = when(f"{day}T00:00", "Europe/Oslo"), when(f"{day}T23:59", "Europe/Oslo")
    facts = [placed("Europe/Oslo"), *(logged(at) for at in (first, last, last + MINUTE))]
    assert last - first != DAY - MINUTE
    assert score(facts, "lily", last).streak == 1 and score(facts, "lily", last + MINUTE).streak == 2
    assert score(facts, "lily", last + MINUTE).today == DEEDS["log"].points


ZONES = st.sampled_from(sorted(name for name in available_timezones() if "/" in name and name != "Etc/Unknown"))


def of_a_day(day: int) -> st.SearchStrategy[Time]:
    """Return moments of a day since 1970."""
    return st.integers(day * DAY, (day + 1) * DAY - 1)


@given(ZONES, st.lists(st.integers(16_436, 23_741).flatmap(of_a_day), min_size=1, max_size=8))
def test_each_deed_counts_on_the_day_that_a_calendar_there_shows(name: str, at: list[Time]) -> None:
    at.sort()
    facts = [placed(name), *(logged(one) for one in at)]
    shown = [datetime.fromtimestamp(one / 1000, ZoneInfo(name)).date() for one in at]
    today = min(shown.count(shown[-1]), DEEDS["log"].daily)
    assert score(facts, "lily", at[-1]).today == today * DEEDS["log"].points
    run = next(n for n in range(1, len(shown) + 2) if shown[-1] - timedelta(days=n) not in shown)
    assert score(facts, "lily", at[-1]).streak == run


@given(ZONES, ZONES, st.lists(st.integers(0, 40 * 24), min_size=1, max_size=12), st.integers(0, 40 * 24))
def test_a_journey_to_another_zone_takes_no_point_and_no_badge_away(
    home: str, away: str, hours: list[int], left: int
) -> None:
    facts = [placed(home), *(logged(START + hour * HOUR) for hour in sorted(hours) if hour < left)]
    before = score(facts, "lily", START + left * HOUR)
    after = score([*facts, placed(away, START + left * HOUR)], "lily", START + left * HOUR)
    assert after.points == before.points and set(after.badges) == set(before.badges)


@given(st.integers(1, 60))
def test_points_and_badges_only_ever_grow(days: int) -> None:
    facts = [logged(START + day * DAY) for day in range(0, days, 2)]
    scores = [score(facts, "lily", START + day * DAY) for day in range(days)]
    for before, after in pairwise(scores):
        assert after.points >= before.points and set(before.badges) <= set(after.badges)


def twin() -> Twin:
    bank = Bank(MemoryThread(), FakeClock(START), {SMALL.name: SMALL})
    made = bank.create(SMALL, "lily", by="sarah")
    join(made, roles(Person.name), "lily", "child")
    return made


def as_child(made: Twin) -> Twin:
    return made.bank.find("lily", by="lily", purpose="self-management")


def test_a_parent_turns_it_off_or_tunes_it_and_a_child_cannot() -> None:
    made = twin()
    as_child(made).record([Item("carbs", 20.0, "g", START, None, Place("test"))])
    assert play(made, "lily").points >= DEEDS["log"].points
    tune(made, points={"log": 1, "check": 0})
    assert play(made, "lily").deeds == {"log": 1} and play(made, "lily").points == 1
    assert named(TOOLS, "tune_play").call(made, {"on": False})["on"] is False
    assert not play(made, "lily").on and play(made, "lily").points == 0
    with pytest.raises(Refused):
        tune(as_child(made), on=True)
    with pytest.raises(NotFound, match="unknown deed"):
        tune(made, points={"glucose in range": 50})
    with pytest.raises(BadInput):
        tune(made, points={"log": 1_000})


def test_the_play_of_a_twin_is_counted_by_its_own_zone_once_a_holder_has_set_one() -> None:
    made = twin()
    for _ in range(2):
        as_child(made).record([Item("carbs", 20.0, "g", made.bank.now(), None, Place("test"))])
        made.bank.now.pass_time(15 * HOUR)  # type: ignore[attr-defined]  # 9 in the morning, then midnight, UTC
    ask = named(TOOLS, "play")
    assert ask.call(made, {})["days_in_a_row"] == 2
    assert ask.call(made, {"timezone": "America/New_York"})["days_in_a_row"] == 1
    named(SUNNY, "set_companion").call(made, {"timezone": "America/Lima"})
    assert ask.call(made, {"timezone": "UTC"})["days_in_a_row"] == 1
    with pytest.raises(BadInput, match="unknown time zone"):
        ask.call(made, {"timezone": "Middle/Earth"})


def test_the_right_answer_to_a_lesson_earns_once_and_a_wrong_one_costs_nothing() -> None:
    made = as_child(twin())
    learn, lesson = named(TOOLS, "learn"), LESSONS[0]
    wrong = (lesson.right + 1) % len(lesson.answers)
    assert learn.call(made, {"lesson": lesson.name, "answer": wrong})["right"] is False
    for _ in range(2):
        assert learn.call(made, {"lesson": lesson.name, "answer": lesson.right})["right"] is True
    assert named(TOOLS, "play").call(made, {})["deeds"]["learn"]["times"] == 1
    assert len(learn.call(made, {})["lessons"]) == len(LESSONS)
    with pytest.raises(NotFound, match="unknown lesson"):
        learn.call(made, {"lesson": "rocket science"})


def test_lessons_and_badges_are_whole() -> None:
    assert len({lesson.name for lesson in LESSONS}) == len(LESSONS) >= 8
    for lesson in LESSONS:
        assert 0 <= lesson.right < len(lesson.answers) and lesson.question.endswith("?") and len(lesson.text) < 300
    assert all(badge.deed is None or badge.deed in DEEDS for badge in BADGES)
