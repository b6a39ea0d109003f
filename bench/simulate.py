"""Patient-days per second of the S2008 virtual patient, against simglucose given the same inputs minute by minute.

    python -m bench.simulate --json

Ours is the generic `Composite` kernel (RK4, one minute, float32): 10,000 patients, each with meals and boluses of its
own, for one day, on two threads over chunks that fit the cache; packing the inputs and keeping glucose every 5 min are
within the time measured. simglucose is its patient model alone, without the controller, sensor and scenario around it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jax
import numpy as np

from bench.report import emit
from gemel.dynamics import Array, Belief, Dose
from gemel.facts import DAY, MINUTE
from gemel.packs.diabetes.asset import parameters_of, patient, subject, subjects

PATIENTS, THREADS, CHUNK, SPAN, DAY_MIN = 10_000, 2, 2_500, 60, 1440
GLUCOSE = "skin.glucose"
COMPARED = ("adult#006", "adolescent#010", "child#007")
"""The subjects that differ most of the thirty: their stomachs change pace within a minute."""


@dataclass(frozen=True)
class Inputs:
    """What everyone eats and takes: minute, grams and units of each meal (patient, meal); basal in U/min (patient,)."""

    minute: np.ndarray
    grams: np.ndarray
    units: np.ndarray
    basal: np.ndarray


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--compared", nargs="*", default=list(COMPARED), help="subjects to run in simglucose too")
    options = parser.parse_args()
    names = [subjects()[i % 30] for i in range(options.patients)]
    inputs = day_of(names)
    speeds = {f"glucose every {e} min" if e else "nothing kept": speed(names, inputs, e) for e in (0, 60, 5, 1)}
    peers, difference = compared(options.compared)
    details = {
        "patient_days_per_s": {label: round(rate.by_clock) for label, rate in speeds.items()},
        "patient_days_per_core_second": {label: round(rate.by_core) for label, rate in speeds.items()},
        "through Composite.advance": round(speed_of_advance(names[:3000], inputs)),
        "largest_difference_mg_dl": difference, "compared": options.compared, "patients": options.patients,
        "step": "RK4, 1 min (gut 30 s), float32", "threads": THREADS, "chunk": CHUNK,
    }  # fmt: skip
    emit("simulate", speeds["glucose every 5 min"].by_clock, "patient-days/s", peers, details)


def day_of(names: list[str], seed: int = 7) -> Inputs:
    """Return three meals of each patient's own time and size, dosed by their ratio, over their basal rate."""
    rng = np.random.default_rng(seed)
    bodies = [parameters_of(name) for name in names]
    minute = np.round(rng.normal([[7 * 60, 12.5 * 60, 18.5 * 60]], 30.0, (len(names), 3))).astype(int)
    grams = np.clip(np.round(rng.normal([[45.0, 70.0, 80.0]], 10.0, (len(names), 3))), 5.0, None)
    units = np.round(grams / np.array([[p["CR"]] for p in bodies]) / 0.05) * 0.05
    return Inputs(minute, grams, units, np.array([p["u2ss"] * p["BW"] / 6000.0 for p in bodies]))


def packed(inputs: Inputs, rows: slice, start: int) -> Mapping[str, Array]:
    """Return the kernel's doses for some patients over one span: (minute, patient, 1)."""
    count = len(inputs.basal[rows])
    doses = {"mouth.carbs": inputs.grams, "pump.bolus": inputs.units}
    dense: dict[str, Array] = {"pump.basal": np.full((SPAN, 1, 1), np.nan, np.float32)}
    minute = inputs.minute[rows] - start
    who, meal = np.nonzero((minute >= 0) & (minute < SPAN))
    for name, amounts in doses.items():
        dense[name] = np.zeros((SPAN, count, 1), np.float32)
        dense[name][minute[who, meal], who, 0] = amounts[rows][who, meal]
    return dense


def one_day(belief: Belief, inputs: Inputs, rows: slice, every: int) -> np.ndarray:
    """Return glucose (time, patient) of some patients over a day, by the compiled kernel alone."""
    values, kept = dict(belief.values), []
    left, origin = np.full(len(belief.at), SPAN, np.int32), np.zeros(len(belief.at), np.int32)
    record, keys, run = (GLUCOSE,) if every else (), unused_keys(len(belief.at)), patient().kernel.run
    for start in range(0, DAY_MIN, SPAN):
        doses = packed(inputs, rows, start)
        values, seen = run(values, doses, left, origin + start, keys, record=record, every=every or 1)
        kept.append(seen.get(GLUCOSE, np.zeros((0, len(belief.at), 1))))
    jax.block_until_ready(values)  # type: ignore[no-untyped-call]
    return np.concatenate([np.asarray(part)[..., 0] for part in kept])


