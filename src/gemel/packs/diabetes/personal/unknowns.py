"""What is unknown of a person and of each of her days, in standard units of the population's spread.

Sources of medians and spreads: Cappon et al. 2023 (10.1109/TBME.2023.3286856) where the paper has them; the others are
judgements.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array
from gemel.packs.diabetes.personal.days import CELLS, MEALS, Day
from gemel.packs.diabetes.personal.equations import LEAD, Constants, Inputs, glucose

KNOTS = 6
"""Points of the day, 4 h apart, between which resting level and sensitivity go smoothly."""


@dataclass(frozen=True)
class Unknown:
    """How many of one kind, median and spread on its own line, unit of what it means, and source."""

    name: str
    mean: float
    sd: float
    count: int = 1
    source: str = "judgement"


PAPER = "10.1109/TBME.2023.3286856"
PERSON = (
    Unknown("gb", 140.0, 30.0),
    Unknown("gb.hour", 0.0, 20.0, KNOTS),
    Unknown("sg", -3.8, 0.5, source=PAPER),
    Unknown("p2", 0.11, 0.004, source=PAPER),
    Unknown("ka2", -4.2875, 0.4274, source=PAPER),
    Unknown("kd", 0.2, 1.0, source=PAPER),
    Unknown("kempt", -1.9646, 0.7069, source=PAPER),
    Unknown("kabs", -2.5, 1.0, source=PAPER),
    Unknown("beta", -1.5, 1.0, source=PAPER),
    Unknown("si", -6.9, 0.7, source=PAPER),
    Unknown("si.hour", 0.0, 0.3, KNOTS),
    Unknown("gain", 0.0, 0.5),
)
DAILY = (
    Unknown("gb.day", 0.0, 12.0),
    Unknown("si.day", 0.0, 0.2),
    Unknown("start", 0.0, 10.0),
    Unknown("kabs.meal", 0.0, 0.5, MEALS),
    Unknown("gain.meal", 0.0, 0.3, MEALS),
)


def width(of: tuple[Unknown, ...]) -> int:
    """Return how many numbers."""
    return sum(entry.count for entry in of)


def split(of: tuple[Unknown, ...], z: Array) -> dict[str, Array]:
    """Return values on their own lines, by name; those with one number without an axis for it."""
    found, at = {}, 0
    for entry in of:
        part = z[..., at : at + entry.count] * entry.sd + entry.mean
        found[entry.name] = part[..., 0] if entry.count == 1 else part
        at += entry.count
    return found


def by_hour(hour: np.ndarray) -> np.ndarray:
    """Return the weights (n, KNOTS) of the knots at hours of the day: raised cosines that add up to one."""
    apart = 24.0 / KNOTS
    off = (hour[:, None] - apart * np.arange(KNOTS) + 12.0) % 24.0 - 12.0
    return np.where(np.abs(off) < apart, 0.5 + 0.5 * np.cos(np.pi * off / apart), 0.0)


def arrays(day: Day) -> dict[str, np.ndarray]:
    """Return a day as the arrays that the model takes."""
    seen = np.flatnonzero(np.isfinite(day.glucose))
    start = float(day.glucose[seen[0]]) if len(seen) and seen[0] <= 12 else np.nan
    return {
        "insulin": day.insulin, "basal": np.array(day.basal), "meal_at": day.meal_at, "meal": day.meal,
        "hours": by_hour(day.hour), "start": np.array(start), "flow": np.zeros(CELLS),
    }  # fmt: skip


def constants(person: Array, daily: Array, hours: Array) -> Constants:
    """Return the constants of one day of a person."""
    p, d = split(PERSON, person), split(DAILY, daily)
    ka2, kempt = jnp.exp(p["ka2"]), jnp.exp(p["kempt"])
    gb = p["gb"] + d["gb.day"] + hours[LEAD:] @ p["gb.hour"]
    si = jnp.exp(p["si"] + d["si.day"] + hours @ p["si.hour"])
    share = jax.nn.sigmoid(p["kabs"] + d["kabs.meal"])
    return Constants(
        gb, jnp.exp(p["sg"]), p["p2"] ** 2, ka2, ka2 * (1.0 + jnp.exp(p["kd"])), kempt, si, kempt * share,
        60.0 * jax.nn.sigmoid(p["beta"]) * jnp.ones(MEALS), jnp.exp(p["gain"] + d["gain.meal"]),
    )  # fmt: skip


def replay(person: Array, daily: Array, day: dict[str, Array]) -> Array:
    """Return interstitial glucose (cell + 1,) mg/dL of one day."""
    found = constants(person, daily, day["hours"])
    start = jnp.where(jnp.isfinite(day["start"]), day["start"], found.gb[0]) + split(DAILY, daily)["start"]
    inputs = Inputs(day["insulin"], day["basal"], day["meal_at"], day["meal"], day["flow"])
    return glucose(found, inputs, start)[1]


def start() -> int:
    """Return where a day's `start` stands among its own unknowns."""
    return place("start")[0]


def place(name: str) -> tuple[int, float]:
    """Return where one of a day's own unknowns stands among them, or the first of several, and its spread."""
    before = [entry.name for entry in DAILY].index(name)
    return sum(entry.count for entry in DAILY[:before]), DAILY[before].sd
