"""The small model of many people at once that a controller doses by: its numbers, and how five minutes change it.

Three compartments of insulin, two of carbohydrate, glucose that returns slowly to a level, disturbances that come and go. What
a unit and a gram do comes from the clinic's settings. All arrays are (n, member) unless told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array

AHEAD = 60
"""Columns after now: five hours."""


@dataclass(frozen=True)
class Body:
    """The model's numbers; spreads and walks (per 5 min) are of logarithms where no unit is told.

    Minutes: `insulin` and `meal` per compartment, `wears_off` for glucose at `middle` to return to its level, `lag` of the
    sensor; `fast` and `slow` for disturbances to fade, `lingers` so much longer for a rise like a meal's, `after` for exercise;
    `told_late` by which carbohydrate was eaten before it is told, on average: exponential over the members.
    mg/dL: `level` with its spread and walk, sensor `noise` with `noise_share` of glucose. A reading is believed less from `doubt`
    spreads off on, or `doubt_rise` if above. mg/dL/min: `fast_sd`, `slow_sd`. Exercise: `uptake` mg/dL/min per bpm above rest,
    `gain` of insulin per bpm min. A unit lowers `strength` times what the settings say at `middle` mg/dL, and elsewhere as the
    `power` of glucose; the return to the level slows as the power `saturates`. A rise that nothing explains is remembered for
    `risen` minutes; beyond `sure` mg/dL it is the beginning of a meal that is announced late. What is `above` so many mg/dL
    now comes down sooner than what was followed says, by the share `sooner` within `soon` minutes. All are fits to what
    controllers did to sampled synthetic subjects of S2013, or judgements (docs/control.md).
    """

    members: int = 32
    insulin: float = 62.0
    insulin_sd: float = 0.2
    meal: float = 48.0
    meal_sd: float = 0.45
    told_late: float = 8.0
    wears_off: float = 140.0
    wears_off_sd: float = 0.5
    lag: float = 12.0
    level: float = 140.0
    level_sd: float = 15.0
    level_walk: float = 0.25
    sensitivity_sd: float = 0.25
    carbs_sd: float = 0.25
    walk: float = 0.012
    speed_walk: float = 0.006
    fast: float = 28.0
    lingers: float = 40.0
    fast_sd: float = 0.5
    slow: float = 180.0
    slow_sd: float = 0.1
    noise: float = 4.0
    noise_share: float = 0.06
    doubt: float = 3.0
    doubt_rise: float = 6.0
    uptake: float = 0.008
    gain: float = 1.5e-4
    after: float = 480.0
    strength: float = 0.87
    power: float = 0.3
    middle: float = 120.0
    saturates: float = 0.4
    risen: float = 60.0
    sure: float = 20.0
    sooner: float = 0.2
    soon: float = 70.0
    above: float = 180.0


BODY = Body()

Values = dict[str, Array]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Given:
    """What happened in five minutes to n people, each (n,): U beyond the profile's basal, the profile's basal in U, g, and bpm
    above rest."""

    extra: Array
    usual: Array
    carbs: Array
    effort: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Strength:
    """What the settings say that a unit lowers and a gram raises at the most, mg/dL, (n, 1) or with time in front."""

    unit: Array
    gram: Array


def moved(own: Body, strength: Strength, x: Values, given: Given, noise: Array) -> Values:
    """Return the state five minutes later, carbohydrate aside; *noise* (2, n, member)."""
    pace = pace_of(own, x)
    out = [x[name] * (1 - pace["keep"]) for name in ("i1", "i2", "i3")]
    fed = [x[name] * (1 - pace["keep_meal"]) for name in ("c1", "c2")]
    lowers, raises = _rates(own, strength, x)
    effort = given.effort[:, None]
    acting = out[2] + own.gain * x["work"] * (jnp.maximum(out[2], 0.0) + given.usual[:, None])
    drift = x["fast"] + x["slow"] - own.uptake * effort
    back = (x["glucose"] - x["level"]) * pace["back"] * (own.middle / x["glucose"]) ** own.saturates
    glucose = x["glucose"] - lowers * _more(own, x) * acting + raises * fed[1] + 5.0 * drift - back
    glucose = jnp.clip(glucose, 20.0, 600.0)
    spread, fade_slow = own.fast_sd * np.sqrt(1 - np.exp(-10.0 / own.fast)), np.exp(-5.0 / own.slow)
    return {
        **x,
        "glucose": glucose,
        "shown": x["shown"] + (1 - np.exp(-5.0 / own.lag)) * (glucose - x["shown"]),
        "fast": _lasting(own, x) * x["fast"] + spread * noise[0],
        "slow": fade_slow * x["slow"] + own.slow_sd * np.sqrt(1 - fade_slow**2) * noise[1],
        "risen": x["risen"] * np.exp(-5.0 / own.risen) + 5.0 * drift,
        "i1": x["i1"] - out[0] + given.extra[:, None],
        "i2": x["i2"] + out[0] - out[1],
        "i3": x["i3"] + out[1] - out[2],
        "c1": x["c1"] - fed[0],
        "c2": x["c2"] + fed[0] - fed[1],
        "work": x["work"] * np.exp(-5.0 / own.after) + 5.0 * effort,
    }


def _lasting(own: Body, x: Values) -> Array:
    """Return the part of the fast disturbance that is left after five minutes: more of a rise that looks like a meal's."""
    alike = jnp.clip(x["risen"].mean(axis=1, keepdims=True) / own.sure - 0.5, 0.0, 1.0)
    return jnp.exp(-5.0 / (own.fast + own.lingers * alike * (x["fast"] > 0)))


