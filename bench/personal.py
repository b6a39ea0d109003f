"""The twin of one person from many days: against a peer on its own day, on real people, on virtual people, and its cost.

`--part peer`: the posterior of py_replay_bg's example day (22 h, 233 readings) as its paper has it, by our solver. With `--peer`
py_replay_bg looks for the same mode too, outside, by its own interpreter in build/peers/replaybg; one posterior judges both.
`--part real`: UC_HT_T1DM, each day from 04:00 with more than 85 % of its readings, foretold for 24 h from its first reading by
the twin of the days before, under the insulin and carbohydrate of the day; doses are evidence too, as learned from the other
people. Peers: the equations alone, and the day's own SD, which knows the day's mean. `--part replay`: the same days again with
the disturbances inferred, times in range beside those observed. `--part soon`: the live twin at 30 and 60 min, with entries of
carbohydrate as they stand and by the pump's clock. `--part virtual`: UVA/Padova, next days within 90 % intervals. `--part time`:
14 days of one.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jax
import numpy as np
from scipy.stats import t as student
from scipy.stats import wilcoxon

from bench.report import emit
from gemel.bank import Replica, Walk, record
from gemel.bank.cold import cold_start
from gemel.bank.intake import drafts
from gemel.dynamics import Dose, Reading
from gemel.experiment.backtest import SPLIT
from gemel.facts import DAY, MINUTE, Fact
from gemel.packs.diabetes import personal
from gemel.packs.diabetes.asset import parameters_of, subjects, virtual_days
from gemel.packs.diabetes.person import Person
from gemel.packs.diabetes.personal import ahead, carried, posterior, replaybg, root
from gemel.packs.diabetes.streams import uc_ht_t1dm
from gemel.streams import Item

DATA = Path(os.environ.get("GEMEL_DATA", "../shared/data")) / "t1d"
PEOPLE = ("T1DM_02", "T1DM_04", "T1DM_05", "T1DM_07")
PUBLISHED = {"seconds": 292.0, "rmse": 17.5, "minus_log_posterior": 1345.7}
"""What was measured of py_replay_bg 1.4.0 in an earlier session, by another count of the posterior's constants."""

PEER = """
import glob, json, pickle, sys, time
import pandas as pd
from py_replay_bg.py_replay_bg import ReplayBG
rows = pd.read_csv(sys.argv[1])
rows["t"] = pd.to_datetime(rows["t"])
for name in ("bolus_label", "cho_label"):
    rows[name] = rows[name].fillna("").astype(str)
twins = ReplayBG(blueprint="multi-meal", save_folder=sys.argv[2], yts=5, seed=1, plot_mode=False, verbose=False)
begin = time.perf_counter()
twins.twin(data=rows, bw=100.0, save_name="day", twinning_method="map", parallelize=True, u2ss=float(sys.argv[3]))
took = time.perf_counter() - begin
found = pickle.load(open(glob.glob(sys.argv[2] + "/**/*.pkl", recursive=True)[0], "rb"))
found = {"draws": {str(name): float(value) for name, value in found["draws"].items()}}
json.dump({"seconds": took, "found": found}, open(sys.argv[2] + "/found.json", "w"),
    default=lambda x: getattr(x, "tolist", lambda: str(x))())
"""


def example() -> replaybg.OneDay:
    """Return py_replay_bg's example day (GPL: read here, never kept)."""
    folder = DATA / "replaybg_example"
    with (folder / "patient_info.csv").open() as file:
        info = next(csv.DictReader(file))
    weight = float(info["bw"])
    with (folder / "data_day_1.csv").open() as file:
        rows = list(csv.DictReader(file))
    hour = np.array([int(row["t"].split()[1][:2]) for row in rows])
    meals = [i for i, row in enumerate(rows) if float(row["cho"]) > 0]
    return replaybg.OneDay(
        np.array([float(row["glucose"] or "nan") for row in rows]),
        np.array([(float(row["bolus"]) + float(row["basal"])) * 1000 / weight for row in rows]),
        np.where((hour >= 4) & (hour < 11), 0, np.where((hour >= 11) & (hour < 17), 1, 2)),
        np.array([5.0 * i + 2.5 for i in meals]), np.array([float(rows[i]["cho"]) * 5000 / weight for i in meals]),
        np.array(["LDS".index(rows[i]["cho_label"]) for i in meals]), float(info["u2ss"]),
    )  # fmt: skip


