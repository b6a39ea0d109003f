"""Where a controller's forecasts come from: the live twin, or a small model of many people at once that follows their CGM.

The twin's own effects of insulin are fitted to foresee and are too small to dose by (see `modules.supposed`), and a loop feeds
back what it does; so the second is a model of its own with the clinic's settings for effects: three compartments of
insulin, two of carbohydrate, glucose that returns slowly to a level, disturbances that come and go, sensitivity that drifts.
What is personal is learned online by an ensemble square-root filter (Whitaker & Hamill 2002), as in gemel.assimilate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array, Dose, Seed
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Trial
from gemel.packs.diabetes.control.seam import Foreseen

STEP: Time = 5 * MINUTE
AHEAD = 60
"""Columns after now: five hours."""

SIGNAL = "sensor.glucose"


def of_trial(trial: Trial, now: Time, steps: int = AHEAD) -> Foreseen:
    """Return what a live twin foretells: as usual, with one unit more now, and with ten grams more; their noise is shared."""
    begin = np.asarray(trial.dynamics.observe(trial.belief)["glucose"].mean, float)[:1].T

    def path(*doses: Dose) -> np.ndarray:
        return np.hstack([begin, np.asarray(trial(doses, steps * STEP, (SIGNAL,), STEP)[SIGNAL], float).T])

    usual, unit, grams = path(), path(Dose("supposed bolus", 1.0, now)), path(Dose("supposed carbs", 10.0, now))
    return Foreseen(usual, unit - usual, (grams - usual) / 10.0)


@dataclass(frozen=True)
class Body:
    """The model's numbers; spreads and walks (per 5 min) are of logarithms where no unit is told.

    Minutes: `insulin` and `meal` per compartment, `wears_off` for glucose to return to its level: medians of fits to 15 sampled
    synthetic subjects of S2013; `lag` of the sensor; `fast` and `slow` for disturbances to fade, `after` for exercise.
    mg/dL: `level` with its spread and walk, sensor `noise` with `noise_share` of glucose. mg/dL/min: `fast_sd`, `slow_sd`, of
    which forecasts carry the part `ahead`. Exercise: `uptake` mg/dL/min per bpm above rest, `gain` of insulin per bpm min.
    All but the medians are judgements, set on the same subjects.
    """

    members: int = 32
    insulin: float = 33.0
    insulin_sd: float = 0.2
    meal: float = 31.0
    meal_sd: float = 0.45
    wears_off: float = 308.0
    wears_off_sd: float = 0.5
    lag: float = 8.0
    level: float = 140.0
    level_sd: float = 15.0
    level_walk: float = 0.7
    sensitivity_sd: float = 0.25
    carbs_sd: float = 0.25
    walk: float = 0.012
    speed_walk: float = 0.006
    fast: float = 40.0
    fast_sd: float = 0.5
    slow: float = 240.0
    slow_sd: float = 0.15
    ahead: float = 0.6
    noise: float = 4.0
    noise_share: float = 0.06
    doubt: float = 3.0
    uptake: float = 0.008
    gain: float = 1.5e-4
    after: float = 480.0


BODY = Body()

LEARNED = ("glucose", "shown", "fast", "slow", "level", "sensitivity", "carbs", "speed", "eating", "wear")
"""What readings teach; the rest moves by doses alone. The last five are logarithms, 0 as the settings or `Body` say."""

DAYS = float(np.exp(-5.0 / (3 * 1440.0)))
"""How much of what was learned is left after five minutes: it is forgotten in days."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Given:
    """What happened in five minutes to n people, each (n,): U beyond the profile's basal, the profile's basal in U, g, and bpm
    above rest."""

    extra: Array
    usual: Array
    carbs: Array
    effort: Array


Values = dict[str, Array]