_AGES = np.linspace(0.0, 4.0, 81)
_COME = 1 - (1 + _AGES) * np.exp(-_AGES)
"""The part of a meal that has come, by how long ago it was eaten in times of a compartment."""
LATEST = float(np.interp(0.9, _COME, _AGES))
"""How long ago a meal that is announced now was eaten at the most: a tenth is still to come."""


def announced(own: Body, strength: Strength, x: Values, grams: Array) -> Values:
    """Return the state after *grams* (n,) were announced.

    What rose unexplained shortly before is taken as their beginning: they were eaten so long ago that so much has already come,
    and the disturbances lose what the meal now explains. Else a late bolus would meet the same carbohydrate twice. How long
    before its telling the rest of a meal was eaten differs between members, for readings to choose from.
    """
    eaten, (_, raises) = grams[:, None], _rates(own, strength, x)
    come = jnp.maximum(x["risen"] - own.sure, 0.0) / raises / jnp.maximum(eaten, 1.0)
    age = jnp.minimum(jnp.interp(come, _COME, _AGES) + own.told_late / own.meal * _waits(own), LATEST)
    first, second = eaten * jnp.exp(-age), eaten * age * jnp.exp(-age)
    flow = second * (1 - pace_of(own, x)["keep_meal"]) * raises / 5.0
    fast = jnp.minimum(flow, jnp.maximum(x["fast"], 0.0))
    slow = jnp.minimum(flow - fast, jnp.maximum(x["slow"], 0.0))
    risen = jnp.where(eaten > 0, 0.0, x["risen"])
    return {**x, "c1": x["c1"] + first, "c2": x["c2"] + second, "fast": x["fast"] - fast, "slow": x["slow"] - slow,
            "risen": risen}  # fmt: skip


def _waits(own: Body) -> np.ndarray:
    """Return exponential quantiles of mean 1, one for each member (member,), in an order that nothing else of theirs follows."""
    quantiles = -np.log1p(-(np.arange(own.members) + 0.5) / own.members)
    return np.random.default_rng(5).permutation(quantiles)


def _rates(own: Body, strength: Strength, x: Values) -> tuple[Array, Array]:
    """Return by how much a unit lowers and a gram raises once it acts, mg/dL."""
    lowers = own.strength * strength.unit * jnp.exp(x["sensitivity"]) / x["reach"]
    return lowers, strength.gram * jnp.exp(x["carbs"]) / x["reach"]


