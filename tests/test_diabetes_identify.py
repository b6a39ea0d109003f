"""Personalise a twin of the bank: what is kept, what goes on from it, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from typer.testing import CliRunner

from gemel.bank import Bank, Twin
from gemel.cli.main import app
from gemel.errors import BadInput, Refused
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.asset import LILY, virtual_days
from gemel.packs.diabetes.personal import Clock, identify, report
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

START: Time = 20_000 * DAY
SMALL = replace(Person, members=8)


@pytest.fixture(scope="module")
def told() -> list[Item]:
    lived = virtual_days([LILY], 4, seed=5, start=START)[LILY]
    return [Item(name, value, unit, at, None, Place("virtual")) for name, value, unit, at in lived]


def lily(told: list[Item], until: Time, now: Time = START + 5 * DAY) -> Twin:
    bank = Bank(MemoryThread(), FakeClock(now), {SMALL.name: SMALL})
    twin = bank.create(SMALL, "lily", by="sarah")
    twin.record([item for item in told if item.at < until])
    return twin


def test_new_days_are_learned_from_at_their_own_cost_and_nothing_is_learned_twice(told: list[Item]) -> None:
    twin = lily(told, START + 3 * DAY)
    first = identify(twin, 14, quick=True)
    assert first.assumed and first.weight == 70.0 and first.days == first.fresh > 0
    again = identify(twin, 14, quick=True)
    assert again.fresh == 0 and again.days == first.days
    assert sum(1 for _ in twin.bank.thread.read("lily", kinds=["identified/1"])) == 1
    twin.record([item for item in told if item.at >= START + 3 * DAY])
    later = identify(twin, 14, quick=True)
    assert later.fresh >= 1 and later.days == first.days + later.fresh
    assert {row["day"] for row in first.body()["foretold"]} < {row["day"] for row in later.body()["foretold"]}
    text = str(later)
    assert "how yesterday's twin foretold the day" in text and "assumed" in text and "not a medical device" in text
    assert all(f"{row['rmse']:5.1f}" in text for row in later.body()["foretold"])
    assert all(f"RMSE {row['twin_rmse']:5.1f} mg/dL" in text for row in later.body()["foretold"])
    assert again.predictive == first.predictive and later.predictive["days"] == later.days
    assert "posterior predictive checks, 100 draws" in text and "lowest of a day" in text


def test_a_day_is_learned_from_once_its_end_is_on_record_and_then_whole(told: list[Item]) -> None:
    """Until 19:30 of the third day, which was then 65 % read; what came later that evening was never learned from."""
    twin = lily(told, START + 2 * DAY + 19 * HOUR + HOUR // 2)
    first = identify(twin, 14, quick=True)
    assert first.personal.at == START + DAY + 4 * HOUR and first.days == 2
    twin.record([item for item in told if START + 2 * DAY + 19 * HOUR <= item.at < START + 3 * DAY + 3 * HOUR])
    assert identify(twin, 14, quick=True).fresh == 0
    twin.record([item for item in told if item.at < START + 3 * DAY + 4 * HOUR])
    later = identify(twin, 14, quick=True)
    assert later.fresh == 1 and later.personal.at == START + 2 * DAY + 4 * HOUR
    assert np.isfinite(later.personal.days[-1].read).mean() > 0.9


def test_a_record_that_ended_long_ago_is_learned_from_to_its_last_day(told: list[Item]) -> None:
    twin = lily(told, START + 2 * DAY + 19 * HOUR, START + 100 * DAY)
    assert identify(twin, 14, quick=True).days == 3


def test_days_begin_by_the_clock_they_began_by_and_none_is_learned_twice_by_another(told: list[Item]) -> None:
    twin, madrid, tokyo = lily(told, START + 3 * DAY), ZoneInfo("Europe/Madrid"), ZoneInfo("Asia/Tokyo")
    first = identify(twin, 14, madrid, quick=True)
    assert first.personal.at == START + DAY + 2 * HOUR and "from 04:00 Europe/Madrid" in str(first)
    again = identify(twin, 14, quick=True)
    assert again.fresh == 0 and again.body()["timezone"] == "Europe/Madrid"
    with pytest.raises(BadInput, match="are those of Europe/Madrid, not of Asia/Tokyo"):
        identify(twin, 14, tokyo, quick=True)
    anew = identify(twin, 14, tokyo, anew=True, quick=True)
    assert anew.fresh == anew.days and anew.personal.at == START + DAY + 19 * HOUR


def test_a_sensor_that_reads_every_quarter_of_an_hour_can_be_personalised(told: list[Item]) -> None:
    """Readings at 4, 19, 34 and 49 min past: none in a cell that is kept of a day foretold; such a day was 33 % read."""
    seldom = [item for item in told if item.name != "glucose" or item.at % (15 * MINUTE) == 0]
    moved = [replace(item, at=item.at + 4 * MINUTE) if item.name == "glucose" else item for item in seldom]
    found = identify(lily(moved, START + 3 * DAY + 4 * HOUR), 14, quick=True)
    assert found.days == 3 and len(found.body()["foretold"]) == 2
    assert all(np.isfinite(value) for value in found.body()["fit"].values())
    often = identify(lily(told, START + 3 * DAY + 4 * HOUR), 14, quick=True)
    for name in ("gb", "si"):
        mine, theirs = found.personal.values()[name], often.personal.values()[name]
        assert abs(mine.mean() - theirs.mean()) < 3 * theirs.std()


def test_a_log_without_am_and_pm_is_told_of_and_kept_in_mind(told: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of carbohydrate is written by twelve hours, as where times are exported without their half of the day."""

    def written(item: Item) -> Item:
        hour = item.at % DAY // HOUR
        by = -12 * HOUR if hour >= 13 else 12 * HOUR if hour < 1 else 0
        return replace(item, at=item.at + by) if item.name == "carbs" else item

    twin = lily([written(item) for item in told], START + 3 * DAY)
    first = identify(twin, 14, quick=True)
    assert first.clock == Clock(twelve=True) and first.body()["carbs_without_am_pm"]
    assert "a clock without a.m. and p.m.?" in str(first)
    assert identify(twin, 14, quick=True).clock == first.clock
    right = identify(lily(told, START + 3 * DAY), 14, quick=True)
    assert right.clock == Clock() and "a.m." not in str(right)
    monkeypatch.setattr(report, "clock_of", lambda *_: Clock())
    wrong = identify(twin, 14, quick=True, anew=True)
    assert wrong.body()["fit"]["rmse"] > first.body()["fit"]["rmse"] >= right.body()["fit"]["rmse"]


