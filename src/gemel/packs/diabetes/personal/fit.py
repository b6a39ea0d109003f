"""The mode of everything unknown of a person over some days, and the Gaussian about it.

A Gauss-Newton problem with an arrow's shape: person and drift meet every day, a day's own unknowns meet only that day, and are
taken out one day at a time. The drift from day to day is a walk whose steps are unknowns of the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

from gemel.dynamics import Array
from gemel.packs.diabetes.personal import unknowns
from gemel.packs.diabetes.personal.days import Day
from gemel.packs.diabetes.personal.noise import Noise, whitener
from gemel.packs.diabetes.personal.unknowns import DAILY, PERSON, width

P, Q = width(PERSON), width(DAILY)
BATCH = 4
"""Days whose derivatives are computed at once; one size is compiled once."""

FORWARD = 16
"""Days that are only replayed at once."""


@dataclass(frozen=True)
class Gaussian:
    """A mean (n,) and a precision (n, n)."""

    mean: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class Mode:
    """The mode: `shared` is the person on the last day (P,) and the drift before; `daily` (day, Q); the person's `gaussian`
    with days and drift taken out; `cost` is minus the log density."""

    shared: np.ndarray
    daily: np.ndarray
    gaussian: Gaussian
    cost: float
    steps: int

    @property
    def person(self) -> np.ndarray:
        """Return the person on the last day (P,)."""
        return self.shared[:P]


@cache
def day_functions() -> tuple[Any, Any]:
    """Return, for rows of unknowns and days: interstitial glucose; that with its Jacobian."""

    def off(z: Array, day: dict[str, Array]) -> Array:
        return unknowns.replay(z[:P], z[P:], day)

    both = lambda z, day: (off(z, day), jax.jacfwd(off)(z, day))  # noqa: E731
    return jax.jit(jax.vmap(off)), jax.jit(jax.vmap(both))


def batched(function: Any, z: np.ndarray, days: dict[str, np.ndarray], size: int = BATCH) -> Any:
    """Return what *function* says of each row, computed *size* rows at a time; days of one row go with every row."""
    n = len(z)
    rows = np.arange(-(-n // size) * size) % n
    parts = [
        jax.tree.map(np.asarray, function(z[r], {k: v[r if len(v) > 1 else r * 0] for k, v in days.items()}))
        for r in rows.reshape(-1, size)
    ]  # fmt: skip
    return jax.tree.map(lambda *each: np.concatenate(each)[:n], *parts)


def stacked(days: Sequence[Day]) -> dict[str, np.ndarray]:
    """Return days as arrays with an axis for the day."""
    each = [unknowns.arrays(day) for day in days]
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def replays(person: np.ndarray, daily: np.ndarray, days: dict[str, np.ndarray]) -> np.ndarray:
    """Return interstitial glucose (row, cell + 1) of rows of unknowns (row, P), (row, Q) and days."""
    return np.asarray(batched(day_functions()[0], np.concatenate([person, daily], 1), days, FORWARD))


@dataclass
class Problem:
    """Days, noise and what is believed of the person before them; `walk` (P,) is the spread of the drift in a day."""

    days: Sequence[Day]
    noise: Noise
    prior: Gaussian
    walk: np.ndarray

    def __post_init__(self) -> None:
        self.told = stacked(self.days)
        seen = np.stack([np.isfinite(day.glucose) for day in self.days])
        self.read = np.where(seen, np.stack([day.glucose for day in self.days]), 0.0)
        self.white = np.stack([whitener(self.noise, s) for s in seen])
        self.moves = np.flatnonzero(self.walk > 0)
        self.size = P + len(self.moves) * (len(self.days) - 1)

    def spread(self, d: int) -> np.ndarray:
        """Return the map (P, size) from the person on the last day and the drift since to the person on day *d*."""
        found = np.zeros((P, self.size))
        found[:, :P] = np.eye(P)
        k = len(self.moves)
        for later in range(d, len(self.days) - 1):
            at = P + k * later + np.arange(k)
            found[self.moves, at] = -self.walk[self.moves]
        return found

    def rows(self, shared: np.ndarray, daily: np.ndarray) -> np.ndarray:
        return np.stack([np.concatenate([self.spread(d) @ shared, daily[d]]) for d in range(len(self.days))])

    def prior_cost(self, shared: np.ndarray, daily: np.ndarray) -> float:
        first = self.spread(0) @ shared - self.prior.mean
        return 0.5 * float(first @ self.prior.precision @ first + (shared[P:] ** 2).sum() + (daily**2).sum())

    def cost(self, shared: np.ndarray, daily: np.ndarray) -> float:
        said = batched(day_functions()[0], self.rows(shared, daily), self.told, FORWARD)
        off = np.einsum("dij,dj->di", self.white, said - self.read)
        total = 0.5 * float((off**2).sum()) + self.prior_cost(shared, daily)
        return total if np.isfinite(total) else np.inf


def fit(
    problem: Problem, begin: tuple[np.ndarray, np.ndarray] | None = None, steps: int = 40, close: float = 0.02
) -> Mode:
    """Return the mode from *begin* (person, daily), by default the prior's."""
    n = len(problem.days)
    shared, daily = np.zeros(problem.size), np.zeros((n, Q))
    shared[:P] = problem.prior.mean
    if begin is not None:
        shared[:P], daily[:] = begin
    damp, now, still = 1e-3, problem.cost(shared, daily), 0
    parts = _parts(problem, shared, daily)
    taken = 0
    while taken < steps:
        taken += 1
        move, moves = _step(parts, damp)
        tried = problem.cost(shared + move, daily + moves)
        if tried < now:
            still = still + 1 if now - tried < close else 0
            shared, daily, now, damp = shared + move, daily + moves, tried, max(damp / 5, 1e-6)
            parts = _parts(problem, shared, daily)
        else:
            damp, still = damp * 6, still + (damp > 1e3)
        if still >= 2 or damp > 1e7:
            break
    _, own, cross, curvature = parts
    precision = curvature - np.einsum("dqs,dqt->st", cross, np.linalg.solve(own, cross))
    covariance = np.linalg.inv(precision)[:P, :P]
    return Mode(shared, daily, Gaussian(shared[:P], np.linalg.inv(covariance)), now, taken)


