"""From a reading to its stored forecast, for one live twin on an embedded store, in ms.

    python -m bench.latency --json

Ours: the reading is appended (synced to disk), and `Loop.attend` scores what was foretold of it, folds it into a belief of
the person's members, forecasts two hours with what was learned of three days of errors, and appends the forecast. The loop's
alarms are part of it. The peer does the least that a forecast could be: it appends the reading, and then the same value
for two hours as the forecast, through the same store.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from bench.report import emit
from gemel.bank import Bank
from gemel.dynamics import Dose, Subject
from gemel.facts import DAY, HOUR, MINUTE, Draft, Fact, Time
from gemel.loop import Loop
from gemel.packs.diabetes.person import DYNAMICS, Person

START: Time = 1_700_000_040_000
EVERY, DAYS, LIMIT = 5 * MINUTE, 3, 50.0


class Clock:
    """Time that stands until it is set."""

    now = START

    def __call__(self) -> Time:
        """Return the time."""
        return self.now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--readings", type=int, default=300)
    parser.add_argument("--warm", type=int, default=30)
    options = parser.parse_args()
    took = measured(twin, options.readings, options.warm)
    held = measured(hold, options.readings, options.warm)
    details = {
        "p50_ms": _ms(took, 50), "p99_ms": _ms(took, 99), "max_ms": _ms(took, 100),
        "hold_p50_ms": _ms(held, 50), "hold_p99_ms": _ms(held, 99), "limit_ms": LIMIT,
        "readings": options.readings, "members": Person.members, "days_before": DAYS,
    }  # fmt: skip
    emit(
        "latency",
        _ms(took, 99),
        "ms from reading to stored forecast, p99 (less is better)",
        {"hold_last_value": _ms(held, 99), "limit": LIMIT},
        details,
    )


def measured(make: Callable[[Bank, Clock], Callable[[Fact], None]], readings: int, warm: int) -> np.ndarray:
    """Return seconds from each reading to its stored forecast, the first *warm* left out."""
    folder = Path(tempfile.mkdtemp(prefix="gemel-latency-"))
    try:
        clock = Clock()
        with Bank.open(str(folder / "store"), clock) as bank:
            bank.create(Person, "lily", by="sarah")
            bank.append(history())
            clock.now = START + DAYS * DAY
            answer, took = make(bank, clock), []
            coming = {dose.true_at: dose for dose in doses()}
            for _ in range(warm + readings):
                clock.now += EVERY
                if clock.now in coming:
                    bank.append([coming[clock.now]])
                began = time.perf_counter()
                answer(bank.append([reading(clock.now)]).facts[0])
                took.append(time.perf_counter() - began)
            stored = len(list(bank.thread.read("lily", kinds=["forecast/1"])))
            assert stored >= 0.95 * len(took), f"only {stored} forecasts were stored"
        return np.array(took[warm:])
    finally:
        shutil.rmtree(folder)


def twin(bank: Bank, clock: Clock) -> Callable[[Fact], None]:
    """Return what the loop does with a reading."""
    bank.learn("lily", "glucose", "sarah", clock.now)
    loop = Loop(bank, agents=())

    def answer(fact: Fact) -> None:
        loop.attend("lily", [fact])

    return answer


def hold(bank: Bank, clock: Clock) -> Callable[[Fact], None]:
    """Return a forecast that the last value holds."""

    def answer(fact: Fact) -> None:
        mean = [fact.body["value"]] * 24
        body = {
            "signal": "glucose",
            "made_at": clock.now,
            "at": [clock.now + EVERY * i for i in range(1, 25)],
            "mean": mean,
        }
        bank.append([Draft("lily", "forecast/1", body, clock.now, "hold", (fact.seq,))])

    return answer


def doses() -> list[Draft]:
    """Return the meals and insulin of all days."""
    found = [acted("basal", 0.9, START)]
    for day in range(DAYS + 2):
        for hour, grams in ((7, 45.0), (12, 70.0), (18, 80.0)):
            at = START + day * DAY + hour * HOUR
            found += [acted("carbs", grams, at), acted("bolus", grams / 10, at)]
    return found


def history() -> list[Draft]:
    """Return some days of readings, and all doses up to then."""
    end = START + DAYS * DAY
    return [reading(at) for at in range(START, end + 1, EVERY)] + [dose for dose in doses() if dose.true_at <= end]


@cache
def course() -> np.ndarray:
    """Return what the sensor of somebody with the twin's own physiology shows, every five minutes."""
    plan = [Dose(dose.body["name"], dose.body["value"], dose.true_at) for dose in doses()]
    body = DYNAMICS.prior([Subject("somebody", START)], 1, 1)
    _, way = DYNAMICS.advance(body, [plan], body.at + (DAYS + 2) * DAY, 1, record=["sensor.glucose"], every=EVERY)
    return np.asarray(way.values["sensor.glucose"])[:, 0, 0]


def reading(at: Time) -> Draft:
    """Return what the sensor says."""
    value = float(course()[(at - START) // EVERY])
    body = {"name": "glucose", "value": value, "unit": "mg/dL", "source": "cgm", "key": f"cgm|{at}"}
    return Draft("lily", "observed/1", body, at, "cgm", key=f"cgm|{at}")


def acted(name: str, amount: float, at: Time) -> Draft:
    """Return what the pump or the person did."""
    body = {"name": name, "value": amount, "unit": "", "source": "pump", "key": f"{name}|{at}"}
    return Draft("lily", "acted/1", body, at, "pump", key=f"{name}|{at}")


def _ms(seconds: np.ndarray, percentile: float) -> float:
    return round(1000 * float(np.percentile(seconds, percentile)), 2)


if __name__ == "__main__":
    main()
