"""Broken promises that the twin's acts prevent in a live contact centre: 100 days with it and without, same random numbers.

    python -m bench.prevented --json

The asset is `packs.service.centre.asset`: other distributions than the twin's, tired people, storms, drift, lost events. The
twin learns four weeks of events, then looks 90 minutes ahead every quarter of an hour and may move people, call in stand-by,
offer call-backs, or send overflow to the other site; guards cap the money of a day and what any class may lose. One
block of two hours in eight is held out at random: the effect told from those alone is compared with the paired one.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.report import emit
from gemel.errors import Refused
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.service.centre.asset import CLOSES, OPENS, START, Centre
from gemel.packs.service.centre.means import MEANS
from gemel.packs.service.centre.network import CLASSES, network
from gemel.packs.service.estimate import Estimate, mean
from gemel.packs.service.follow import learned
from gemel.packs.service.guards import Rules
from gemel.packs.service.pilot import Pilot
from gemel.packs.service.uplift import Logged, effect
from gemel.twintype import Autonomy

LEARNS, BLOCK, WASHOUT, EVERY, HORIZON = 28, 2 * HOUR, 20 * MINUTE, 15 * MINUTE, 90 * MINUTE
MEMBERS, WORTH = 32, 30.0
RULES = Rules(
    money_per_day=700.0, worse_s=30.0, autonomy={"add": Autonomy.ACT, "call back": Autonomy.ACT}, holdout=0.12
)


@dataclass(frozen=True)
class Arm:
    """One run of some days: a row per call (`COLUMNS`), and what was done.

    `broken` is the first promise, `renewed` the last: within an hour, for who is called back.
    """

    calls: np.ndarray
    money: float
    spent: Mapping[str, float]
    acts: Mapping[str, int]
    standby_hours: float
    held: tuple[int, ...]
    predicted: float


COLUMNS = ("at", "class", "waited", "broken", "renewed", "abandoned", "score", "again")


def main() -> None:
    """Run both arms over the days and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    began, half = time.perf_counter(), options.days // 2
    spans = ((LEARNS, LEARNS + half), (LEARNS + half, LEARNS + options.days))
    with ProcessPoolExecutor(2) as pool:
        twins = [pool.submit(lived, options.seed, *span, twin=True) for span in spans]
        plain = [pool.submit(lived, options.seed, *span, twin=False) for span in spans]
        found = compared([one.result() for one in plain], [one.result() for one in twins], options.days)
    found["seconds"] = round(time.perf_counter() - began)
    emit("prevented", found["breaches a day"]["twin"], "broken promises a day",
         {"the centre alone": found["breaches a day"]["alone"]}, found)  # fmt: skip


def lived(seed: int, first: int, last: int, *, twin: bool) -> Arm:
    """Return what happened from day *first* to day *last*, with the twin's acts or without."""
    centre = Centre(seed, days=last)
    begin, end = START + first * DAY, START + last * DAY
    events = centre.until(START + LEARNS * DAY)
    if not twin:
        centre.until(end)
        return told(centre, begin, end, None)
    seen = learned(network(whole=False), events, START, START + LEARNS * DAY)
    means = replace(MEANS, worth=WORTH, looks=tuple(replace(look, horizon=HORIZON) for look in MEANS.looks))
    pilot = Pilot(seen, means, RULES, seed=seed, block=BLOCK, members=MEMBERS, every=EVERY)
    pilot.watch(centre, begin)
    for now in range(begin, end, pilot.every):
        pilot.watch(centre, now)
        if OPENS * HOUR <= now % DAY < CLOSES * HOUR - 15 * MINUTE:
            pilot.step(centre, now)
    pilot.watch(centre, end)
    return told(centre, begin, end, pilot)


def told(centre: Centre, begin: int, end: int, pilot: Pilot | None) -> Arm:
    """Return the truth of a run as arrays."""
    names = list(CLASSES)
    calls = np.array([
        (o.at, names.index(o.customers), o.waited, o.waited > CLASSES[o.customers], o.breach, o.abandoned, o.score, o.again)
        for o in centre.outcomes if begin <= o.at < end and np.isfinite(o.waited)
    ])  # fmt: skip
    spent: Counter[str] = Counter()
    for action in centre.actions:
        spent[action.kind] += action.cost
    held = tuple(t for t in range(begin, end, BLOCK) if pilot is not None and pilot.held_out(t))
    predicted = sum(d.chosen.prevented.value for d in pilot.decided if d.chosen) if pilot else 0.0
    acts = Counter(action.kind for action in centre.actions)
    return Arm(calls, sum(spent.values()), spent, acts, centre.hours["stand-by"], held, predicted)


