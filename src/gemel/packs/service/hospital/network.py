"""What a twin of the patient flow starts from: its ways, stations and promises, and first guesses of all else."""

from __future__ import annotations

import math

from gemel.process.calendar import Arrivals, Calendar, Shift
from gemel.process.duration import Duration
from gemel.process.network import (
    ANY,
    Breakdown,
    Choice,
    Customers,
    Network,
    Pool,
    Rule,
    Station,
    Task,
    Team,
    Test,
)

PROMISES = {"urgent": 3600.0, "walk-in": 4 * 3600.0, "outpatient": 2700.0}
"""Seconds from coming to the doctor or the scan that each class was promised."""

PEOPLE = {"registration": (3, 1), "triage": (3, 1), "consultation": (9, 3), "scanner": (2, 2), "reading": (2, 1)}
"""How many by day (08 to 20) and by night."""

REPAIR = Duration("lognormal", 6 * 3600.0, 0.5)
"""How long a scanner that failed is down."""

SERVICE = {"registration": 260.0, "triage": 390.0, "consultation": 1250.0, "scanner": 1400.0, "reading": 720.0}


def network() -> Network:
    """Return emergency and outpatient flow through five stations."""
    arrivals = {
        "urgent": [0.7 if 8 <= hour < 22 else 0.3 for hour in range(24)] * 7,
        "walk-in": [5.0 if 8 <= hour < 22 else 1.3 for hour in range(24)] * 7,
        "outpatient": [2.4 if 8 <= hour < 16 else 0.0 for hour in range(24)] * 5 + [0.0] * 48,
    }
    customers = tuple(
        Customers(name, Arrivals(tuple(rates)), "register", priority=("urgent", "outpatient", "walk-in").index(name))
        for name, rates in arrivals.items()
    )
    nodes = (
        Task("register", "registration", "sort"),
        Choice("sort", (Rule({"scan": 1.0}, (Test("class", "==", "outpatient"),)), Rule({"triage": 1.0}))),
        Task("triage", "triage", "consult"),
        Task("consult", "consultation", "need"),
        Choice(
            "need",
            (Rule({"scan": 0.5, "end": 0.5}, (Test("class", "==", "urgent"),)), Rule({"scan": 0.25, "end": 0.75})),
        ),
        Task("scan", "scanner", "report"),
        Task("report", "reading"),
    )
    stations = tuple(
        Station(name, {ANY: Duration("gamma", mean, 0.5)}, (Team(name),), "priority", promise=2700.0)
        for name, mean in SERVICE.items()
    )
    technicians = Pool("technicians", Calendar.always(0))
    return Network("patient flow", customers, nodes, stations, (*(_pool(name) for name in PEOPLE), technicians))


def _pool(name: str) -> Pool:
    day, night = PEOPLE[name]
    shifts = [
        Shift(d, a, b, n) for d in range(7) for a, b, n in ((0, 480, night), (480, 1200, day), (1200, 1440, night))
    ]
    wears = Breakdown(Duration("weibull", 12 * 86400.0, 0.4), REPAIR)
    if name == "scanner":
        return Pool(name, Calendar(tuple(shifts)), kind="equipment", breakdown=wears)
    return Pool(name, Calendar(tuple(shifts)))


def promised(node: str, customers: str) -> float:
    """Return the wait in seconds at a node that keeps the promise of the whole: half of it at the doctor's and the scan."""
    return PROMISES[customers] / 2 if node in ("consult", "scan") else float("inf")


SCANS = {"urgent": 0.5, "walk-in": 0.25, "outpatient": 1.0}
"""The share of each class that is scanned."""

SHAPE = 2.5
SCALE = 310.0 / math.gamma(1 + 1 / SHAPE)
"""Scans between maintenance and failure, by Weibull's law: 310 in mean. A guess, as a maker's data sheet would give it."""


def fails_within(scans: float, more: float) -> float:
    """Return the chance that a scanner with so many *scans* since maintenance fails within so many *more* (Weibull)."""
    return 1 - math.exp((scans / SCALE) ** SHAPE - ((scans + more) / SCALE) ** SHAPE)
