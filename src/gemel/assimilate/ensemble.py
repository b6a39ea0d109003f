"""Online ensemble filter: a deterministic square-root ensemble Kalman update of states and parameters together.

Whitaker & Hamill 2002 (10.1175/1520-0493(2002)130<1913:EDAWPO>2.0.CO;2), equations 8 to 13, one scalar reading at a
time; outliers as in robust Kalman filtering: a reading further off than `doubt` standard deviations has its noise
raised until it is not (Huber's influence function), so that a jump moves the belief no further than a doubtful one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array, Belief, Dynamics, Info, Range


@dataclass(frozen=True)
class Filter:
    """How readings are weighed: `doubt` in standard deviations; `relax` gives back that part of a parameter's lost spread."""

    doubt: float = 3.0
    relax: float = 0.0


def condition(
    dynamics: Dynamics, belief: Belief, readings: Mapping[str, np.ndarray], settings: Filter
) -> tuple[Belief, Info]:
    """Return the belief after *readings* (one (twin,) array per signal, NaN where none) and how they fitted.

    Info per signal, each (twin,): `expected`, `spread` (sd of the expectation), `innovation`, `sd` of the innovation,
    `z`, `outlier` (0 or 1), `log_score` (log density of the reading); and `held`, the share of values at a hard bound.
    """
    info: dict[str, Array] = {}
    for signal, values in readings.items():
        if np.isnan(values).all():
            continue
        seen = dynamics.observe(belief)[signal]
        ranges = tuple(sorted(dynamics.ranges.items()))
        learnable = {name: belief.values[name] for name, _ in ranges}
        updated, how = _update(learnable, seen.mean, seen.sd, np.asarray(values, np.float32), ranges, settings)
        belief = belief.with_values(**updated)
        info |= {f"{signal}.{name}": value for name, value in how.items()}
    return belief, info


@partial(jax.jit, static_argnames=("ranges", "settings"))
def _update(
    values: dict[str, Array],
    mean: Array,
    sd: Array,
    reading: Array,
    ranges: tuple[tuple[str, Range], ...],
    settings: Filter,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the values of all members after one scalar reading per twin, in logs where a range is soft."""
    members = mean.shape[1]
    expected = mean.mean(axis=1)
    off = mean - expected[:, None]
    spread2 = (off**2).sum(axis=1) / (members - 1)
    noise2 = (sd**2).mean(axis=1)
    innovation = reading - expected
    raised2 = jnp.maximum(noise2, (innovation / settings.doubt) ** 2 - spread2)
    total2 = spread2 + raised2
    present = jnp.isfinite(reading)
    step = jnp.where(present, innovation / total2, 0.0)
    shrink = jnp.where(present, 1.0 / (1.0 + jnp.sqrt(raised2 / total2)) / total2, 0.0)
    found, held = {}, jnp.zeros_like(expected)
    for name, span in ranges:
        scaled = _to_line(values[name], span)
        centred = scaled - scaled.mean(axis=1, keepdims=True)
        covariance = (centred * off).sum(axis=1, keepdims=True) / (members - 1)
        left = centred - covariance * shrink[:, None] * off
        kept = _relaxed(left, centred, settings.relax) if span.soft else left
        moved = scaled.mean(axis=1, keepdims=True) + covariance * step[:, None] + kept
        found[name], at_bound = _from_line(moved, span)
        held = held + at_bound
    raw2 = spread2 + noise2
    z = innovation / jnp.sqrt(raw2)
    how = {
        "expected": expected, "spread": jnp.sqrt(spread2), "innovation": innovation, "sd": jnp.sqrt(raw2), "z": z,
        "outlier": (raised2 > noise2).astype(jnp.float32),
        "log_score": -0.5 * (jnp.log(2 * jnp.pi * total2) + innovation**2 / total2),
        "held": held / (len(ranges) * members),
    }  # fmt: skip
    return found, how


def _relaxed(left: Array, before: Array, relax: float) -> Array:
    """Return the deviations with part of the spread they lost given back (relaxation to prior spread)."""
    if relax == 0.0:
        return left
    now, then = jnp.std(left, axis=1, keepdims=True), jnp.std(before, axis=1, keepdims=True)
    return left * jnp.where(now > 0, 1.0 + relax * (then - now) / jnp.where(now > 0, now, 1.0), 1.0)


def _to_line(value: Array, span: Range) -> Array:
    """Return *value* on the whole real line: log above one soft bound, logit between two."""
    if not span.soft or np.isinf(span.low):
        return value
    if np.isinf(span.high):
        return jnp.log(value - span.low)
    return jnp.log(value - span.low) - jnp.log(span.high - value)


def _from_line(moved: Array, span: Range) -> tuple[Array, Array]:
    """Return the value back in its range, and how many members (twin,) a hard bound held."""
    none = jnp.zeros(moved.shape[0])
    if not span.soft:
        bounded = jnp.clip(moved, span.low, span.high)
        return bounded, (bounded != moved).sum(axis=1)
    if np.isinf(span.low):
        return moved, none
    if np.isinf(span.high):
        return span.low + jnp.exp(moved), none
    return span.low + (span.high - span.low) * jax.nn.sigmoid(moved), none
