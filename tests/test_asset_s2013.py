"""S2013 rests where S2008 rests, moves as SciPy says, defends itself against lows, and feels exercise, dawn and resistance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from gemel.dynamics import Dose
from gemel.errors import NotFound, WiringError
from gemel.facts import MINUTE
from gemel.model import Composite, Module, State
from gemel.model.kernel import Stepped
from gemel.packs.diabetes.asset import above_rest, modules, parameters_of, patient, subject, subjects
from gemel.packs.diabetes.asset.uva_padova import INPUTS_2013

S2013 = patient("S2013")
Plan = Sequence[tuple[str, float, int]]


def basal_of(name: str) -> float:
    return parameters_of(name)["u2ss"] * parameters_of(name)["BW"] / 100.0


def lived(
    plan: Plan, minutes: int, names: Sequence[str] = subjects(), dynamics: Composite = S2013,
    record: tuple[str, ...] = ("blood.glucose",), deaf: bool = False,
) -> list[np.ndarray]:  # fmt: skip
    """Return each recorded variable (time, subject) every 5 min under basal and a plan of (lever, amount, minute)."""
    bodies = [subject(name, model="S2013") for name in names]
    if deaf:  # glucagon does not answer to low glucose
        bodies = [replace(b, attributes={**b.attributes, "glucagon.response": 0.0}) for b in bodies]
    belief = dynamics.prior(bodies, 1, 0)
    doses = [[Dose("basal", basal_of(n), 0), *(Dose(lever, a, m * MINUTE) for lever, a, m in plan)] for n in names]
    _, path = dynamics.advance(belief, doses, belief.at + minutes * MINUTE, 0, record=record)
    return [np.asarray(path.values[name])[:, :, 0] for name in record]


def test_without_input_everyone_stays_at_their_basal_glucose_and_glucagon() -> None:
    glucose, glucagon = lived([], 600, record=("blood.glucose", "glucagon.plasma"))
    basal = np.array([parameters_of(name)["Gpb"] / parameters_of(name)["Vg"] for name in subjects()])
    assert np.abs(glucose - basal).max() < 0.1
    assert np.abs(glucagon - 60.0).max() < 0.1


EVENTFUL = [
    ("carbs", 40.0, 5), ("bolus", 6.0, 2), ("heart", 60.0, 40), ("heart", 0.0, 80), ("sensitivity", -0.3, 60),
    ("dawn", 0.05, 90), ("glucagon", 0.05, 120),
]  # fmt: skip


@pytest.mark.parametrize("name", ["child#008", "adult#004"])
def test_scipy_in_float64_gives_the_same(name: str) -> None:
    """The oracle is built from the wiring: every rule as it is, in float64, by DOP853 within each minute."""
    ours = lived(EVENTFUL, 180, [name])[0][:, 0]
    with jax.enable_x64(True):
        theirs = oracle(name, EVENTFUL, 180)
    assert np.ptp(theirs) > 60.0
    assert np.abs(ours - theirs[4::5]).max() < 0.02


def oracle(name: str, plan: Plan, minutes: int) -> np.ndarray:
    """Return blood glucose each minute, integrated by SciPy."""
    wiring, own = S2013.wiring, subject(name, model="S2013").attributes
    constants = {n: own.get(n, p.value) for n, p in S2013.parameters.items()}
    state = {n: s.start(constants) if callable(s.start) else s.start for n, s in S2013.states.items()}
    names = sorted(state)
    stepped = next(m for m in wiring.modules if isinstance(m, Stepped))
    rates = {entry.variable: 0.0 for entry in INPUTS_2013.values()} | {"pump.basal": basal_of(name) / 60.0}

    @jax.jit
    def slope(x: jax.Array, driven: Mapping[str, float]) -> jax.Array:
        found = wiring.changes(wiring.complete({**constants, **driven, **dict(zip(names, x, strict=True))}))
        return jnp.stack([jnp.asarray(found.get(n, 0.0), jnp.float64) for n in names])

    glucose = []
    for minute in range(minutes):
        driven = {**rates}
        for lever, amount, _ in (entry for entry in plan if entry[2] == minute):
            driven[INPUTS_2013[lever].variable] = amount * INPUTS_2013[lever].per_minute
        rates |= {i.variable: driven[i.variable] for i in INPUTS_2013.values() if i.holds}
        assert stepped.jump is not None
        state |= stepped.jump(wiring.window(stepped, {**constants, **state, **driven}))
        start = np.array([float(state[n]) for n in names])
        ended = solve_ivp(lambda _, x, d=driven: np.asarray(slope(x, d)), (0, 1), start, "DOP853", rtol=1e-9, atol=1e-9)
        state = dict(zip(names, ended.y[:, -1], strict=True))
        glucose.append(state["glucose.plasma"] / constants["Vg"])
    return np.array(glucose)


def test_half_the_step_changes_nothing() -> None:
    finer = Composite([replace(m, scale="30 s") for m in modules("S2013")], INPUTS_2013, {})
    names = subjects()[::5]
    assert np.abs(lived(EVENTFUL, 240, names, finer)[0] - lived(EVENTFUL, 240, names)[0]).max() < 0.05


def test_hypoglycaemia_raises_glucagon_and_glucagon_raises_production() -> None:
    """By how much: 18 pg/mL in the median, quartiles 7 and 32 (10.2337/dc12-1697), at about 55 mg/dL."""
    glucose, glucagon = lived([("bolus", 4.0, 10)], 420, record=("blood.glucose", "glucagon.plasma"))
    low = glucose.min(axis=0) < 60.0
    risen = (glucagon.max(axis=0) - 60.0)[low]
    assert low.sum() >= 10 and risen.min() > 0.0
    assert 8.0 < np.median(risen) < 32.0
    alone = lived([("bolus", 4.0, 10)], 420, deaf=True)[0]
    assert np.median((glucose.min(axis=0) - alone.min(axis=0))[low]) > 1.0


def test_below_basal_insulin_takes_up_more_than_in_s2008() -> None:
    """What S2013 was made for (10.1177/1932296813514502): the same bolus ends lower, above basal nothing differs."""
    s2013 = lived([("bolus", 3.0, 10)], 360)[0]
    s2008 = lived([("bolus", 3.0, 10)], 360, dynamics=patient("S2008"))[0]
    fell = s2008.min(axis=0) < 100.0
    assert fell.sum() > 10
    assert np.median((s2008.min(axis=0) - s2013.min(axis=0))[fell]) > 5.0
    names = ["adult#001", "adolescent#003"]
    eaten, before = (lived([("carbs", 60.0, 5)], 90, names, dynamics=d)[0] for d in (S2013, patient()))
    assert np.abs(eaten - before).max() < 0.05


def test_exercise_lowers_glucose_and_insulin_does_more_hours_after() -> None:
    bout = [("heart", 60.0, 30), ("heart", 0.0, 75)]
    after, usual = lived(bout, 300)[0], lived([], 300)[0]
    assert (after[75 // 5] < usual[75 // 5] - 5.0).all()
    assert 10.0 < np.median((usual - after)[75 // 5]) < 60.0
    shot = ("bolus", 0.5, 240)
    with_bout = lived(bout, 480)[0] - lived([*bout, shot], 480)[0]
    without = lived([], 480)[0] - lived([shot], 480)[0]
    assert np.median(with_bout[-1] / without[-1]) > 1.1
    gain = lived(bout, 1440, ["adult#001"], record=("exercise.gain",))[0][:, 0]
    assert gain[75 // 5] > 0.3 and gain[-1] == pytest.approx(gain[80 // 5] * np.exp(-1360 / 600), rel=0.1)


def test_resistance_dawn_and_glucagon_raise_glucose_and_sensitivity_lowers_it() -> None:
    usual = lived([], 240)[0]
    for lever, amount in (("sensitivity", -0.3), ("dawn", 0.06), ("glucagon", 0.5)):
        assert (lived([(lever, amount, 5)], 240)[0].max(axis=0) > usual.max(axis=0) + 3.0).all(), lever
    assert (lived([("sensitivity", 0.3, 5)], 240)[0][-1] < usual[-1] - 2.0).all()


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(subjects()), st.floats(0.0, 50.0), st.floats(0.0, 200.0), st.floats(0.0, 120.0),
    st.floats(-1.5, 1.5), st.floats(0.0, 1.0),
)  # fmt: skip
def test_whatever_is_done_it_stays_finite_and_above_zero(
    name: str, units: float, grams: float, beats: float, log: float, milligrams: float
) -> None:
    plan = [("bolus", units, 1), ("carbs", grams, 30), ("heart", beats, 20), ("sensitivity", log, 3)]
    glucose = lived([*plan, ("glucagon", milligrams, 200)], 600, [name])[0]
    assert np.isfinite(glucose).all() and (glucose >= 0.0).all()


@pytest.mark.parametrize(
    ("leaky", "quantity", "held"),
    [("glucose", "glucose", "glucose.plasma"), ("glucagon", "glucagon", "glucagon.plasma"),
     ("glucagon depot", "injected glucagon", "rescue.second")],
)  # fmt: skip
def test_a_leak_is_refused_by_name(leaky: str, quantity: str, held: str) -> None:
    def leak(module: Module) -> Module:
        change = module.change
        assert change is not None
        return replace(module, change=lambda v: {**change(v), held: change(v)[held] - 0.05 * v[held]})

    def begun(module: Module) -> Module:
        fed = {n: State("ng/kg", 50.0) for n in ("rescue.first", "rescue.second") if n in module.states}
        return replace(module, states={**module.states, **fed})

    whole = [begun(module) for module in modules("S2013")]
    Composite(whole, INPUTS_2013, {})
    with pytest.raises(WiringError, match=f"'{leaky}' does not conserve '{quantity}'"):
        Composite([leak(m) if m.name == leaky else m for m in whole], INPUTS_2013, {})


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="S2008, S2013"):
        patient("S2017")


def test_steps_stand_in_where_the_heart_rate_is_missing() -> None:
    assert above_rest(100.0, 0.0, 60.0, 190.0) == 40.0
    assert above_rest(50.0, 0.0, 60.0, 190.0) == 0.0
    assert above_rest(np.nan, 100.0, 60.0, 190.0) == pytest.approx(39.0)
    assert above_rest(np.nan, np.nan, 60.0, 190.0) == 0.0
