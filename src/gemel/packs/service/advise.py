"""Advise: forks of the present with and without an action, under the same draws, before a promise is broken.

`as_usual` tells what is coming; `advise` tries candidates and ranks them by what breaches they prevent are worth beyond what
they cost. Every predicted effect is a paired difference over members, so that chance common to both worlds cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import SECOND, Time
from gemel.packs.service.actions import Action, controls
from gemel.packs.service.estimate import Estimate, mean
from gemel.packs.service.fairness import changes
from gemel.packs.service.machines import Machines
from gemel.process.engine import Run, simulate
from gemel.process.network import Network, Task
from gemel.process.present import Present

Promised = Callable[[str, str], float]
"""From a node and a class of customers to the promised wait there in seconds."""

Extra = tuple[str, str, Time, Time, float]
"""(kind, target, from, until, change): a control that is so whatever is done, such as people who did not come."""


@dataclass(frozen=True)
class View:
    """What an agent looks at: the service as it is believed to be now, and what is being done already."""

    network: Network
    present: Present
    promised: Promised
    scales: Mapping[str, np.ndarray] = field(default_factory=dict)
    standing: tuple[Action, ...] = ()
    extra: tuple[Extra, ...] = ()
    horizon: Time = 3_600_000
    members: int = 64
    seed: Seed = 0
    threads: int | None = 1
    machines: Machines | None = None

    @property
    def now(self) -> Time:
        """Return the moment of the present."""
        return self.present.at


@dataclass(frozen=True)
class Felt:
    """What customers of each class feel up to the horizon: broken promises, waits in seconds and visits (member, class)."""

    classes: tuple[str, ...]
    breaches: np.ndarray
    waited: np.ndarray
    visits: np.ndarray
    soon: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Waits by station of those who come within the next quarter of the horizon, for a time that can be told."""
    let_down: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """In which share of members the wait that each of the present is in breaks its promise (case,)."""

    @property
    def wait(self) -> np.ndarray:
        """Return the mean wait of each class, over members (class,)."""
        return np.asarray(self.waited.sum(0) / np.maximum(self.visits.sum(0), 1))


def fork(view: View, actions: Sequence[Action] = ()) -> Felt:
    """Return what is felt if *actions* are done now; the same view gives the same draws whatever is done."""
    done = [*view.standing, *actions]
    told = controls(done, view.now, view.extra)
    present: Present | Sequence[Present] = view.present
    if (machines := view.machines) is not None:
        told, present = [*told, *machines.controls(done, view.now)], machines.present(view.present, done)
    run = simulate(
        view.network, present, view.now + view.horizon, members=view.members, seed=view.seed, controls=told,
        scales=view.scales, keep=("visits", "cases"), threads=view.threads,
    )  # fmt: skip
    return felt(run, view)


def felt(run: Run, view: View) -> Felt:
    """Return the waits of a run against the promises; who still waits at its end has waited until then."""
    network, members = view.network, view.members
    classes = tuple(group.name for group in network.customers)
    visits = run.visits
    assert visits is not None
    waited, broken, who = _waits(run, view)
    kept = np.isfinite(broken)
    index = np.asarray(visits["member"])[kept] * len(classes) + who[kept]
    shape, size = (members, len(classes)), members * len(classes)
    totals = [broken[kept], waited[kept], np.ones(int(kept.sum()))]
    breaches, seconds, count = (np.bincount(index, weights, size).reshape(shape) for weights in totals)
    soon = kept & (np.asarray(visits["ready"]) >= 0) & (np.asarray(visits["ready"]) < view.horizon / SECOND / 4)
    place = np.asarray(visits["station"])
    told = {station.name: waited[soon & (place == k)] for k, station in enumerate(network.stations)}
    return Felt(classes, breaches, seconds, count, told, _let_down(visits, broken, view))


def _let_down(visits: np.ndarray, broken: np.ndarray, view: View) -> np.ndarray:
    """Return how often the wait in which each customer of the present is ends beyond its promise (case,)."""
    count = len(view.present.cases)
    case = np.asarray(visits["case"])
    mine = (np.asarray(visits["ready"]) <= 0) & (case < count) & (broken == 1)
    once = np.unique(np.asarray(visits["member"])[mine].astype(np.int64) * count + case[mine]) if count else case[:0]
    return np.bincount(once % max(count, 1), minlength=count)[:count] / view.members


