"""The live loop learns from its past beside its turns, and stops when it is told to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gemel.bank import Bank
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.loop.study import Study
from gemel.packs import diabetes
from gemel.streams import Item, Place

START = 1_795_000_020_000


class Standing:
    """A time that stands until it is set."""

    now: Time = START

    def __call__(self) -> Time:
        """Return it."""
        return self.now


def filled(folder: Path, clock: Standing, days: float) -> Bank:
    """Return a bank with a twin that has a record of some days, which ends now."""
    bank = Bank.open(str(folder), clock=clock)
    twin = bank.create(diabetes.Person, "lily", by="sarah")
    at = np.arange(START, START + int(days * DAY), 5 * MINUTE)
    values = 140 + 40 * np.sin(2 * np.pi * at / (6 * HOUR))
    twin.record([Item("glucose", float(v), "mg/dL", int(t), None, Place("x")) for v, t in zip(values, at, strict=True)])
    clock.now = int(at[-1])
    return bank


def test_a_twin_learns_after_a_day_and_then_every_half_day(tmp_path: Path) -> None:
    """Nothing is due on half a day; once learned, nothing is due until half a day later, and forecasts change."""
    clock = Standing()
    with filled(tmp_path / "short", clock, 0.5) as bank:
        assert Study(bank, after_s=0).due("lily") == []
    with filled(tmp_path / "long", clock, 1.2) as bank:
        study, before = Study(bank, after_s=0), bank.forecast("lily", "glucose", 1, clock.now)
        assert study.due("lily") == ["glucose"]

        study.learn("lily", "glucose")

        assert study.due("lily") == []
        assert not np.array_equal(bank.forecast("lily", "glucose", 1, clock.now).quantiles, before.quantiles)
        clock.now += 12 * HOUR
        assert study.due("lily") == ["glucose"]


def test_learning_that_is_stopped_keeps_nothing(tmp_path: Path) -> None:
    """Stopped half way, nothing was learned, and it is due again."""
    clock = Standing()
    with filled(tmp_path, clock, 1.2) as bank:
        study = Study(bank, after_s=0)
        study.stop()

        study.learn("lily", "glucose")

        assert study.due("lily") == ["glucose"]
        assert bank.thread.kept("lily", "foresight-glucose") is None
