"""Offline identification: fit the constants of one individual to days of readings, `(belief, info)`.

Adaptive multiple importance sampling (Cornuet et al. 2012, 10.1111/j.1467-9469.2011.00756.x) on the constants' log or
logit scale. Each candidate is a row of one belief; all rows share the subject's draws, so that the likelihood, the sum
of the ensemble filter's log scores, is smooth in the constants. The prior is how individuals differ. The likelihood is
tempered until the effective sample size is large enough: a temper below 1 means wider, never narrower, intervals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gemel.assimilate.ensemble import Filter
from gemel.assimilate.follow import Cycle, between, step
from gemel.dynamics import Belief, Dynamics, Info, Plan, Range, Seed, Varies, stack
from gemel.facts import HOUR, MINUTE, Time

REPLAYED = (30, 60)
"""Minutes ahead at which a fit is replayed over the span it was fitted on, under what was really done."""

ORIGIN: Time = 30 * MINUTE
BATCH = 32


class Individual(Dynamics, Protocol):
    """Dynamics with constants in which individuals differ."""

    @property
    def varies(self) -> Mapping[str, Varies]:
        """Return those constants by name."""
        ...


@dataclass(frozen=True)
class Search:
    """How hard to look: candidates per round (a power of two), members of each; what is read in `settle` is not scored.

    `least` is the effective sample size below which the likelihood is tempered; `widen` how far proposals overreach.
    """

    rounds: int = 4
    candidates: int = 64
    members: int = 32
    least: float = 24.0
    widen: float = 1.4
    settle: Time = 2 * HOUR


@dataclass(frozen=True)
class Gaussian:
    """A proposal in standard units of the prior: (d,) and the lower factor (d, d) of its covariance."""

    mean: np.ndarray
    factor: np.ndarray

    def draw(self, standard: np.ndarray) -> np.ndarray:
        """Return draws (n, d) from standard normal ones."""
        found: np.ndarray = self.mean + standard @ self.factor.T
        return found

    def log_density(self, at: np.ndarray) -> np.ndarray:
        """Return log densities (n,), up to the constant that all proposals share."""
        z = np.linalg.solve(self.factor, (at - self.mean).T)
        found: np.ndarray = -0.5 * (z**2).sum(axis=0) - np.log(np.diag(self.factor)).sum()
        return found


def identify(
    dynamics: Individual, belief: Belief, readings: Sequence[Cycle], plan: Plan, seed: Seed,
    settings: Filter | None = None, search: Search | None = None,
) -> tuple[Belief, Info]:  # fmt: skip
    """Return the belief (one row) after *readings* with the constants that fit them best, and how sure that is.

    *belief* is the one row to begin from. Info, each (1,): per constant its posterior median (`NAME`), 90 % interval
    (`NAME.low`, `NAME.high`), spread on its scale (`NAME.sd`), `NAME.prior`, `NAME.prior_sd` and `NAME.shrinkage`, the
    posterior spread over the prior's (1: the readings say nothing of it); `ess`, `temper`, `gain` (log score of the
    posterior median over the prior's), `scored` (readings); per signal `SIGNAL.rmse30`, `SIGNAL.rmse60` in replay, and with
    `.before` those at the prior's median.
    """
    settings, search = settings or Filter(), search or Search()
    line = _Line(dynamics.varies)
    start = _fewer(belief, search.members)
    replay = _Replay(dynamics, start, readings, plan, seed, settings, search, line)
    draws, likely, proposals = (
        np.zeros((0, line.width)),
        np.zeros(0),
        [Gaussian(np.zeros(line.width), np.eye(line.width))],
    )
    for turn in range(search.rounds):
        fresh = proposals[-1].draw(_standard(search.candidates, line.width, seed, turn))
        draws, likely = np.concatenate([draws, fresh]), np.concatenate([likely, replay.log_likelihood(fresh)])
        weight, temper = _weights(draws, likely, proposals, search.least)
        mean, cov = _moments(draws, weight)
        if turn + 1 < search.rounds:
            proposals.append(Gaussian(mean, np.linalg.cholesky(search.widen * cov)))
    fitted, info = replay.judged(mean)
    sd = np.sqrt(np.diag(cov))
    info |= {"ess": _one(1.0 / (weight**2).sum()), "temper": _one(temper)}
    return fitted, {**line.told(mean, sd), **info}


class _Line:
    """Constants as points of standard units of the prior."""

    def __init__(self, varies: Mapping[str, Varies]) -> None:
        self.names = tuple(sorted(varies))
        self.width, self._varies = len(self.names), varies

    def values(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the constants (n,) at *points* (n, d)."""
        return {name: _off(self._varies[name], points[:, i]) for i, name in enumerate(self.names)}

    def told(self, mean: np.ndarray, sd: np.ndarray) -> dict[str, np.ndarray]:
        """Return what is known of each constant."""
        from scipy.special import ndtri  # half a second to load, and only fits need it

        found: dict[str, np.ndarray] = {}
        reach = float(ndtri(0.95))
        for i, name in enumerate(self.names):
            entry = self._varies[name]
            low, mid, high = _off(entry, mean[i] + sd[i] * np.array([-reach, 0.0, reach]))
            found |= {
                name: _one(mid),
                f"{name}.low": _one(low),
                f"{name}.high": _one(high),
                f"{name}.sd": _one(sd[i] * entry.sd),
            }
            found |= {
                f"{name}.prior": _one(entry.median),
                f"{name}.prior_sd": _one(entry.sd),
                f"{name}.shrinkage": _one(sd[i]),
            }
        return found


