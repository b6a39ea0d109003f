"""The twin's modules: minimal-model glucose, two-compartment insulin, meal absorption, sensor.

Structure: Bergman et al. 1979 (10.1152/ajpendo.1979.236.6.E667) for glucose and remote insulin; two-compartment
subcutaneous insulin and gut absorption as in Cappon et al. 2023 (10.1109/TBME.2023.3286856). Insulin sensitivity is
written as mg/dL per unit and carbohydrate as mg/dL per gram, the numbers clinics use, so that they can be read.
"""

from __future__ import annotations

import jax.numpy as jnp

from gemel.dynamics import Array
from gemel.model import Balance, Module, Output, Parameter, State
from gemel.model.module import Values

DAY_MIN = 1440.0


def insulin() -> Module:
    """Return subcutaneous absorption, plasma and remote action of insulin, all as flows of units per minute."""
    habit = "habit.basal"
    return Module(
        name="insulin",
        reads={"pump.bolus": "U/min", "pump.basal": "U/min", habit: "U/min"},
        states={
            "insulin.depot": State("U", lambda p: p[habit + ".start"] / p["insulin.kd"], low=0.0, learned=False),
            "insulin.interstitial": State("U", lambda p: p[habit + ".start"] / p["insulin.ka"], low=0.0, learned=False),
            "insulin.plasma": State("U/min", lambda p: p[habit + ".start"], low=0.0, learned=False),
            "insulin.action": State("U/min", lambda p: p[habit + ".start"], low=0.0, learned=False),
        },
        parameters={
            "insulin.kd": Parameter("1/min", 0.01184, between=0.62, source="fitted; spread 10.1109/TBME.2023.3286856"),
            "insulin.ka": Parameter("1/min", 0.0105, between=0.43, source="fitted; spread 10.1109/TBME.2023.3286856"),
            "insulin.ke": Parameter("1/min", 0.127, source="10.1109/TBME.2023.3286856"),
            "insulin.p2": Parameter("1/min", 0.01147, source="fitted, see docs/diabetes.md"),
        },
        outputs={"insulin.on_board": Output("U", (habit,)), "insulin.excess": Output("U/min", (habit,))},
        output=_insulin_output,
        change=_insulin_change,
        balances={
            "insulin": Balance(
                ("insulin.depot", "insulin.interstitial"),
                lambda v: v["pump.bolus"] + v["pump.basal"],
                lambda v: v["insulin.ka"] * v["insulin.interstitial"],
            )
        },
    )


def _insulin_output(v: Values) -> Values:
    steady = v["habit.basal"] / v["insulin.kd"] + v["habit.basal"] / v["insulin.ka"]
    return {
        "insulin.on_board": v["insulin.depot"] + v["insulin.interstitial"] - steady,
        "insulin.excess": v["insulin.action"] - v["habit.basal"],
    }


def _insulin_change(v: Values) -> Values:
    released = v["insulin.kd"] * v["insulin.depot"]
    absorbed = v["insulin.ka"] * v["insulin.interstitial"]
    return {
        "insulin.depot": v["pump.bolus"] + v["pump.basal"] - released,
        "insulin.interstitial": released - absorbed,
        "insulin.plasma": v["insulin.ke"] * (absorbed - v["insulin.plasma"]),
        "insulin.action": v["insulin.p2"] * (v["insulin.plasma"] - v["insulin.action"]),
    }


def habit() -> Module:
    """Return what this person usually gets: basal over a day, total insulin over three, as averages that start quickly."""
    return Module(
        name="habit",
        reads={"pump.bolus": "U/min", "pump.basal": "U/min"},
        states={
            "habit.basal": State("U/min", lambda p: p["habit.basal.start"], low=0.0, learned=False),
            "habit.total": State("U/min", lambda p: p["habit.total.start"], low=1e-4, learned=False),
            "habit.age": State("min", 0.0, learned=False),
        },
        parameters={
            "habit.basal.start": Parameter(
                "U/min", 0.9 / 60, individual=True, initial=True, source="0.3 U/kg/d at 70 kg"
            ),
            "habit.total.start": Parameter(
                "U/min", 42.0 / DAY_MIN, individual=True, initial=True, source="0.6 U/kg/d at 70 kg"
            ),
        },
        change=lambda v: {
            "habit.age": 1.0,
            "habit.basal": (v["pump.basal"] - v["habit.basal"]) / jnp.clip(v["habit.age"], 30.0, DAY_MIN),
            "habit.total": (given(v) - v["habit.total"]) / jnp.minimum(v["habit.age"] + DAY_MIN, 3 * DAY_MIN),
        },
        scale="1 d",
    )


