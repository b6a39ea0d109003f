"""Replay: a log of what a network would do, to lay beside a log of what was done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.errors import BadInput
from gemel.facts import DAY, Time
from gemel.packs.service.log import MISSING, Log, Names
from gemel.process.engine import OUTCOMES, Run, simulate
from gemel.process.network import Network, Task
from gemel.process.present import Present

WEEK = 7 * DAY
GROWTH, TRIES = 1.7, 12
GAVE_UP = (OUTCOMES.index("gave up"), OUTCOMES.index("balked"))


def simulated(
    network: Network, start: Time, *, cases: int | None = None, until: Time | None = None, seed: int = 0,
    activity: Mapping[str, str] | None = None,
) -> Log:  # fmt: skip
    """Return the log of a service that begins empty at *start*, ms, when the first customer of each class comes.

    It is of the first *cases* to the end of the last of them, or of all until a moment. *activity* names the activity of
    each task that is not called by it, as `Found.activity`; resources are pools.
    """
    if (cases is None) == (until is None):
        raise BadInput("say either how many cases to simulate, or until when", field="cases")
    present = Present(start, next_arrival={group.name: float(start) for group in network.customers})
    if until is not None:
        return log_of(simulate(network, present, until, seed=seed, keep=("visits", "cases")), start, None, activity)
    end = start + _span(network, cases or 0)
    for _ in range(TRIES):
        run = simulate(network, present, end, seed=seed, keep=("visits", "cases"))
        if _over(run, cases or 0):
            return log_of(run, start, cases, activity)
        end = start + round(GROWTH * (end - start))
    raise BadInput(f"after {(end - start) / WEEK:.0f} weeks {cases} cases have not come and gone", field="cases")


def _span(network: Network, cases: int) -> Time:
    weekly = sum(sum(group.arrivals.per_hour) for group in network.customers)
    return round(1.1 * cases / max(weekly, 1e-6) * WEEK + WEEK)


def _over(run: Run, cases: int) -> bool:
    assert run.cases is not None
    first = np.sort(run.cases, order="arrived")[:cases]
    return len(first) == cases and not np.isnan(first["left"]).any()


def log_of(
    run: Run, start: Time, cases: int | None = None, activity: Mapping[str, str] | None = None, member: int = 0
) -> Log:
    """Return what one member of a run did as a log, of its first *cases*; times to the millisecond."""
    if run.visits is None or run.cases is None:
        raise BadInput('a log needs visits and cases; ask for them by keep=("visits", "cases")', field="keep")
    people = run.cases[run.cases["member"] == member]
    order = np.argsort(people["arrived"], kind="stable")[:cases]
    place = np.full(int(people["index"].max(initial=0)) + 1, -1)
    place[people["index"][order]] = np.arange(len(order))
    visits = run.visits[run.visits["member"] == member]
    visits = visits[place[visits["case"]] >= 0]
    case, gone = place[visits["case"]], np.isin(visits["outcome"], GAVE_UP)
    queued, begun, over = (_moments(start, visits[name]) for name in ("ready", "started", "ended"))
    rows = np.lexsort(
        (np.where(over == MISSING, np.iinfo(np.int64).max, over), np.where(begun == MISSING, queued, begun), case)
    )
    names, codes = _activities(run.plan.network, activity or {})
    pools = tuple(pool.name for pool in run.plan.network.pools)
    return Log(
        Names(case[rows].astype(np.int32), tuple(str(i + 1) for i in range(len(order)))),
        Names(codes[visits["node"][rows]], names), Names(visits["pool"][rows].astype(np.int32), pools),
        queued[rows], begun[rows], over[rows], gone[rows], zone=run.plan.network.customers[0].arrivals.zone,
    )  # fmt: skip


def _moments(start: Time, seconds: np.ndarray) -> np.ndarray:
    told = ~np.isnan(seconds)
    return np.where(told, start + np.round(np.where(told, seconds, 0.0) * 1000).astype(np.int64), MISSING)


def _activities(network: Network, activity: Mapping[str, str]) -> tuple[tuple[str, ...], np.ndarray]:
    named = [activity.get(node.name, node.name) if isinstance(node, Task) else "" for node in network.nodes]
    names = tuple(dict.fromkeys(name for name in named if name))
    return names, np.array([names.index(name) if name else -1 for name in named], np.int32)