class _Replay:
    """The readings, to be gone through with any candidates."""

    def __init__(
        self, dynamics: Individual, start: Belief, readings: Sequence[Cycle], plan: Plan, seed: Seed,
        settings: Filter, search: Search, line: _Line,
    ) -> None:  # fmt: skip
        self._dynamics, self._start, self._readings, self._plan = dynamics, start, readings, plan
        self._seed, self._settings, self._line = seed, settings, line
        self._since = int(start.at[0]) + search.settle

    def _rows(self, points: np.ndarray) -> Belief:
        """Return the belief to start from, a row per candidate."""
        rows = self._start.rows([0] * len(points))
        shape = (1, rows.members)
        return rows.with_values(
            **{
                name: np.tile(value[:, None], shape).astype(np.float32)
                for name, value in self._line.values(points).items()
            }
        )

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Return the sum of log scores of every candidate (n,)."""
        belief, scores = self._rows(points), [np.zeros(len(points))]
        for cycle in self._readings:
            belief, info = step(self._dynamics, belief, cycle, self._plan, self._seed, self._settings)
            scores += self._scores(cycle, info)
        total: np.ndarray = np.sum([np.asarray(score, float) for score in scores], axis=0)
        return total

    def _scores(self, cycle: Cycle, info: Info) -> list[np.ndarray]:
        return [info[name] for name in info if name.endswith(".log_score")] if cycle.at >= self._since else []

    def judged(self, point: np.ndarray) -> tuple[Belief, dict[str, np.ndarray]]:
        """Return the belief at the end with *point*, and how it did beside the prior's median."""
        belief, scores = self._rows(np.stack([np.zeros_like(point), point])), []
        origins: list[Belief] = []
        for cycle in self._readings:
            belief, info = step(self._dynamics, belief, cycle, self._plan, self._seed, self._settings)
            scores += self._scores(cycle, info)
            if cycle.at >= self._since and (not origins or cycle.at - int(origins[-1].at[0]) >= ORIGIN):
                origins.append(belief)
        total = np.sum([np.asarray(score, float) for score in scores], axis=0) if scores else np.zeros(2)
        told = {"gain": _one(total[1] - total[0]), "scored": _one(len(scores))}
        return belief.rows([1]), told | self._replayed(origins)

    def _replayed(self, origins: Sequence[Belief]) -> dict[str, np.ndarray]:
        """Return errors of the mean some minutes ahead, with what was really done on the way, per signal and row."""
        errors: dict[str, list[np.ndarray]] = {}
        for first in range(0, len(origins), BATCH):
            part = origins[first : first + BATCH]
            whole = stack([*part, *[part[-1]] * (BATCH - len(part))])
            plans = [between(self._plan, int(at), int(at) + HOUR) for at in whole.at]
            for minutes in REPLAYED:
                ahead, _ = self._dynamics.advance(whole, plans, whole.at + minutes * MINUTE, self._seed)
                for signal, seen in self._dynamics.observe(ahead).items():
                    said = np.asarray(seen.mean).mean(axis=1).reshape(-1, 2)[: len(part)]
                    truth = np.array([self._read(signal, int(origin.at[0]) + minutes * MINUTE) for origin in part])
                    errors.setdefault(f"{signal}.rmse{minutes}", []).append(said - truth[:, None])
        found: dict[str, np.ndarray] = {}
        for name, parts in errors.items():
            off = np.concatenate(parts)
            off = off[np.isfinite(off[:, 0])]
            before, after = np.sqrt((off**2).mean(axis=0)) if len(off) else (np.nan, np.nan)
            found |= {name: _one(after), f"{name}.before": _one(before)}
        return found

    def _read(self, signal: str, at: Time) -> float:
        """Return what was read within half a step of *at*, NaN where nothing was."""
        near = [
            (abs(reading.at - at), reading.value)
            for cycle in self._around(at) for reading in cycle.readings
            if reading.signal == signal and abs(reading.at - at) <= 5 * MINUTE // 2
        ]  # fmt: skip
        return min(near)[1] if near else float("nan")

    def _around(self, at: Time) -> Sequence[Cycle]:
        times = [cycle.at for cycle in self._readings]
        return self._readings[bisect_left(times, at - 4 * MINUTE) : bisect_left(times, at + 4 * MINUTE)]