def given(v: Values) -> Array:
    """Return insulin given per minute, U/min."""
    return v["pump.basal"] + v["pump.bolus"]


def meal() -> Module:
    """Return the way of announced carbohydrate from mouth to blood, in grams."""
    return Module(
        name="meal",
        reads={"mouth.carbs": "g/min"},
        states={
            "stomach.solid": State("g", 0.0, low=0.0, learned=False),
            "stomach.liquid": State("g", 0.0, low=0.0, learned=False),
            "gut.carbs": State("g", 0.0, low=0.0, learned=False),
        },
        parameters={
            "stomach.kempt": Parameter(
                "1/min", 0.08843, between=0.71, source="fitted; spread 10.1109/TBME.2023.3286856"
            ),
            "gut.kabs": Parameter(
                "1/min",
                0.007816,
                between=0.72,
                source="fitted, see docs/diabetes.md; half the spread of single meals in 10.1109/TBME.2023.3286856",
            ),
        },
        outputs={"gut.appearance": Output("g/min"), "meal.on_board": Output("g")},
        output=lambda v: {
            "gut.appearance": v["gut.kabs"] * v["gut.carbs"],
            "meal.on_board": v["stomach.solid"] + v["stomach.liquid"] + v["gut.carbs"],
        },
        change=lambda v: {
            "stomach.solid": v["mouth.carbs"] - v["stomach.kempt"] * v["stomach.solid"],
            "stomach.liquid": v["stomach.kempt"] * (v["stomach.solid"] - v["stomach.liquid"]),
            "gut.carbs": v["stomach.kempt"] * v["stomach.liquid"] - v["gut.kabs"] * v["gut.carbs"],
        },
        balances={
            "carbohydrate": Balance(
                ("stomach.solid", "stomach.liquid", "gut.carbs"),
                lambda v: v["mouth.carbs"],
                lambda v: v["gut.appearance"],
            )
        },
    )


def glucose() -> Module:
    """Return plasma glucose, with sensitivity as a slow random walk and two flows that nobody announced."""
    return Module(
        name="glucose",
        reads={
            "insulin.excess": "U/min", "gut.appearance": "g/min", "habit.total": "U/min",
        },
        states={
            "glucose.plasma": State("mg/dL", lambda p: p["glucose.start"], low=20.0, high=600.0),
            "glucose.fast": State("mg/dL/min", 0.0, low=-15.0, high=15.0),
            "glucose.slow": State("mg/dL/min", 0.0, low=-8.0, high=8.0),
            "sensitivity.log": State("", lambda p: p["sensitivity.start"], low=-2.0, high=2.0),
            "carbs.log": State("", lambda p: p["carbs.start"], low=-2.0, high=2.0),
            "rest.shift": State("mg/dL", lambda p: p["rest.start"], low=-80.0, high=80.0),
        },
        parameters={
            "glucose.start": Parameter("mg/dL", 140.0, sd=0.35, low=20.0, source="spread of CGM values", initial=True),
            "glucose.effectiveness": Parameter("1/min", 0.0103, between=0.5, source="fitted; spread 10.1109/TBME.2023.3286856"),
            "glucose.rest": Parameter("mg/dL", 149.1, source="fitted, see docs/diabetes.md"),
            "glucose.power": Parameter("", 1.293, source="fitted, see docs/diabetes.md"),
            "sensitivity.rule": Parameter("mg/dL", 1700 * 0.1843, between=0.4, source="1700 rule, scaled: fitted"),
            "sensitivity.start": Parameter("", 0.0, sd=0.4, low=-jnp.inf, initial=True),
            "carbs.factor": Parameter("mg/dL/g", 3.8 * 0.1016, between=0.3, source="fitted, see docs/diabetes.md"),
            "carbs.start": Parameter("", 0.0, sd=0.4, low=-jnp.inf, initial=True),
            "sensitivity.walk": Parameter("", 0.00856 / 5**0.5),
            "carbs.walk": Parameter("", 0.01018 / 5**0.5),
            "rest.start": Parameter("mg/dL", 0.0, sd=5.17, low=-jnp.inf, initial=True),
            "rest.walk": Parameter("mg/dL", 0.1615 / 5**0.5),
            "glucose.noise_power": Parameter("", 0.144),
            "glucose.fast_sd": Parameter("mg/dL/min", 1.053),
            "glucose.fast_time": Parameter("min", 7.249),
            "glucose.slow_sd": Parameter("mg/dL/min", 0.6316),
            "glucose.slow_time": Parameter("min", 87.75),
            "glucose.meal_noise": Parameter("", 0.4),
            "glucose.insulin_noise": Parameter("", 0.38),
        },
        outputs={
            "glucose.lowering": Output("mg/dL/min", ("insulin.excess", "habit.total")),
            "glucose.raising": Output("mg/dL/min", ("gut.appearance",)),
            "sensitivity.factor": Output("mg/dL/U", ("habit.total",)),
        },
        output=_glucose_output,
        change=_glucose_change,
        noise=_glucose_noise,
    )  # fmt: skip


