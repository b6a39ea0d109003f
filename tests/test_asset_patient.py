"""The virtual patient is simglucose's, to hundredths of a mg/dL: against its traces, its code, and SciPy in float64."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
from gemel.model.module import Values
from gemel.packs.diabetes.asset import is_synthetic, modules, parameters_of, patient, sample, subject, subjects
from gemel.packs.diabetes.asset.individuals import FIXED, GROUPS, balanced, plausible
from gemel.packs.diabetes.asset.uva_padova import INPUTS

DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "t1d" / "simglucose"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs GEMEL_DATA with t1d/simglucose")
WERE = {"child~0": 28.439361192, "child~8": 43.842100969, "adult~1": 81.997852437, "adolescent~1": 41.940780154}
"""kg, as drawn before there were bounds."""
PEOPLE = [f"{group}#00{i}" for group in ("adolescent", "adult", "child") for i in range(1, 6)]


def trace(file: Path) -> dict[str, np.ndarray]:
    """Return columns of a simglucose result: each row is the mean of three minutes."""
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return {key: np.array([float(row[key] or "nan") for row in rows]) for key in ("BG", "CHO", "insulin")}


def replayed(
    dynamics: Composite, names: Sequence[str], traces: list[dict[str, np.ndarray]], minutes: Sequence[int]
) -> np.ndarray:
    """Return our BG (row, subject) under the inputs of *traces*; *minutes* says in which of three a meal began."""
    belief = dynamics.prior([subject(name) for name in names], 1, 0)
    plans = []
    for seen in traces:
        basal = [Dose("basal", 60.0 * u, 3 * i * MINUTE) for i, u in enumerate(seen["insulin"]) if u == u]
        meals = zip(np.nonzero(seen["CHO"] > 0)[0], minutes, strict=True)
        plans.append(basal + [Dose("carbs", 3.0 * seen["CHO"][i], (3 * int(i) + m) * MINUTE) for i, m in meals])
    until = belief.at + 3 * (len(traces[0]["BG"]) - 1) * MINUTE
    _, path = dynamics.advance(belief, plans, until, 0, record=("skin.glucose",), every=MINUTE)
    glucose = np.asarray(path.values["skin.glucose"])[:, :, 0]
    return np.asarray(glucose.reshape(-1, 3, len(names)).mean(axis=1))


@needs_data
def test_two_days_of_simglucose_are_replayed() -> None:
    seen = trace(DATA / "sim_results.csv")
    ours = replayed(patient(), ["adolescent#001"], [seen], [1, 2, 0, 2, 1, 0, 2, 1, 0])
    assert np.abs(ours[:, 0] - seen["BG"][1:]).max() < 0.02


def bite_of_2017(v: Values) -> Values:
    """Return the bite as simglucose had it before its issue 41: grams eaten were added to milligrams in the stomach."""
    served = v["meal.plate"] + v["mouth.carbs"]
    bite = jnp.minimum(served, 5.0)
    begins = (bite > 0.0) & (v["meal.eating"] <= 0.0)
    before = jnp.where(begins, v["stomach.solid"] + v["stomach.liquid"], v["meal.size"])
    return {"meal.plate": served - bite, "meal.eating": bite, "meal.size": before + bite}


@needs_data
def test_fifteen_subjects_of_2017_are_replayed_with_the_fault_of_2017() -> None:
    """results30/ is older than the repair of issue 41: one rule swapped in one module reproduces it."""
    old = [replace(m, jump=bite_of_2017) if isinstance(m, Stepped) else m for m in modules()]
    traces = [trace(DATA / "results30" / f"{name}.csv") for name in PEOPLE]
    ours = replayed(Composite(old, INPUTS, {}), PEOPLE, traces, [1, 2, 1, 1, 2])
    theirs = np.stack([seen["BG"][1:] for seen in traces], axis=1)
    lives = np.minimum.accumulate(theirs, axis=0) > 10.0  # below, simglucose itself ends the episode
    assert np.abs(ours - theirs)[lives].max() < 0.01
    assert lives.mean() > 0.97


def test_simglucose_steps_the_same() -> None:
    """Five hours, a meal during a meal, and subjects whose stomachs empty at a sudden pace: what simglucose's own code gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        them = pytest.importorskip("simglucose.patient.t1dpatient")
    names, minutes = ("adult#001", "adolescent#010", "child#007"), 300
    meals, boluses = {10: 45.0, 14: 7.5, 120: 3.0}, {5: 1.5, 122: 0.3}
    ours = glucose_of(names, meals, boluses, minutes)
    for i, name in enumerate(names):
        person, theirs, basal = them.T1DPatient.withName(name), [], basal_of(name) / 60.0
        for minute in range(minutes):
            person.step(them.Action(CHO=meals.get(minute, 0.0), insulin=basal + boluses.get(minute, 0.0)))
            theirs.append(person.observation.Gsub)
        assert np.abs(ours[:, i] - theirs).max() < 0.01


