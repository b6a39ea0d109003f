"""Glucagon: secretion, kinetics, action and injection, the structure of UVA/Padova S2013 (10.1177/1932296813514502).

The paper's constants are not published (its table is not at hand, and other open programs guess them). Ours are judgements,
set so that the model does what was measured: basal 60 pg/mL (figure 5 there), half-life in plasma 5.2 min and absorption
under the skin (10.1089/dia.2013.0150), and in type 1 diabetes a rise of 18 pg/mL in hypoglycaemia, a quarter of people
below 7 and a quarter above 32 (10.2337/dc12-1697), where healthy people have more than twice as much.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, Parameter, State
from gemel.model.module import Values
from gemel.packs.diabetes.asset.individuals import RESPONSE

JUDGED = "judgement, see glucagon.py"

PARAMETERS = {
    "glucagon.basal": Parameter("pg/mL", 60.0, source="10.1177/1932296813514502, figure 5"),
    "glucagon.clearance": Parameter("1/min", math.log(2.0) / 5.2, source="half-life of 5.2 min, 10.1089/dia.2013.0150"),
    "glucagon.delay": Parameter("1/min", 0.1, source=JUDGED),
    "glucagon.response": Parameter("1/min", RESPONSE, individual=True, source=f"10.2337/dc12-1697 with a {JUDGED}"),
    "glucagon.rate_response": Parameter("", 0.5, source=JUDGED),
}  # fmt: skip
"""`response` in pg/mL/min per mg/dL below basal, which differs between persons as the quartiles 7 and 32 pg/mL of
10.2337/dc12-1697 say; `rate_response` in pg/mL per mg/dL that glucose falls."""


def plasma_glucagon() -> Module:
    """Return secretion and plasma: more when glucose is below basal or falls, less of it under much insulin."""
    return Module(
        name="glucagon",
        reads={
            "blood.glucose": "mg/dL", "blood.falling": "mg/dL/min", "insulin.concentration": "pmol/L", "Ib": "pmol/L",
            "Gpb": "mg/kg", "Vg": "dL/kg", "rescue.appearance": "pg/mL/min",
        },
        states={
            "glucagon.plasma": State("pg/mL", lambda p: p["glucagon.basal"], low=0.0),
            "glucagon.static": State("pg/mL/min", lambda p: p["glucagon.basal"] * p["glucagon.clearance"], low=0.0),
        },
        parameters=PARAMETERS,
        change=lambda v: {
            "glucagon.plasma": _secreted(v) + v["rescue.appearance"] - v["glucagon.clearance"] * v["glucagon.plasma"],
            "glucagon.static": v["glucagon.delay"] * (_called_for(v) - v["glucagon.static"]),
        },
        balances={
            "glucagon": Balance(
                ("glucagon.plasma",),
                lambda v: _secreted(v) + v["rescue.appearance"],
                lambda v: v["glucagon.clearance"] * v["glucagon.plasma"],
            )
        },
    )  # fmt: skip


def _secreted(v: Values) -> Array:
    return v["glucagon.static"] + v["glucagon.rate_response"] * jnp.maximum(v["blood.falling"], 0.0)


def _called_for(v: Values) -> Array:
    """Return the static secretion glucose and insulin call for; insulin counts from basal on, in multiples of basal."""
    below = v["Gpb"] / v["Vg"] - v["blood.glucose"]
    held_down = 1.0 + jnp.maximum(v["insulin.concentration"] / v["Ib"] - 1.0, 0.0)
    called = v["glucagon.response"] * below / held_down
    return jnp.maximum(v["glucagon.basal"] * v["glucagon.clearance"] + called, 0.0)


def glucagon_action() -> Module:
    """Return the delayed effect of glucagon above basal on production by the liver, mg/kg/min."""
    return Module(
        name="glucagon action",
        reads={"glucagon.plasma": "pg/mL", "glucagon.basal": "pg/mL"},
        states={"glucagon.remote": State("pg/mL", 0.0, low=0.0)},
        parameters={
            "glucagon.onset": Parameter("1/min", 0.05, source=JUDGED),
            "glucagon.effect": Parameter("mg/kg/min/(pg/mL)", 0.02, source=JUDGED),
            "glucagon.half": Parameter("pg/mL", 250.0, source="S2013 is linear: judgement, from 10.2337/dc14-0803"),
        },
        outputs={"glucagon.produced": Output("mg/kg/min")},
        output=lambda v: {
            "glucagon.produced": v["glucagon.effect"]
            * v["glucagon.remote"]
            / (1.0 + v["glucagon.remote"] / v["glucagon.half"])
        },
        change=lambda v: {
            "glucagon.remote": v["glucagon.onset"]
            * (jnp.maximum(v["glucagon.plasma"] - v["glucagon.basal"], 0.0) - v["glucagon.remote"])
        },
    )


def glucagon_depot() -> Module:
    """Return injected glucagon on its way from under the skin to plasma; some of it is lost in the first compartment."""
    return Module(
        name="glucagon depot",
        reads={"rescue.glucagon": "mg/min", "BW": "kg"},
        states={"rescue.first": State("ng/kg", 0.0, low=0.0), "rescue.second": State("ng/kg", 0.0, low=0.0)},
        parameters={
            "rescue.onward": Parameter("1/min", 0.02, source=JUDGED),
            "rescue.lost": Parameter("1/min", 0.04, source=JUDGED),
            "rescue.absorption": Parameter("1/min", 0.2, source="10.1089/dia.2013.0150, by LoopInsighT1"),
            "rescue.volume": Parameter("mL/kg", 250.0, source="a quarter of body weight: judgement"),
        },
        outputs={"rescue.appearance": Output("pg/mL/min")},
        output=lambda v: {
            "rescue.appearance": 1000.0 * v["rescue.absorption"] * v["rescue.second"] / v["rescue.volume"]
        },
        change=lambda v: {
            "rescue.first": _injected(v) - (v["rescue.onward"] + v["rescue.lost"]) * v["rescue.first"],
            "rescue.second": v["rescue.onward"] * v["rescue.first"] - v["rescue.absorption"] * v["rescue.second"],
        },
        balances={
            "injected glucagon": Balance(
                ("rescue.first", "rescue.second"),
                _injected,
                lambda v: v["rescue.lost"] * v["rescue.first"] + v["rescue.absorption"] * v["rescue.second"],
            )
        },
    )


def _injected(v: Values) -> Array:
    return v["rescue.glucagon"] * 1e6 / v["BW"]
