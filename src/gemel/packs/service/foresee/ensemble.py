"""Ensemble: what is about to happen to each customer and at each station, by many runs from the present state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.service.foresee.blend import Calibration
from gemel.packs.service.foresee.prefix import LEVELS
from gemel.process.engine import Control, Run, simulate
from gemel.process.network import Network
from gemel.process.present import Present

GAVE_UP = (1, 2)
"""Codes in `engine.OUTCOMES` of those who were not served: they gave up, or did not even wait."""


@dataclass(frozen=True)
class CaseForecast:
    """What is foreseen of one customer: seconds that remain and until she is next attended to, at `LEVELS` (inf: not by then).

    Probabilities: of each `touchpoint` that may be her next, to leave by the horizon (`done`), to `give_up`, and that a promise
    made to her (a station's wait, the service's whole time) is broken: `breach`.
    """

    id: str
    customers: str
    remaining: np.ndarray
    next_in: np.ndarray
    touchpoint: Mapping[str, float]
    done: float
    give_up: float
    breach: float


@dataclass(frozen=True)
class StationForecast:
    """What is foreseen at one station: `queue` and `busy` at `LEVELS` (time, level); of those who begin to wait within the
    horizon the mean `wait` in seconds at `LEVELS` (nan: nobody), and the share whose promised wait is broken (`breach`)."""

    name: str
    queue: np.ndarray
    busy: np.ndarray
    wait: np.ndarray
    mean_wait: float
    breach: float


@dataclass(frozen=True)
class Foreseen:
    """A forecast from `at` over `after` (time,) ms: of everyone who is there, in the order of the present, and each station."""

    at: Time
    after: np.ndarray
    cases: tuple[CaseForecast, ...]
    stations: Mapping[str, StationForecast]


def foresee(
    network: Network, present: Present, until: Time, *, members: int = 400, seed: int = 0,
    scales: Mapping[str, np.ndarray] | None = None, controls: tuple[Control, ...] = (), every: Time = 5 * MINUTE,
    widen: Mapping[str, Calibration] | None = None,
) -> Foreseen:  # fmt: skip
    """Return what comes of a present state until a moment, ms, by *members* runs.

    *widen* moves bounds by what past errors taught: "remaining" by how often a case was seen (1 where that is not known),
    "queue.STATION" and "busy.STATION" by the number of the step.
    """
    run = simulate(
        network, present, until, members=members, seed=seed, controls=controls, every=every, scales=scales,
        keep=("visits", "cases"),
    )  # fmt: skip
    cases, moved = _Cases(network, present, run, members), widen or {}
    remaining = np.quantile(cases.remaining, LEVELS, axis=1, method="closest_observation").T
    if "remaining" in moved and len(remaining):
        finite = np.isfinite(remaining)
        seen = np.array([max(sum(case.times.values()), 1) for case in present.cases])
        remaining = np.where(finite, moved["remaining"].of(np.where(finite, remaining, 0.0), seen), np.inf)
    told = tuple(cases.forecast(place, remaining[place]) for place in range(len(present.cases)))
    stations = {place.name: _station(network, run, index, moved) for index, place in enumerate(network.stations)}
    return Foreseen(present.at, run.after, told, stations)


class _Cases:
    """What became of each case of the present in each member."""

    def __init__(self, network: Network, present: Present, run: Run, members: int) -> None:
        self.network, self.present, self.members = network, present, members
        assert run.cases is not None and run.visits is not None
        many = len(present.cases)
        self.remaining, self.lost = remaining_of(run, many, members)
        self.visits = run.visits[run.visits["case"] < many]
        self.end = float(run.after[-1]) / 1000 if len(run.after) else 0.0
        self.broken = self._broken()
        self.next_in, self.next_node = self._next()

    def _broken(self) -> np.ndarray:
        """Return whether a promise to a case is broken by the horizon (case, member)."""
        broken = np.zeros(self.remaining.shape, bool)
        late = breaches(self.network, self.visits, self.end)
        np.logical_or.at(broken, (self.visits["case"][late], self.visits["member"][late]), True)
        if self.network.promise is not None:
            spent = np.array([(self.present.at - case.arrived) / 1000 for case in self.present.cases])[:, None]
            broken |= spent + np.minimum(self.remaining, self.end) > self.network.promise
        return broken

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        """Return in how many seconds each case is next attended to, and at which node, -1 for none (case, member)."""
        seconds, node = np.full(self.remaining.shape, np.inf), np.full(self.remaining.shape, -1)
        ahead = self.visits[self.visits["started"] > 0]
        ahead = ahead[np.argsort(-ahead["started"], kind="stable")]
        seconds[ahead["case"], ahead["member"]] = ahead["started"]
        node[ahead["case"], ahead["member"]] = ahead["node"]
        return seconds, node

    def forecast(self, place: int, remaining: np.ndarray) -> CaseForecast:
        """Return what is foreseen of one case."""
        case = self.present.cases[place]
        nodes, counts = np.unique(self.next_node[place], return_counts=True)
        names = {
            self.network.nodes[node].name: count / self.members
            for node, count in zip(nodes, counts, strict=True)
            if node >= 0
        }
        next_in = np.quantile(self.next_in[place], LEVELS, method="closest_observation")
        return CaseForecast(
            case.id, case.customers, remaining, next_in, names, float(np.isfinite(self.remaining[place]).mean()),
            float(self.lost[place].mean()), float(self.broken[place].mean()),
        )  # fmt: skip


def remaining_of(run: Run, many: int, members: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the seconds until each of the first *many* cases left (inf: not yet) and whether she gave up (case, member)."""
    assert run.cases is not None, "the cases were not kept"
    remaining, lost = np.full((many, members), np.inf), np.zeros((many, members), bool)
    ours = run.cases[run.cases["index"] < many]
    gone = ours[np.isfinite(ours["left"]) & (ours["outcome"] >= 0)]
    remaining[gone["index"], gone["member"]] = gone["left"]
    lost[gone["index"], gone["member"]] = np.isin(gone["outcome"], GAVE_UP)
    return remaining, lost