def judged(day: replaybg.OneDay, x: np.ndarray) -> dict[str, float]:
    """Return RMSE and minus the log posterior of fifteen unknowns, by our equations."""
    with jax.enable_x64(True):
        off = np.asarray(replaybg.replay(x, replaybg.arrays(day))) - day.glucose
        prior = float(replaybg.minus_log_prior(x))
    squares = float(np.nansum(off**2))
    return {
        "rmse": float(np.sqrt(np.nanmean(off**2))), "minus_log_posterior": squares / (2 * replaybg.NOISE**2) + prior,
        "minus_log_prior": prior,
    }  # fmt: skip


def peer(run: bool) -> dict[str, Any]:
    """Return our mode on the example day, twice for what compiling costs, and the peer's if asked."""
    day = example()
    found: dict[str, Any] = {"published": PUBLISHED}
    for turn in ("first", "again"):
        begin, cpu = time.perf_counter(), time.process_time()
        mode = replaybg.mode(day, 1)
        found[turn] = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    with jax.enable_x64(True):
        x = np.asarray(replaybg.natural(mode.point))
    found |= {"ours": judged(day, x), "unknowns": dict(zip(replaybg.NAMES, x.round(5).tolist(), strict=True))}
    if run:
        out = Path("build/peers/out-bench")
        out.mkdir(parents=True, exist_ok=True)
        python, data = "build/peers/replaybg/bin/python", str(DATA / "replaybg_example/data_day_1.csv")
        before = _children()
        subprocess.run([python, "-c", PEER, data, f"{out}/", str(day.basal)], check=True)
        told = json.loads((out / "found.json").read_text())
        found["peer"] = {**_peers(day, told), "cpu_seconds": _children() - before}
    return found


def _children() -> float:
    """Return the processor time of all programs that were run, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peers(day: replaybg.OneDay, told: dict[str, Any]) -> dict[str, Any]:
    x = np.array([float(told["found"]["draws"][name]) for name in replaybg.NAMES])
    return {"seconds": told["seconds"], **judged(day, x)}


@cache
def entered(name: str) -> list[Item]:
    """Return the record of one real person."""
    return list(uc_ht_t1dm(DATA / "uc_ht_t1dm" / name).read())


def away(items: Sequence[Item]) -> int:
    """Return local time minus UTC where a record begins, ms."""
    found = datetime.fromtimestamp(items[0].at / 1000, ZoneInfo("America/Santiago")).utcoffset()
    assert found is not None
    return round(found.total_seconds() * 1000)


def real(name: str, until: int | None = None, weight: float = 70.0) -> list[personal.Day]:
    """Return the days of one real person, weight not known; entries of carbohydrate by the pump's clock, as far as doses up to
    *until* (by default the end) tell that another clock was used."""
    items = entered(name)
    readings = [Reading("glucose", item.value, item.at) for item in items if item.name == "glucose"]
    doses = [Dose(item.name, item.value, item.at) for item in items if item.name in ("basal", "bolus", "carbs")]
    until, offset = items[-1].at if until is None else until, away(items)
    doses = personal.put_right(doses, personal.clock_of(doses, until, offset), until, offset)
    basal = personal.usual_basal(doses, readings[len(readings) // 5].at, weight)
    return personal.days_of(readings, doses, weight=weight, basal=basal, offset=offset, share=0.05)


@cache
def foretold(name: str) -> tuple[personal.Foretold, ...]:
    """Return the days of a real person, each with what the twin of those before it foretold."""
    return personal.personalise(real(name), 1, sampler=posterior.quick).days


def real_next_days(name: str) -> list[dict[str, Any]]:
    """Return how each day of a real person was foretold, clocks compared up to that day's end, habits those of the others."""
    habits = personal.learned([foretold(other) for other in PEOPLE if other != name])
    found = []
    for k, day in enumerate(real(name)):
        found += next_days(real(name, day.at + DAY)[: k + 1], since=max(k, 1), habits=habits)
    return found


