"""One day of one person: insulin, meals and glucose after Cappon et al. 2023 (10.1109/TBME.2023.3286856), differentiable.

Insulin is linear and goes forward by its exact exponential from cell to cell of 5 min. What a meal brings is a closed form.
Glucose is linear but for the gain below its resting level; each cell takes its exact solution with that gain corrected once.
Delays shift smoothly, so that gradients see them. All of it runs in double precision (`gemel.packs.diabetes.personal.double`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gemel.dynamics import Array

CELL = 5.0
"""Length of a cell, min."""

LEAD = 96
"""Cells before a day from which insulin and meals still act: 8 h."""

VG, VI, KE, TAU, F, ALPHA, R1, R2 = 1.45, 0.135, 0.127, 8.0, 0.9, 7.0, 1.4407, 0.8124
"""dl/kg, l/kg, 1/min, min, -, min, -, -: constants that are the same for everybody (10.1109/TBME.2023.3286856)."""


class Constants(NamedTuple):
    """What individuals differ in: `gb` (cell,) mg/dL resting level, `si` (cell of lead and day,) dl/kg/min per mU/l; rates in
    1/min; `kabs` and `beta` (meal,) 1/min and min; `gain` (meal,) what part of the announced carbohydrate appears, over F."""

    gb: Array
    sg: Array
    p2: Array
    ka2: Array
    kd: Array
    kempt: Array
    si: Array
    kabs: Array
    beta: Array
    gain: Array


class Inputs(NamedTuple):
    """What went in: `insulin` (cell of lead and day,) mU/kg/min, `basal` () the rate in steady state, `meal_at` (meal,) min
    after the day's start, `meal` (meal,) mg/kg, `flow` (cell,) mg/dl/min of what nobody announced."""

    insulin: Array
    basal: Array
    meal_at: Array
    meal: Array
    flow: Array


def appeared(t: Array, kempt: Array, kabs: Array) -> Array:
    """Return the share of a meal that has appeared in blood *t* min after it went through stomach, stomach and gut."""
    t = jnp.maximum(t, 0.0)
    x = (kempt - kabs) * t
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 1.0, x)
    left = jnp.exp(-kempt * t)
    # e^(-kempt t) (e^x - 1 - x) / x^2 without overflow for large x, and by its series near 0
    far = (jnp.exp(-kabs * t) - left * (1.0 + safe)) / safe**2
    near = left * (0.5 + x / 6.0 + x**2 / 24.0 + x**3 / 120.0)
    gut = (kempt * t) ** 2 * jnp.where(small, near, far)
    return 1.0 - left * (1.0 + kempt * t) - gut


def appearing(constants: Constants, inputs: Inputs, edges: Array) -> Array:
    """Return the mean appearance of carbohydrate between *edges* (n + 1,) min, CELL apart: (n,) mg/kg/min."""
    since = edges[:, None] - inputs.meal_at - constants.beta
    share = appeared(since, constants.kempt, constants.kabs)
    return F / CELL * jnp.diff((share * constants.gain * inputs.meal).sum(axis=1))


def _step(constants: Constants) -> Array:
    """Return the exact step (5, 5) of depot, interstitial, plasma, action with a held input, over one cell."""
    ka2, kd, p2 = constants.ka2, constants.kd, constants.p2
    rates = jnp.zeros((5, 5), ka2.dtype)
    rates = rates.at[0, 0].set(-kd).at[0, 4].set(1.0).at[1, 0].set(kd).at[1, 1].set(-ka2)
    rates = rates.at[2, 1].set(ka2).at[2, 2].set(-KE).at[3, 2].set(p2).at[3, 3].set(-p2)
    part, whole, term = rates * (CELL / 8.0), jnp.eye(5, dtype=ka2.dtype), jnp.eye(5, dtype=ka2.dtype)
    orders = jnp.arange(1.0, 11.0, dtype=ka2.dtype)

    def more(carry: tuple[Array, Array], order: Array) -> tuple[tuple[Array, Array], None]:
        whole, term = carry
        term = _times(term, part) / order
        return (whole + term, term), None

    (whole, _), _ = jax.lax.scan(more, (whole, term), orders)
    whole, _ = jax.lax.scan(lambda one, _: (_times(one, one), None), whole, None, length=3)
    return whole


def _times(a: Array, b: Array) -> Array:
    return (a[:, :, None] * b[None, :, :]).sum(axis=1)


def action(constants: Constants, inputs: Inputs) -> Array:
    """Return the action of insulin over the usual (cell of lead and day + 1,), 1/min, steady at first."""
    step, basal = _step(constants), inputs.basal
    late = inputs.insulin
    before = jnp.concatenate([jnp.full(2, basal), late])
    share = (TAU - CELL) / CELL
    delayed = (1.0 - share) * before[1:-1] + share * before[:-2]
    plasma = basal / KE
    keep = step[3, 3]

    def cell(carry: tuple[Array, Array], at: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        z, x = carry
        u, si = at
        full = jnp.stack([z[0], z[1], z[2], jnp.zeros_like(x), u])
        nxt = (step * full).sum(axis=1)
        x = keep * x + si / VI * (nxt[3] - plasma * (1.0 - keep))
        return (nxt[:3], x), x

    start = jnp.stack([basal / constants.kd, basal / constants.ka2, plasma])
    zero = jnp.zeros_like(step[3, 3])
    _, x = jax.lax.scan(cell, (start, zero), (delayed, constants.si))
    return jnp.concatenate([zero[None], x])


def rising(glucose: Array, gb: Array) -> Array:
    """Return by what insulin acts more below the resting level *gb*, 1 above it, constant below 60 mg/dL."""
    low = jnp.clip(glucose, 60.0, jnp.maximum(gb, 60.0))
    return 1.0 + 10.0 * R1 * (jnp.log(low) ** R2 - jnp.log(jnp.maximum(gb, 60.0)) ** R2) ** 2


def glucose(constants: Constants, inputs: Inputs, start: Array) -> tuple[Array, Array]:
    """Return blood and interstitial glucose (cell + 1,) mg/dL at the edges of a day's cells; both begin at *start*."""
    x = action(constants, inputs)[LEAD:]
    cells = x.shape[0] - 1
    push = appearing(constants, inputs, CELL * jnp.arange(cells + 1.0)) / VG + inputs.flow
    lag = jnp.exp(-CELL / ALPHA)

    def cell(
        carry: tuple[Array, Array], now: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        g, ig = carry
        act, more, gb = now

        def solved(rho: Array) -> Array:
            a = (constants.sg + rho * act) * CELL
            small = jnp.abs(a) < 1e-6
            safe = jnp.where(small, 1.0, a)
            phi = jnp.where(small, 1.0 - a / 2.0, -jnp.expm1(-safe) / safe)
            return g * jnp.exp(-a) + CELL * phi * (constants.sg * gb + more)

        first = solved(rising(g, gb))
        nxt = jnp.clip(solved(rising(0.5 * (g + first), gb)), 10.0, 1000.0)
        slope = (nxt - g) / CELL
        ig = nxt - slope * ALPHA + (ig - g + slope * ALPHA) * lag
        return (nxt, ig), (nxt, ig)

    middle = 0.5 * (x[:-1] + x[1:])
    begin = start * jnp.ones_like(constants.sg)
    _, (g, ig) = jax.lax.scan(cell, (begin, begin), (middle, push, constants.gb))
    return jnp.concatenate([begin[None], g]), jnp.concatenate([begin[None], ig])