def breaches(network: Network, visits: np.ndarray, end: float) -> np.ndarray:
    """Return which visits waited longer than their station promises, or have by *end*, in seconds (visit,) bool."""
    promised = np.array([np.inf if place.promise is None else place.promise for place in network.stations])
    begun = np.where(np.isfinite(visits["started"]), visits["started"], visits["ended"])
    waited = np.where(np.isfinite(begun), begun, end) - visits["ready"]
    found: np.ndarray = waited > promised[visits["station"]]
    return found


def _station(network: Network, run: Run, index: int, widen: Mapping[str, Calibration]) -> StationForecast:
    assert run.visits is not None
    name = network.stations[index].name
    visits = run.visits[(run.visits["station"] == index) & (run.visits["ready"] > 0)]
    end = float(run.after[-1]) / 1000 if len(run.after) else 0.0
    begun = np.where(np.isfinite(visits["started"]), visits["started"], visits["ended"])
    waits = np.where(np.isfinite(begun), begun, end) - visits["ready"]
    members = run.gauges[f"queue.{name}"].shape[1]
    sums, counts = np.bincount(visits["member"], waits, members), np.bincount(visits["member"], minlength=members)
    means = sums[counts > 0] / counts[counts > 0]
    return StationForecast(
        name, _levels(run, f"queue.{name}", widen), _levels(run, f"busy.{name}", widen),
        np.quantile(means, LEVELS) if len(means) else np.full(len(LEVELS), np.nan),
        float(means.mean()) if len(means) else float("nan"),
        float(breaches(network, visits, end).mean()) if len(visits) else 0.0,
    )  # fmt: skip


def _levels(run: Run, gauge: str, widen: Mapping[str, Calibration]) -> np.ndarray:
    """Return the quantiles of a gauge at each time (time, level)."""
    found: np.ndarray = np.quantile(run.gauges[gauge], LEVELS, axis=1).T
    return widen[gauge].of(found, np.arange(1, len(found) + 1)) if gauge in widen else found