def next_days(
    days: Sequence[personal.Day], least: float = 0.85, since: int = 1, habits: personal.Habits | None = None
) -> list[dict[str, Any]]:
    """Return how each day was foretold by the twin of all before it, at its first reading, and 30 and 60 min ahead; with *habits*
    the day also with its doses as evidence."""
    rows = []
    for k in range(since, len(days)):
        if days[k].share <= least:
            continue
        twin = personal.personalise(days[:k], 1, sampler=posterior.quick)
        glucose = days[k].glucose
        first = int(np.flatnonzero(np.isfinite(glucose))[0])
        hidden = replace(days[k], glucose=np.where(np.arange(len(glucose)) <= first, glucose, np.nan))
        causal = personal.confidence(twin)
        trust = causal if habits is None else personal.confidence(twin, habits)
        mean = ahead.expected(twin, hidden, 1, trust)
        draws = personal.foretell(twin, hidden, 1, trust=trust)
        low, high = np.percentile(draws, [5, 95], axis=0)
        seen = np.isfinite(glucose) & (np.arange(len(glucose)) > first)
        plain = ahead.plain(twin, hidden, 1).mean(axis=0)
        alone = ahead.expected(twin, hidden, 1, replace(trust, without=None))
        rows.append({
            "twin": _rmse(mean, glucose, seen), "evidence_alone": _rmse(alone, glucose, seen),
            "equations_alone": _rmse(plain, glucose, seen),
            "no_evidence": _rmse(ahead.expected(twin, hidden, 1, trust.without or causal), glucose, seen),
            "own_sd": float(np.nanstd(glucose)),
            "within90": float(((glucose >= low) & (glucose <= high))[seen].mean()), "trust": float(trust.mean[1]),
            "chance": ((draws >= low) & (draws <= high))[:, seen].mean(axis=1),
            "at": float(days[k].at), **_short(plain, glucose, days[k].at, causal),
        })  # fmt: skip
    return rows


def _rmse(said: np.ndarray, read: np.ndarray, seen: np.ndarray) -> float:
    return float(np.sqrt(np.mean((said - read)[seen] ** 2)))


def _short(plain: np.ndarray, read: np.ndarray, at: int, trust: carried.Trust) -> dict[str, float]:
    """Return mean squared errors 30 and 60 min ahead from every hour's readings; insulin and meals of that hour are known."""
    found: dict[str, list[float]] = {"30": [], "60": []}
    for now in range(24, len(read) - 12, 12):
        seen = np.where(np.arange(len(read)) <= now, read, np.nan)
        mean, covariance = carried.foretold(at, plain, seen, trust)
        mean = root.mean_squared(mean, np.diag(covariance))
        for name, step in (("30", 6), ("60", 12)):
            if np.isfinite(read[now]):
                found[name].append(float((mean[now + step] - read[now + step]) ** 2))
    return {f"mse{name}": float(np.nanmean(each)) for name, each in found.items() if np.isfinite(each).any()}


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return medians and means over days, the comparison with the days' own SD, and pooled RMSE at 30 and 60 min."""
    names = ("twin", "evidence_alone", "no_evidence", "equations_alone", "own_sd", "within90", "trust")
    found = {name: float(np.median([row[name] for row in rows])) for name in names}
    short = {
        f"rmse{m}": float(np.sqrt(np.nanmean([row[f"mse{m}"] for row in rows if f"mse{m}" in row]))) for m in (30, 60)
    }
    better = float(np.mean([row["twin"] < row["own_sd"] for row in rows]))
    mean = {f"mean_{name}": float(np.mean([row[name] for row in rows])) for name in names[:-1]}
    return {
        **found, **mean, **_less(rows), **_by_chance(rows), **short, "days": float(len(rows)), "better_than_own_sd": better,
    }  # fmt: skip


