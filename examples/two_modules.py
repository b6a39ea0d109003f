"""Two modules make a twin: the air of a refrigerated container and the cargo in it, with the door open at noon.

A module says which variables it keeps, which it reads, in which units, and how they change per minute. Modules never
call each other: they meet in the variables they name; a name or unit that does not fit is refused when they are wired.
"""

import numpy as np

from gemel.dynamics import Dose, Subject
from gemel.facts import HOUR, MINUTE, iso, time_of
from gemel.model import Composite, Input, Module, Output, Parameter, Sensor, State

air = Module(
    name="air",
    reads={"cargo.temperature": "kelvin", "door.exchange": "kW/kelvin", "unit.setpoint": "kelvin"},
    states={"air.temperature": State("kelvin", 277.0)},
    parameters={
        "air.capacity": Parameter("kW*min/kelvin", 2.0),
        "air.outside": Parameter("kelvin", 303.0, sd=0.01),
        "unit.strength": Parameter("kW/kelvin", 0.8, sd=0.2),  # uncertain: each member of the twin draws its own
    },
    outputs={"unit.cooling": Output("kW", needs=("unit.setpoint",))},
    output=lambda v: {"unit.cooling": v["unit.strength"] * (v["air.temperature"] - v["unit.setpoint"])},
    change=lambda v: {
        "air.temperature": (
            (0.05 + v["door.exchange"]) * (v["air.outside"] - v["air.temperature"])
            + 0.1 * (v["cargo.temperature"] - v["air.temperature"])
            - v["unit.cooling"]
        )
        / v["air.capacity"]
    },
)
cargo = Module(
    name="cargo",
    reads={"air.temperature": "kelvin"},
    states={"cargo.temperature": State("kelvin", 277.0)},
    parameters={"cargo.capacity": Parameter("kW*min/kelvin", 60.0, sd=0.3)},
    change=lambda v: {"cargo.temperature": 0.1 * (v["air.temperature"] - v["cargo.temperature"]) / v["cargo.capacity"]},
)
container = Composite(
    [air, cargo],
    inputs={
        "door": Input("door.exchange", "kW/kelvin", "kW/kelvin", holds=True),
        "setpoint": Input("unit.setpoint", "kelvin", "kelvin", holds=True),
    },
    sensors={"logger": Sensor("air.temperature", sd=0.2)},
)

start = time_of("2026-11-20T08:00:00Z")
door = [Dose("door", 1.5, start + 4 * HOUR), Dose("door", 0.0, start + 4 * HOUR + 40 * MINUTE)]
belief = container.prior([Subject("container 1", start)], members=200, seed=1)
belief, path = container.advance(
    belief, [[Dose("setpoint", 277.0, start), *door]], np.array([start + 8 * HOUR]), seed=1,
    record=["air.temperature", "cargo.temperature"], every=40 * MINUTE,
)  # fmt: skip
for i, after in enumerate(path.after):
    air_now, cargo_now = (np.percentile(path.values[name][i, 0] - 273.15, [5, 50, 95]) for name in path.values)
    spread = f"{cargo_now[0]:.1f} to {cargo_now[2]:.1f}"
    print(f"{iso(start + int(after))}  air {air_now[1]:5.1f} °C  cargo {cargo_now[1]:4.1f} °C (90 %: {spread})")