def _waits(run: Run, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return seconds waited (n,), whether that broke a promise (n,), NaN where none was made, and the class (n,)."""
    visits = run.visits
    assert visits is not None
    groups = _classes(run)
    ready, started, ended = (np.asarray(visits[name], float) for name in ("ready", "started", "ended"))
    over = np.where(np.isfinite(started), started, np.where(np.isfinite(ended), ended, view.horizon / SECOND))
    waited = np.maximum(over - ready, 0.0)
    promise = _promises(view)[np.asarray(visits["node"]), groups]
    broken = np.where(np.isfinite(promise), (waited > promise).astype(float), np.nan)
    return waited, broken, groups


def _classes(run: Run) -> np.ndarray:
    """Return the class of each visit's customer (n,)."""
    visits, cases = run.visits, run.cases
    assert visits is not None and cases is not None
    width = int(max(visits["case"].max(initial=0), cases["index"].max(initial=0))) + 1
    found = np.zeros(width * (int(cases["member"].max(initial=0)) + 1), np.int64)
    found[cases["member"].astype(np.int64) * width + cases["index"]] = cases["customers"]
    return np.asarray(found[visits["member"].astype(np.int64) * width + visits["case"]])


def _promises(view: View) -> np.ndarray:
    """Return the promised wait (node, class)."""
    return np.array(
        [
            [
                view.promised(node.name, group.name) if isinstance(node, Task) else np.inf
                for group in view.network.customers
            ]
            for node in view.network.nodes
        ]
    )


@dataclass(frozen=True)
class Proposal:
    """What to do and what that is expected to bring: breaches prevented, money, waits by class with and without."""

    actions: tuple[Action, ...]
    prevented: Estimate
    spread: tuple[float, float]
    """Where nine of ten members lie."""
    cost: float
    waits: Mapping[str, tuple[float, float]]
    """Mean wait of each class in seconds, as usual and with it."""
    by_class: Mapping[str, float]
    """Breaches prevented of each class; below 0 where the class pays."""
    score: float
    """What the lower end of what is prevented, and `besides`, is worth, less the cost: the best of many guesses is too good."""
    harm: Mapping[str, Estimate] = field(default_factory=dict)
    """By how much the mean wait of each class changes, s."""
    besides: Estimate | None = None
    """What it is worth in money beside the waits: customers who stay (`remedy`), repairs that are spared (`machines`)."""

    @property
    def title(self) -> str:
        """Return it in words."""
        return "; ".join(str(action) for action in self.actions)

    def body(self) -> dict[str, Any]:
        """Return the proposal as JSON types."""
        return {
            "actions": [action.body() for action in self.actions], "title": self.title, "prevented": self.prevented.body(),
            "spread90": list(self.spread), "cost": self.cost, "waits": {k: list(v) for k, v in self.waits.items()},
            "by_class": dict(self.by_class), "bears": sorted({action.bears for action in self.actions}), "score": self.score,
            "harm": {name: one.body() for name, one in self.harm.items()},
            "besides": None if self.besides is None else self.besides.body(),
        }  # fmt: skip


Besides = Callable[[Sequence[Action]], Estimate | None]
"""From actions to what they are worth in money beside the waits that they shorten."""


def nothing(actions: Sequence[Action]) -> Estimate | None:
    """Be worth nothing beside the waits."""
    return None


def proposal(
    actions: Sequence[Action], usual: Felt, acted: Felt, worth: float, besides: Besides = nothing
) -> Proposal:  # fmt: skip
    """Return the paired comparison of two forks as a proposal; a breach prevented is *worth* so much money."""
    saved = usual.breaches - acted.breaches
    total, cost = saved.sum(1), sum(action.cost for action in actions)
    low, high = np.quantile(total, [0.05, 0.95])
    waits = {
        name: (float(a), float(b)) for name, a, b in zip(usual.classes, usual.wait, acted.wait, strict=True)
    }  # fmt: skip
    by_class = dict(zip(usual.classes, saved.mean(0).tolist(), strict=True))
    estimate, more = mean("breaches prevented", total), besides(actions)
    score = worth * estimate.low - cost + (0.0 if more is None else more.low)
    spread = (float(low), float(high))
    return Proposal(
        tuple(actions), estimate, spread, cost, waits, by_class, score, changes(usual, acted), more
    )  # fmt: skip


def advise(
    view: View, candidates: Sequence[Sequence[Action]], *, worth: float, usual: Felt | None = None,
    besides: Besides = nothing,
) -> list[Proposal]:  # fmt: skip
    """Return what was tried, the best first: only the least sure gain counts, the lower end of its interval."""
    without = fork(view) if usual is None else usual
    tried = [proposal(actions, without, fork(view, actions), worth, besides) for actions in candidates]
    return sorted(tried, key=lambda found: (-found.score, found.title))


def trusted(usual: Felt, station: str, level: float = 0.85) -> float | None:
    """Return a wait in seconds that *level* of those who come soon will not exceed, to the next half minute."""
    waits = usual.soon.get(station, np.zeros(0))
    return float(30.0 * np.ceil(np.quantile(waits, level) / 30.0)) if len(waits) else None