def _moved(own: Body, pace: Values, strength: tuple[Array, Array], x: Values, given: Given, noise: Array) -> Values:
    """Return the state five minutes later: *strength* (n, 1) mg/dL by U and by g, *noise* (2, n, member)."""
    out = [x[name] * (1 - pace["keep"]) for name in ("i1", "i2", "i3")]
    fed = [x[name] * (1 - pace["keep_meal"]) for name in ("c1", "c2")]
    lowers = strength[0] * jnp.exp(x["sensitivity"]) / pace["reach"]
    raises = strength[1] * jnp.exp(x["carbs"]) / pace["reach"]
    effort = given.effort[:, None]
    acting = out[2] + own.gain * x["work"] * (jnp.maximum(out[2], 0.0) + given.usual[:, None])
    drift = x["fast"] + x["slow"] - own.uptake * effort
    back = (x["glucose"] - x["level"]) * pace["back"]
    glucose = jnp.clip(x["glucose"] - lowers * acting + raises * fed[1] + 5.0 * drift - back, 20.0, 600.0)
    fade, fade_slow = np.exp(-5.0 / own.fast), np.exp(-5.0 / own.slow)
    return {
        **x,
        "glucose": glucose,
        "shown": x["shown"] + (1 - np.exp(-5.0 / own.lag)) * (glucose - x["shown"]),
        "fast": fade * x["fast"] + own.fast_sd * np.sqrt(1 - fade**2) * noise[0],
        "slow": fade_slow * x["slow"] + own.slow_sd * np.sqrt(1 - fade_slow**2) * noise[1],
        "i1": x["i1"] - out[0] + given.extra[:, None],
        "i2": x["i2"] + out[0] - out[1],
        "i3": x["i3"] + out[1] - out[2],
        "c1": x["c1"] - fed[0] + given.carbs[:, None],
        "c2": x["c2"] + fed[0] - fed[1],
        "work": x["work"] * np.exp(-5.0 / own.after) + 5.0 * effort,
    }


@partial(jax.jit, static_argnames=("count", "lag"))
def _effect(keep: Array, back: Array, strength: Array, count: int, lag: float) -> Array:
    """Return what one U or g given now adds to glucose, (n, member, 61): by *count* compartments, *strength* (60, n, 1) mg/dL."""

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


def _pace(own: Body, x: Values) -> Values:
    """Return the speeds of all members: shares kept in five minutes, and how glucose goes back."""
    return {
        "keep": jnp.exp(-5.0 / (own.insulin * jnp.exp(x["speed"]))),
        "keep_meal": jnp.exp(-5.0 / (own.meal * jnp.exp(x["eating"]))),
        "back": 1 - jnp.exp(-5.0 / (own.wears_off * jnp.exp(x["wear"]))),
        "reach": x["reach"],
    }


@partial(jax.jit, static_argnames="own")
def _reach(own: Body, x: Values) -> Array:
    """Return how far a unit reaches that would lower by 1 mg/dL at once: the clinic's factor is its greatest fall."""
    pace = _pace(own, {**x, "reach": x["wear"]})
    return _effect(pace["keep"], pace["back"], jnp.ones((AHEAD, x["wear"].shape[0], 1)), 3, own.lag).max(axis=-1)


def _walked(own: Body, x: Values, noise: Array) -> Values:
    """Return the state after five minutes of forgetting and walking, *noise* (6, n, member)."""
    walks = {"sensitivity": own.walk, "carbs": own.walk}
    moved = {
        name: DAYS * x[name] + walks.get(name, own.speed_walk) * noise[1 + k] for k, name in enumerate(LEARNED[5:])
    }
    return {**x, **moved, "level": own.level + DAYS * (x["level"] - own.level) + own.level_walk * noise[0]}


LIMITS = {
    "glucose": (20.0, 600.0),
    "shown": (20.0, 600.0),
    "fast": (-8.0, 8.0),
    "slow": (-8.0, 8.0),
    "level": (60.0, 250.0),
}
FACTORS = (-1.2, 1.2)


def _learnt(own: Body, x: Values, reading: Array) -> Values:
    """Learn from readings (n,) by a square-root update, NaN: none; one further off than `doubt` spreads is believed less."""
    there, mean = jnp.isfinite(reading), x["shown"].mean(axis=1)
    off = x["shown"] - mean[:, None]
    spread2 = off.var(axis=1, ddof=1)
    gap = jnp.where(there, reading, mean) - mean
    raised2 = jnp.maximum(own.noise**2 + (own.noise_share * mean) ** 2, (gap / own.doubt) ** 2 - spread2)
    total2 = spread2 + raised2
    shrink = jnp.where(there, 1 / (1 + jnp.sqrt(raised2 / total2)), 0.0)
    pull = gap[:, None] - shrink[:, None] * off

    def told(name: str) -> Array:
        value = x[name]
        gain = ((value - value.mean(axis=1, keepdims=True)) * off).sum(axis=1) / (own.members - 1) / total2
        return jnp.clip(value + gain[:, None] * pull, *LIMITS.get(name, FACTORS))

    return {**x, **{name: told(name) for name in LEARNED}}


@partial(jax.jit, static_argnames="own")
def _step(
    own: Body, strength: tuple[Array, Array], x: Values, given: Given, noise: Array, reading: Array, hourly: Array
) -> Values:
    """Return the state five minutes later, taught by a reading; reaches are reckoned anew where *hourly* says so."""
    moved = _moved(own, _pace(own, x), strength, x, given, noise[:2])
    x = _learnt(own, _walked(own, moved, noise[2:]), reading)
    return {**x, "reach": jax.lax.cond(hourly, lambda: _reach(own, x), lambda: x["reach"])}


