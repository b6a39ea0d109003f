"""Staffing: how many must be there in each interval, and the shifts that cover it at least cost, solved exactly.

Erlang C and Erlang A say what one interval needs; a mixed-integer programme (HiGHS) chooses the shifts; the engine checks
what both leave out: queues carried over, other distributions, priorities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import quad
from scipy.optimize import Bounds, LinearConstraint, milp

from gemel.errors import BadInput
from gemel.facts import MINUTE, Time
from gemel.packs.service.estimate import Estimate, mean
from gemel.process.calendar import Calendar, Shift
from gemel.process.engine import simulate
from gemel.process.network import Network
from gemel.process.present import empty


def erlang_c(servers: int, load: float) -> float:
    """Return the chance to wait in M/M/n at *load* erlangs: 1 from the load on that cannot be served."""
    if load >= servers:
        return 1.0
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def longer(servers: int, per_hour: float, service_s: float, within_s: float, patience_s: float | None = None) -> float:
    """Return the share of customers who wait longer than *within_s*: M/M/n, or M/M/n+M with a mean patience.

    Who gives up sooner has not waited longer. Source: Erlang C; Zeltyn & Mandelbaum 2005, 10.1007/s11134-005-3699-8.
    """
    load, slack = per_hour * service_s / 3600, 1 / service_s
    if per_hour <= 0:
        return 0.0
    if servers <= 0:
        return 1.0 if patience_s is None else float(np.exp(-within_s / patience_s))
    if patience_s is None:
        if load >= servers:
            return 1.0
        return float(erlang_c(servers, load) * np.exp(-(servers - load) * slack * within_s))
    return _impatient(servers, per_hour / 3600, slack, 1 / patience_s, within_s)


def _impatient(servers: int, arrivals: float, service: float, impatience: float, within: float) -> float:
    """Return P(W > within): the offered wait has density ∝ exp(λ/θ·(1−e^(−θx)) − nμx) (Zeltyn & Mandelbaum, section 2)."""

    def exponent(x: float) -> float:
        return float(arrivals / impatience * -np.expm1(-impatience * x) - servers * service * x)

    peak = max(float(np.log(arrivals / (servers * service))) / impatience, 0.0)
    most, top = exponent(peak), max(within, peak, 1 / (servers * service))
    while exponent(top) > most - 50:
        top *= 1.5
    points = np.linspace(0, top, 24)[1:-1]
    waits, late = (
        arrivals * quad(lambda x: np.exp(exponent(x) - most), since, top, limit=400, points=points[points > since])[0]
        for since in (0.0, within)
    )
    blocked = 1.0
    for n in range(1, servers):
        blocked = arrivals / service * blocked / (n + arrivals / service * blocked)
    idle = 1.0 / blocked if servers > 1 else 1.0
    return float(late * np.exp(-impatience * within) / (idle * np.exp(-most) + waits))


def needed(
    per_hour: float,
    service_s: float,
    promise_s: float,
    *,
    level: float = 0.8,
    patience_s: float | None = None,
    most: int = 1000,
) -> int:
    """Return the fewest people for whom a share *level* waits no longer than promised."""
    for servers in range(most + 1):
        if longer(servers, per_hour, service_s, promise_s, patience_s) <= 1 - level:
            return servers
    raise BadInput(f"{most} people are not enough for {per_hour:g} an hour of {service_s:g} s", field="level")


@dataclass(frozen=True)
class Template:
    """A shift that could be worked: from, to and rest (minutes of the day), and its cost."""

    name: str
    start: int
    end: int
    cost: float
    rest: tuple[int, int] | None = None

    def covers(self, minute: int) -> bool:
        """Return whether who works it is there at a minute."""
        resting = self.rest is not None and self.rest[0] <= minute < self.rest[1]
        return self.start <= minute < self.end and not resting


@dataclass(frozen=True)
class Roster:
    """How many work each shift, what that costs, and how many are there in each interval (n,)."""

    shifts: tuple[Template, ...]
    counts: tuple[int, ...]
    cost: float
    cover: np.ndarray
    need: np.ndarray

    def calendar(self, days: Sequence[int] = range(7), zone: str = "UTC") -> Calendar:
        """Return it as a calendar of these weekdays."""
        spans = [(s.start, s.end, n) if s.rest is None else None for s, n in zip(self.shifts, self.counts, strict=True)]
        parts = [span for span in spans if span]
        for shift, n in zip(self.shifts, self.counts, strict=True):
            if shift.rest is not None:
                parts += [(shift.start, shift.rest[0], n), (shift.rest[1], shift.end, n)]
        return Calendar(tuple(Shift(day, a, b, n) for day in days for a, b, n in parts if n and a < b), zone)


def roster(
    need: Sequence[int], shifts: Sequence[Template], *, opens: int = 0, every: int = 30, most: int | None = None
) -> Roster:
    """Return the cheapest shifts that cover *need* (n,) people in intervals of *every* minutes from *opens*.

    Exact: min cᵀx, A x ≥ need, x whole; *most* bounds the people in all. Raises `BadInput` where no roster covers it.
    """
    wanted = np.asarray(need, float)
    cover = np.array([[shift.covers(opens + every * k) for shift in shifts] for k in range(len(wanted))], float)
    bare = [k for k in range(len(wanted)) if wanted[k] > 0 and not cover[k].any()]
    if bare:
        raise BadInput(f"no shift covers minute {opens + every * bare[0]} of the day", field="shifts")
    limits = [LinearConstraint(cover, wanted, np.inf)]
    limits += [] if most is None else [LinearConstraint(np.ones((1, len(shifts))), 0, most)]
    costs = np.array([shift.cost for shift in shifts])
    found = milp(costs, constraints=limits, integrality=np.ones(len(shifts)), bounds=Bounds(0, np.inf))
    if found.x is None:
        raise BadInput(f"{most} people cannot cover {int(wanted.max())} at the peak: {found.message}", field="most")
    counts = np.round(found.x).astype(int)
    return Roster(tuple(shifts), tuple(counts.tolist()), float(costs @ counts), cover @ counts, wanted)


def rostered(network: Network, pool: str, plan: Roster) -> Network:
    """Return the network with a pool that works a roster every day."""
    network.pool(pool)
    pools = tuple(
        replace(p, calendar=plan.calendar(zone=p.calendar.zone)) if p.name == pool else p for p in network.pools
    )
    return replace(network, pools=pools)


def kept(
    network: Network, station: str, day: Time, *, until: Time | None = None, members: int = 100, seed: int = 0
) -> Estimate:
    """Return the share of customers of a station whose promise was kept on a day, by simulation from empty."""
    end = day + 24 * 60 * MINUTE if until is None else until
    run = simulate(network, empty(day), end, members=members, seed=seed, every=end - day)
    served, gone = run.gauges[f"served.{station}"][-1], run.gauges[f"abandoned.{station}"][-1]
    breaches = run.gauges[f"breaches.{station}"][-1]
    return mean("promise kept", 1 - breaches / np.maximum(served + gone, 1), "share")