def test_a_weight_in_the_care_plan_is_used_and_a_new_one_begins_again(told: list[Item]) -> None:
    twin = lily(told, START + 2 * DAY)
    identify(twin, 14, quick=True)
    twin.decide_plan(twin.propose_plan({"weight": 30}).seq, True)
    found = identify(twin, 14, quick=True)
    assert not found.assumed and found.weight == 30.0 and found.fresh == found.days


def test_a_record_too_thin_and_a_reader_who_may_not_write_are_refused(told: list[Item]) -> None:
    twin = lily(told, START + DAY // 8)
    with pytest.raises(BadInput, match="no day"):
        identify(twin, 14, quick=True)
    twin.grant(to="dr-lee", purpose="care", read="*")
    with pytest.raises(Refused):
        identify(twin.bank.find("lily", by="dr-lee", purpose="care"), 14, quick=True)


def test_the_command_says_what_the_days_tell(told: list[Item], tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with Bank.open(store) as bank:
        bank.create(Person, "lily", by="sarah").record([item for item in told if item.at < START + 2 * DAY])
    words = ["personalise", "lily", "--quick", "--store", store, "--as", "sarah"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout.strip().splitlines()[-1])
    assert body["fresh"] > 0 and set(body["identified"]) >= {"si", "gb"} and "doubts" in body
    assert "0 of them new" in CliRunner().invoke(app, words).output
    refused = CliRunner().invoke(app, [*words, "--timezone", "Asia/Tokyo"])
    assert isinstance(refused.exception, BadInput) and "--anew" in str(refused.exception)
