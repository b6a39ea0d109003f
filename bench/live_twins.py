"""Live twin updates per second: each reads one CGM value, moves five minutes on and learns from it.

    python -m bench.live_twins --json

Ours is `diabetes.person` as the bank runs it: 10,000 twins per batch, `Composite.advance` with a plan per twin, then
`condition`; batches are split over two threads. The peers do the same cycle for one twin at a time, with the same model
equations written by hand in NumPy: filterpy's `EnsembleKalmanFilter`, and a plain square-root ensemble filter.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from bench.report import emit
from gemel.assimilate import condition
from gemel.bank.replica import SETTINGS, Replica
from gemel.dynamics import Array, Belief, Dose, Subject
from gemel.facts import HOUR, MINUTE, Fact
from gemel.packs.diabetes.person import DYNAMICS, Person

STEP, THREADS, COLUMNS, MEMBERS = 5 * MINUTE, 2, 80_000, 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--twins", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=8)
    options = parser.parse_args()
    rates = {members: ours(options.twins, members, options.repeats) for members in (MEMBERS, 64, 128)}
    runs = {"filterpy": filterpy_cycle(), "numpy_ensrf": numpy_cycle()}
    peers = {name: alone(run) for name, run in runs.items() if run is not None}
    details = {
        "updates_per_s": {f"{members} members": round(clock) for members, (clock, _) in rates.items()},
        "updates_per_core_second": {f"{members} members": round(core) for members, (_, core) in rates.items()},
        "bytes_of_belief": {f"{members} members": belief_bytes(members) for members in rates},
        "bytes_of_replica_with_one_day": replica_bytes(),
        "twins": options.twins, "threads": THREADS, "columns_per_chunk": COLUMNS, "minutes_forward": STEP // MINUTE,
    }  # fmt: skip
    emit("live_twins", rates[MEMBERS][0], "updates/s, 32 members", peers, details)


def begun(count: int, members: int) -> Belief:
    """Return twins of their own with something on board."""
    return DYNAMICS.prior([Subject(f"twin {i}", 0) for i in range(count)], members, 0)


def plans_of(belief: Belief, hour: int) -> list[list[Dose]]:
    """Return what each twin's pump and plate say in the next five minutes: basal for all, a meal for one in forty."""
    basal = [Dose("basal", 0.9, int(at)) for at in belief.at]
    meal = [
        [Dose("carbs", 60.0, int(at)), Dose("bolus", 6.0, int(at))] if (i + hour) % 40 == 0 else []
        for i, at in enumerate(belief.at)
    ]
    return [[basal[i], *meal[i]] for i in range(len(basal))]


def cycle(belief: Belief, hour: int) -> Belief:
    """Return twins five minutes on, one reading wiser."""
    moved, _ = DYNAMICS.advance(belief, plans_of(belief, hour), belief.at + STEP, 0)
    values = 130.0 + 30.0 * np.sin(np.arange(len(belief.at)) + hour / 10)
    found, _ = condition(DYNAMICS, moved, {"glucose": values}, SETTINGS)
    jax.block_until_ready(found.values)  # type: ignore[no-untyped-call]
    return found


def ours(count: int, members: int, repeats: int) -> tuple[float, float]:
    """Return updates per second by the clock and per core-second, the best of some cycles after two to compile."""
    whole, chunk = begun(count, members), COLUMNS // members
    beliefs = [whole.rows(range(i, min(i + chunk, count))) for i in range(0, count, chunk)]
    clocks, cores = [], []
    with ThreadPoolExecutor(THREADS) as pool:
        for k in range(repeats + 2):
            started, worked = time.perf_counter(), time.process_time()
            beliefs = list(pool.map(lambda belief, k=k: cycle(belief, k), beliefs))
            clocks.append(time.perf_counter() - started)
            cores.append(time.process_time() - worked)
    return count / min(clocks[2:]), count / min(cores[2:])


def belief_bytes(members: int) -> int:
    """Return the bytes of one twin's belief."""
    return sum(np.asarray(value).nbytes for value in begun(1, members).values.values())


def replica_bytes() -> int:
    """Return the bytes that one replica takes with a day of readings and doses, beliefs left out."""

    def fact(kind: str, name: str, value: float, at: int) -> Fact:
        return Fact("a", kind, {"name": name, "value": value, "key": f"{name}|{at}"}, at, at, name, (), at)

    facts = [fact("observed/1", "glucose", 120.0 + i % 40, i * STEP) for i in range(288)]
    facts += [fact("acted/1", "basal", 0.9, i * HOUR) for i in range(24)]
    tracemalloc.start()
    replica = Replica(Person, "a", {}, 0)
    replica.take(facts)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return int(taken)


# peers: the same equations by hand, one twin at a time

NAMES = sorted(name for name in DYNAMICS.states if not name.startswith("supposed."))
"""States that a live twin moves; those of supposed changes are at rest, and the peers are spared them."""


def constants() -> dict[str, float]:
    """Return the numbers of the model."""
    return {name: parameter.value for name, parameter in DYNAMICS.parameters.items()} | {
        "pump.bolus": 0.0,
        "mouth.carbs": 0.0,
        "pump.basal": 0.015,
    }