def _glucose_output(v: Values) -> Values:
    factor = v["sensitivity.rule"] / (v["habit.total"] * DAY_MIN) * jnp.exp(v["sensitivity.log"])
    level = jnp.clip(v["glucose.plasma"], 40.0, 300.0) / 120.0
    return {
        "sensitivity.factor": factor,
        "glucose.lowering": factor * v["insulin.excess"] * level ** v["glucose.power"],
        "glucose.raising": v["carbs.factor"] * jnp.exp(v["carbs.log"]) * v["gut.appearance"],
    }


def _glucose_change(v: Values) -> Values:
    back = v["glucose.effectiveness"] * (v["glucose.plasma"] - v["glucose.rest"] - v["rest.shift"])
    unexplained = v["glucose.fast"] + v["glucose.slow"]
    return {
        "glucose.plasma": v["glucose.raising"] - v["glucose.lowering"] - back + unexplained,
        "glucose.fast": -v["glucose.fast"] / v["glucose.fast_time"],
        "glucose.slow": -v["glucose.slow"] / v["glucose.slow_time"],
    }


def _glucose_noise(v: Values) -> Values:
    meal = v["glucose.meal_noise"] * v["glucose.raising"]
    insulin_ = v["glucose.insulin_noise"] * v["glucose.lowering"]
    level = (jnp.clip(v["glucose.plasma"], 50.0, 300.0) / 120.0) ** v["glucose.noise_power"]
    fast = jnp.sqrt((v["glucose.fast_sd"] * level) ** 2 + meal**2 + insulin_**2)
    return {
        "glucose.fast": fast * jnp.sqrt(2.0 / v["glucose.fast_time"]),
        "glucose.slow": v["glucose.slow_sd"] * level * jnp.sqrt(2.0 / v["glucose.slow_time"]),
        "sensitivity.log": v["sensitivity.walk"],
        "carbs.log": v["carbs.walk"],
        "rest.shift": v["rest.walk"],
    }


def exercise() -> Module:
    """Return what exercise does to glucose, from the heart rate above rest: Dalla Man et al. 2009 (10.1177/193229680900300107).

    `exercise.short` follows the heart rate within minutes and takes up glucose without insulin; `exercise.work` gathers it
    while the body works, fades over ten hours, and lets insulin do more. Time constants, threshold and slopes are the
    paper's. The two amounts that a minimal model cannot take from it (`uptake`, `share`) are set so that 45 minutes at
    60 bpm above rest do about what they do to the median virtual patient of S2013, which has the paper's model in full: 21
    mg/dL less at the end, 35 two hours later, 22 ten hours later (here 21, 27 and 24).
    """
    source = "10.1177/193229680900300107"
    return Module(
        name="exercise",
        reads={"heart.above_rest": "bpm", "insulin.sensitivity": "mg/dL/U", "insulin.action": "U/min"},
        states={
            "exercise.short": State("bpm", 0.0, low=0.0, learned=False),
            "exercise.work": State("bpm * min", 0.0, low=0.0, learned=False),
        },
        parameters={
            "heart.rest": Parameter("bpm", 65.0, individual=True, source="judgement"),
            "exercise.onset": Parameter("min", 5.0, source=source),
            "exercise.afterglow": Parameter("min", 600.0, source=source),
            "exercise.threshold": Parameter("", 0.1, source=source),
            "exercise.beta": Parameter("1/bpm", 0.01, source=source),
            "exercise.alpha": Parameter("1/bpm/min", 3e-4, source=source),
            "exercise.uptake": Parameter("mg/dL/min", 0.85, source="set by S2013, see above"),
            "exercise.share": Parameter("", 0.2, source="set by S2013, see above"),
        },
        outputs={
            "exercise.gain": Output("", ()),
            "exercise.lowering": Output("mg/dL/min", ("insulin.sensitivity",)),
        },
        output=lambda v: {
            "exercise.gain": v["exercise.share"] * v["exercise.alpha"] * v["exercise.work"],
            "exercise.lowering": v["exercise.uptake"] * v["exercise.beta"] * v["exercise.short"]
            + v["exercise.share"]
            * v["exercise.alpha"]
            * v["exercise.work"]
            * v["insulin.sensitivity"]
            * v["insulin.action"],
        },
        change=lambda v: {
            "exercise.short": (v["heart.above_rest"] - v["exercise.short"]) / v["exercise.onset"],
            "exercise.work": _working(v) * v["heart.above_rest"] - v["exercise.work"] / v["exercise.afterglow"],
        },
    )


