"""What a reader may see of a twin's glucose and doses, as arrays; refusals come through."""

from __future__ import annotations

import numpy as np

from gemel.bank import Twin
from gemel.errors import NotFound
from gemel.facts import Fact, Time

OUTCOME = "outcome/1"


def glucose(twin: Twin, since: Time, until: Time) -> tuple[np.ndarray, np.ndarray]:
    """Return times (n,) ms, rising and each once, and glucose (n,) mg/dL, `since <= at < until`; raise `Refused`."""
    readings = twin.readings("glucose", since, until)
    at = np.array([one.at for one in readings], np.int64)
    values = np.array([one.value for one in readings], float)
    last = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, bool)
    return at[last], values[last]


def some_glucose(twin: Twin, since: Time, until: Time) -> tuple[np.ndarray, np.ndarray]:
    """Return `glucose`, or raise `NotFound` where nothing was read."""
    at, values = glucose(twin, since, until)
    if not len(at):
        raise NotFound(f"{twin.id} has no reading of glucose in that period: choose another, or import a record")
    return at, values


def doses(twin: Twin, lever: str, since: Time | None, until: Time) -> list[tuple[Time, float]]:
    """Return when a lever did what, in its unit, `since <= at < until`; raise `Refused`."""
    twin.bank.gate.require(twin.actor, "read", twin.id, lever, twin.purpose)
    plan = twin.bank.replica(twin.id).plan(since, until)
    return [(dose.at, float(dose.amount)) for dose in plan if dose.lever == lever]


def outcomes(twin: Twin, since: Time, until: Time) -> list[Fact]:
    """Return how forecasts of glucose met what was read, `since <= at < until`; raise `Refused`."""
    twin.bank.gate.require(twin.actor, "read", twin.id, "glucose", twin.purpose)
    return [
        fact for fact in twin.bank.thread.read(twin.id, kinds=[OUTCOME])
        if since <= fact.true_at < until and fact.body.get("signal") == "glucose"
    ]  # fmt: skip