def slope(x: dict[str, Array], c: dict[str, float]) -> dict[str, Array]:
    """Return rates of change per minute."""
    released, absorbed = c["insulin.kd"] * x["insulin.depot"], c["insulin.ka"] * x["insulin.interstitial"]
    excess = x["insulin.action"] - x["habit.basal"]
    level = np.clip(x["glucose.plasma"], 40, 300) / 120
    factor = c["sensitivity.rule"] / (x["habit.total"] * 1440) * np.exp(x["sensitivity.log"])
    lowering = factor * excess * level ** c["glucose.power"]
    appearance = c["gut.kabs"] * x["gut.carbs"]
    raising = c["carbs.factor"] * np.exp(x["carbs.log"]) * appearance
    back = c["glucose.effectiveness"] * (x["glucose.plasma"] - c["glucose.rest"] - x["rest.shift"])
    zero = np.zeros_like(level)
    return {
        "insulin.depot": c["pump.bolus"] + c["pump.basal"] - released,
        "insulin.interstitial": released - absorbed,
        "insulin.plasma": c["insulin.ke"] * (absorbed - x["insulin.plasma"]),
        "insulin.action": c["insulin.p2"] * (x["insulin.plasma"] - x["insulin.action"]),
        "habit.basal": (c["pump.basal"] - x["habit.basal"]) / np.clip(x["habit.age"], 30, 1440),
        "habit.total": (c["pump.basal"] + c["pump.bolus"] - x["habit.total"]) / np.minimum(x["habit.age"] + 1440, 4320),
        "habit.age": zero + 1.0,
        "stomach.solid": c["mouth.carbs"] - c["stomach.kempt"] * x["stomach.solid"],
        "stomach.liquid": c["stomach.kempt"] * (x["stomach.solid"] - x["stomach.liquid"]),
        "gut.carbs": c["stomach.kempt"] * x["stomach.liquid"] - appearance,
        "glucose.plasma": raising - lowering - back + x["glucose.fast"] + x["glucose.slow"],
        "glucose.fast": -x["glucose.fast"] / c["glucose.fast_time"],
        "glucose.slow": -x["glucose.slow"] / c["glucose.slow_time"],
        "sensitivity.log": zero, "carbs.log": zero, "rest.shift": zero,
        "sensor.interstitial": (x["glucose.plasma"] - x["sensor.interstitial"]) / c["sensor.lag"],
        "sensor.error": -x["sensor.error"] / c["sensor.error_time"],
    }  # fmt: skip


def five_minutes(x: Array, c: dict[str, float], rng: np.random.Generator) -> Array:
    """Return states (state, member) five minutes on: RK4 by the minute, with noise."""
    noise = np.zeros((len(NAMES), 1))
    for name, size in (
        ("glucose.fast", c["glucose.fast_sd"] * np.sqrt(2 / c["glucose.fast_time"])),
        ("glucose.slow", c["glucose.slow_sd"] * np.sqrt(2 / c["glucose.slow_time"])),
        ("sensitivity.log", c["sensitivity.walk"]), ("carbs.log", c["carbs.walk"]), ("rest.shift", c["rest.walk"]),
        ("sensor.error", c["sensor.error_sd"] * np.sqrt(2 / c["sensor.error_time"])),
    ):  # fmt: skip
        noise[NAMES.index(name)] = size

    def f(at: Array) -> Array:
        found = slope(dict(zip(NAMES, at, strict=True)), c)
        return np.stack([found[name] for name in NAMES])

    for _ in range(5):
        k1 = f(x)
        k2 = f(x + 0.5 * k1)
        k3 = f(x + 0.5 * k2)
        x = x + (k1 + 2 * (k2 + k3) + f(x + k3)) / 6 + noise * rng.standard_normal(x.shape)
    return x


def start() -> Array:
    """Return one twin's states (state, member)."""
    belief = begun(1, MEMBERS)
    return np.stack([np.asarray(belief.values[name])[0] for name in NAMES]).astype(float)


def numpy_cycle() -> Callable[[float], object]:
    """Return a cycle of a plain square-root ensemble filter."""
    c, rng, x = constants(), np.random.default_rng(0), [start()]
    seen, error = NAMES.index("sensor.interstitial"), NAMES.index("sensor.error")

    def run(value: float) -> object:
        moved = five_minutes(x[0], c, rng)
        y = moved[seen] + moved[error]
        off, dev = y - y.mean(), moved - moved.mean(axis=1, keepdims=True)
        total = off @ off / (MEMBERS - 1) + c["sensor.noise"] ** 2
        gain = dev @ off / (MEMBERS - 1) / total
        part = 1 / (1 + np.sqrt(c["sensor.noise"] ** 2 / total))
        x[0] = moved + gain[:, None] * (value - y.mean()) - part * gain[:, None] * off
        return x[0]

    return run


def filterpy_cycle() -> Callable[[float], object] | None:
    """Return a cycle of filterpy's ensemble filter, or None where it is not installed."""
    try:
        from filterpy.kalman import EnsembleKalmanFilter
    except ImportError:
        return None
    c, rng, first = constants(), np.random.default_rng(0), start()
    seen, error = NAMES.index("sensor.interstitial"), NAMES.index("sensor.error")
    size = len(NAMES)

    def move(x: Array, dt: float) -> Array:
        return five_minutes(x[:, None], c, rng)[:, 0]

    def read(x: Array) -> Array:
        return np.array([x[seen] + x[error]])

    found: Any = EnsembleKalmanFilter(
        first.mean(axis=1), np.cov(first) + 1e-9 * np.eye(size), 1, 5.0, MEMBERS, read, move
    )
    found.sigmas, found.R, found.Q = first.T.copy(), np.eye(1) * c["sensor.noise"] ** 2, 1e-12 * np.eye(size)

    def run(value: float) -> object:
        found.predict()
        found.update(np.array([value]))
        return found.x

    return run


def alone(run: Callable[[float], object], seconds: float = 2.0) -> float:
    """Return cycles per second of one twin."""
    values: Sequence[float] = (120.0, 124.0, 127.0, 125.0)
    run(121.0)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        run(values[done % 4])
        done += 1
    return done / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