def _working(v: Values) -> Array:
    """Return how much the body counts as working, 0 to 1; the fourth power is the paper's."""
    effort = (v["exercise.short"] / (v["exercise.threshold"] * v["heart.rest"])) ** 4
    return effort / (1.0 + effort)


def strain() -> Module:
    """Return what illness and stress take from insulin's effect, from what somebody told: by how much more is needed.

    Each follows what was told, quickly when it begins and slowly when it is over. An insulin need raised by a share n
    leaves 1/(1 + n) of insulin's effect, `strain.loss` is the rest: of all insulin at work, basal too. Sizes are told, not
    known; for scale, insulin sensitivity was about halved in acute infections (10.1210/jcem-69-2-317: a need raised by
    100 %), and after 20 min of mental stress the same insulin and glucose held people with type 1 diabetes at 10.6 rather
    than 8.7 mmol/L (10.1007/BF00398050: 22 %), from one hour on and for more than five. The need comes within a day of the
    first symptoms (10.2337/diab.16.6.369); the time constants are judgements within these.
    """
    return Module(
        name="strain",
        reads={"illness.told": "", "stress.told": ""},
        states={
            "illness.level": State("", 0.0, low=0.0, learned=False),
            "stress.level": State("", 0.0, low=0.0, learned=False),
        },
        parameters={
            "illness.rise": Parameter("min", 360.0, source="judgement; 10.2337/diab.16.6.369"),
            "illness.fade": Parameter("min", 1440.0, source="judgement"),
            "stress.rise": Parameter("min", 20.0, source="judgement; 10.1007/BF00398050"),
            "stress.fade": Parameter("min", 300.0, source="judgement; 10.1007/BF00398050"),
        },
        outputs={"strain.loss": Output("")},
        output=lambda v: {
            "strain.loss": (v["illness.level"] + v["stress.level"]) / (1.0 + v["illness.level"] + v["stress.level"])
        },
        change=lambda v: {name + ".level": _towards(v, name) for name in ("illness", "stress")},
    )


def _towards(v: Values, name: str) -> Array:
    """Return how fast the level goes to what was told, per minute: by one time constant up, by another down."""
    gap = v[name + ".told"] - v[name + ".level"]
    return gap / jnp.where(gap > 0.0, v[name + ".rise"], v[name + ".fade"])


