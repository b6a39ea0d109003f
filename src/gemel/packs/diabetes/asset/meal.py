"""Eating, gastric emptying and absorption: Dalla Man et al. 2006 (10.1109/TBME.2006.883792), as in UVA/Padova S2008.

Emptying depends on `meal.size`: what the stomach held when the meal began plus what was eaten since. It changes at the
start of a minute, never within one, so it is set by the module's `jump`. Half-minute steps, because with b near 1 the
rate falls fourfold within a minute (child#007: 0.2 mg/dL off at a minute's step).
"""

from __future__ import annotations

import jax.numpy as jnp

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, State
from gemel.model.kernel import Stepped
from gemel.model.module import Values
from gemel.packs.diabetes.asset.individuals import own

EAT_RATE = 5.0
"""Grams of carbohydrate eaten per minute at most (jxx123/simglucose)."""


def meal() -> Module:
    """Return the module that turns carbohydrate on the plate into glucose appearing in plasma."""
    return Stepped(
        name="meal",
        scale="30 s",
        reads={"mouth.carbs": "g/min", "BW": "kg"},
        states={
            "meal.plate": State("g", 0.0, low=0.0),
            "meal.eating": State("g/min", 0.0, low=0.0),
            "meal.size": State("mg", 0.0, low=0.0),
            "stomach.solid": State("mg", 0.0, low=0.0),
            "stomach.liquid": State("mg", 0.0, low=0.0),
            "gut.glucose": State("mg", 0.0, low=0.0),
        },
        parameters=own("kabs", "kmax", "kmin", "b", "d", "f"),
        outputs={"gut.appearance": Output("mg/kg/min", ("BW",))},
        output=lambda v: {"gut.appearance": v["f"] * v["kabs"] * v["gut.glucose"] / v["BW"]},
        jump=_bite,
        change=_digest,
        balances={
            "carbohydrate": Balance(
                ("stomach.solid", "stomach.liquid", "gut.glucose"),
                lambda v: 1000.0 * v["meal.eating"],
                lambda v: v["kabs"] * v["gut.glucose"],
            )
        },
    )


def _bite(v: Values) -> Values:
    served = v["meal.plate"] + v["mouth.carbs"]
    bite = jnp.minimum(served, EAT_RATE)
    begins = (bite > 0.0) & (v["meal.eating"] <= 0.0)
    before = jnp.where(begins, v["stomach.solid"] + v["stomach.liquid"], v["meal.size"])
    return {"meal.plate": served - bite, "meal.eating": bite, "meal.size": before + 1000.0 * bite}


def _digest(v: Values) -> Values:
    ground = v["kmax"] * v["stomach.solid"]
    emptied = _emptying(v) * v["stomach.liquid"]
    return {
        "stomach.solid": 1000.0 * v["meal.eating"] - ground,
        "stomach.liquid": ground - emptied,
        "gut.glucose": emptied - v["kabs"] * v["gut.glucose"],
    }


def _emptying(v: Values) -> Array:
    """Return the rate constant of gastric emptying, 1/min: slowest when the stomach is half empty."""
    held, b, d = v["stomach.solid"] + v["stomach.liquid"], v["b"], v["d"]
    filled = held / jnp.where(v["meal.size"] > 0.0, v["meal.size"], 1.0)
    falling = jnp.tanh(2.5 * (filled - b) / (1.0 - b))
    rising = jnp.tanh(2.5 * (filled - d) / d)
    slowed = v["kmin"] + 0.5 * (v["kmax"] - v["kmin"]) * (falling - rising + 2.0)
    return jnp.where(v["meal.size"] > 0.0, slowed, v["kmax"])
