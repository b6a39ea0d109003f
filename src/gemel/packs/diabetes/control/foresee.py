"""Where a controller's forecasts come from: the live twin, or a small model of many people at once that follows their CGM.

The twin's own effects of insulin are fitted to foresee and are too small to dose by (see `modules.supposed`), and a loop feeds
back what it does; so the second is a model of its own (`body`) with the clinic's settings for effects. What is personal is
learned online by an ensemble square-root filter (Whitaker & Hamill 2002), as in gemel.assimilate.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array, Dose, Seed
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Trial
from gemel.packs.diabetes.control.body import AHEAD, BODY, Body, Given, Strength, Values, ahead, announced, moved, reach
from gemel.packs.diabetes.control.seam import Foreseen

STEP: Time = 5 * MINUTE

SIGNAL = "sensor.glucose"


def of_trial(trial: Trial, now: Time, steps: int = AHEAD) -> Foreseen:
    """Return what a live twin foretells: as usual, with one unit more now, and with ten grams more; their noise is shared."""
    begin = np.asarray(trial.dynamics.observe(trial.belief)["glucose"].mean, float)[:1].T

    def path(*doses: Dose) -> np.ndarray:
        return np.hstack([begin, np.asarray(trial(doses, steps * STEP, (SIGNAL,), STEP)[SIGNAL], float).T])

    usual, unit, grams = path(), path(Dose("supposed bolus", 1.0, now)), path(Dose("supposed carbs", 10.0, now))
    return Foreseen(usual, unit - usual, (grams - usual) / 10.0)


FACTS = ("glucose", "shown", "fast", "slow", "risen", "level", "c1", "c2")
TRAITS = ("sensitivity", "carbs", "speed", "eating", "wear")
"""What readings teach; the rest moves by doses alone. Traits are logarithms, 0 as the settings or `Body` say."""

EMPTY = ("i1", "i2", "i3", "c1", "c2", "work", "risen")
"""What is 0 at the beginning."""

DAYS = float(np.exp(-5.0 / (3 * 1440.0)))
"""How much of what was learned is left after five minutes: it is forgotten in days."""

LIMITS = {
    "glucose": (20.0, 600.0),
    "shown": (20.0, 600.0),
    "fast": (-8.0, 8.0),
    "slow": (-8.0, 8.0),
    "risen": (-100.0, 300.0),
    "level": (60.0, 250.0),
    "c1": (0.0, 1000.0),
    "c2": (0.0, 1000.0),
    **dict.fromkeys(TRAITS, (-1.2, 1.2)),
}


def _walked(own: Body, x: Values, noise: Array) -> Values:
    """Return the state after five minutes of forgetting and walking, *noise* (6, n, member)."""
    walks = {"sensitivity": own.walk, "carbs": own.walk}
    traits = {name: DAYS * x[name] + walks.get(name, own.speed_walk) * noise[1 + k] for k, name in enumerate(TRAITS)}
    return {**x, **traits, "level": own.level + DAYS * (x["level"] - own.level) + own.level_walk * noise[0]}


def _learnt(own: Body, x: Values, reading: Array) -> Values:
    """Learn from readings (n,) by a square-root update, NaN: none; one far off is believed less.

    A rise must be further off for that than a fall: nobody tells of every meal, and a sensor that fails mostly falls.
    """
    there, mean = jnp.isfinite(reading), x["shown"].mean(axis=1)
    off = x["shown"] - mean[:, None]
    spread2 = off.var(axis=1, ddof=1)
    gap = jnp.where(there, reading, mean) - mean
    doubt = jnp.where(gap > 0, own.doubt_rise, own.doubt)
    raised2 = jnp.maximum(own.noise**2 + (own.noise_share * mean) ** 2, (gap / doubt) ** 2 - spread2)
    total2 = spread2 + raised2
    shrink = jnp.where(there, 1 / (1 + jnp.sqrt(raised2 / total2)), 0.0)
    pull = gap[:, None] - shrink[:, None] * off

    def told(name: str) -> Array:
        value = x[name]
        gain = ((value - value.mean(axis=1, keepdims=True)) * off).sum(axis=1) / (own.members - 1) / total2
        return jnp.clip(value + gain[:, None] * pull, *LIMITS[name])

    return {**x, **{name: told(name) for name in (*FACTS, *TRAITS)}}


@partial(jax.jit, static_argnames="own")
def _step(
    own: Body, strength: Strength, x: Values, given: Given, noise: Array, reading: Array, hourly: Array
) -> Values:
    """Return the state five minutes later, taught by a reading; reaches are reckoned anew where *hourly* says so."""
    x = moved(own, strength, announced(own, strength, x, given.carbs), given, noise[:2])
    x = _learnt(own, _walked(own, x, noise[2:]), reading)
    return {**x, "reach": jax.lax.cond(hourly, lambda: reach(own, x), lambda: x["reach"])}


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
            "wear": own.wears_off_sd * z[8], **{name: np.zeros(shape) for name in EMPTY},
        }  # fmt: skip
        self.x = {name: jnp.asarray(value, jnp.float32) for name, value in self.x.items()}
        self.x["reach"] = reach(own, self.x)
        rng = np.random.default_rng([seed, 8])
        future = rng.standard_normal((AHEAD, 2, self.count, body.members // 2))
        future = np.concatenate([future, -future], axis=-1)[..., rng.permutation(body.members)]
        self._future = jnp.asarray(future, jnp.float32)
        self._steps = 0

    def _hours(self, at: Time, steps: int) -> tuple[Strength, np.ndarray]:
        """Return strengths (step, n, 1) and the profile's basal (step, n) U in five minutes, over some steps."""
        hour = (at + np.arange(steps) * STEP) // HOUR % 24
        strength = Strength(self._factor[:, hour].T[..., None], self._gram[:, hour].T[..., None])
        return strength, self._basal[:, hour].T / 12

    def step(self, at: Time, given: Given, reading: np.ndarray) -> None:
        """Go on five minutes from *at* under what was *given*, then learn from a *reading* (n,) mg/dL, NaN: none."""
        rng = np.random.default_rng([self.seed, 9, at // STEP])
        noise = rng.standard_normal((8, self.count, self.body.members), np.float32)
        hours, _ = self._hours(at, 1)
        self._steps += 1
        strength = Strength(hours.unit[0], hours.gram[0])
        self.x = _step(self.body, strength, self.x, given, noise, reading, self._steps % 12 == 0)

    def foresee(self, at: Time, carbs: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return glucose, change per U and change per g, each (n, member, 61), from *at* on under the profile's basal.

        *carbs* (n,) g announced just now are eaten.
        """
        strength, usual = self._hours(at, AHEAD)
        eaten = np.zeros(self.count) if carbs is None else carbs
        path, unit, gram = ahead(self.body, strength, usual, eaten, self.x, self._future)
        return np.asarray(path), np.asarray(unit), np.asarray(gram)