def _more(own: Body, x: Values) -> Array:
    """Return how many times as much insulin does at this glucose as at the middle."""
    return (x["glucose"] / own.middle) ** own.power


def pace_of(own: Body, x: Values) -> Values:
    """Return the speeds of all members: shares kept in five minutes, and how glucose goes back."""
    return {
        "keep": jnp.exp(-5.0 / (own.insulin * jnp.exp(x["speed"]))),
        "keep_meal": jnp.exp(-5.0 / (own.meal * jnp.exp(x["eating"]))),
        "back": 1 - jnp.exp(-5.0 / (own.wears_off * jnp.exp(x["wear"]))),
    }


@partial(jax.jit, static_argnames=("count", "lag"))
def _effect(keep: Array, back: Array, strength: Array, count: int, lag: float) -> Array:
    """Return what one U or g given now adds to glucose, (n, member, 61): by *count* compartments, *strength* (60, ...) mg/dL."""

    def on(state: tuple[Array, ...], much: Array) -> tuple[tuple[Array, ...], Array]:
        *depots, total, shown = state
        out = [amount * (1 - keep) for amount in depots]
        total = total - total * back + much * out[-1]
        shown = shown + (1 - np.exp(-5.0 / lag)) * (total - shown)
        depots = [a - o + i for a, o, i in zip(depots, out, [0.0, *out[:-1]], strict=True)]
        return (*depots, total, shown), shown

    zero = jnp.zeros_like(keep)
    _, told = jax.lax.scan(on, (jnp.ones_like(keep), *[zero] * (count + 1)), strength)
    return jnp.moveaxis(jnp.concatenate([zero[None], told]), 0, -1)


@partial(jax.jit, static_argnames="own")
def reach(own: Body, x: Values) -> Array:
    """Return how far a unit reaches that would lower by 1 mg/dL at once: the clinic's factor is its greatest fall."""
    pace = pace_of(own, x)
    return _effect(pace["keep"], pace["back"], jnp.ones((AHEAD, x["wear"].shape[0], 1)), 3, own.lag).max(axis=-1)


def _sooner(own: Body, path: Array) -> Array:
    """Return a forecast (n, member, 61) less what high glucose was seen to come down sooner: a meal that raised it ends."""
    high = jnp.maximum(path[..., :1] - own.above, 0.0)
    return path - own.sooner * high * (1 - np.exp(-5.0 * np.arange(AHEAD + 1) / own.soon))


@partial(jax.jit, static_argnames="own")
def ahead(
    own: Body, strength: Strength, usual: Array, carbs: Array, x: Values, noise: Array
) -> tuple[Array, Array, Array]:
    """Return glucose, change per U and per g, (n, member, 61), under the profile's basal.

    *strength* is (60, n, 1), *usual* (60, n) U in five minutes, *carbs* (n,) g announced now, *noise* (60, 2, n, member).
    """
    now = Strength(strength.unit[0], strength.gram[0])
    x, pace = announced(own, now, x, carbs), pace_of(own, x)

    def on(x: Values, now: tuple[Strength, Array, Array]) -> tuple[Values, tuple[Array, Array]]:
        hourly, usual, moves = now
        zero = jnp.zeros_like(usual)
        x = moved(own, hourly, x, Given(zero, usual, zero, zero), moves)
        return x, (x["shown"], _more(own, x))

    _, (told, more) = jax.lax.scan(on, x, (strength, usual, noise))
    path = _sooner(own, jnp.moveaxis(jnp.concatenate([x["shown"][None], told]), 0, -1))
    lowers, raises = _rates(own, Strength(jnp.ones(()), jnp.ones(())), x)
    lowers = lowers * (1 + own.gain * x["work"])
    unit = -lowers[..., None] * _effect(pace["keep"], pace["back"], strength.unit * more, 3, own.lag)
    gram = raises[..., None] * _effect(pace["keep_meal"], pace["back"], strength.gram, 2, own.lag)
    return path, unit, gram