def basal_of(name: str) -> float:
    """Return the U/h that hold a subject's basal glucose."""
    return parameters_of(name)["u2ss"] * parameters_of(name)["BW"] / 100.0


def glucose_of(names: Sequence[str], meals: dict[int, float], boluses: dict[int, float], minutes: int) -> np.ndarray:
    belief = patient().prior([subject(name) for name in names], 1, 0)
    taken = [Dose("carbs", g, m * MINUTE) for m, g in meals.items()] + [
        Dose("bolus", u, m * MINUTE) for m, u in boluses.items()
    ]
    plans = [[*taken, Dose("basal", basal_of(name), 0)] for name in names]
    _, path = patient().advance(belief, plans, belief.at + minutes * MINUTE, 0, record=("skin.glucose",), every=MINUTE)
    return np.asarray(path.values["skin.glucose"])[:, :, 0]


def test_scipy_in_float64_gives_the_same() -> None:
    """The oracle is built from the wiring: every rule as it is, in float64, by DOP853 within each minute."""
    name, meals, boluses, minutes = "child#008", {5: 40.0, 60: 12.0}, {2: 1.0}, 150
    ours = glucose_of([name], meals, boluses, minutes)[:, 0]
    with jax.enable_x64(True):
        theirs = oracle(name, meals, boluses, minutes)
    assert np.abs(ours - theirs).max() < 0.01


def oracle(name: str, meals: dict[int, float], boluses: dict[int, float], minutes: int) -> np.ndarray:
    """Return glucose under the skin, each minute, integrated by SciPy."""
    wiring, own = patient().wiring, {letter: parameters_of(name)[letter] for letter in subject(name).attributes}
    constants = {n: own.get(n, p.value) for n, p in patient().parameters.items()}
    state = {n: s.start(constants) if callable(s.start) else s.start for n, s in patient().states.items()}
    names = sorted(state)
    stepped = next(m for m in wiring.modules if isinstance(m, Stepped))

    @jax.jit
    def slope(x: jax.Array, carbs: float, bolus: float) -> jax.Array:
        driven = {"mouth.carbs": carbs, "pump.bolus": bolus, "pump.basal": basal_of(name) / 60.0}
        known = wiring.complete({**constants, **driven, **dict(zip(names, x, strict=True))})
        found = wiring.changes(known)
        return jnp.stack([jnp.asarray(found.get(n, 0.0), jnp.float64) for n in names])

    glucose = []
    for minute in range(minutes):
        carbs, bolus = meals.get(minute, 0.0), boluses.get(minute, 0.0)
        known = {**constants, **state, "mouth.carbs": carbs, "pump.bolus": bolus, "pump.basal": 0.0}
        assert stepped.jump is not None
        state |= stepped.jump(wiring.window(stepped, known))
        start = np.array([float(state[n]) for n in names])
        ended = solve_ivp(
            lambda _, x, c=carbs, b=bolus: np.asarray(slope(x, c, b)), (0, 1), start, "DOP853", rtol=1e-9, atol=1e-9
        )
        state = dict(zip(names, ended.y[:, -1], strict=True))
        glucose.append(state["skin.plasma_equivalent"] / constants["Vg"])
    return np.array(glucose)


