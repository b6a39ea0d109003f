"""What a twin of the contact centre starts from: its stations, teams and promises, and first guesses of all else.

Guesses are round numbers as a manager would give them; `follow.learned` puts in their place what weeks of events show.
"""

from __future__ import annotations

from gemel.process.calendar import Arrivals, Calendar, Shift
from gemel.process.duration import Duration, exponential
from gemel.process.network import (
    ANY,
    END,
    Choice,
    Customers,
    Delay,
    Network,
    Node,
    Pool,
    Rule,
    Station,
    Task,
    Team,
    Test,
)

SITES = ("brisbane", "sydney")
CLASSES = {"vulnerable": 60.0, "claim": 180.0, "status": 300.0}
"""The wait that each class was promised, in seconds; the first is served first."""
LATER = 3600.0
"""Who is called back is promised it within an hour."""


def network(*, whole: bool = True) -> Network:
    """Return the two sites, one queue each, call-backs and, if *whole*, the assessment of claims behind them."""
    customers = tuple(_callers(name, site) for site in SITES for name in CLASSES)
    nodes: tuple[Node, ...] = tuple(node for site in SITES for node in _way(site, "settled" if whole else END))
    if not whole:
        pools = tuple(_agents(site) for site in SITES)
        return Network("contact centre calls", customers, nodes, tuple(_phone(site) for site in SITES), pools)
    nodes += (
        Choice(
            "settled",
            (
                *(Rule({"assess": 0.8, "end": 0.2}, (Test("class", "==", f"claim.{site}"),)) for site in SITES),
                Rule({"end": 1.0}),
            ),
        ),
        Task("assess", "assessment"),
    )
    stations = (*(_phone(site) for site in SITES), _assessment())
    pools = (*(_agents(site) for site in SITES), _handlers())
    return Network("contact centre", customers, nodes, stations, pools)


def _callers(name: str, site: str) -> Customers:
    hours = [20.0 if 8 <= hour < 20 else 0.0 for hour in range(24)]
    return Customers(
        f"{name}.{site}", Arrivals(tuple(hours * 7)), f"way.{site}", priority=0 if name == "vulnerable" else 1
    )


def _agents(site: str) -> Pool:
    return Pool(f"agents.{site}", rota(), cost_per_hour=32.0)


def _way(site: str, then: str) -> tuple[Node, ...]:
    other = next(s for s in SITES if s != site)
    return (
        Choice(f"way.{site}", (Rule({f"call.{site}": 1.0, f"later.{site}": 0.0, f"call.{other}": 0.0}),)),
        Delay(f"later.{site}", Duration("fixed", 1800.0), f"recall.{site}"),
        Task(f"recall.{site}", f"phone.{site}", then),
        Task(f"call.{site}", f"phone.{site}", then),
    )


def _phone(site: str) -> Station:
    return Station(
        f"phone.{site}", {ANY: Duration("lognormal", 300.0, 0.8)}, (Team(f"agents.{site}"),), "priority",
        patience={ANY: exponential(600.0)}, promise=180.0,
    )  # fmt: skip


def _assessment() -> Station:
    return Station("assessment", {ANY: Duration("gamma", 900.0, 0.6)}, (Team("handlers"),), promise=4 * 3600.0)


def _handlers() -> Pool:
    return Pool("handlers", Calendar(tuple(Shift(day, 480, 1200, 14) for day in range(7))), cost_per_hour=40.0)


ROTA = ((480, 960, 8), (600, 1080, 4), (720, 1200, 5))
"""From, to (minutes of the day) and how many at each site, as planned."""


def rota(share: float = 0.95, weekend: float = 0.6) -> Calendar:
    """Return who should be there by the rota, less those who are usually away and those at lunch."""
    shifts = []
    for day in range(7):
        for start, end, people in ROTA:
            count = round(share * people * (1.0 if day < 5 else weekend))
            lunch = round(count * 45 / 135)
            spans = (start, start + 180), (start + 180, start + 315), (start + 315, end)
            shifts += [
                Shift(day, a, b, count - (lunch if a == start + 180 else 0)) for a, b in spans
            ]  # fmt: skip
    return Calendar(tuple(shifts))


def promised(node: str, customers: str) -> float:
    """Return the wait in seconds that a class was promised at a node, infinity where nothing was.

    Who is called back was promised less: her promise counts as broken (-1), whenever the call comes. Otherwise a twin would
    keep its promises by making others.
    """
    if node.startswith("call."):
        return CLASSES[customers.partition(".")[0]]
    return -1.0 if node.startswith("recall.") else float("inf")
