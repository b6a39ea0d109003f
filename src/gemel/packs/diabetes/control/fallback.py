"""What stands around any controller: when it, its twin, the sensor or the pump cannot be relied on. Not a medical device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.control.activity import curve_of, net, on_board, pulses
from gemel.packs.diabetes.control.limit import BOUNDS, PAUSE_MIN, Bounds, limit
from gemel.packs.diabetes.control.seam import Controller, Moment, Order

ASTRAY = 4.0
"""Spreads of the ensemble from the last reading beyond which the filter has diverged,"""

ASTRAY_MGDL = 40.0
"""but never within this many mg/dL: an ensemble may be sure of itself, a sensor errs by 10 % or more."""

FALLING_TO = 80.0
"""mg/dL half an hour after the last reading, by its line, below which a stale sensor means no basal."""

Alert = tuple[str, str]
"""How urgent (urgent, warning), and what to tell a person; as the alarms of gemel.packs.diabetes.agents."""


@dataclass(frozen=True)
class Guards:
    """What to guard by: `heard` tells when the pump last spoke (None: not watched), silent after `silent_min`.

    `clock` tells seconds, so that a controller that took over `longest_s` is not believed (None: not timed).
    """

    bounds: Bounds = BOUNDS
    heard: Callable[[Moment], Time] | None = None
    silent_min: float = 20.0
    clock: Callable[[], float] | None = None
    longest_s: float = 1.0


@dataclass(frozen=True)
class Judged:
    """What may reach the pump, which rules of the guard bit, and whom to alert of what."""

    order: Order
    reasons: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = field(default=())


def judge(controller: Controller, guards: Guards, moment: Moment) -> Judged:
    """Return what *controller* may have given now: a fallback where one applies, never more than the bounds allow."""
    alerts: list[Alert] = []
    order = _fallback(moment, guards, alerts) or _ask(controller, guards, moment, alerts)
    if guards.heard is not None and moment.now - guards.heard(moment) > guards.silent_min * MINUTE:
        alerts.append(("urgent", f"the pump has been silent for over {guards.silent_min:.0f} min: check it"))
    kept, reasons = limit(order, moment, guards.bounds)
    return Judged(kept, reasons, tuple(alerts))


def guarded(controller: Controller, guards: Guards = Guards()) -> Controller:
    """Return *controller* with the guards around it; alerts are told in the order's why (see `judge` for them apart)."""

    def within(moment: Moment) -> Order:
        judged = judge(controller, guards, moment)
        told = "; ".join(text for _, text in judged.alerts)
        why = "; ".join(part for part in (judged.order.why, told) if part)
        return Order(judged.order.basal, judged.order.bolus, judged.order.minutes, why)

    return within


def _fallback(moment: Moment, guards: Guards, alerts: list[Alert]) -> Order | None:
    """Return what to do instead of asking the controller, if anything."""
    stale = guards.bounds.stale_min
    if not moment.glucose or moment.now - moment.glucose[-1].at > stale * MINUTE:
        alerts.append(("warning", f"no CGM reading in the last {stale:.0f} min: safe basal, no automatic insulin"))
        return safe_basal(moment, guards.bounds)
    wrong = diverged(moment)
    if wrong:
        alerts.append(("warning", f"{wrong}: open loop on the profile"))
        return Order(None, why="open loop: the twin lost track")
    return None


def _ask(controller: Controller, guards: Guards, moment: Moment, alerts: list[Alert]) -> Order:
    """Return the controller's order, or the profile if it fails, answers no order, or takes too long."""
    begun = guards.clock() if guards.clock else 0.0
    try:
        order = controller(moment)
    except Exception as error:
        # Whatever a controller raises, a person gets their profile; the kind of error is told, never its text.
        alerts.append(("warning", f"the controller failed ({type(error).__name__}): the profile goes on"))
        return Order(None, why="the controller failed")
    took = guards.clock() - begun if guards.clock else 0.0
    if took > guards.longest_s:
        alerts.append(("warning", f"the controller took {took:.1f} s: the profile goes on"))
        return Order(None, why="the controller took too long")
    if not isinstance(order, Order) or not _numbers(order):
        alerts.append(("warning", "the controller answered no order: the profile goes on"))
        return Order(None, why="no order from the controller")
    return order


def _numbers(order: Order) -> bool:
    """Return whether an order's amounts are finite numbers."""
    amounts = (0.0 if order.basal is None else order.basal, order.bolus, order.minutes)
    return all(isinstance(x, int | float | np.number) and bool(np.isfinite(x)) for x in amounts)


def safe_basal(moment: Moment, bounds: Bounds = BOUNDS) -> Order:
    """Return the basal while a sensor is silent: the profile's; half with much on board; none for an hour if it was going low."""
    profile, readings = moment.profile, moment.glucose
    usual = profile.basal[profile.hour(moment.now)]
    last = [r for r in readings if r.at >= readings[-1].at - 15 * MINUTE] if readings else []
    if last and moment.now - last[-1].at <= PAUSE_MIN * MINUTE:
        minutes = max((last[-1].at - last[0].at) / MINUTE, 5.0)
        line = last[-1].value + 30 * (last[-1].value - last[0].value) / minutes
        if not min(line, last[-1].value) >= FALLING_TO:
            return Order(0.0, why="no reading, and the last ones were going low: no basal")
    daily = moment.daily or 2 * sum(profile.basal)
    doses = pulses(net(moment.doses, profile, moment.now))
    active = float(on_board(doses, np.array([float(moment.now)]), curve_of(profile))[0])
    if not active <= bounds.on_board_share * daily / 2:
        return Order(usual / 2, why=f"no reading, and {active:.1f} U on board: half the profile's basal")
    return Order(None, why="no reading: the profile's basal")


def diverged(moment: Moment) -> str | None:
    """Return how the twin's ensemble has lost the readings, if it has: not numbers, or far from the last one."""
    if moment.foreseen is None:
        return None
    ahead = moment.foreseen
    if not all(np.isfinite(part).all() for part in (ahead.glucose, ahead.per_unit, ahead.per_gram)):
        return "the twin's forecast is not a number"
    now, last = ahead.glucose[:, 0], float(moment.glucose[-1].value)
    away = abs(last - float(np.median(now)))
    if away > max(ASTRAY * float(now.std()), ASTRAY_MGDL):
        return f"the twin is {away:.0f} mg/dL away from the sensor"
    return None
