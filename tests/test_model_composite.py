"""Whatever the order of modules, the batch or the pieces of time: the same result, and SciPy's."""

from __future__ import annotations

import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from gemel.dynamics import Belief, Dose, Dynamics, Subject
from gemel.errors import NotFound
from gemel.facts import MINUTE
from gemel.model import Composite, Input, Module, Output, Parameter, Sensor, State
from gemel.model.kernel import Stepped
from gemel.model.module import Values


def switched(v: Values) -> Values:
    cold, warm = v["air.temperature"] < 18.0, v["air.temperature"] > 22.0
    return {"heater.on": jnp.where(cold, 1.0, jnp.where(warm, 0.0, v["heater.on"]))}


HEATER = Stepped(
    name="heater",
    reads={"air.temperature": "delta_degC"},
    states={"heater.on": State("", 0.0)},
    outputs={"heater.power": Output("kW")},
    output=lambda v: {"heater.power": 2.0 * v["heater.on"]},
    jump=switched,
)
AIR = Module(
    name="air",
    reads={"heater.power": "kW", "wall.temperature": "delta_degC", "window.open": ""},
    states={"air.temperature": State("delta_degC", 20.0)},
    parameters={"air.capacity": Parameter("kW*min/delta_degC", 3.0, sd=0.2)},
    change=lambda v: {
        "air.temperature": (
            v["heater.power"] - (0.1 + v["window.open"]) * (v["air.temperature"] - v["wall.temperature"])
        ) / v["air.capacity"]
    },
)  # fmt: skip
WALL = Module(
    name="wall",
    reads={"air.temperature": "delta_degC"},
    states={"wall.temperature": State("delta_degC", 15.0)},
    parameters={"wall.outside": Parameter("delta_degC", 5.0, low=-np.inf)},
    change=lambda v: {
        "wall.temperature": 0.02 * (v["air.temperature"] - v["wall.temperature"])
        - 0.01 * (v["wall.temperature"] - v["wall.outside"])
    },
    noise=lambda v: {"wall.temperature": 0.05},
)
INPUTS = {"window": Input("window.open", "", "", holds=True)}


def room(*modules: Module) -> Composite:
    return Composite(modules or (AIR, WALL, HEATER), INPUTS, {"thermometer": Sensor("air.temperature", 0.3)})


ROOM = room()
ROTATIONS = ((AIR, WALL, HEATER), (HEATER, AIR, WALL), (WALL, HEATER, AIR))


def lived(rooms: Composite, ids: list[str], minutes: list[int], members: int = 4) -> Belief:
    belief = rooms.prior([Subject(name, 0) for name in ids], members, 1)
    plan = [Dose("window", 0.4, 30 * MINUTE), Dose("window", 0.0, 41 * MINUTE)]
    for minute in minutes:
        belief, _ = rooms.advance(belief, [plan] * len(ids), np.full(len(ids), minute * MINUTE), 1)
    return belief


def same(a: Belief, b: Belief) -> bool:
    return all(np.array_equal(np.asarray(a.values[name]), np.asarray(b.values[name])) for name in a.values)


def test_a_composite_is_a_dynamics() -> None:
    assert isinstance(ROOM, Dynamics)


def test_the_order_of_modules_does_not_matter() -> None:
    results = [lived(room(*order), ["a", "b"], [60]) for order in ROTATIONS]
    assert all(same(result, results[0]) for result in results)


@pytest.mark.parametrize("members", [1, 4, 16])
def test_one_alone_is_the_same_as_in_a_batch_of_thousands(members: int) -> None:
    many = lived(ROOM, [f"room {i}" for i in range(3000)], [60], members)
    for i in (0, 17, 2999):
        assert same(lived(ROOM, [f"room {i}"], [60], members), many.rows([i]))


def test_time_in_pieces_is_the_same_as_in_one_go() -> None:
    assert same(lived(ROOM, ["a", "b", "c"], [1, 8, 9, 41, 150]), lived(ROOM, ["a", "b", "c"], [150]))