def compared(plain: list[Arm], twins: list[Arm], days: int) -> dict[str, Any]:
    """Return what the twin prevented, what it cost and who bore it."""
    a, b = (np.concatenate([arm.calls for arm in arms]) for arms in (plain, twins))
    held = np.array(sorted(t for arm in twins for t in arm.held), np.int64)
    gain = per_day(a, days, "broken") - per_day(b, days, "broken")
    money = sum(arm.money for arm in twins)
    spent, acts = Counter(), Counter()
    for arm in twins:
        spent.update(arm.spent)
        acts.update(arm.acts)
    total = float(gain.sum())
    renewed = per_day(a, days, "renewed") - per_day(b, days, "renewed")
    return {
        "breaches a day": {"alone": float(a[:, 3].sum() / days), "twin": float(b[:, 3].sum() / days)},
        "prevented a day": short(mean("prevented", gain)), "share prevented": round(total / a[:, 3].sum(), 3),
        "prevented a day, if a call-back in time is a promise kept": short(mean("prevented", renewed)),
        "money a day": round(money / days, 1), "money per breach prevented": round(money / max(total, 1), 2),
        "money by kind": {k: round(v / days, 1) for k, v in spent.items()}, "acts": dict(acts),
        "borne by staff: stand-by hours a day": round(sum(arm.standby_hours for arm in twins) / days, 2),
        "by class": {name: by_class(a, b, days, k) for k, name in enumerate(CLASSES)},
        "satisfaction": satisfaction(a, b, days),
        "gave up": {"alone": int(a[:, 5].sum()), "twin": int(b[:, 5].sum())},
        "hold-out": held_out(a, b, held, days),
        "predicted by the forks, prevented in all": round(sum(arm.predicted for arm in twins)), "prevented in all": round(total),
        "calls": {"alone": len(a), "twin": len(b)}, "days": days,
    }  # fmt: skip


def per_day(calls: np.ndarray, days: int, column: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the sum of a column by day (day,)."""
    chosen = calls if rows is None else calls[rows]
    day = ((chosen[:, 0] - START) // DAY).astype(int) - LEARNS
    return np.bincount(day, chosen[:, COLUMNS.index(column)], days)[:days]


def by_class(a: np.ndarray, b: np.ndarray, days: int, k: int) -> dict[str, Any]:
    """Return breaches and waits of one class, with and without."""
    mine = [calls[:, 1] == k for calls in (a, b)]
    gain = per_day(a, days, "broken", mine[0]) - per_day(b, days, "broken", mine[1])
    return {
        "prevented a day": short(mean("prevented", gain)),
        "breaches": [int(calls[rows, 3].sum()) for calls, rows in zip((a, b), mine, strict=True)],
        "mean wait s": [round(float(calls[rows, 2].mean()), 1) for calls, rows in zip((a, b), mine, strict=True)],
    }


def satisfaction(a: np.ndarray, b: np.ndarray, days: int) -> dict[str, Any]:
    """Return the mean score of all calls by day, with the paired gain."""
    scores = []
    for calls in (a, b):
        there = np.isfinite(calls[:, 6])
        scores.append(
            per_day(calls, days, "score", there)
            / np.maximum(per_day(np.c_[calls[:, :6], there, there], days, "score"), 1)
        )
    return {"alone": round(float(scores[0].mean()), 3), "twin": round(float(scores[1].mean()), 3),
            "gain": short(mean("gain", scores[1] - scores[0]))}  # fmt: skip


def held_out(a: np.ndarray, b: np.ndarray, held: np.ndarray, days: int) -> dict[str, Any]:
    """Return the effect per block told from the twin's own run, where blocks were held out, and the paired one beside it."""
    starts = np.array([START + (LEARNS + d) * DAY + h * HOUR for d in range(days) for h in range(OPENS, CLOSES, 2)])
    plain, acted = (blocks(calls, starts) for calls in (a, b))
    action = (~np.isin(starts, held)).astype(int)
    hour, weekday = (starts % DAY) // HOUR, (starts - START) // DAY % 7
    calls = acted["first calls"]
    features = np.column_stack(
        [calls, calls**2, *(hour == h for h in range(10, CLOSES, 2)), *(weekday == d for d in range(1, 7))]
    )
    chance = np.tile([RULES.holdout, 1 - RULES.holdout], (len(starts), 1))
    try:
        found = effect(Logged(features.astype(float), action, -acted["breaches"], chance), 1)
    except Refused as refused:
        return {"refused": str(refused)}
    paired = mean("paired", (plain["breaches"] - acted["breaches"])[action == 1])
    return {
        "blocks held out": int((action == 0).sum()), "blocks": len(starts),
        "prevented a block, told from the hold-out": short(found), "prevented a block, paired": short(paired),
        "agrees": found.holds(paired.value),
        "left in held-out blocks, paired": short(mean("left", (plain["breaches"] - acted["breaches"])[action == 0])),
    }  # fmt: skip


def blocks(calls: np.ndarray, starts: np.ndarray) -> dict[str, np.ndarray]:
    """Return breaches and calls of each block, its first minutes left out: what was before still works in them."""
    place = np.searchsorted(starts, calls[:, 0], "right") - 1
    inside = (place >= 0) & (calls[:, 0] - starts[place] < BLOCK) & (calls[:, 0] - starts[place] >= WASHOUT)
    return {
        "breaches": np.bincount(place[inside], calls[inside, 3], len(starts)),
        "first calls": np.bincount(place[inside], 1 - calls[inside, 7], len(starts)),
    }


def short(found: Estimate) -> list[float]:
    """Return value, low, high."""
    return [round(float(figure), 3) for figure in (found.value, found.low, found.high)]


if __name__ == "__main__":
    main()