def supposed() -> Module:
    """Return what a supposed change of insulin or carbohydrate does to glucose, by clinical rules of thumb.

    The twin's own effects are fitted to foresee, on records in which people dose when glucose is about to rise, and are
    several times too small to say what a dose does. A supposed change therefore acts by the 1700 and the 500 rule (1 U
    lowers glucose by 1700/T mg/dL, T the insulin of a usual day; 1 U covers 500/T g), with insulin action that peaks
    at 75 min (oref0's default for rapid insulin) and appearance of carbohydrate that peaks at 40 min (Hovorka 2004,
    10.1088/0967-3334/25/4/010, tmaxG); the change wears off with a time constant of 400 min, which is a judgement.
    Exercise, illness and stress, planned or told, act here by the same rules.
    """
    return Module(
        name="supposed",
        reads={
            "supposed.bolus": "U/min", "supposed.basal": "U/min", "supposed.carbs": "g/min", "habit.total": "U/min",
            "exercise.lowering": "mg/dL/min", "exercise.gain": "", "strain.loss": "", "insulin.action": "U/min",
        },
        states={
            "supposed.depot": State("U", 0.0, learned=False),
            "supposed.active": State("U", 0.0, learned=False),
            "supposed.stomach": State("g", 0.0, learned=False),
            "supposed.gut": State("g", 0.0, learned=False),
            "supposed.shift": State("mg/dL", 0.0, low=-600.0, high=600.0, learned=False),
        },
        parameters={
            "supposed.rule": Parameter("mg/dL", 1700.0, source="1700 rule of thumb"),
            "supposed.cover": Parameter("mg/dL/g", 1700.0 / 500.0, source="1700 and 500 rules of thumb"),
            "supposed.peak": Parameter("min", 75.0, source="oref0 lib/iob, rapid insulin"),
            "supposed.meal_peak": Parameter("min", 40.0, source="10.1088/0967-3334/25/4/010"),
            "supposed.wears_off": Parameter("min", 400.0, source="judgement"),
        },
        outputs={"insulin.sensitivity": Output("mg/dL/U", ("habit.total",)), "supposed.on_board": Output("U")},
        output=lambda v: {
            "insulin.sensitivity": v["supposed.rule"] / (v["habit.total"] * DAY_MIN),
            "supposed.on_board": v["supposed.depot"] + v["supposed.active"],
        },
        change=_supposed_change,
    )  # fmt: skip


def _supposed_change(v: Values) -> Values:
    released, acting = v["supposed.depot"] / v["supposed.peak"], v["supposed.active"] / v["supposed.peak"]
    emptied, appearing = v["supposed.stomach"] / v["supposed.meal_peak"], v["supposed.gut"] / v["supposed.meal_peak"]
    insulin_ = (1.0 + v["exercise.gain"]) * v["insulin.sensitivity"] * acting
    moved = v["supposed.cover"] * appearing - insulin_ - v["exercise.lowering"] + _withheld(v, acting)
    return {
        "supposed.depot": v["supposed.bolus"] + v["supposed.basal"] - released,
        "supposed.active": released - acting,
        "supposed.stomach": v["supposed.carbs"] - emptied,
        "supposed.gut": emptied - appearing,
        "supposed.shift": moved - v["supposed.shift"] / v["supposed.wears_off"],
    }


def _withheld(v: Values, acting: Array) -> Array:
    """Return mg/dL per minute that insulin does not lower because of illness and stress; more of them never return less."""
    at_work = jnp.maximum(v["insulin.action"] + acting, 0.0)
    return v["strain.loss"] * (1.0 + v["exercise.gain"]) * v["insulin.sensitivity"] * at_work


def sensor() -> Module:
    """Return the sensor: interstitial lag, and an error that is correlated in time (Ornstein-Uhlenbeck)."""
    return Module(
        name="sensor",
        reads={"glucose.plasma": "mg/dL", "supposed.shift": "mg/dL"},
        states={
            "sensor.interstitial": State("mg/dL", lambda p: p["glucose.start"], low=20.0, high=600.0),
            "sensor.error": State("mg/dL", 0.0, low=-80.0, high=80.0),
        },
        parameters={
            "sensor.lag": Parameter("min", 2.467, source="fitted, see docs/diabetes.md"),
            "sensor.error_sd": Parameter("mg/dL", 1.0),
            "sensor.error_time": Parameter("min", 15.0),
            "sensor.noise": Parameter("mg/dL", 0.666),
        },
        outputs={"sensor.glucose": Output("mg/dL")},
        output=lambda v: {"sensor.glucose": v["sensor.interstitial"] + v["sensor.error"]},
        change=lambda v: {
            "sensor.interstitial": (v["glucose.plasma"] + v["supposed.shift"] - v["sensor.interstitial"])
            / v["sensor.lag"],
            "sensor.error": -v["sensor.error"] / v["sensor.error_time"],
        },
        noise=lambda v: {"sensor.error": v["sensor.error_sd"] * jnp.sqrt(2.0 / v["sensor.error_time"])},
    )