@partial(jax.jit, static_argnames="own")
def _ahead(own: Body, hours: tuple[Array, Array, Array], x: Values, noise: Array) -> tuple[Array, Array, Array]:
    """Return glucose, change per U and per g, (n, member, 61); *hours* are strengths and the profile's basal, (60, n) each."""
    pace = _pace(own, x)

    def on(x: Values, now: tuple[Array, ...]) -> tuple[Values, Array]:
        factor, gram, usual, moves = now
        zero = jnp.zeros_like(usual)
        x = _moved(own, pace, (factor[:, None], gram[:, None]), x, Given(zero, usual, zero, zero), moves)
        return x, x["shown"]

    _, told = jax.lax.scan(on, x, (*hours, own.ahead * noise))
    path = jnp.moveaxis(jnp.concatenate([x["shown"][None], told]), 0, -1)
    lowers = jnp.exp(x["sensitivity"]) * (1 + own.gain * x["work"]) / pace["reach"]
    raises = jnp.exp(x["carbs"]) / pace["reach"]
    unit = -lowers[..., None] * _effect(pace["keep"], pace["back"], hours[0][..., None], 3, own.lag)
    gram = raises[..., None] * _effect(pace["keep_meal"], pace["back"], hours[1][..., None], 2, own.lag)
    return path, unit, gram


class Follower:
    """An ensemble for each of n people, kept in step with readings every 5 min; all arrays are (n, member).

    `sensitivity` (n, 24) mg/dL that a unit takes away at the most, `ratio` (n, 24) g per U, `basal` (n, 24) U/h, by hour from
    midnight; `glucose` (n,) mg/dL to begin with, NaN where it is not known.
    """

    def __init__(
        self, sensitivity: np.ndarray, ratio: np.ndarray, basal: np.ndarray, glucose: np.ndarray, seed: Seed,
        body: Body = BODY,
    ) -> None:  # fmt: skip
        self.body, self.seed, self.count = body, seed, len(basal)
        self._factor, self._gram, self._basal = sensitivity, sensitivity / ratio, basal
        own, shape = body, (self.count, body.members)
        z = np.random.default_rng([seed, 7]).standard_normal((9, *shape))
        z -= z.mean(axis=-1, keepdims=True)
        start = np.where(np.isnan(glucose), own.level, glucose)[:, None] + 10 * z[0]
        self.x = {
            "glucose": start, "shown": start, "fast": own.fast_sd * z[1], "slow": own.slow_sd * z[2],
            "level": own.level + own.level_sd * z[3], "sensitivity": own.sensitivity_sd * z[4],
            "carbs": own.carbs_sd * z[5], "speed": own.insulin_sd * z[6], "eating": own.meal_sd * z[7],
            "wear": own.wears_off_sd * z[8], **{name: np.zeros(shape) for name in ("i1", "i2", "i3", "c1", "c2", "work")},
        }  # fmt: skip
        self.x = {name: jnp.asarray(value, jnp.float32) for name, value in self.x.items()}
        self.x["reach"] = _reach(own, self.x)
        rng = np.random.default_rng([seed, 8])
        future = rng.standard_normal((AHEAD, 2, self.count, body.members // 2))
        future = np.concatenate([future, -future], axis=-1)[..., rng.permutation(body.members)]
        self._future = jnp.asarray(future, jnp.float32)
        self._steps = 0

    def _hours(self, at: Time, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return strengths of a U and a g, mg/dL, and the profile's basal, U in five minutes, over some steps, (step, n)."""
        hour = (at + np.arange(steps) * STEP) // HOUR % 24
        return self._factor[:, hour].T, self._gram[:, hour].T, self._basal[:, hour].T / 12

    def step(self, at: Time, given: Given, reading: np.ndarray) -> None:
        """Go on five minutes from *at* under what was *given*, then learn from a *reading* (n,) mg/dL, NaN: none."""
        rng = np.random.default_rng([self.seed, 9, at // STEP])
        noise = rng.standard_normal((8, self.count, self.body.members), np.float32)
        factor, gram, _ = self._hours(at, 1)
        self._steps += 1
        strength = factor[0][:, None], gram[0][:, None]
        self.x = _step(self.body, strength, self.x, given, noise, reading, self._steps % 12 == 0)

    def foresee(self, at: Time, carbs: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return glucose, change per U and change per g, each (n, member, 61), from *at* on under the profile's basal.

        *carbs* (n,) g announced just now are eaten.
        """
        x = self.x if carbs is None else {**self.x, "c1": self.x["c1"] + carbs[:, None]}
        path, unit, gram = _ahead(self.body, self._hours(at, AHEAD), x, self._future)
        return np.asarray(path), np.asarray(unit), np.asarray(gram)
