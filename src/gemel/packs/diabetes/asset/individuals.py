"""The 30 virtual subjects of UVA/Padova S2008, and new ones drawn from their spread."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from gemel.dynamics import Subject
from gemel.errors import unknown
from gemel.facts import Time
from gemel.model import Parameter
from gemel.packs.diabetes.asset.keyed import keyed

GROUPS = ("adult", "adolescent", "child")

UNITS = {
    "BW": "kg", "Gpb": "mg/kg", "Gtb": "mg/kg", "Ipb": "pmol/kg", "Ilb": "pmol/kg", "Ib": "pmol/L",
    "isc1ss": "pmol/kg", "isc2ss": "pmol/kg", "kabs": "1/min", "kmax": "1/min", "kmin": "1/min", "b": "", "d": "",
    "Vg": "dL/kg", "Vi": "L/kg", "Vmx": "mg/kg/min/(pmol/L)", "Vm0": "mg/kg/min", "Km0": "mg/kg", "k1": "1/min",
    "k2": "1/min", "p2u": "1/min", "ki": "1/min", "kp1": "mg/kg/min", "kp2": "1/min", "kp3": "mg/kg/min/(pmol/L)",
    "m1": "1/min", "m2": "1/min", "m4": "1/min", "m30": "1/min", "kd": "1/min", "ka1": "1/min", "ka2": "1/min",
    "ksc": "1/min", "u2ss": "pmol/kg/min",
}  # fmt: skip
"""The individual parameters, in the letters of 10.1177/193229680900300106."""

FIXED = {"f": (0.9, ""), "ke1": (0.0005, "1/min"), "ke2": (339.0, "mg/kg"), "Fsnc": (1.0, "mg/kg/min")}
"""Parameters that all 30 subjects share."""

RESPONSE, RESPONSE_SD = 0.05, 1.1
"""Response of glucagon, pg/mL/min per mg/dL below basal, and its spread between persons on a log scale: see `glucagon.py`."""

THERAPY = ("CR", "CF", "Age", "TDI")
"""Carbohydrate ratio g/U, correction factor mg/dL per U, age in years, insulin per day in U."""

WIDER, AGES = 1.5, 1.15
"""By what a synthetic subject may be beyond the lowest and highest published of its group, and how old: judgements.

An absorption (kabs) above 5.6/min would be more than the half minutes of `meal` can follow; the highest published is 1.2.
"""

SOURCE = "jxx123/simglucose 0.2.11 (MIT), table of 10.1177/193229680900300106"


@cache
def table() -> Mapping[str, Mapping[str, float]]:
    """Return parameters and therapy of each subject by name."""
    lines = files("gemel.packs.diabetes.asset").joinpath("subjects.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row.pop("name"): {key: float(value) for key, value in row.items()} for row in rows}


def own(*names: str) -> dict[str, Parameter]:
    """Return the parameters of those *names*: the mean adult, replaced by a subject's attributes."""
    return {name: _parameter(name) for name in names}


def _parameter(name: str) -> Parameter:
    if name in FIXED:
        value, unit = FIXED[name]
        return Parameter(unit, value, source=SOURCE)
    mean = float(np.mean([row[name] for subject, row in table().items() if subject.startswith("adult")]))
    return Parameter(UNITS[name], mean, individual=True, source=SOURCE)


def subjects() -> tuple[str, ...]:
    """Return the names of the 30 subjects: adolescent#001 … adult#001 … child#010."""
    return tuple(table())


def parameters_of(name: str) -> Mapping[str, float]:
    """Return parameters and therapy of a subject of the table, or of a synthetic one (`child~7`, see `sample`)."""
    if name in table():
        return table()[name]
    group, _, number = name.partition("~")
    if group in GROUPS and number.isdigit():
        return _synthetic(group, int(number))
    raise unknown("virtual subject", name, [*table(), *(f"{group}~N" for group in GROUPS)])


def subject(name: str, born: Time = 0, id: str | None = None, model: str = "S2008") -> Subject:
    """Return the subject of that *name* for `Dynamics.prior`, its parameters as attributes; those of S2013 only if asked for."""
    values = parameters_of(name)
    own = {letter: values[letter] for letter in UNITS}
    return Subject(id or name, born, own if model == "S2008" else own | _counter_regulation(name))


def _counter_regulation(name: str) -> dict[str, float]:
    """Return how strongly this person's glucagon answers, pg/mL/min per mg/dL: drawn by name, no table of it is public."""
    spread = RESPONSE_SD * float(keyed(2013, name, "glucagon response").standard_normal())
    return {"glucagon.response": RESPONSE * float(np.exp(np.clip(spread, -2.0 * RESPONSE_SD, 2.0 * RESPONSE_SD)))}