def _fewer(belief: Belief, members: int) -> Belief:
    """Return one row with no more than *members* of its members, evenly taken."""
    if len(belief.subjects) != 1:
        raise ValueError(f"identify begins from the belief of one twin, not of {len(belief.subjects)}")
    taken = np.linspace(0, belief.members - 1, min(members, belief.members)).round().astype(int)
    return belief.with_values(**{name: np.asarray(value)[:, taken] for name, value in belief.values.items()})


def _standard(count: int, width: int, seed: Seed, turn: int) -> np.ndarray:
    """Return scrambled Sobol points (count, width) as standard normal draws."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    rng = np.random.default_rng([seed, turn, width])
    found: np.ndarray = ndtri(qmc.Sobol(width, rng=rng).random(count))
    return found


def _weights(
    draws: np.ndarray, likely: np.ndarray, proposals: Sequence[Gaussian], least: float
) -> tuple[np.ndarray, float]:
    """Return normalised weights (n,) and the highest temper at which enough draws count."""
    from scipy.special import logsumexp

    mixture = logsumexp([proposal.log_density(draws) for proposal in proposals], axis=0)
    prior = -0.5 * (draws**2).sum(axis=1)

    def weigh(temper: float) -> np.ndarray:
        log = temper * likely + prior - mixture
        found: np.ndarray = np.exp(log - logsumexp(log))
        return found

    low, high = 0.0, 1.0
    if 1.0 / (weigh(1.0) ** 2).sum() >= least:
        return weigh(1.0), 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 1.0 / (weigh(middle) ** 2).sum() >= least else (low, middle)
    return weigh(low), low


def _moments(draws: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean and covariance, its correlations shrunk the more, the fewer draws count."""
    mean = weight @ draws
    off = draws - mean
    counted = 1.0 / (weight**2).sum()
    cov = (off * weight[:, None]).T @ off / (1.0 - (weight**2).sum())
    trust = counted / (counted + draws.shape[1])
    return mean, trust * cov + (1.0 - trust) * np.diag(np.diag(cov))


def _off(entry: Varies, point: np.ndarray) -> np.ndarray:
    """Return the constant at *point*, in standard units of how individuals differ."""
    return _from_line(_to_line(entry.median, entry.within) + entry.sd * point, entry.within)


def _to_line(value: float, span: Range) -> float:
    if np.isinf(span.low):
        return value
    return float(np.log(value - span.low) - (0.0 if np.isinf(span.high) else np.log(span.high - value)))


def _from_line(at: np.ndarray, span: Range) -> np.ndarray:
    if np.isinf(span.low):
        return at
    high = np.isinf(span.high)
    found: np.ndarray = span.low + (np.exp(at) if high else (span.high - span.low) / (1.0 + np.exp(-at)))
    return found


def _one(value: float) -> np.ndarray:
    return np.array([float(value)])
