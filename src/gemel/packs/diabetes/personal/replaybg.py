"""The posterior of a single day as Cappon et al. 2023 state it (10.1109/TBME.2023.3286856), and its mode: to compare with
peers.

Fifteen unknowns, white noise of 5 mg/dL, insulin sensitivity in three windows of the day, absorption for each kind of meal. The
densities are those of the paper on its own scales (SI by itself, most others by their logarithm); constraints hold by
transformation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array, Seed
from gemel.packs.diabetes.personal.double import double
from gemel.packs.diabetes.personal.equations import LEAD, VG, Constants, Inputs, glucose
from gemel.packs.diabetes.personal.solve import Solved, solve

NAMES = (
    "Gb", "SG", "p2", "ka2", "kd", "kempt", "SI_B", "SI_L", "SI_D", "kabs_L", "kabs_D", "kabs_S", "beta_L", "beta_D", "beta_S",
)  # fmt: skip
TRIAL, AT_ONCE = 10, 8
"""Steps that every start is given, and how many of them go on."""

NOISE = 5.0
"""Standard deviation of the sensor, mg/dL."""

START = np.array([0.0, -3.8, 0.11, -4.2875, 0.2, -1.9646, -6.9, -6.9, -6.9, -2.4, -2.4, -2.4, -1.0, -1.0, -1.0])
SPREAD = np.array([0.3, 0.5, 0.004, 0.43, 1.0, 0.7, 0.6, 0.6, 0.6, 1.2, 1.2, 1.2, 1.5, 1.5, 1.5])


@dataclass(frozen=True)
class OneDay:
    """A day in cells of 5 min: `glucose` (cell,) mg/dL, NaN where none; `insulin` (cell,) mU/kg/min; `window` (cell,) 0 to 2 for
    B, L, D; `meal_at` min, `meal` mg/kg and `kind` 0 to 2 for L, D, S of each meal; `basal` mU/kg/min in steady state."""

    glucose: np.ndarray
    insulin: np.ndarray
    window: np.ndarray
    meal_at: np.ndarray
    meal: np.ndarray
    kind: np.ndarray
    basal: float


def natural(z: Array) -> Array:
    """Return the fifteen unknowns from the free ones."""
    kempt = jnp.exp(z[5])
    return jnp.concatenate([
        jnp.stack([
            70.0 + 110.0 * jax.nn.sigmoid(z[0]), jnp.exp(z[1]), z[2] ** 2, jnp.exp(z[3]),
            jnp.exp(z[3]) * (1.0 + jnp.exp(z[4])), kempt,
        ]),
        jnp.exp(z[6:9]), kempt * jax.nn.sigmoid(z[9:12]), 60.0 * jax.nn.sigmoid(z[12:15]),
    ])  # fmt: skip


def minus_log_prior(x: Array) -> Array:
    """Return minus the log of the prior density of the fifteen unknowns."""

    def normal(value: Array, mean: float, sd: float) -> Array:
        return 0.5 * ((value - mean) / sd) ** 2 + jnp.log(sd * jnp.sqrt(2 * jnp.pi))

    si = x[6:9] * VG
    gamma = jax.scipy.special.gammaln(3.3) + 3.3 * jnp.log(5e-4) - 2.3 * jnp.log(si) + si / 5e-4
    logs = normal(jnp.log(x[9:12]), -5.4591, 1.4396)
    return (
        normal(x[0], 119.13, 7.11) + normal(jnp.log(x[1]), -3.8, 0.5) + normal(jnp.sqrt(x[2]), 0.11, 0.004)
        + normal(jnp.log(x[3]), -4.2875, 0.4274) + normal(jnp.log(x[4]), -3.5090, 0.6187) + normal(jnp.log(x[5]), -1.9646, 0.7069)
        + gamma.sum() + logs.sum() + 3 * jnp.log(60.0)
    )  # fmt: skip


def replay(x: Array, day: dict[str, Array]) -> Array:
    """Return interstitial glucose (cell,) mg/dL at the times of the readings."""
    cells = day["glucose"].shape[0]
    si = x[6:9][day["window"]]
    one = jnp.ones_like(x[0])
    constants = Constants(
        x[0] * jnp.ones(cells), x[1], x[2], x[3], x[4], x[5], jnp.concatenate([jnp.full(LEAD, si[0]), si]),
        x[9:12][day["kind"]], x[12:15][day["kind"]], jnp.full(day["meal"].shape, one),
    )  # fmt: skip
    insulin = jnp.concatenate([jnp.full(LEAD, day["basal"]), day["insulin"]])
    inputs = Inputs(insulin, day["basal"], day["meal_at"], day["meal"], jnp.zeros(cells))
    return glucose(constants, inputs, day["start"])[1][:-1]


def arrays(day: OneDay) -> dict[str, Any]:
    """Return a day as the arrays that `replay` takes; it starts at its first reading, in steady state."""
    first = day.glucose[np.isfinite(day.glucose)][0]
    return {**vars(day), "start": float(first)}


def minus_log_posterior(z: Array, day: dict[str, Array]) -> Array:
    """Return minus the log posterior, without the constant of the likelihood."""
    x = natural(z)
    return 0.5 * (_off(x, day) ** 2).sum() + minus_log_prior(x)


def _off(x: Array, day: dict[str, Array]) -> Array:
    seen = jnp.isfinite(day["glucose"])
    return jnp.where(seen, replay(x, day) - jnp.where(seen, day["glucose"], 0.0), 0.0) / NOISE


@cache
def _parts() -> tuple[Any, Any]:
    """Return, for many points at once: residuals with minus the log prior; those with the derivatives a step needs."""

    def value(z: Array, day: dict[str, Array]) -> tuple[Array, Array]:
        x = natural(z)
        return _off(x, day), minus_log_prior(x)

    def both(z: Array, day: dict[str, Array]) -> tuple[Array, ...]:
        prior = lambda at: minus_log_prior(natural(at))  # noqa: E731
        jac = jax.jacfwd(lambda at: _off(natural(at), day))(z)
        return (*value(z, day), jac, jax.grad(prior)(z), jax.hessian(prior)(z))

    return jax.jit(jax.vmap(value, (0, None))), jax.jit(jax.vmap(both, (0, None)))


@double
def mode(day: OneDay, seed: Seed, starts: int = 32, steps: int = 120) -> Solved:
    """Return the best of *starts* descents on the posterior of one day; after `TRIAL` steps only the best `AT_ONCE` go on."""
    rng = np.random.default_rng([seed, 15])
    begin = START + SPREAD * rng.standard_normal((starts, len(NAMES))) * (np.arange(starts) > 0)[:, None]
    value, both = _parts()
    told = arrays(day)

    def cost(z: np.ndarray) -> np.ndarray:
        off, prior = _batched(value, z, told)
        return np.asarray(0.5 * (off**2).sum(axis=1) + prior)

    def slopes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        off, _, jac, grad, hess = _batched(both, z, told)
        turned = np.swapaxes(jac, 1, 2)
        return (turned @ off[:, :, None])[:, :, 0] + grad, turned @ jac + hess

    tried = solve(cost, slopes, begin, TRIAL)
    return solve(cost, slopes, tried.points[np.argsort(tried.costs)[:AT_ONCE]], steps)


def _batched(function: Any, z: np.ndarray, day: dict[str, Any]) -> list[np.ndarray]:
    """Return the parts that *function* has for each point, computed `AT_ONCE` points at a time: one size is compiled."""
    rows = np.arange(-(-len(z) // AT_ONCE) * AT_ONCE) % len(z)
    parts = [function(z[r], day) for r in rows.reshape(-1, AT_ONCE)]
    return [np.concatenate(part)[: len(z)] for part in zip(*parts, strict=True)]
