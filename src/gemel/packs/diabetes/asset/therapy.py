"""What a clinic would have set for a virtual subject: basal profile, carbohydrate ratio, correction factor, insulin of a day.

With the ratios of simglucose's table some subjects spend half of the time low. Ours are titrated on the subject's own model, in
the spirit of S2013's rules (10.1177/1932296813514502): after a usual meal glucose is back where it was, and never low on the way.
The rules' numbers are judgements.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from gemel.dynamics import Dose, Seed
from gemel.facts import MINUTE
from gemel.packs.diabetes.asset import sensitivity
from gemel.packs.diabetes.asset.individuals import parameters_of, subject
from gemel.packs.diabetes.asset.living import Habits, group_of, habits_of
from gemel.packs.diabetes.asset.sensitivity import STEPS, Varying
from gemel.packs.diabetes.asset.uva_padova import patient

TARGET = 120.0
"""mg/dL that corrections aim at."""

LEAD_STEPS = 18
"""Basal changes come 90 min before they are needed: insulin under the skin is slow."""

MEAL, LOWEST, BACK_STEP, FALL = 60.0, 85.0, 60, 40.0
"""A usual meal, g; the least glucose after it, mg/dL; when it is back, in steps (5 h); the fall that corrections are set on."""

RATIOS, UNITS = np.geomspace(0.35, 3.0, 28), np.geomspace(0.005, 0.15, 12)
"""What is tried: ratios in multiples of the table's, corrections in shares of a day's insulin."""


@dataclass(frozen=True, eq=False)
class Settings:
    """Arrays (subject, hour): `basal` U/h, `sensitivity` mg/dL per U, `ratio` g per U; `daily` (subject,) U; `target` mg/dL."""

    basal: np.ndarray
    sensitivity: np.ndarray
    ratio: np.ndarray
    daily: np.ndarray
    target: float = TARGET


def settings(
    names: Sequence[str], seed: Seed, model: str = "S2013", varying: Varying | None = None, titrated: bool = True
) -> Settings:
    """Return settings: the basal that holds basal glucose, ratio and factor titrated on *model* or as in simglucose's table.

    A person whose sensitivity varies through the day has all three set to the usual day; no clinic knows of day-to-day changes,
    and the settings do not.
    """
    rows = [_row(name, seed, model, varying, titrated) for name in names]
    basal, factor, ratio = (np.stack(column) for column in zip(*rows, strict=True))
    eaten = np.array([_eaten(habits_of(group_of(name))) for name in names])
    return Settings(basal, factor, ratio, basal.sum(axis=1) + eaten / ratio.mean(axis=1))


def _eaten(habits: Habits) -> float:
    """Return the carbohydrate of a usual day, g."""
    return habits.appetite * sum(serving.chance * serving.grams for serving in habits.servings)


def _row(
    name: str, seed: Seed, model: str, varying: Varying | None, titrated: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = parameters_of(name)
    logs = np.zeros(STEPS) if varying is None else sensitivity.pattern(varying, name, seed)
    dawn = (
        np.zeros(STEPS) if varying is None else sensitivity.usual_dawn(varying, name, seed) * sensitivity.dawn_shape()
    )
    need = np.roll(np.clip(1.0 + _extra(name, np.exp(logs), dawn), 0.3, 2.5), -LEAD_STEPS)
    hourly = np.exp(logs).reshape(24, -1).mean(axis=1)
    ratio, factor = titration(model, name) if titrated else (own["CR"], own["CF"])
    return _held(name) * need.reshape(24, -1).mean(axis=1), factor * hourly, ratio * hourly


def _held(name: str) -> float:
    """Return the U/h that hold basal glucose."""
    return parameters_of(name)["u2ss"] * parameters_of(name)["BW"] / 100.0


def _extra(name: str, factor: np.ndarray, dawn: np.ndarray) -> np.ndarray:
    """Return by what share of basal insulin must rise to hold basal glucose at a *factor* of sensitivity and a dawn."""
    own = parameters_of(name)
    reach = own["Vmx"] * own["Gtb"] / (own["Km0"] + own["Gtb"])
    missing = own["kp1"] * dawn - own["kp3"] * (factor - 1.0) * own["Ib"]
    return np.asarray(missing / (factor * (own["kp3"] + reach) * own["Ib"]))


def titration(model: str, name: str) -> tuple[float, float]:
    """Return ratio g/U and correction factor mg/dL per U of a subject as `titrated` finds them: from the table if it has them."""
    return _table().get((model, name)) or titrated(model, name)


@cache
def _table() -> Mapping[tuple[str, str], tuple[float, float]]:
    """Return what `titrated` found for the 30 subjects."""
    lines = files("gemel.packs.diabetes.asset").joinpath("titrations.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {(row["model"], row["name"]): (float(row["ratio"]), float(row["factor"])) for row in rows}


@cache
def titrated(model: str, name: str) -> tuple[float, float]:
    """Return carbohydrate ratio g/U and correction factor mg/dL per U of a subject, found by trying many at once.

    The ratio is the one that brings glucose nearest to basal five hours after a usual meal, of those after which it does not
    go low; the factor is the largest fall per unit after the bolus whose fall is nearest to 40 mg/dL.
    """
    own, grams = parameters_of(name), MEAL * habits_of(group_of(name)).appetite
    ratios, units = own["CR"] * RATIOS, own["TDI"] * UNITS
    plans = [[Dose("carbs", grams, 0), Dose("bolus", grams / ratio, 0)] for ratio in ratios]
    plans += [[Dose("bolus", unit, 0)] for unit in units]
    path = _tried(model, name, plans)
    meals, basal = path[:, : len(ratios)], own["Gpb"] / own["Vg"]
    falls = basal - path[:, len(ratios) :].min(axis=0)
    missed = np.abs(meals[BACK_STEP] - basal) + np.where(meals.min(axis=0) < LOWEST, 1000.0, 0.0)
    missed = np.where(missed.min() < 1000.0, missed, -ratios)
    chosen = int(np.argmin(np.abs(falls - FALL)))
    return float(ratios[int(np.argmin(missed))]), float(falls[chosen] / units[chosen])


def _tried(model: str, name: str, plans: Sequence[Sequence[Dose]]) -> np.ndarray:
    """Return blood glucose (time, plan) every 5 min over six hours, from basal."""
    dynamics = patient(model)
    belief = dynamics.prior([subject(name, model=model)], 1, 0).rows([0] * len(plans))
    held = [[*plan, Dose("basal", _held(name), 0)] for plan in plans]
    _, path = dynamics.advance(belief, held, belief.at + 360 * MINUTE, 0, record=("blood.glucose",))
    return np.asarray(path.values["blood.glucose"])[:, :, 0]
