"""Vessels and batches as twins, small and quick: what tests of the catalogue, the graph and cohorts are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tank

from gemel.bank import Bank
from gemel.facts import Draft, Time
from gemel.intervention import Metric
from gemel.twintype import Signal

START: Time = tank.BORN
SIGNALS = {"temperature": Signal("degC", -40, 60), "shock": Signal("m/s^2", 0, 100)}
METRICS = {
    "warm": Metric("temperature", "fraction", "lower", lambda values: np.mean(values > 5)),
    "swing": Metric("temperature", "degC", "lower", lambda values: np.ptp(values)),
    "odd": Metric("temperature", "1", "lower", lambda values: np.max(values)),
}
Batch = replace(
    tank.Tank, name="batch", signals=SIGNALS, attributes={"weight": Signal("kg", 0, 1000)}, metrics=METRICS, band={}
)
Vessel = replace(tank.Tank, name="vessel", signals={"temperature": SIGNALS["temperature"]}, attributes={}, band={})
TYPES = {"batch": Batch, "vessel": Vessel}


def bank(where: str = "memory:", at: Time = START) -> Bank:
    """Return a bank of vessels and batches whose clock is `bank.now.now`."""
    return Bank.open(where, tank.Clock(at), TYPES)


def clock(bank: Bank) -> tank.Clock:
    """Return the bank's clock, to be set."""
    assert isinstance(bank.now, tank.Clock)
    return bank.now


def reading(twin: str, value: float, at: Time, name: str = "temperature", key: str = "") -> Draft:
    """Return a reading to be stored."""
    key = key or f"{name}|{at}|{value}"
    return Draft(twin, "observed/1", {"name": name, "value": value, "key": key}, at, "sensor", key=key)


def withdrawn(draft: Draft) -> Draft:
    """Return the fact that takes a reading back."""
    body = {"key": draft.body["key"], "name": draft.body["name"]}
    return Draft(draft.twin, "retracted/1", body, draft.true_at, "sensor", key=f"back|{draft.key}")


def alert(twin: str, name: str, active: bool, at: Time) -> Draft:
    """Return an alert that begins or ends."""
    body = {"name": name, "severity": "urgent", "text": name, "active": active}
    return Draft(twin, "alert/1", body, at, "loop:alarms")


def group(bank: Bank, size: int, value: Callable[[int], float], to: str = "rae", verb: str = "study") -> list[str]:
    """Make batches of different holders who all let *to* study them, each with one reading; return their names."""
    names = [f"b{i:03}" for i in range(size)]
    for i, name in enumerate(names):
        bank.create("batch", name, by=f"owner-{i}").grant(to=to, purpose="research", **{verb: "*"})
    bank.append([reading(name, value(i), START) for i, name in enumerate(names)])
    return names
