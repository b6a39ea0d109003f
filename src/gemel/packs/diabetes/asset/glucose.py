"""Glucose in plasma, tissue and under the skin: Dalla Man et al. 2007 (10.1109/TBME.2007.893506), UVA/Padova S2008."""

from __future__ import annotations

import jax.numpy as jnp

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, State
from gemel.model.module import Values
from gemel.packs.diabetes.asset.individuals import own


def glucose() -> Module:
    """Return glucose in plasma and in tissue."""
    return Module(
        name="glucose",
        reads={"gut.appearance": "mg/kg/min", "action.uptake": "pmol/L", "action.production": "pmol/L"},
        states={
            "glucose.plasma": State("mg/kg", lambda p: p["Gpb"], low=0.0),
            "glucose.tissue": State("mg/kg", lambda p: p["Gtb"], low=0.0),
        },
        parameters=own("Vg", "Vmx", "Vm0", "Km0", "k1", "k2", "kp1", "kp2", "kp3", "Fsnc", "ke1", "ke2", "Gpb", "Gtb"),
        outputs={"blood.glucose": Output("mg/dL")},
        output=lambda v: {"blood.glucose": v["glucose.plasma"] / v["Vg"]},
        change=_exchange,
        balances={
            "glucose": Balance(
                ("glucose.plasma", "glucose.tissue"),
                lambda v: _production(v) + v["gut.appearance"],
                lambda v: v["Fsnc"] + _excretion(v) + _uptake(v),
            )
        },
    )


def _production(v: Values) -> Array:
    return jnp.maximum(v["kp1"] - v["kp2"] * v["glucose.plasma"] - v["kp3"] * v["action.production"], 0.0)


def _excretion(v: Values) -> Array:
    return v["ke1"] * jnp.maximum(v["glucose.plasma"] - v["ke2"], 0.0)


def _uptake(v: Values) -> Array:
    tissue = v["glucose.tissue"]
    return (v["Vm0"] + v["Vmx"] * v["action.uptake"]) * tissue / (v["Km0"] + tissue)


def _exchange(v: Values) -> Values:
    out, back = v["k1"] * v["glucose.plasma"], v["k2"] * v["glucose.tissue"]
    gained = _production(v) + v["gut.appearance"] - v["Fsnc"] - _excretion(v)
    return {"glucose.plasma": gained - out + back, "glucose.tissue": out - back - _uptake(v)}


def skin() -> Module:
    """Return subcutaneous glucose, which a sensor sits in and which simglucose reports as `BG`."""
    return Module(
        name="skin",
        reads={"glucose.plasma": "mg/kg", "Vg": "dL/kg"},
        states={"skin.plasma_equivalent": State("mg/kg", lambda p: p["Gpb"], low=0.0)},
        parameters=own("ksc"),
        outputs={"skin.glucose": Output("mg/dL", ("Vg",))},
        output=lambda v: {"skin.glucose": v["skin.plasma_equivalent"] / v["Vg"]},
        change=lambda v: {"skin.plasma_equivalent": v["ksc"] * (v["glucose.plasma"] - v["skin.plasma_equivalent"])},
    )