def test_everyone_stays_at_their_basal_glucose() -> None:
    steady = glucose_of(subjects(), {}, {}, 600)
    basal = np.array([parameters_of(name)["Gpb"] / parameters_of(name)["Vg"] for name in subjects()])
    assert np.abs(steady - basal).max() < 0.05


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.floats(1.0, 90.0)), min_size=1, max_size=4), st.sampled_from(subjects())
)
def test_no_carbohydrate_is_lost(meals: list[tuple[int, float]], name: str) -> None:
    """What was served is on the plate, in the gut, or absorbed: the integral of what leaves, by Simpson's rule."""
    belief = patient().prior([subject(name)], 1, 0)
    plan = [Dose("carbs", grams, minute * MINUTE) for minute, grams in meals]
    ended, path = patient().advance(belief, [plan], belief.at + 512 * MINUTE, 0, record=("gut.glucose",), every=MINUTE)
    within = sum(float(ended.values[n][0, 0]) for n in ("stomach.solid", "stomach.liquid", "gut.glucose"))
    gut = np.concatenate([[0.0], np.asarray(path.values["gut.glucose"])[:, 0, 0]])
    absorbed = parameters_of(name)["kabs"] * float(np.sum((gut[:-2:2] + 4.0 * gut[1:-1:2] + gut[2::2]) / 3.0))
    served = 1000.0 * sum(grams for _, grams in meals)
    assert within + absorbed + 1000.0 * float(ended.values["meal.plate"][0, 0]) == pytest.approx(served, rel=0.005)


@pytest.mark.parametrize(
    ("leaky", "quantity", "held"),
    [("meal", "carbohydrate", "stomach.solid"), ("glucose", "glucose", "glucose.plasma"),
     ("depot", "injected insulin", "depot.first"), ("plasma insulin", "circulating insulin", "insulin.liver")],
)  # fmt: skip
def test_a_leak_is_refused_by_name(leaky: str, quantity: str, held: str) -> None:
    def begun(module: Module) -> Module:  # an empty stomach shows no leak
        fed = {n: State("mg", 50.0) for n in ("stomach.solid", "stomach.liquid", "gut.glucose") if n in module.states}
        return replace(module, states={**module.states, **fed})

    def leak(module: Module) -> Module:
        change = module.change
        assert change is not None
        return replace(module, change=lambda v: {**change(v), held: change(v)[held] - 0.01 * v[held]})

    Composite([begun(m) for m in modules()], INPUTS, {})
    with pytest.raises(WiringError, match=f"'{leaky}' does not conserve '{quantity}'"):
        Composite([leak(begun(m)) if m.name == leaky else begun(m) for m in modules()], INPUTS, {})


def test_the_order_of_modules_does_not_matter() -> None:
    turned = Composite(modules()[::-1], INPUTS, {})
    plans = [[Dose("carbs", 40.0, 0), Dose("basal", 1.0, 0)]]
    ended = [
        d.advance(d.prior([subject("child#003")], 1, 0), plans, np.array([60 * MINUTE]), 0)[0]
        for d in (patient(), turned)
    ]
    assert all(np.array_equal(ended[0].values[n], ended[1].values[n]) for n in ended[0].values)


def test_one_alone_is_the_same_as_in_a_batch_of_thousands() -> None:
    names = [subjects()[i % 30] for i in range(3000)]
    plan = [Dose("carbs", 50.0, 20 * MINUTE), Dose("bolus", 3.0, 15 * MINUTE), Dose("basal", 1.0, 0)]

    def lived(chosen: list[str]) -> dict[str, np.ndarray]:
        belief = patient().prior([subject(name) for name in chosen], 1, 0)
        ended, _ = patient().advance(belief, [plan] * len(chosen), belief.at + 64 * MINUTE, 0)
        return {name: np.asarray(value) for name, value in ended.values.items()}

    many, one = lived(names), lived(["child#008"])
    row = names.index("child#008")
    assert all(np.array_equal(one[name], many[name][[row]]) for name in one)


