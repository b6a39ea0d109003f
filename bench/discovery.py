"""Discovery judged: LoanApp train → ten simulated logs against the test log, beside Simod; and a service that changes.

    python -m bench.discovery --json

Simod's figures were measured on this kind of machine (Simod 5.2.1 + Prosimos 2.1.0, one-shot, ten simulations, by
log-distance-measures 2.2.0); ours are by `packs.service.distance`, which reproduces that package's floor of train
against test. The figure of the bench is the share of Simod's distances that ours are, on average (geometric mean).

The changed scenario: an office simulated in plain Python (`bench.office`) is discovered from half a year of its log,
starts and ends only. Then a third of its staff is gone and twice as many customers come, in the office and in the twin.
The twin's forecast of how much longer cases take, in mean, with draws of its posterior, has to hold what happened.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.office import MORTGAGES, START, Asset, Office, another
from bench.report import emit
from gemel.facts import DAY, Time
from gemel.packs.service.discovery import CUSTOMERS, Found, discover
from gemel.packs.service.discovery.replay import simulated
from gemel.packs.service.distance import distances
from gemel.packs.service.log import Log
from gemel.packs.service.logs import read_log
from gemel.process.engine import Control, simulate
from gemel.process.network import Network
from gemel.process.present import Present

DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "services"
SIMOD = {
    "2-gram": 0.0756, "3-gram": 0.1207, "relative": 5.40, "absolute": 97.0, "arrivals": 107.7, "circadian": 0.494,
    "cycle time": 12.91,
}  # fmt: skip
SIMOD_S, PROSIMOS_PER_S = 52.0, 3700.0
WEEK = 7 * DAY
LEARNT, AFTER, EMPTYING, MEMBERS, OFFICES = 26, 8, 12, 200, 6


def loan(part: str) -> Log:
    """Return one half of Simod's sample of loan applications."""
    return read_log(DATA / f"simod_LoanApp_simplified_{part}.csv.gz")[0]


def likeness(found: Found, train: Log, test: Log, runs: int) -> dict[str, dict[str, float]]:
    """Return for each measure our mean distance to the test log, its sd, Simod's and the floor."""
    start = int(test.first.min())
    seen = [
        distances(simulated(found.network, start, cases=len(test.cases), seed=s, activity=found.activity), test)
        for s in range(runs)
    ]
    floor = distances(train, test)
    return {
        name: {
            "ours": round(float(np.mean([one[name] for one in seen])), 4),
            "sd": round(float(np.std([one[name] for one in seen])), 4),
            "floor": round(floor[name], 4),
        }
        | ({"simod": SIMOD[name]} if name in SIMOD else {})
        for name in floor
    }


def speed(network: Network, start: Time, members: int = 100, weeks: int = 13) -> float:
    """Return activities simulated per second of the discovered network, compiled before."""

    def run(many: int) -> float:
        done = simulate(network, Present(start), start + weeks * WEEK, members=many)
        return float(sum(values[-1].sum() for name, values in done.gauges.items() if name.startswith("served.")))

    run(2)
    begun = time.perf_counter()
    served = run(members)
    return served / (time.perf_counter() - begun)


def changed(network: Network, staff: float, arrivals: float) -> Network:
    """Return the network with a share of its staff and so many times as many customers."""
    pools = tuple(
        replace(pool, calendar=replace(pool.calendar, shifts=tuple(
            replace(shift, count=max(round(shift.count * staff), 1)) for shift in pool.calendar.shifts
        )))
        for pool in network.pools
    )  # fmt: skip
    customers = tuple(
        replace(
            group, arrivals=replace(group.arrivals, per_hour=tuple(rate * arrivals for rate in group.arrivals.per_hour))
        )
        for group in network.customers
    )
    return replace(network, pools=pools, customers=customers)


