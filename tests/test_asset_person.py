"""Virtual people live plausible days, alone as in a batch, and their bodies feel what their pumps are told."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.diabetes.asset import CGM, LILY, Habits, Household, Record, VirtualPerson, parameters_of, virtual_days

START = 20_000 * DAY
ALONE = Habits(doses=False, servings=(), drift=0.0, sport=0.0, rescue_below=0.0)


@pytest.fixture(scope="module")
def days() -> dict[str, list[Record]]:
    return dict(virtual_days(["adult#001", LILY, "child~3"], 2, seed=5, start=START))


def of(records: list[Record], name: str) -> np.ndarray:
    return np.array([value for what, value, _, _ in records if what == name])


def test_devices_report_in_order_and_in_their_units(days: dict[str, list[Record]]) -> None:
    units = {"glucose": "mg/dL", "bolus": "U", "basal": "U/h", "carbs": "g", "heart_rate": "bpm", "steps": "step"}
    for records in days.values():
        assert [r[3] for r in records] == sorted(r[3] for r in records)
        assert {name: unit for name, _, unit, _ in records} == units
        assert all(START <= at < START + 2 * DAY and at % MINUTE == 0 for *_, at in records)


def test_days_are_plausible(days: dict[str, list[Record]]) -> None:
    for name, records in days.items():
        glucose, weight = of(records, "glucose"), parameters_of(name)["BW"]
        assert 500 <= len(glucose) <= 576 and glucose.min() >= 39 and glucose.max() <= 400
        assert 85 < glucose.mean() < 220
        assert 0.1 < of(records, "bolus").sum() / 2 / weight < 1.5
        assert 60 < of(records, "carbs").sum() / 2 < 350
        assert 40 < of(records, "heart_rate").mean() < 110 and 1_000 < of(records, "steps").sum() / 2 < 40_000


def test_one_alone_lives_as_in_the_batch(days: dict[str, list[Record]]) -> None:
    assert virtual_days([LILY], 2, seed=5, start=START)[LILY] == days[LILY]


def test_live_in_uneven_steps_is_the_same_as_in_one_go(days: dict[str, list[Record]]) -> None:
    lily, heard = VirtualPerson(LILY, 5, START, cgm=CGM(gaps=0.7)), []
    for minute in (1, 4, 5, 9, 60, 61, 300, 720, 1440):
        heard += lily.advance(START + minute * MINUTE)
    assert sorted(heard, key=lambda r: (r[3], r[0])) == sorted(
        (r for r in days[LILY] if r[3] < START + DAY), key=lambda r: (r[3], r[0])
    )


def test_a_person_of_s2013_lives_alone_as_in_a_batch_and_otherwise_than_in_s2008(days: dict[str, list[Record]]) -> None:
    batch = virtual_days([LILY, "adult#001"], 1, seed=5, start=START, model="S2013")
    person, heard = VirtualPerson(LILY, 5, START, cgm=CGM(gaps=0.7), model="S2013"), []
    for minute in (3, 60, 61, 1440):
        heard += person.advance(START + minute * MINUTE)
    assert sorted(heard, key=lambda r: (r[3], r[0])) == sorted(batch[LILY], key=lambda r: (r[3], r[0]))
    assert batch[LILY] != [r for r in days[LILY] if r[3] < START + DAY]
    assert 70 < of(batch[LILY], "glucose").mean() < 240


def test_an_occlusion_is_felt_and_not_reported() -> None:
    lily = VirtualPerson(LILY, 1, START, habits=ALONE)
    lily.pump.occlude(START, START + 4 * HOUR)
    reported = lily.advance(START + 4 * HOUR)
    assert of(reported, "basal").max() > 0.0
    assert lily.blood_glucose > glucose_after(240) + 10.0


def test_another_seed_is_another_life(days: dict[str, list[Record]]) -> None:
    assert virtual_days([LILY], 1, seed=6, start=START)[LILY] != days[LILY][: len(days[LILY]) // 2]


def glucose_after(minutes: int, command: tuple[str, float] | None = None, grams: float = 0.0) -> float:
    lily = VirtualPerson(LILY, 1, START, habits=ALONE)
    lily.advance(START + 7 * MINUTE)
    if command:
        lily.pump.command(*command, START + 7 * MINUTE)
    if grams:
        lily.eat(grams, START + 7 * MINUTE)
    lily.advance(START + minutes * MINUTE)
    return lily.blood_glucose


def test_the_body_feels_what_the_pump_is_told() -> None:
    usual = glucose_after(180)
    assert glucose_after(180, ("bolus", 1.0)) < usual - 10.0
    assert glucose_after(180, ("basal", 0.0)) > usual + 5.0
    assert glucose_after(180, ("suspend", 60)) > usual + 2.0
    assert glucose_after(90, grams=30.0) > glucose_after(90) + 20.0


def test_a_command_is_delivered_and_reported() -> None:
    lily = VirtualPerson(LILY, 1, START, habits=ALONE)
    assert lily.advance(START) == []
    lily.pump.command("bolus", 1.02, START + 3 * MINUTE)
    assert ("bolus", 1.0, "U", START + 3 * MINUTE) in lily.advance(START + HOUR)


def test_nothing_is_counted_or_dosed_by_one_who_forgets() -> None:
    records = virtual_days([LILY], 1, 1, start=START, habits=Habits(doses=False, rescue_below=0.0))[LILY]
    assert not of(records, "bolus").size and not of(records, "carbs").size
    assert of(records, "glucose").max() > 220


def test_a_household_keeps_ids_apart_from_subjects() -> None:
    twins = virtual_days([LILY, LILY], 0.5, 1, start=START, ids=["lily", "rose"])
    assert twins["lily"] != twins["rose"]


def test_two_people_of_one_id_are_refused() -> None:
    with pytest.raises(BadInput, match="one id"):
        virtual_days([LILY, LILY], 1, 1)


def test_time_starts_on_the_next_tick() -> None:
    assert Household([LILY], 1, START + 61_000).now == START + 5 * MINUTE
