"""Glucose as UVA/Padova S2013 has it (10.1177/1932296813514502): glucagon, more uptake in hypoglycaemia, varying sensitivity.

What differs from S2008 (`glucose.py`):
- production rises with glucagon and at dawn, and the effect of insulin varies in time (S2017, 10.1177/1932296818757747);
- uptake by insulin above basal is multiplied by 1 + risk below basal glucose. The risk is that of the same group's later twin
  (10.1109/TBME.2023.3286856: 10 r1 (ln(G)^r2 - ln(Gb)^r2)^2, constant below 60 mg/dL), which is continuous at basal glucose for
  everybody; Kovatchev's, taken literally, is not. It acts on insulin above basal only, else less insulin would produce glucose;
- exercise adds uptake with and without insulin (`exercise.py`).
"""

from __future__ import annotations

import jax.numpy as jnp

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, Parameter, State
from gemel.model.module import Values
from gemel.packs.diabetes.asset.individuals import own

RISK = "10.1109/TBME.2023.3286856"


def glucose() -> Module:
    """Return glucose in plasma and in tissue."""
    return Module(
        name="glucose",
        reads={
            "gut.appearance": "mg/kg/min", "action.uptake": "pmol/L", "action.production": "pmol/L", "Ib": "pmol/L",
            "glucagon.produced": "mg/kg/min", "exercise.uptake": "", "exercise.gain": "", "exercise.affinity": "L/pmol",
            "body.sensitivity": "", "body.dawn": "",
        },
        states={
            "glucose.plasma": State("mg/kg", lambda p: p["Gpb"], low=0.0),
            "glucose.tissue": State("mg/kg", lambda p: p["Gtb"], low=0.0),
        },
        parameters=own("Vg", "Vmx", "Vm0", "Km0", "k1", "k2", "kp1", "kp2", "kp3", "Fsnc", "ke1", "ke2", "Gpb", "Gtb")
        | {
            "risk.size": Parameter("", 1.4407, source=RISK),
            "risk.power": Parameter("", 0.8124, source=RISK),
            "risk.floor": Parameter("mg/dL", 60.0, source=RISK),
        },
        outputs={
            "blood.glucose": Output("mg/dL"),
            "blood.falling": Output(
                "mg/dL/min",
                ("gut.appearance", "glucagon.produced", "exercise.uptake", "exercise.gain", "exercise.affinity"),
            ),
        },
        output=lambda v: {
            "blood.glucose": v["glucose.plasma"] / v["Vg"],
            "blood.falling": -_exchange(v)["glucose.plasma"] / v["Vg"],
        },
        change=_exchange,
        balances={
            "glucose": Balance(
                ("glucose.plasma", "glucose.tissue"),
                lambda v: _production(v) + v["gut.appearance"],
                lambda v: v["Fsnc"] + _excretion(v) + _uptake(v),
            )
        },
    )  # fmt: skip


def _production(v: Values) -> Array:
    """Return production by the liver: less under glucose and insulin, more under glucagon and at dawn."""
    insulin = v["kp3"] * jnp.exp(v["body.sensitivity"]) * v["action.production"]
    driven = v["kp1"] * (1.0 + v["body.dawn"]) + v["glucagon.produced"]
    return jnp.maximum(driven - v["kp2"] * v["glucose.plasma"] - insulin, 0.0)


def _excretion(v: Values) -> Array:
    return v["ke1"] * jnp.maximum(v["glucose.plasma"] - v["ke2"], 0.0)


def _uptake(v: Values) -> Array:
    tissue, insulin = v["glucose.tissue"], v["action.uptake"] + v["Ib"]
    driven = v["action.uptake"] + v["exercise.gain"] * insulin + _risk(v) * jnp.maximum(v["action.uptake"], 0.0)
    most = v["Vm0"] * (1.0 + v["exercise.uptake"]) + v["Vmx"] * jnp.exp(v["body.sensitivity"]) * driven
    half = v["Km0"] * (1.0 - jnp.minimum(v["exercise.affinity"] * insulin, 0.5))
    return jnp.maximum(most, 0.0) * tissue / (half + tissue)


def _risk(v: Values) -> Array:
    """Return by what share uptake rises below basal glucose: 0 at and above it."""
    basal = v["Gpb"] / v["Vg"]
    at = jnp.clip(v["glucose.plasma"] / v["Vg"], jnp.minimum(v["risk.floor"], basal), basal)
    return 10.0 * v["risk.size"] * (jnp.log(at) ** v["risk.power"] - jnp.log(basal) ** v["risk.power"]) ** 2


def _exchange(v: Values) -> Values:
    out, back = v["k1"] * v["glucose.plasma"], v["k2"] * v["glucose.tissue"]
    gained = _production(v) + v["gut.appearance"] - v["Fsnc"] - _excretion(v)
    return {"glucose.plasma": gained - out + back, "glucose.tissue": out - back - _uptake(v)}
