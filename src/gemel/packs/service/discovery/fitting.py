"""Fitting: which family of durations tells best of times that were not used to fit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gemel.process.duration import Duration, exponential, fixed, table_of

LEVELS = (np.arange(100) + 0.5) / 100
FOLDS, SAME, SIMPLER, MOST = 4, 0.01, 1.005, 4000
"""Folds held out in turn; cv of what is always the same; how much worse a family may be than the table; values looked at."""

WILD = 3.0
"""cv beyond which no family is trusted with the tail: what was seen is drawn again, and nothing longer."""

INTERVALS = 2000
"""Rows that the estimate from intervals looks at."""


def fitted(seconds: np.ndarray, rng: np.random.Generator) -> Duration:
    """Return the duration of *seconds* (n,), n >= 1: the family with the least held-out CRPS.

    CRPS is the mean pinball loss over 100 levels, twice (Gneiting & Ranjan 2011, 10.1198/jbes.2010.08110). A family that
    is at most 0.5 % worse than the table of what was seen is preferred to it: it has a tail and fewer numbers.
    """
    values = np.maximum(np.asarray(seconds, float), 0.0)
    if values.std() <= SAME * values.mean():
        return fixed(float(np.mean(values)))
    if len(values) < 2 * FOLDS or values.std() > WILD * values.mean():
        return _table(values)
    losses = _losses(values, rng)
    families = {kind: loss for kind, loss in losses.items() if kind != "table"}
    best = min(families, key=families.__getitem__, default="table")
    if best == "table" or families[best] > SIMPLER * losses["table"]:
        return _table(values)
    return FAMILIES[best](values)


def _losses(values: np.ndarray, rng: np.random.Generator) -> Mapping[str, float]:
    shown = rng.permutation(values)[:MOST]
    parts = np.array_split(shown, FOLDS)
    losses: dict[str, float] = {}
    for kind, family in FAMILIES.items():
        if kind in ("fixed", "table") or np.all(values > 0) or kind in ("exponential", "gamma", "weibull"):
            losses[kind] = sum(
                crps(family(np.concatenate(parts[:i] + parts[i + 1 :])), part) for i, part in enumerate(parts)
            )
    return losses


def crps(duration: Duration, seconds: np.ndarray) -> float:
    """Return the mean continuous ranked probability score of a duration for what was seen, s."""
    apart = seconds[:, None] - duration.quantile(LEVELS)[None, :]
    return float(2 * np.mean(np.maximum(LEVELS * apart, (LEVELS - 1) * apart)))


def _table(values: np.ndarray) -> Duration:
    return table_of(values.tolist(), points=int(np.clip(len(values), 2, 513)))


def _moments(kind: str) -> Callable[[np.ndarray], Duration]:
    return lambda values: Duration(kind, float(values.mean()), float(np.clip(values.std() / values.mean(), 0.03, 8.0)))


def _lognormal(values: np.ndarray) -> Duration:
    logs = np.log(values)
    cv = float(np.sqrt(np.expm1(min(logs.var(), 4.0))))
    return Duration("lognormal", float(np.exp(logs.mean() + min(logs.var(), 4.0) / 2)), cv)


FAMILIES: Mapping[str, Callable[[np.ndarray], Duration]] = {
    "fixed": lambda values: fixed(float(values.mean())),
    "exponential": lambda values: exponential(float(values.mean())),
    "gamma": _moments("gamma"),
    "weibull": _moments("weibull"),
    "lognormal": _lognormal,
    "table": _table,
}


def censored(seconds: np.ndarray, seen: np.ndarray) -> Duration | None:
    """Return the patience behind waits (n,): those *seen* ended in giving up, the others in being served (Kaplan-Meier MLE).

    Weibull by maximum likelihood, exponential where that is no worse by 2 nats; None where too few gave up.
    """
    from scipy.optimize import minimize

    times, events = np.maximum(seconds, 1e-3), int(seen.sum())
    if events < 10:
        return None
    scale = float(times.sum() / events)

    def cost(theta: np.ndarray) -> float:
        shape, size = np.exp(theta)
        z = times / size
        return -float(np.sum(seen * (theta[0] - theta[1] + (shape - 1) * np.log(z))) - np.sum(z**shape))

    found = minimize(cost, np.array([0.0, np.log(scale)]), method="Nelder-Mead")
    if cost(np.array([0.0, np.log(scale)])) - found.fun < 2.0:
        return exponential(scale)
    return _weibull(*np.exp(found.x))


def _weibull(shape: float, scale: float) -> Duration:
    from scipy.special import gamma

    mean = float(scale * gamma(1 + 1 / shape))
    return Duration("weibull", mean, float(np.sqrt(gamma(1 + 2 / shape) / gamma(1 + 1 / shape) ** 2 - 1)))


def within(least: np.ndarray, most: np.ndarray, rounds: int = 100) -> np.ndarray:
    """Return a sample (400,) of times of which each is only known to lie between *least* and *most* (n,), s.

    The self-consistent estimate of a distribution from intervals, on a grid (Turnbull 1976, JRSS B 38:290).
    """
    if np.array_equal(least, most):
        return most
    if len(most) > INTERVALS:
        shown = np.linspace(0, len(most) - 1, INTERVALS).astype(int)
        least, most = least[shown], most[shown]
    edges = _grid(least, most)
    low = np.maximum(np.searchsorted(edges, least, "right") - 1, 0)
    high = np.maximum(np.searchsorted(edges, most, "left"), low + 1)
    """Each lies in the cells low ≤ k < high, cell k from edge k to edge k + 1."""
    cells = np.arange(len(edges) - 1)
    holds = ((cells >= low[:, None]) & (cells < high[:, None])).astype(float)
    share = np.full(len(cells), 1 / len(cells))
    for _ in range(rounds):
        before = share
        weight = holds * share
        share = (weight / weight.sum(1, keepdims=True)).mean(0)
        if np.abs(share - before).max() < 1e-5:
            break
    levels = (np.arange(400) + 0.5) / 400
    found: np.ndarray = np.interp(levels, np.concatenate([[0.0], np.cumsum(share)]), edges)
    return found


def _grid(least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return edges of cells: quantiles of what is known exactly, each with a cell of a second, and of the bounds."""
    exact = most[most <= least]
    known = np.quantile(exact, np.linspace(0, 1, 101)) if len(exact) else np.zeros(1)
    bounds = np.quantile(np.concatenate([least, most]), np.linspace(0, 1, 101))
    found = np.unique(np.concatenate([known, np.maximum(known - 1.0, 0.0), bounds, [0.0, float(most.max()) + 1.0]]))
    apart: np.ndarray = found[np.concatenate([[True], np.diff(found) > 1e-3])]
    return apart
