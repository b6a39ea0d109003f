"""Search over designs: the efficient frontier of costs against what is felt, each with its interval.

Designs are compared under the same draws. Rounds go on with fewer designs and more draws, as in sequential halving (Karnin,
Koren & Somekh 2013), but ranked by domination, since there is more than one aim (Deb et al. 2002, 10.1109/4235.996017).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from gemel.errors import BadInput

DRAWS = 400
"""Resamples of the shared draws from which the chance to be efficient is told."""


@dataclass(frozen=True)
class Design:
    """One way to set things up: a name and the values that make it."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.name)


Evaluate = Callable[[Design, Sequence[int]], np.ndarray]
"""From a design and keys of draws (n,) to its aims (n, aim), all of them better when smaller; equal keys, equal draws."""


@dataclass(frozen=True)
class Found:
    """A design and its aims: means (aim,) with 90 % intervals, of how many draws; `efficient` is the chance that it is so."""

    design: Design
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: int
    efficient: float
    on_frontier: bool

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "design": self.design.name, "values": dict(self.design.values), "mean": self.mean.tolist(),
            "low": self.low.tolist(), "high": self.high.tolist(), "draws": self.draws,
            "efficient": self.efficient, "on_frontier": self.on_frontier,
        }  # fmt: skip


@dataclass(frozen=True)
class Frontier:
    """What a search found: the aims' names, all designs tried in order of the first aim, those that nothing beats marked."""

    aims: tuple[str, ...]
    tried: tuple[Found, ...]

    @property
    def efficient(self) -> tuple[Found, ...]:
        """Return those that no other beats in every aim."""
        return tuple(found for found in self.tried if found.on_frontier)

    def body(self) -> dict[str, Any]:
        """Return the frontier as JSON types."""
        return {"aims": list(self.aims), "tried": [found.body() for found in self.tried]}

    def __str__(self) -> str:
        lines = ["design".ljust(44) + "".join(f"{aim:>28}" for aim in self.aims)]
        for found in self.efficient:
            spans = zip(found.mean, found.low, found.high, strict=True)
            lines.append(
                found.design.name.ljust(44) + "".join(f"{f'{m:.4g} ({a:.4g} to {b:.4g})':>28}" for m, a, b in spans)
            )
        return "\n".join(lines)


def efficient(points: np.ndarray) -> np.ndarray:
    """Return which of *points* (n, aim) no other beats: none is as good in all aims and better in one (n,) bool."""
    no_worse = (points[:, None, :] <= points[None, :, :]).all(2)
    better = (points[:, None, :] < points[None, :, :]).any(2)
    return ~np.asarray((no_worse & better).any(0))


def depth(points: np.ndarray) -> np.ndarray:
    """Return in which front each point (n, aim) lies, 0 the efficient one (n,)."""
    found, left = np.full(len(points), -1), np.arange(len(points))
    level = 0
    while len(left):
        front = efficient(points[left])
        found[left[front]] = level
        left, level = left[~front], level + 1
    return found


def search(
    designs: Sequence[Design],
    evaluate: Evaluate,
    aims: Sequence[str],
    *,
    first: int = 8,
    rounds: int = 3,
    seed: int = 0,
) -> Frontier:
    """Return the efficient frontier of *designs*: each round doubles the draws and drops the half that is beaten most.

    What might still be efficient is never dropped: a design goes only if another beats it surely (paired, 95 %).
    """
    _check(designs)
    left, seen = list(designs), {design.name: np.empty((0, len(aims))) for design in designs}
    for turn in range(rounds):
        keys = _keys(seed, turn, first * 2**turn - len(seen[left[0].name]))
        for design in left:
            seen[design.name] = np.concatenate([seen[design.name], _aims(evaluate, design, keys, len(aims))])
        if turn < rounds - 1:
            left = _kept(left, seen)
    return Frontier(tuple(aims), _found(designs, left, seen, seed))


def _check(designs: Sequence[Design]) -> None:
    names: list[Hashable] = [design.name for design in designs]
    if not names or len(set(names)) < len(names):
        raise BadInput("a search needs designs, each of a name of its own", field="designs")


def _keys(seed: int, turn: int, count: int) -> list[int]:
    return [int(key) for key in np.random.default_rng([seed, turn]).integers(0, 2**31, count)]


def _aims(evaluate: Evaluate, design: Design, keys: Sequence[int], aims: int) -> np.ndarray:
    found = np.asarray(evaluate(design, keys), float)
    if found.shape != (len(keys), aims) or not np.isfinite(found).all():
        raise BadInput(f"{design.name} gave aims of shape {found.shape}, not {(len(keys), aims)}, or not all numbers")
    return found


def _kept(left: Sequence[Design], seen: Mapping[str, np.ndarray]) -> list[Design]:
    means = np.array([seen[design.name].mean(0) for design in left])
    order = np.argsort(depth(means), kind="stable")
    safe = set(order[: (len(left) + 1) // 2].tolist())
    return [d for k, d in enumerate(left) if k in safe or not any(_surely(seen[o.name], seen[d.name]) for o in left)]


def _surely(better: np.ndarray, worse: np.ndarray) -> bool:
    """Return whether one beats the other in every aim, by paired differences over the draws that both saw."""
    gap = worse - better
    error = gap.std(0, ddof=1) / np.sqrt(len(gap))
    sure = gap.mean(0) - stats.t.ppf(0.95, len(gap) - 1) * error
    return bool(
        (gap.mean(0) >= 0).all() and ((sure > 0) | ((error == 0) & (gap.mean(0) >= 0))).all() and (sure > 0).any()
    )


def _found(
    designs: Sequence[Design], left: Sequence[Design], seen: Mapping[str, np.ndarray], seed: int
) -> tuple[Found, ...]:
    last = np.stack([seen[design.name] for design in left])
    front, share = efficient(last.mean(1)), _shares(last, seed)
    place = {design.name: k for k, design in enumerate(left)}
    found = []
    for design in designs:
        k = place.get(design.name)
        mean, low, high = _interval(seen[design.name])
        chance, on = (0.0, False) if k is None else (float(share[k]), bool(front[k]))
        found.append(Found(design, mean, low, high, len(seen[design.name]), chance, on))
    return tuple(sorted(found, key=lambda one: (*one.mean.tolist(), one.design.name)))


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    reach = stats.t.ppf(0.95, len(values) - 1) * values.std(0, ddof=1) / np.sqrt(len(values))
    return values.mean(0), values.mean(0) - reach, values.mean(0) + reach


def _shares(values: np.ndarray, seed: int) -> np.ndarray:
    """Return how often each design is efficient when the shared draws (design, draw, aim) are drawn again (design,)."""
    rng, draws = np.random.default_rng([seed, 1 << 20]), values.shape[1]
    picks = rng.integers(0, draws, (DRAWS, draws))
    return np.asarray(np.mean([efficient(values[:, pick].mean(1)) for pick in picks], axis=0))