def unused_keys(count: int) -> Array:
    """Return random keys that the noiseless model does not use."""
    return jax.random.split(jax.random.key(0), count)


def begun(names: list[str], inputs: Inputs) -> Belief:
    """Return patients at their start, basal running."""
    belief = patient().prior([subject(name) for name in names], 1, 0)
    return belief.with_values(**{"pump.basal": inputs.basal[:, None].astype(np.float32)})


@dataclass(frozen=True)
class Speed:
    """Patient-days per second by the clock, and per second of one core: the second does not mind other programs."""

    by_clock: float
    by_core: float


def speed(names: list[str], inputs: Inputs, every: int, repeats: int = 12) -> Speed:
    """Return the best of some runs after one to compile."""
    chunks = [slice(i, min(i + CHUNK, len(names))) for i in range(0, len(names), CHUNK)]
    whole = begun(names, inputs)
    beliefs = [whole.rows(range(rows.start, rows.stop)) for rows in chunks]
    clocks, cores = [], []
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(repeats + 1):
            started, worked = time.perf_counter(), time.process_time()
            list(pool.map(lambda belief, rows: one_day(belief, inputs, rows, every), beliefs, chunks))
            clocks.append(time.perf_counter() - started)
            cores.append(time.process_time() - worked)
    return Speed(len(names) / min(clocks[1:]), len(names) / min(cores[1:]))


def plans_of(inputs: Inputs, count: int) -> list[list[Dose]]:
    """Return the same inputs as plans."""
    return [
        [Dose("carbs", float(g), int(m) * MINUTE) for m, g in zip(inputs.minute[i], inputs.grams[i], strict=True)]
        + [Dose("bolus", float(u), int(m) * MINUTE) for m, u in zip(inputs.minute[i], inputs.units[i], strict=True)]
        for i in range(count)
    ]


def speed_of_advance(names: list[str], inputs: Inputs) -> float:
    """Return patient-days per second through `Composite.advance`, plans and records included."""
    belief = begun(names, Inputs(inputs.minute, inputs.grams, inputs.units, inputs.basal[: len(names)]))
    plans, times = plans_of(inputs, len(names)), []
    for _ in range(3):
        started = time.perf_counter()
        patient().advance(belief, plans, belief.at + DAY, 0, record=(GLUCOSE,))
        times.append(time.perf_counter() - started)
    return len(names) / min(times[1:])


def compared(names: list[str]) -> tuple[dict[str, float], float | None]:
    """Return simglucose's patient-days per second and the largest difference in BG, mg/dL, at any minute."""
    if not names:
        return {}, None
    inputs = day_of(names, seed=8)
    ours = one_day_by_minute(names, inputs)
    seconds, differences = [], []
    for i, name in enumerate(names):
        started = time.perf_counter()
        theirs = simglucose_day(name, inputs, i)
        seconds.append(time.perf_counter() - started)
        differences.append(float(np.abs(theirs - ours[:, i]).max()))
    return {"simglucose": 1.0 / min(seconds)}, max(differences)


def one_day_by_minute(names: list[str], inputs: Inputs) -> np.ndarray:
    """Return our glucose (minute, patient)."""
    return one_day(begun(names, inputs), inputs, slice(0, len(names)), 1)


def simglucose_day(name: str, inputs: Inputs, row: int) -> np.ndarray:
    """Return simglucose's BG (minute,) for one patient."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, pandas
        from simglucose.patient.t1dpatient import Action, T1DPatient  # type: ignore[import-untyped]
    them = T1DPatient.withName(name)
    grams, units = np.zeros(DAY_MIN), np.full(DAY_MIN, inputs.basal[row])
    grams[inputs.minute[row]] += inputs.grams[row]
    units[inputs.minute[row]] += inputs.units[row]
    glucose = np.empty(DAY_MIN)
    for minute in range(DAY_MIN):
        them.step(Action(CHO=grams[minute], insulin=units[minute]))
        glucose[minute] = them.observation.Gsub
    return glucose


if __name__ == "__main__":
    main()