def sample(group: str, count: int, first: int = 0) -> tuple[str, ...]:
    """Return names of *count* synthetic subjects of a group: `child~0` is always the same person."""
    if group not in GROUPS:
        raise unknown("group", group, GROUPS)
    return tuple(f"{group}~{number}" for number in range(first, first + count))


def is_synthetic(name: str) -> bool:
    """Return whether *name* was drawn here, not published."""
    return "~" in name


_FREE = (
    "BW", "kabs", "kmax", "kmin", "Vg", "Vi", "Vmx", "Km0", "k1", "k2", "p2u", "ki", "kp2", "kp3", "m1", "m2",
    "kd", "ka1", "ka2", "ksc", "Ib", *THERAPY,
)  # fmt: skip
_FRACTIONS = ("b", "d")


@cache
def _fit(group: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and centred rows of a group on the scale on which it is taken as normal: log, or logit."""
    rows = [_scaled(row) for name, row in table().items() if name.startswith(group + "#")]
    mean = np.mean(rows, axis=0)
    return mean, np.asarray(rows) - mean


def _scaled(row: Mapping[str, float]) -> np.ndarray:
    basal_glucose = row["Gpb"] / row["Vg"]
    produced = row["kp1"] - row["kp2"] * row["Gpb"] - row["kp3"] * row["Ib"] - FIXED["Fsnc"][0]
    logs = np.log([*(row[name] for name in _FREE), basal_glucose, produced])
    odds = [_odds(name, row[name]) for name in _FRACTIONS]
    return np.concatenate([logs, np.log(odds)])


@cache
def bounds(group: str) -> Mapping[str, tuple[float, float]]:
    """Return the least and the most that each parameter of a synthetic subject of a group may be; of fractions, their odds."""
    rows = [row for name, row in table().items() if name.startswith(group + "#")]
    found = {}
    for letter in rows[0]:
        values, wider = [_odds(letter, row[letter]) for row in rows], AGES if letter == "Age" else WIDER
        found[letter] = (min(values) / wider, max(values) * wider)
    return found


def plausible(group: str, person: Mapping[str, float]) -> bool:
    """Return whether each parameter of a person is within the bounds of a group."""
    return all(low <= _odds(letter, person[letter]) <= high for letter, (low, high) in bounds(group).items())


def _odds(letter: str, value: float) -> float:
    return value / (1.0 - value) if letter in _FRACTIONS else value


@cache
def _synthetic(group: str, number: int) -> Mapping[str, float]:
    """Return a person drawn from the log-normal fit to the ten of a group (its covariance has rank 9), in balance.

    Who is beyond the group's bounds is drawn again: whoever is within them stays who she was before there were any.
    """
    mean, spread = _fit(group)
    rng = np.random.default_rng([GROUPS.index(group), number, 2008])
    while True:
        drawn = mean + rng.standard_normal(len(spread)) @ spread / np.sqrt(len(spread) - 1)
        free = dict(zip(_FREE, np.exp(drawn), strict=False))
        odds = np.exp(drawn[-len(_FRACTIONS) :])
        free |= dict(zip(_FRACTIONS, odds / (1.0 + odds), strict=True))
        basal_glucose, produced = np.exp(drawn[len(_FREE) : len(_FREE) + 2])
        person = balanced(free, float(basal_glucose), float(produced) + FIXED["Fsnc"][0])
        if person["Gpb"] < FIXED["ke2"][0] and plausible(group, person):
            return {name: float(value) for name, value in person.items()}


def balanced(free: Mapping[str, float], basal_glucose: float, basal_production: float) -> dict[str, float]:
    """Return *free* with the parameters that follow from a steady state at those mg/dL and mg/kg/min."""
    p = dict(free)
    p["m4"], p["m30"] = 0.4 * p["m2"], 1.5 * p["m1"]
    p["Ipb"], p["Gpb"] = p["Ib"] * p["Vi"], basal_glucose * p["Vg"]
    p["Ilb"] = p["m2"] * p["Ipb"] / (p["m1"] + p["m30"])
    p["u2ss"] = (p["m2"] + p["m4"]) * p["Ipb"] - p["m1"] * p["Ilb"]
    p["isc1ss"] = p["u2ss"] / (p["ka1"] + p["kd"])
    p["isc2ss"] = p["kd"] * p["isc1ss"] / p["ka2"]
    p["kp1"] = basal_production + p["kp2"] * p["Gpb"] + p["kp3"] * p["Ib"]
    p["Gtb"] = (FIXED["Fsnc"][0] + p["k1"] * p["Gpb"] - basal_production) / p["k2"]
    p["Vm0"] = (basal_production - FIXED["Fsnc"][0]) * (p["Km0"] + p["Gtb"]) / p["Gtb"]
    return p