def test_records_are_what_the_belief_passes_through() -> None:
    belief = ROOM.prior([Subject("a", 0), Subject("b", 0)], 3, 1)
    _, trajectory = ROOM.advance(
        belief, [[], []], np.full(2, 90 * MINUTE), 1, record=["air.temperature"], every=10 * MINUTE
    )
    assert list(trajectory.after) == [10 * MINUTE * i for i in range(1, 10)]
    for i, after in enumerate(trajectory.after):
        then, _ = ROOM.advance(belief, [[], []], np.full(2, after), 1)
        assert np.array_equal(trajectory.values["air.temperature"][i], np.asarray(then.values["air.temperature"]))


def test_a_jump_happens_at_the_start_of_a_minute() -> None:
    belief = lived(ROOM, ["a"], [200], members=8)
    assert set(np.unique(np.asarray(belief.values["heater.on"]))) <= {0.0, 1.0}
    assert np.all(np.abs(np.asarray(belief.values["air.temperature"]) - 20.0) < 4.0)


def test_an_unknown_lever_is_refused() -> None:
    belief = ROOM.prior([Subject("a", 0)], 1, 1)
    with pytest.raises(NotFound, match="window"):
        ROOM.advance(belief, [[Dose("door", 1.0, 0)]], np.array([MINUTE]), 1)


def test_a_smooth_composite_follows_scipy() -> None:
    still = Module("wall", WALL.states, WALL.parameters, WALL.reads, change=WALL.change)
    smooth = room(
        AIR, still, Module("heater", outputs={"heater.power": Output("kW")}, output=lambda v: {"heater.power": 1.5})
    )
    belief = smooth.prior([Subject("a", 0)], 1, 1)
    names = sorted(smooth.states)
    fixed = {"wall.outside": 5.0, "window.open": 0.0, "air.capacity": float(belief.values["air.capacity"][0, 0])}

    def slope(_: float, x: np.ndarray) -> list[float]:
        known = smooth.wiring.complete({**fixed, **dict(zip(names, x, strict=True))})
        found = smooth.wiring.changes(known)
        return [float(found[name]) for name in names]

    start = [float(belief.values[name][0, 0]) for name in names]
    oracle = solve_ivp(slope, (0, 240), start, rtol=1e-10, atol=1e-10).y[:, -1]
    moved, _ = smooth.advance(belief, [[]], np.array([240 * MINUTE]), 1)
    assert [float(moved.values[name][0, 0]) for name in names] == pytest.approx(list(oracle), rel=2e-6)


@pytest.mark.parametrize("back", [0.0, 0.3], ids=["ahead of the rest", "coupled to the rest"])
def test_a_module_of_a_finer_scale_takes_shorter_steps(back: float) -> None:
    """A fast pool that feeds a slow one, and may be fed by it, is as SciPy has it; in steps of a minute it is not."""

    def pools(scale: str) -> Composite:
        reads = {"slow.level": "L"} if back else {}
        returned = (lambda v: back * v["slow.level"]) if back else (lambda v: 0.0)
        fast = Module(
            "fast",
            {"fast.level": State("L", 5.0)},
            reads=reads,
            change=lambda v: {"fast.level": returned(v) - v["fast.level"]},
            scale=scale,
        )
        slow = Module(
            "slow",
            {"slow.level": State("L", 0.0)},
            reads={"fast.level": "L"},
            change=lambda v: {"slow.level": v["fast.level"] - (0.01 + back) * v["slow.level"]},
        )
        return Composite([fast, slow], {}, {})

    def after(scale: str, minutes: int) -> float:
        belief = pools(scale).prior([Subject("a", 0)], 1, 1)
        moved, _ = pools(scale).advance(belief, [[]], np.array([minutes * MINUTE]), 1)
        return float(moved.values["slow.level"][0, 0])

    matrix = np.array([[-1.0, back], [1.0, -0.01 - back]])
    exact = float((expm(matrix * 3) @ [5.0, 0.0])[1])
    assert after("5 s", 3) == pytest.approx(exact, rel=5e-4)
    assert after("1 min", 3) != pytest.approx(exact, rel=2e-3)


def test_the_example_of_two_modules_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(Path(__file__).parent.parent / "examples" / "two_modules.py"), run_name="__main__")
    assert "cargo" in capsys.readouterr().out
