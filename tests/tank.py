"""A leaking tank as a twin: small enough that a day of it is nothing, with all that a twin type can have."""

from __future__ import annotations

import numpy as np

from gemel.bank import Bank
from gemel.dynamics import Dose, Reading, Subject
from gemel.facts import HOUR, MINUTE, Draft, Time
from gemel.model import Composite, Input, Module, Output, Parameter, Sensor, State
from gemel.twintype import Asset, Level, Lever, Scope, Signal, TwinType

BORN: Time = 1_700_000_040_000

TANK = Composite(
    [
        Module(
            name="tank",
            states={"tank.level": State("L", lambda p: p["tank.start"], low=0.0), "tank.rain": State("L/min", 0.0)},
            parameters={
                "tank.start": Parameter("L", 50.0, sd=0.3, initial=True),
                "tank.leak": Parameter("1/min", 0.02, between=0.5),
                "tank.width": Parameter("", 1.0, sd=0.05),
            },
            reads={"tap.flow": "L/min", "bucket.flow": "L/min"},
            outputs={"tank.draining": Output("L/min")},
            output=lambda v: {"tank.draining": v["tank.leak"] * v["tank.level"] / v["tank.width"]},
            change=lambda v: {
                "tank.level": v["tap.flow"] + v["bucket.flow"] + v["tank.rain"] - v["tank.draining"],
                "tank.rain": -0.1 * v["tank.rain"],
            },
            noise=lambda v: {"tank.rain": 0.05},
        )
    ],
    inputs={"tap": Input("tap.flow", "L/min", "L/min", holds=True), "bucket": Input("bucket.flow", "L/min", "L")},
    sensors={"gauge": Sensor("tank.level", 0.5)},
)
Tank = TwinType(
    name="tank",
    asset=Asset.PHYSICAL,
    scope=Scope.ORGAN,
    level=Level(),
    dynamics=TANK,
    signals={"gauge": Signal("L", 0, 500, label="Gauge")},
    levers={"tap": Lever("L/min", 0, 10, 0, holds=True), "bucket": Lever("L", 0, 50, 0)},
    explains=("tank.draining",),
    exposures={"water": ("tap", "bucket")},
    band={"gauge": (20.0, 120.0)},
    members=16,
)


def lived(hours: float, leak: float = 0.02, seed: int = 3) -> tuple[list[Dose], list[Reading]]:
    """Return what was done to a real tank with this leak, and what its gauge read every five minutes."""
    rng = np.random.default_rng(seed)
    length = round(hours * HOUR)
    plan = [Dose("tap", 1.0, BORN)]
    plan += [Dose("tap", float(rng.uniform(0.5, 2.0)), int(at)) for at in range(BORN + HOUR, BORN + length, 2 * HOUR)]
    plan += [
        Dose("bucket", float(rng.uniform(10, 40)), int(at)) for at in range(BORN + 90 * MINUTE, BORN + length, 3 * HOUR)
    ]
    plan.sort(key=lambda dose: dose.at)
    start = TANK.prior([Subject("a real tank", BORN, {"tank.leak": leak})], 1, seed)
    _, way = TANK.advance(start, [plan], start.at + length, seed, record=["tank.level"])
    level = np.asarray(way.values["tank.level"])[:, 0, 0]
    read = np.maximum(level + 0.5 * rng.standard_normal(len(level)), 0.0)
    return plan, [Reading("gauge", float(v), BORN + int(t)) for v, t in zip(read, way.after, strict=True)]


def drafts(plan: list[Dose], readings: list[Reading], twin: str = "tank") -> list[Draft]:
    """Return these as facts to be stored."""
    acted = [
        Draft(twin, "acted/1", _body(d.lever, float(d.amount), d.at), d.at, "tap", key=f"{d.lever}|{d.at}")
        for d in plan
    ]
    seen = [
        Draft(twin, "observed/1", _body(r.signal, r.value, r.at), r.at, "gauge", key=f"{r.signal}|{r.at}")
        for r in readings
    ]
    return sorted([*acted, *seen], key=lambda draft: draft.true_at)


def _body(name: str, value: float, at: Time) -> dict[str, object]:
    return {"name": name, "value": value, "unit": "", "source": "", "key": f"{name}|{at}"}


def bank(where: str = "memory:", at: Time = BORN) -> Bank:
    """Return a bank of tanks whose clock is `bank.now.now`."""
    return Bank.open(where, Clock(at), {"tank": Tank})


class Clock:
    """Time that stands until it is set."""

    def __init__(self, now: Time) -> None:
        self.now = now

    def __call__(self) -> Time:
        """Return the time."""
        return self.now
