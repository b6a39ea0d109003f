"""Noise that keeps single twins out of an answer: differential privacy by OpenDP, in whole numbers, so that no float leaks.

One twin more or less changes the chance of any answer by a factor of exp(epsilon) at most. Counts and sums get discrete
Laplace noise (Canonne, Kamath and Steinke 2020, https://arxiv.org/abs/2004.00010), quantiles come from the exponential
mechanism over a fixed grid (Smith 2011, https://doi.org/10.1145/1993636.1993743). The draws are OpenDP's own, from the
system's generator: a seed that somebody could know would undo them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from gemel.errors import Unavailable

GRAIN = 1 << 20
"""Steps into which a range is cut, so that sums are of whole numbers."""

GRID = 512
"""Places of a range at which a quantile may lie."""


@cache
def opendp() -> Any:
    """Return OpenDP, or raise `Unavailable` with what to install."""
    try:
        import opendp.prelude as found
    except ImportError:
        raise Unavailable(
            'answers about cohorts need noise, and OpenDP makes it: pip install "gemel[privacy]"; without it there are none'
        ) from None
    found.enable_features("contrib")
    return found


def counts(exact: Sequence[int], epsilon: float) -> list[int]:
    """Return counts of groups without a common member, each with discrete Laplace noise of scale 1/epsilon."""
    return [int(n) for n in _laplace(1 / epsilon)(list(exact))]


def total(parts: Sequence[float], epsilon: float) -> float:
    """Return the sum of numbers, each between -1 and 1, with discrete Laplace noise of scale 1/epsilon."""
    whole = sum(round(min(max(part, -1.0), 1.0) * GRAIN) for part in parts)
    return float(_laplace(GRAIN / epsilon)([whole])[0]) / GRAIN


def quantile(parts: Sequence[float], level: float, epsilon: float) -> float:
    """Return about which number, from 0 to 1, a share of *level* of the numbers (each from 0 to 1) lies below."""
    places = [round(min(max(part, 0.0), 1.0) * GRID) for part in parts]
    return float(_chooser(level, epsilon)(places)) / GRID


@lru_cache(64)
def _laplace(scale: float) -> Any:
    dp = opendp()
    return dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=scale)


@lru_cache(64)
def _chooser(level: float, epsilon: float) -> Any:
    dp = opendp()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.symmetric_distance()
    scores = dp.t.make_quantile_score_candidates(*space, list(range(GRID + 1)), level)
    scale = 2 * scores.map(1) / epsilon
    return scores >> dp.m.then_noisy_max(dp.max_divergence(), scale=scale, negate=True)