def jacobians(problem: Problem, shared: np.ndarray, daily: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model says of each day (day, n), and its whitened Jacobian (day, n, P + Q)."""
    said, jac = batched(day_functions()[1], problem.rows(shared, daily), problem.told)
    return said, problem.white @ jac


def _parts(problem: Problem, shared: np.ndarray, daily: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Return gradients and the blocks of the curvature: of each day, between it and what is shared, and of what is shared."""
    said, jac = jacobians(problem, shared, daily)
    off = np.einsum("dij,dj->di", problem.white, said - problem.read)
    maps = np.stack([problem.spread(d) for d in range(len(problem.days))])
    ours, theirs = jac[:, :, :P] @ maps, jac[:, :, P:]
    first = maps[0]
    curvature = np.einsum("dns,dnt->st", ours, ours) + first.T @ problem.prior.precision @ first
    curvature[P:, P:] += np.eye(problem.size - P)
    gradient = np.einsum("dns,dn->s", ours, off) + first.T @ problem.prior.precision @ (
        first @ shared - problem.prior.mean
    )
    gradient[P:] += shared[P:]
    own = np.swapaxes(theirs, 1, 2) @ theirs + np.eye(Q)
    cross = np.swapaxes(theirs, 1, 2) @ ours
    return (gradient, np.einsum("dnq,dn->dq", theirs, off) + daily), own, cross, curvature


def _step(parts: Any, damp: float) -> tuple[np.ndarray, np.ndarray]:
    (gradient, gradients), own, cross, curvature = parts
    own = own + damp * np.eye(own.shape[1]) * np.diagonal(own, axis1=1, axis2=2)[:, None, :]
    solved = np.linalg.solve(own, np.concatenate([cross, gradients[:, :, None]], 2))
    right = gradient - np.einsum("dqs,dq->s", cross, solved[:, :, -1])
    left = curvature + damp * np.diag(np.diag(curvature)) - np.einsum("dqs,dqt->st", cross, solved[:, :, :-1])
    move = -np.linalg.solve(left, right)
    return move, -solved[:, :, -1] - solved[:, :, :-1] @ move
