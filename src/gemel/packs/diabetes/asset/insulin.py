"""Insulin from the pump to its action: Dalla Man et al. 2007 (10.1109/TBME.2007.893506), as in UVA/Padova S2008."""

from __future__ import annotations

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, State
from gemel.model.module import Values
from gemel.packs.diabetes.asset.individuals import own

PMOL_PER_UNIT = 6000.0


def depot() -> Module:
    """Return two subcutaneous compartments between pump and plasma."""
    return Module(
        name="depot",
        reads={"pump.bolus": "U/min", "pump.basal": "U/min", "BW": "kg"},
        states={
            "depot.first": State("pmol/kg", lambda p: p["isc1ss"], low=0.0),
            "depot.second": State("pmol/kg", lambda p: p["isc2ss"], low=0.0),
        },
        parameters=own("kd", "ka1", "ka2", "isc1ss", "isc2ss"),
        outputs={"depot.appearance": Output("pmol/kg/min")},
        output=lambda v: {"depot.appearance": v["ka1"] * v["depot.first"] + v["ka2"] * v["depot.second"]},
        change=lambda v: {
            "depot.first": _infused(v) - (v["ka1"] + v["kd"]) * v["depot.first"],
            "depot.second": v["kd"] * v["depot.first"] - v["ka2"] * v["depot.second"],
        },
        balances={
            "injected insulin": Balance(("depot.first", "depot.second"), _infused, lambda v: v["depot.appearance"])
        },
    )


def _infused(v: Values) -> Array:
    return (v["pump.bolus"] + v["pump.basal"]) * PMOL_PER_UNIT / v["BW"]


def plasma_insulin() -> Module:
    """Return insulin in plasma and liver."""
    return Module(
        name="plasma insulin",
        reads={"depot.appearance": "pmol/kg/min"},
        states={
            "insulin.plasma": State("pmol/kg", lambda p: p["Ipb"], low=0.0),
            "insulin.liver": State("pmol/kg", lambda p: p["Ilb"], low=0.0),
        },
        parameters=own("Vi", "m1", "m2", "m4", "m30", "Ipb", "Ilb"),
        outputs={"insulin.concentration": Output("pmol/L")},
        output=lambda v: {"insulin.concentration": v["insulin.plasma"] / v["Vi"]},
        change=_circulate,
        balances={
            "circulating insulin": Balance(
                ("insulin.plasma", "insulin.liver"),
                lambda v: v["depot.appearance"],
                lambda v: v["m4"] * v["insulin.plasma"] + v["m30"] * v["insulin.liver"],
            )
        },
    )


def _circulate(v: Values) -> Values:
    plasma, liver = v["insulin.plasma"], v["insulin.liver"]
    return {
        "insulin.plasma": v["m1"] * liver + v["depot.appearance"] - (v["m2"] + v["m4"]) * plasma,
        "insulin.liver": v["m2"] * plasma - (v["m1"] + v["m30"]) * liver,
    }


def action() -> Module:
    """Return remote insulin: on glucose uptake, and (through two delays) on production by the liver."""
    return Module(
        name="insulin action",
        reads={"insulin.concentration": "pmol/L"},
        states={
            "action.uptake": State("pmol/L", 0.0),
            "action.delayed": State("pmol/L", lambda p: p["Ib"]),
            "action.production": State("pmol/L", lambda p: p["Ib"]),
        },
        parameters=own("p2u", "ki", "Ib"),
        change=lambda v: {
            "action.uptake": v["p2u"] * (v["insulin.concentration"] - v["Ib"] - v["action.uptake"]),
            "action.delayed": v["ki"] * (v["insulin.concentration"] - v["action.delayed"]),
            "action.production": v["ki"] * (v["action.delayed"] - v["action.production"]),
        },
    )
