"""Modules that do not fit are refused, and the error names the module, the variable and the unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemel.errors import BadInput, WiringError
from gemel.model import Balance, Composite, Input, Module, Output, Parameter, Sensor, State
from gemel.model.wiring import Wiring

TANK = Module(
    name="tank",
    states={"tank.level": State("L", 10.0, low=0.0)},
    parameters={"tank.leak": Parameter("1/min", 0.1)},
    reads={"tap.flow": "L/min"},
    outputs={"tank.drained": Output("L/min")},
    output=lambda v: {"tank.drained": v["tank.leak"] * v["tank.level"]},
    change=lambda v: {"tank.level": v["tap.flow"] - v["tank.drained"]},
    balances={"water": Balance(("tank.level",), lambda v: v["tap.flow"], lambda v: v["tank.drained"])},
)
TAP = {"tap": Input("tap.flow", "L/min", "L/hour", holds=True)}


def refused(*modules: Module, inputs: dict[str, Input] = TAP, sensors: dict[str, Sensor] | None = None) -> str:
    with pytest.raises(WiringError) as caught:
        Composite(modules, inputs, sensors or {})
    return str(caught.value)


def test_a_good_composite_is_wired() -> None:
    assert set(Composite([TANK], TAP, {"level": Sensor("tank.level", 0.1)}).states) == {"tank.level"}


def test_an_unknown_name_is_refused_with_what_is_near() -> None:
    said = refused(replace(TANK, reads={"tap.flov": "L/min"}))
    assert all(part in said for part in ("'tank'", "'tap.flov'", "L/min", "tap.flow"))


def test_a_variable_that_nothing_writes_is_refused() -> None:
    said = refused(TANK, inputs={})
    assert all(part in said for part in ("'tank'", "'tap.flow'", "[L/min]", "nothing writes"))


def test_units_of_another_dimension_are_refused() -> None:
    said = refused(replace(TANK, reads={"tap.flow": "kg/min"}))
    assert all(part in said for part in ("'tank'", "'tap.flow'", "[kg/min]", "[L/min]"))


def test_units_of_the_same_dimension_are_converted() -> None:
    hourly = replace(TANK, reads={"tap.flow": "L/hour"})
    wiring = Wiring([hourly], {"tap.flow": "L/min"})
    assert wiring.window(hourly, {"tap.flow": 2.0})["tap.flow"] == pytest.approx(120.0)


def test_two_writers_of_one_variable_are_refused() -> None:
    said = refused(TANK, Module("rain", states={"tank.level": State("L", 0.0)}))
    assert all(part in said for part in ("'rain'", "'tank'", "'tank.level'", "[L]"))


def test_a_module_may_not_write_an_input() -> None:
    said = refused(TANK, Module("rain", states={"tap.flow": State("L/min", 0.0)}))
    assert all(part in said for part in ("'rain'", "'tap.flow'", "the inputs"))


def test_two_modules_of_one_name_are_refused() -> None:
    other = Module("tank", states={"other.level": State("L", 0.0)})
    assert "'tank'" in refused(TANK, other)


def test_an_algebraic_loop_is_refused() -> None:
    ahead = Module(
        "ahead", reads={"behind.speed": "km/hour"}, outputs={"ahead.speed": Output("km/hour", ("behind.speed",))}
    )
    behind = Module(
        "behind", reads={"ahead.speed": "km/hour"}, outputs={"behind.speed": Output("km/hour", ("ahead.speed",))}
    )
    said = refused(ahead, behind, inputs={})
    parts = ("'ahead'", "'behind'", "'ahead.speed'", "'behind.speed'", "[km/hour]", "put a state in between")
    assert all(part in said for part in parts)


def test_an_undeclared_read_is_refused() -> None:
    nosy = replace(TANK, change=lambda v: {"tank.level": v["tap.flow"] - v["pump.power"]})
    pump = Module("pump", parameters={"pump.power": Parameter("L/min", 1.0)})
    said = refused(nosy, pump)
    assert all(part in said for part in ("'tank'", "'pump.power'", "does not declare"))


def test_an_undeclared_write_is_refused() -> None:
    said = refused(replace(TANK, change=lambda v: {"tank.level": v["tap.flow"], "sea.level": 1.0}))
    assert all(part in said for part in ("'tank'", "'sea.level'", "does not declare"))


def test_an_output_that_needs_what_it_does_not_read_is_refused() -> None:
    said = refused(replace(TANK, outputs={"tank.drained": Output("L/min", ("moon.phase",))}))
    assert all(part in said for part in ("'tank'", "'tank.drained'", "'moon.phase'"))


def test_a_leak_is_refused_by_name() -> None:
    said = refused(replace(TANK, change=lambda v: {"tank.level": v["tap.flow"] - 1.1 * v["tank.drained"]}))
    assert all(part in said for part in ("'tank'", "'water'", "tank.level"))


def test_a_sensor_of_nothing_is_refused() -> None:
    said = refused(TANK, sensors={"level": Sensor("tank.depth", 0.1)})
    assert all(part in said for part in ("'level'", "'tank.depth'"))


def test_a_sensor_whose_noise_is_of_another_dimension_is_refused() -> None:
    said = refused(TANK, sensors={"level": Sensor("tank.level", "tank.leak")})
    assert all(part in said for part in ("'level'", "'tank.level'", "[L]", "'tank.leak'", "[1/min]"))


def test_a_lever_that_cannot_be_what_it_drives_is_refused() -> None:
    with pytest.raises(BadInput, match="kg"):
        Composite([TANK], {"tap": Input("tap.flow", "L/min", "kg")}, {})