def cycles(network: Network, weeks: int, found: Found, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean hours from coming to leaving, and of all waiting per activity, of each draw of the posterior.

    As in the office, nobody comes after so many weeks, and who is inside is served until all have left.
    """
    rng, start = np.random.default_rng(7), round(START.timestamp() * 1000)
    scales, routes = found.scales(MEMBERS, rng), found.routes(start, MEMBERS, rng)
    closed = Control(start + weeks * WEEK, "arrivals", CUSTOMERS, 0.0)
    run = simulate(
        network, Present(start), start + (weeks + EMPTYING) * WEEK, members=MEMBERS, seed=seed, scales=scales,
        controls=[*routes, closed], keep=("cases",),
    )  # fmt: skip
    rows = run.cases
    assert rows is not None and not np.isnan(rows["left"]).any()
    count = np.bincount(rows["member"], minlength=MEMBERS)
    hours = np.bincount(rows["member"], rows["left"] - rows["arrived"], minlength=MEMBERS) / count / 3600
    waited, served = (
        sum(values[-1] for name, values in run.gauges.items() if name.startswith(f"{what}.") and ".pool." not in name)
        for what in ("waited", "served")
    )
    return hours, np.asarray(waited) / np.asarray(served) / 3600


def scenario(seed: int, office: Office = MORTGAGES) -> dict[str, Any]:
    """Return what the twin of one office foretold of the change, and what came."""
    before = Asset(LEARNT, seed, office=office)
    after = Asset(AFTER, 1000 + seed, arrivals=2.0, staff=2 / 3, office=office)
    found = discover(before.log())
    base = cycles(found.network, LEARNT, found, 1)
    then = cycles(changed(found.network, 2 / 3, 2.0), AFTER, found, 2)
    actual = (after.cycles().mean() - before.cycles().mean(), (np.mean(after.waited) - np.mean(before.waited)) / 3600)
    result: dict[str, Any] = {}
    for name, one, other, came in zip(("cycle_h", "wait_h"), base, then, actual, strict=True):
        low, middle, high = np.quantile(other - one, [0.05, 0.5, 0.95])
        rank = float(np.mean(other - one < came))
        result[name] = {
            "came": round(float(came), 2), "foretold": round(float(middle), 2),
            "interval": [round(float(low), 2), round(float(high), 2)], "within": bool(low <= came <= high),
            "rank": round(rank, 3),
        }  # fmt: skip
    return result


def held(offices: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return in how many offices what came was within the interval."""
    names = ("cycle_h", "wait_h") if offices else ()
    return {name: f"{sum(one[name]['within'] for one in offices)} of {len(offices)}" for name in names}


def ratio(table: dict[str, dict[str, float]], names: Sequence[str]) -> float:
    """Return our distances as a share of Simod's: the geometric mean, not counting what is 0."""
    shares = [table[name]["ours"] / SIMOD[name] for name in names if table[name]["ours"] > 0]
    return float(np.exp(np.mean(np.log(shares))))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--offices", type=int, default=OFFICES, help="how many offices change")
    parser.add_argument("--others", type=int, default=0, help="how many offices of other parameters change")
    options = parser.parse_args()
    train, test = loan("train"), loan("test")
    discover(train)
    begun = time.perf_counter()
    found = discover(train)
    seconds = time.perf_counter() - begun
    table = likeness(found, train, test, options.runs)
    offices = [scenario(seed) for seed in range(options.offices)]
    others = [scenario(300 + seed, another(seed)) for seed in range(options.others)]
    rate = speed(found.network, int(test.first.min()))
    details = {
        "distances": table, "discovery_s": round(seconds, 2), "simod_discovery_s": SIMOD_S,
        "activities_per_s": round(rate), "prosimos_activities_per_s": PROSIMOS_PER_S,
        "changed": offices, "within": held(offices), "others": others, "within_others": held(others),
        "customers": CUSTOMERS,
    }  # fmt: skip
    beaten = [name for name in SIMOD if table[name]["ours"] < SIMOD[name]]
    details["beaten"] = f"{len(beaten)} of {len(SIMOD)} distances"
    emit("discovery", ratio(table, beaten), "of Simod's distances, geometric mean", {"simod": 1.0}, details)


if __name__ == "__main__":
    main()