def test_too_much_insulin_stays_finite_and_above_zero() -> None:
    glucose = glucose_of(["child#001", "adult#001"], {}, {5: 200.0}, 900)
    assert np.isfinite(glucose).all() and (glucose >= 0.0).all()


def test_the_table_holds_thirty_subjects_in_balance() -> None:
    assert len(subjects()) == 30 and {"adult#001", "adolescent#010", "child#010"} <= set(subjects())
    for name in subjects():
        row = parameters_of(name)
        produced = row["kp1"] - row["kp2"] * row["Gpb"] - row["kp3"] * row["Ib"]
        assert balanced(row, row["Gpb"] / row["Vg"], produced) == pytest.approx(dict(row), rel=1e-6)


def test_new_subjects_are_marked_and_always_the_same() -> None:
    names = sample("child", 50)
    assert all(is_synthetic(name) for name in names) and not is_synthetic("child#001")
    assert parameters_of("child~7") == parameters_of("child~7") != parameters_of("child~8")
    weight = np.log([parameters_of(name)["BW"] for name in names])
    published = np.log([parameters_of(f"child#{i:03}")["BW"] for i in range(1, 11)])
    assert abs(weight.mean() - published.mean()) < 3 * published.std() / 50**0.5
    steady = glucose_of(names[:20], {}, {}, 300)
    assert np.abs(steady[-1] - steady[0]).max() < 0.1
    assert all(parameters_of(name)["Gpb"] < FIXED["ke2"][0] for name in names)


@pytest.mark.parametrize("group", GROUPS)
def test_new_subjects_are_within_the_bounds_of_their_group(group: str) -> None:
    """Of 100 of each group, and of those whom the fit alone gave an absorption above 5/min (adult~40, adolescent~840)."""
    for name in (*sample(group, 100), f"{group}~40", f"{group}~840"):
        person = parameters_of(name)
        assert plausible(group, person)
        assert person["kabs"] < 2.0
    ages = [parameters_of(name)["Age"] for name in sample(group, 300)]
    least, most = {"child": (6, 14), "adolescent": (12, 22), "adult": (22, 79)}[group]
    assert least < min(ages) and max(ages) < most


def test_a_new_subject_within_the_bounds_is_who_she_was_before_there_were_any() -> None:
    assert [parameters_of(name)["BW"] for name in WERE] == pytest.approx(list(WERE.values()), rel=1e-9)


def test_new_subjects_absorb_what_they_eat_and_live() -> None:
    """90 % of 50 g within 12 h (all but 0.3 g), the fastest of a thousand too; until there were bounds adult~40 absorbed none."""
    fast = max(sample("adolescent", 1000), key=lambda name: parameters_of(name)["kabs"])
    names = [*sample("adult", 41)[-4:], *sample("adolescent", 3), "adolescent~840", *sample("child", 3), fast]
    belief = patient().prior([subject(name) for name in names], 1, 0)
    plans = [[Dose("basal", basal_of(name), 0), Dose("carbs", 50.0, 0)] for name in names]
    seen = ("gut.appearance", "blood.glucose")
    _, path = patient().advance(belief, plans, belief.at + 12 * 60 * MINUTE, 0, record=seen, every=MINUTE)
    appeared, glucose = (np.asarray(path.values[what])[:, :, 0] for what in seen)
    grams = appeared.sum(axis=0) * [parameters_of(name)["BW"] for name in names] / 1000.0
    assert grams == pytest.approx(0.9 * 50.0, abs=0.3)
    assert glucose.min() > 60


def test_an_unknown_subject_is_refused() -> None:
    for name in ("adult#011", "horse~1", "adult~x", ""):
        with pytest.raises(NotFound, match="adult#001"):
            parameters_of(name)
    with pytest.raises(NotFound, match="adolescent"):
        sample("infant", 3)
