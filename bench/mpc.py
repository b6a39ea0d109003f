"""How long one decision of the closed loop takes: `python -m bench.mpc`; for one person, and for a thousand at once.

A decision is a step of the filter, a forecast of five hours and MPC. The limits are issue 5's: 50 ms and 2 s.
"""

from __future__ import annotations

import time

import numpy as np

from bench.report import emit
from gemel.packs.diabetes.control.body import Given
from gemel.packs.diabetes.control.caution import LEARNING
from gemel.packs.diabetes.control.foresee import STEP, Follower
from gemel.packs.diabetes.control.mpc import Asked, mpc_many

ROUNDS, FIRST = 40, 10
LIMITS_MS = {1: 50.0, 1000: 2000.0}


def decided(people: int) -> np.ndarray:
    """Return median ms of filter, forecast and MPC, compiling aside."""
    same, hours = np.full(people, 1.0), np.full((people, 24), 1.0)
    follower = Follower(40 * hours, 10 * hours, hours, 150 * same, 0)
    took = [_one(follower, k, same) for k in range(ROUNDS)]
    return np.asarray(np.median(took[FIRST:], axis=0))


def _one(follower: Follower, k: int, same: np.ndarray) -> np.ndarray:
    marks = [time.perf_counter()]
    follower.step(k * STEP, Given(0 * same, same / 12, 0 * same, 0 * same), 150 * same + k)
    np.asarray(follower.x["glucose"])
    marks.append(time.perf_counter())
    path, unit, _ = follower.foresee(k * STEP, 0 * same)
    marks.append(time.perf_counter())
    mpc_many(Asked(path, unit, same, 3 * same, 5 * same, same < 0, 10 * same, LEARNING.start * same))
    return 1000 * np.diff([*marks, time.perf_counter()])


def main() -> None:
    """Time both, and print."""
    found = {people: decided(people) for people in LIMITS_MS}
    details = {
        str(n): dict(zip(("filter", "forecast", "mpc"), ms.round(1).tolist(), strict=True)) for n, ms in found.items()
    }
    for people, ms in found.items():
        name = f"mpc_{people}"
        emit(name, float(ms.sum()), "ms for a decision (less is better)", {"limit": LIMITS_MS[people]}, details)


if __name__ == "__main__":
    main()