def _less(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return by how much the twin errs less than the days' own SD: the mean with Student's 95 % interval, Wilcoxon's p."""
    less = np.array([row["own_sd"] - row["twin"] for row in rows])
    mean, half = float(less.mean()), float(student.ppf(0.975, len(less) - 1) * less.std(ddof=1) / np.sqrt(len(less)))
    p = float(wilcoxon(less).pvalue)
    return {"less_than_own_sd": mean, "less_from": mean - half, "less_to": mean + half, "wilcoxon_p": p}


def _by_chance(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return within what 95 % of means lie of what right 90 % intervals hold on so few days."""
    each = [np.random.default_rng(i).permutation(row["chance"]) for i, row in enumerate(rows)]  # days by themselves
    low, high = np.percentile(np.mean(each, axis=0), [2.5, 97.5])
    return {"within90_chance_from": float(low), "within90_chance_to": float(high)}


def held(each: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return how many people's 90 % intervals hold 85 to 95 % of their readings, more and less, and the spread between people."""
    share = np.array([np.mean([row["within90"] for row in rows]) for rows in each.values()])
    above, below = int((share > 0.95).sum()), int((share < 0.85).sum())
    return {
        "within": len(share) - above - below, "above": above, "below": below, "least": float(share.min()),
        "sd": float(share.std()),
    }  # fmt: skip


def soon(right: bool) -> dict[str, float]:
    """Return RMSE 30 and 60 min ahead of the live twin on its own last 30 % (`gemel backtest`), and at every hour of the days
    that the personal twin foretells; *right* puts entries by another clock right, as far as the first 70 % tell of it."""
    records = [record(_replica(name, right), "glucose") for name in PEOPLE]
    cuts = [int(one.at[0] + SPLIT * (one.at[-1] - one.at[0])) for one in records]
    off: dict[str, list[float]] = {f"{what}{m}": [] for what in ("last", "hourly") for m in (30, 60)}
    for i, name in enumerate(PEOPLE):
        others = [one.until(cut) for j, (one, cut) in enumerate(zip(records, cuts, strict=True)) if j != i]
        found = Walk(others, cold=cold_start(Person, "glucose")).along(records[i], lambda k: None)
        error = {m: found.mean[:, m // 5 - 1] - records[i].truth[:, m // 5 - 1] for m in (30, 60)}
        hours = [day.at + 5 * MINUTE * k for day in real(name, 0)[1:] if day.share > 0.85 for k in range(24, 277, 12)]
        near = [int(np.argmin(np.abs(records[i].at - at))) for at in hours]
        kept = [k for k, at in zip(near, hours, strict=True) if abs(records[i].at[k] - at) <= 2.5 * MINUTE]
        for m in (30, 60):
            off[f"last{m}"] += error[m][records[i].at > cuts[i]].tolist()
            off[f"hourly{m}"] += error[m][kept].tolist()
    return {what: float(np.sqrt(np.nanmean(np.square(each)))) for what, each in off.items()}


def _replica(name: str, right: bool) -> Replica:
    """Return a twin that knows the record of one real person."""
    items, first = entered(name), entered(name)[0].at
    if right:
        doses = [Dose(item.name, item.value, item.at) for item in items if item.name in ("bolus", "carbs")]
        clock = personal.clock_of(doses, int(first + SPLIT * (items[-1].at - first)), away(items))
        carbs = [
            dose for dose in personal.put_right(doses, clock, items[-1].at + 1, away(items)) if dose.lever == "carbs"
        ]
        items = [item for item in items if item.name != "carbs"] + [
            Item("carbs", dose.amount, "g", dose.at, None, items[0].by) for dose in carbs
        ]
    found = drafts(sorted((one for one in items if one.at >= first), key=lambda one: one.at), Person, name, "bench")
    made = Replica(Person, name, {}, 0)
    made.take(
        Fact(d.twin, d.kind, d.body, d.true_at, d.true_at, d.by, d.cause, i) for i, d in enumerate(found, start=1)
    )
    return made


def virtual(name: str, days: int, seed: int = 1) -> list[personal.Day]:
    """Return the days of one virtual person."""
    record = virtual_days([name], days + 0.5, seed)[name]
    readings = [Reading("glucose", value, at) for what, value, _, at in record if what == "glucose"]
    doses = [Dose(what, value, at) for what, value, _, at in record if what in ("basal", "bolus", "carbs")]
    weight = parameters_of(name)["BW"]
    basal = personal.usual_basal(doses, DAY, weight)
    return personal.days_of(readings, doses, weight=weight, basal=basal, share=0.5)


def timed(days: int = 14) -> dict[str, Any]:
    """Return what one person on *days* costs, with compiling and without, chains and all; and one more day."""
    lived = virtual("adult#001", days + 1)
    found: dict[str, Any] = {}
    for turn in ("first", "again"):
        begin, cpu = time.perf_counter(), time.process_time()
        twin = personal.personalise(lived[:days], 1)
        found[turn] = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    begin, cpu = time.perf_counter(), time.process_time()
    personal.update(twin, lived[days], 1)
    found["update_first"] = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    begin, cpu = time.perf_counter(), time.process_time()
    personal.update(twin, lived[days], 1)
    found["update_again"] = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    kept = len(json.dumps(personal.body(twin)))
    return {
        **found,
        "days": len(lived[:days]),
        "told": twin.told,
        "identified": twin.identified(),
        "doubts": twin.doubts(),
        "bytes": kept,
    }


def replayed() -> dict[str, Any]:
    """Return how far replays, with disturbances inferred, are off the times in range that were observed, in points."""
    off = []
    for name in PEOPLE:
        days = [day for day in real(name) if day.share > 0.85]
        twin = personal.personalise(days, 1, sampler=posterior.quick)
        for day in days:
            there = np.isfinite(day.glucose)
            told = np.mean([times(draw[there]) for draw in personal.replay(twin, day)], axis=0)
            off.append(told - times(day.glucose[there]))
    found, margins = np.array(off), np.array([5.0, 1.5, 5.0])
    half = 1.645 * found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return {
        "days": len(found), "worst": float(np.abs(found.mean(axis=0)).max()), "mean_off": found.mean(axis=0).tolist(),
        "interval90": [(found.mean(axis=0) - half).tolist(), (found.mean(axis=0) + half).tolist()],
        "equivalent": bool(np.all(np.abs(found.mean(axis=0)) + half < margins)),
        "days_within": (np.abs(found) <= margins).mean(axis=0).tolist(),
    }  # fmt: skip


def times(glucose: np.ndarray) -> np.ndarray:
    """Return percent of readings within 70 to 180, below 70, above 180 mg/dL."""
    low, high = glucose < 70, glucose > 180
    return np.array([(~low & ~high).mean(), low.mean(), high.mean()]) * 100


def main() -> None:
    """Measure and print one object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", action="append", choices=("peer", "real", "soon", "replay", "virtual", "time"))
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--people", type=int, default=30)
    asked = parser.parse_args()
    parts = asked.part or ["peer", "real", "replay", "virtual", "time"]
    details: dict[str, Any] = {}
    if "peer" in parts:
        details["peer"] = peer(asked.peer)
    if "real" in parts:
        each = {name: real_next_days(name) for name in PEOPLE}
        details["real"] = summed([row for rows in each.values() for row in rows])
        details["real_days"] = {
            name: [[round(row["twin"], 1), round(row["own_sd"], 1), round(row["within90"], 3)] for row in rows]
            for name, rows in each.items()
        }
        details["real_each"] = {
            name: {key: round(value, 2) for key, value in summed(rows).items()} for name, rows in each.items()
        }
    if "soon" in parts:
        details["soon"] = {"as_entered": soon(False), "clock_put_right": soon(True)}
    if "replay" in parts:
        details["replay"] = replayed()
    if "virtual" in parts:
        names = subjects()[:: max(30 // asked.people, 1)][: asked.people]
        rows = {name: next_days(virtual(name, 7), since=3) for name in names}
        details["virtual"] = summed([row for each in rows.values() for row in each])
        details["virtual_held"] = held(rows)
    if "time" in parts:
        details["time"] = timed()
    if "real" in details:
        peers = {"peer_day_ahead": 87.0, "own_sd": details["real"]["own_sd"]}
        emit("personal", details["real"]["twin"], "mg/dL median RMSE of 24 h open loop", peers, details)
    elif "replay" in details:
        emit(
            "personal_replay", details["replay"]["worst"], "percentage points, mean off in TIR, TBR or TAR", {}, details
        )
    elif "time" in details:
        emit("personal_time", details["time"]["again"]["seconds"], "s for one person on 14 days", {}, details)
    elif "soon" in details:
        emit(
            "personal_soon",
            details["soon"]["clock_put_right"]["last30"],
            "mg/dL RMSE 30 min ahead, live twin",
            {},
            details,
        )
    elif "peer" in details:
        emit(
            "personal_peer",
            details["peer"]["again"]["seconds"],
            "s to the mode of one day",
            {"published": 292.0},
            details,
        )
    else:
        emit("personal_virtual", details["virtual"]["mean_within90"], "share of next days within 90 %", {}, details)


if __name__ == "__main__":
    main()
