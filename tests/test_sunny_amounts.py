"""Sunny and amounts: glucose that a child names, food as the food tool counts it, and times, each with what it belongs to."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gemel.bank import Bank, Twin
from gemel.bank.catalogue import roles
from gemel.bank.companion import Reply, talk
from gemel.bank.team import join
from gemel.bank.tools import named, offered
from gemel.facts import DAY, HOUR, MINUTE, Draft, Time
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.sunny.eating import foods
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.reported import danger, glucose_in
from gemel.packs.diabetes.sunny.slots import Slots, slots
from gemel.packs.diabetes.sunny.times import stretch
from gemel.packs.diabetes.sunny.words import strings
from gemel.packs.food import parse
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

HERE = ZoneInfo("Europe/Stockholm")
NOW: Time = round(datetime(2026, 11, 20, 17, 5, tzinfo=HERE).timestamp() * 1000)
HELD = tomllib.loads((Path(__file__).parent / "data/sunny_sentences.toml").read_text(encoding="utf-8"))["intents"]
BLIND = tomllib.loads((Path(__file__).parent / "data/sunny_blind.toml").read_text(encoding="utf-8"))["safe"]


class Home:
    """Lily, her mother, and a sensor that says 139 mg/dL at five past five in Stockholm."""

    def __init__(self, read: float | None = 139.0) -> None:
        self.clock = FakeClock(NOW)
        self.bank = Bank(MemoryThread(), self.clock, {Person.name: Person})
        self.sarah = self.bank.create(Person, "lily", by="sarah")
        join(self.sarah, roles(Person.name), "lily", "child")
        self.sarah.alert_to("sarah", severity="warning", purpose="self-management")
        named(offered(Person.name), "set_companion").call(self.sarah, {"timezone": HERE.key})
        values = [] if read is None else [(NOW - back * MINUTE, read) for back in range(60, -1, -5)]
        self.sarah.record([Item("glucose", value, "mg/dL", at, None, Place("sensor")) for at, value in values])

    def says(self, *sentences: str) -> list[Reply]:
        """One conversation."""
        state: Mapping[str, Any] = {}
        replies = []
        for sentence in sentences:
            state, reply = talk(self.lily, state, sentence)
            replies.append(reply)
        return replies

    @property
    def lily(self) -> Twin:
        return self.bank.find("lily", by="lily", purpose="self-management")

    def eaten(self) -> list[tuple[float, Time]]:
        """Return grams of carbohydrate and their times, as they were written down."""
        written = self.bank.thread.read("lily", kinds=["acted/1"])
        return [(float(fact.body["value"]), fact.true_at) for fact in written if fact.by == "lily"]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    yield Home()


def said(sentence: str) -> Slots:
    return slots(sentence, NOW, HERE)


def clock(hour: int, minute: int = 0, days: int = 0) -> Time:
    return round((datetime(2026, 11, 20, hour, minute, tzinfo=HERE) - timedelta(days=days)).timestamp() * 1000)


# glucose that is named


@pytest.mark.parametrize(
    "sentence",
    ["my sugar is 45", "my glucose is 55", "glucose 40", "am i ok at 55", "my blood glucose is 2.5", "my meter says LO",
     "my blood glucose is fifty five", "I'm 51", "bg 3,1", "my sugar dropped to 48", "is 60 ok", "my number is three point two",
     "my sensor shows 52", "my sugar's 45", "my alarm went off and my sugar is 45",
     "my target is 100 but I'm at 45"],
)  # fmt: skip
def test_a_low_that_a_child_reports_is_cared_for_whatever_the_sensor_says(home: Home, sentence: str) -> None:
    (reply,) = home.says(sentence)
    assert reply.handed_over == "low" and "139" not in reply.text


@pytest.mark.parametrize(
    "sentence",
    ["my glucose is 350", "my glucose is 22 mmol", "my meter says HI", "my sensor shows HIGH", "I'm at 24", "bg 21.5",
     "my sugar is three hundred and fifty", "sugar three fifty"],
)  # fmt: skip
def test_a_very_high_number_that_a_child_reports_is_cared_for(home: Home, sentence: str) -> None:
    (reply,) = home.says(sentence)
    assert reply.handed_over == "sick" and "139" not in reply.text


def test_without_a_sensor_a_low_that_is_reported_is_still_told_to_somebody() -> None:
    home = Home(read=None)
    assert home.says("my sugar is 45")[0].handed_over == "low"
    assert [notice.name for notice in home.sarah.notices()] == ["sunny:low"]
    assert home.says("my sugar is 100")[0].text == strings()["now"]["alone"]


@pytest.mark.parametrize(
    "sentence", ["my sugar is 4.2", "my sugar is 250", "I'm at 200, am I ok", "my sugar is 80, will I go low"]
)
def test_a_number_that_is_not_what_the_sensor_says_is_no_reason_to_reassure(home: Home, sentence: str) -> None:
    (reply,) = home.says(sentence)
    assert reply.text.startswith("Your sensor says 139 mg/dL") and "grown-up" in reply.text and not reply.handed_over


@pytest.mark.parametrize("sentence", ["my sugar is 139", "my sugar is 8", "my bg is a hundred and fifty"])
def test_a_number_that_is_what_the_sensor_says_is_answered_as_usual(home: Home, sentence: str) -> None:
    assert home.says(sentence)[0].text.startswith("Glucose is 139 mg/dL")


@pytest.mark.parametrize(
    "sentence",
    ["my goal is 70", "what happens at 54", "my number was 62 yesterday", "my sugar dropped to 48 last night",
     "why was my sugar 55 mg/dL last night", "my target glucose is 65", "I'm 9", "I'm 9 years old", "what's my glucose at 4",
     "how much sugar is in 2 biscuits", "my meter says low battery", "how will my glucose be in 30 minutes",
     "my sugar limit is 60", "my favourite number is 7", "I'm 50 kg", "what if I eat 45 g sugar", "my parrot says hi",
     "is 60 g ok", "is my sugar high at 3"],
)  # fmt: skip
def test_targets_ages_clocks_and_food_are_no_glucose(sentence: str) -> None:
    assert glucose_in(normal(sentence)) is None


def test_no_harmless_sentence_of_the_sets_is_taken_for_a_dangerous_number() -> None:
    harmless = [*(one for group in HELD.values() for one in group), *(one for one, _ in BLIND)]
    assert len(harmless) > 300 and [one for one in harmless if danger(glucose_in(normal(one)))] == []


# food


ATE = {
    "how many carbs in 2 slices of pizza?": "2 slices of pizza", "carbs in 20 chips": "20 chips",
    "what's in 3 biscuits": "3 biscuits", "i ate half a banana": "half a banana", "i ate half a pizza": "half a pizza",
    "i had 1/2 a bagel": "1/2 a bagel",
    "i had ½ a bagel": "½ a bagel", "i ate 1½ bananas": "1 1/2 bananas", "i ate 1.5 bananas": "1.5 bananas",
    "i ate 2 and a half slices of bread": "2 and a half slices of bread", "I ate 3 of the biscuits": "3 biscuits",
    "i had chicken stir fry with brown rice, small bowl": "chicken stir fry with brown rice, small bowl",
    "i ate 200 g pasta": "200 g pasta", "i ate 100 g chocolate": "100 g chocolate", "i ate half of my pizza": "half of pizza",
    "i ate an apple but not the banana": "an apple", "i had a sandwich without cheese": "a sandwich",
    "I didn't eat the banana but an apple": "an apple", "what if I skip the cookie and eat an apple": "an apple",
    "i had a can of cola at 4": "a can of cola", "i drank a glass of low fat milk this morning": "a glass of low fat milk",
    "i ate the whole pizza": "a whole pizza", "i ate a chocolate bar": "a bar of chocolate",
    "i had 3 glucose tablets": "3 glucose tablets", "i ate fish & chips": "fish and chips", "i ate about 10 grapes": "10 grapes",
    "I ate two big apples and a small yoghurt at half past 3": "two big apples and a small yoghurt",
    "what if I eat two slices of toast with peanut butter in 20 minutes": "two slices of toast with peanut butter",
    "i had a bottle of sports drink before football": "a bottle of sports drink",
}  # fmt: skip


@pytest.mark.parametrize("sentence", ATE)
def test_food_in_a_sentence_counts_as_the_food_tool_counts_it(sentence: str) -> None:
    found, meant = parse(said(sentence).food, foods()), parse(ATE[sentence], foods())
    assert said(sentence).grams is None and not found.unknown
    assert found.total("carbohydrate").value == pytest.approx(meant.total("carbohydrate").value)


def test_how_quickly_a_food_came_in_is_said_once_it_was_seen_often_enough() -> None:
    """As a twin that was personalised keeps it, for food that was written down; said with how often it was seen."""
    home, toast = Home(), parse("toast", foods()).items[0].food.key
    for times, told in ((2, False), (4, True)):
        at = [NOW - day * DAY for day in range(1, times + 1)]
        body = {"items": [{"food": toast, "grams": 60.0}]}
        home.bank.append([Draft("lily", "ate/1", body, one, "sarah") for one in at])
        kept = {"helpings": [{"at": one, "speed": 0.5, "spread": 0.2} for one in at]}
        home.bank.append([Draft("lily", "identified/1", kept, NOW, "sarah")])
        reply = home.says("how many carbs are in a slice of toast")[0]
        assert (strings()["food"]["slower"].format(times="4") in reply.text) is told and reply.by == "templates"


@pytest.mark.parametrize(
    "sentence", ["i didn't eat the banana", "i ate all my lunch", "I haven't had my apple", "I ate all of my dinner"]
)
def test_what_was_not_eaten_or_not_named_is_asked_and_not_counted(home: Home, sentence: str) -> None:
    assert home.says(sentence)[0].text == strings()["log"]["ask"]


@pytest.mark.parametrize(
    "sentence",
    ["log 30 g", "eat 30 g carbs", "30 g of carbohydrate for lunch", "30 g now", "what if i have 30 g in 20 minutes"],
)
def test_grams_without_a_food_are_carbohydrate(sentence: str) -> None:
    assert (said(sentence).grams, said(sentence).food) == (30.0, "")


def test_the_question_before_writing_names_food_and_portion(home: Home) -> None:
    text = home.says("i ate 2 bananas")[0].text
    assert "54 g of carbs" in text and "banana (2 × piece, 236 g)" in text and "just now" in text


def test_a_new_amount_of_the_food_before_is_that_amount(home: Home) -> None:
    once, twice = home.says("what if I eat a banana", "and if I eat two?")
    grams = [reply.calls[-1].given["carbs"] for reply in (once, twice)]
    assert grams[1] == pytest.approx(2 * grams[0], abs=0.1) and "2 × piece" in twice.text


# times


@pytest.mark.parametrize(
    ("sentence", "at"),
    [("i ate a banana at 4", clock(16)), ("i ate a banana at lunch", clock(12, 30)), ("I had 2 bananas this morning", clock(8)),
     ("i ate a banana at half past 3", clock(15, 30)), ("i ate a banana", NOW), ("I just ate my lunch, a banana", NOW),
     ("I ate a banana yesterday at 7", clock(19, 0, 1)), ("i ate a banana 2 hours ago", NOW - 2 * HOUR)],
)  # fmt: skip
def test_food_is_written_at_the_time_that_was_said_and_asked(sentence: str, at: Time) -> None:
    home = Home()
    asked, _ = home.says(sentence, "yes")
    assert [one for _, one in home.eaten()] == [at]
    assert (f"{datetime.fromtimestamp(at / 1000, HERE):%H:%M}" if at != NOW else "just now") in asked.text


def test_a_yes_that_comes_late_moves_no_meal() -> None:
    home = Home()
    state, _ = talk(home.lily, {}, "i ate a banana at 4")
    home.clock.now += 8 * MINUTE
    talk(home.lily, state, "yes")
    assert home.eaten()[0][1] == clock(16)


def test_a_time_that_was_said_first_is_kept_while_sunny_asks_what_it_was(home: Home) -> None:
    assert "eaten at 12:30" in home.says("i ate at lunch", "a banana")[1].text


def test_food_of_an_earlier_day_or_of_a_time_to_come_is_not_written_as_now(home: Home) -> None:
    assert home.says("i ate pizza yesterday")[0].text == strings()["log"]["when"]
    assert home.says("I ate a sandwich at 18:30")[0].text == strings()["log"]["ahead"]


@pytest.mark.parametrize(
    ("sentence", "carbs", "units"),
    [("30 g now, 2 U in 10 minutes", 0.0, 10.0), ("what if I eat 30g and 2u 10 mins later", None, 10.0),
     ("what if I take 2 U and eat a banana at 6", 55.0, None), ("in 10 minutes, what if I eat 30 g and 2 U", 10.0, 10.0),
     ("what if I eat 30 g and do football at four", None, None), ("what if I have 30 g with 2 U in 10 minutes", 10.0, 10.0)],
)  # fmt: skip
def test_each_amount_has_its_own_time(sentence: str, carbs: float | None, units: float | None) -> None:
    found = said(sentence)
    assert [None if at is None else at.minutes for at in (found.carbs_at, found.units_at)] == [carbs, units]


def test_times_are_said_with_what_would_come(home: Home) -> None:
    (reply,) = home.says("what if I eat a banana in 20 minutes")
    assert "in 20 minutes" in reply.text and reply.calls[-1].given["carbs_in_min"] == 20.0


def test_sport_beside_food_is_not_dropped_in_silence(home: Home) -> None:
    (reply,) = home.says("what if I eat 30 g and do football at four")
    assert strings()["what_if"]["sport"] in reply.text and reply.calls[-1].given["carbs_in_min"] == 0.0


@pytest.mark.parametrize(
    ("sentence", "told"),
    [("football at four", "over"), ("football at 4 tomorrow", "far"), ("football tomorrow", "far"),
     ("what if I eat pasta at four", "over"), ("what if I eat pasta in 5 hours", "far")],
)  # fmt: skip
def test_what_is_over_or_too_far_ahead_is_said_and_not_tried(home: Home, sentence: str, told: str) -> None:
    (reply,) = home.says(sentence)
    assert strings()["what_if"][told] in reply.text
    assert not {"try_out", "what_if"} & {call.tool for call in reply.calls}


def test_sport_that_is_supposed_is_answered_as_sport(home: Home) -> None:
    """Also after food was talked about, of which nothing is said now."""
    *_, reply = home.says("what if I eat a banana", "what if football at 6")
    assert reply.calls[-1].given["scenario"] == "sport"


def test_food_and_insulin_without_a_verb_are_tried_out(home: Home) -> None:
    (reply,) = home.says("30 g now, 2 U in 10 minutes")
    given = next(call.given for call in reply.calls if call.tool == "try_out")
    assert (given["carbs"], given["carbs_in_min"], given["bolus"], given["bolus_in_min"]) == (30.0, 0.0, 2.0, 10.0)


def test_what_was_eaten_yesterday_is_asked_about_with_its_time(home: Home) -> None:
    (reply,) = home.says("I ate pizza yesterday at 7")
    assert reply.intent == "log_food" and "yesterday at 19:00" in reply.text


def test_the_clock_of_sport_is_the_persons_own(home: Home) -> None:
    assert home.says("football at 6")[0].calls[-1].given["values"]["after"] == 55.0


@pytest.mark.parametrize(("hour", "hours", "ended"), [(15.0, 9.0, 8.0), (23.0, 9.0, 16.0), (3.0, 5.0, 0.0)])
def test_last_night_is_the_night_and_not_the_day_after_it(hour: float, hours: float, ended: float) -> None:
    found = stretch("how was last night", clock(int(hour)), HERE)
    assert (found.name, found.hours, found.ended) == ("night", hours, ended)


def test_how_last_night_was_is_asked_of_the_night_only(home: Home) -> None:
    given = home.says("how was last night")[0].calls[-1].given
    assert (given["hours"], given["ended"]) == (9.0, pytest.approx(10.08))


def test_the_demo_tells_times_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from gemel.packs.diabetes import demo

    monkeypatch.setenv("TZ", HERE.key)
    monkeypatch.setattr(demo, "look_back", lambda *_: None)
    bank = Bank(MemoryThread(), FakeClock(NOW), {Person.name: Person})
    demo.LivingRoom(bank.now).prepare(bank)
    twin = bank.find("lily", by="sarah", purpose="self-management")
    assert named(offered(Person.name), "companion").call(twin, {})["timezone"] == HERE.key
