"""Outcomes: every forecast meets what happened; every action meets the run in which nothing was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gemel.bank import Bank, Proposal
from gemel.dynamics import Dose, Plan, Reading
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import LEVELS, Forecast
from gemel.simulate import sensed
from gemel.simulate.score import covered, crps, mard, rmse

HORIZONS = (30, 60, 120)
"""Minutes ahead at which forecasts are scored."""

WINDOW: Time = 2 * HOUR


def score(forecasts: Sequence[tuple[int, Forecast]], reading: Reading, seq: int, twin: str, by: str) -> Draft | None:
    """Return the outcome of the forecasts that spoke of the time of *reading*, or None where none did.

    Of several for one horizon the nearest to it counts, and of equals the last.
    """
    rows: dict[int, dict[str, Any]] = {}
    for made, forecast in forecasts:
        row = _row(made, forecast, reading)
        if row is not None and (
            row["horizon"] not in rows or _off(row, reading) <= _off(rows[row["horizon"]], reading)
        ):
            rows[row["horizon"]] = row
    if not rows:
        return None
    kept = [rows[horizon] for horizon in sorted(rows)]
    body = {"signal": reading.signal, "happened": reading.value, "horizons": kept}
    cause = (seq, *(int(row["forecast"]) for row in kept))
    return Draft(twin, "outcome/1", body, reading.at, by, cause, key=f"outcome|{reading.signal}|{seq}")


def _off(row: dict[str, Any], reading: Reading) -> float:
    return float(abs((reading.at - row["made_at"]) / MINUTE - row["horizon"]))


def _row(seq: int, forecast: Forecast, reading: Reading) -> dict[str, Any] | None:
    ahead = (reading.at - forecast.made_at) / MINUTE
    horizon = next((h for h in HORIZONS if abs(ahead - h) <= 2.5), None)
    if horizon is None or horizon * MINUTE > forecast.at[-1] - forecast.made_at:
        return None
    i = int(np.argmin(np.abs(np.array(forecast.at) - reading.at)))
    quantiles, truth = forecast.quantiles[:, i : i + 1], np.array([reading.value])
    low, median, high = (float(quantiles[LEVELS.index(level), 0]) for level in (0.1, 0.5, 0.9))
    return {
        "forecast": seq, "horizon": horizon, "made_at": forecast.made_at, "mean": float(forecast.mean[i]),
        "median": median, "low80": low, "high80": high, "crps": float(crps(quantiles, truth)[0]),
        "in80": bool(covered(quantiles, truth, 0.8)[0]), "in95": bool(covered(quantiles, truth, 0.95)[0]),
    }  # fmt: skip


def summary(outcomes: Sequence[Fact], held: dict[Time, float]) -> list[dict[str, float]]:
    """Return, per horizon, how forecasts came true; `held` gives the reading at each origin for hold-last-value."""
    rows: dict[int, list[tuple[dict[str, Any], float]]] = {h: [] for h in HORIZONS}
    for fact in outcomes:
        for row in fact.body.get("horizons", ()):
            rows[int(row["horizon"])].append((row, float(fact.body["happened"])))
    return [_summary(h, found, held) for h, found in rows.items() if found]


def _summary(horizon: int, found: list[tuple[dict[str, Any], float]], held: dict[Time, float]) -> dict[str, float]:
    rows, truth = [row for row, _ in found], np.array([value for _, value in found])
    said = np.array([row["mean"] for row in rows])
    holds = np.array([held.get(row["made_at"], np.nan) for row in rows])
    there = np.isfinite(holds)
    hold = rmse(holds[there], truth[there]) if there.any() else float("nan")
    crps_, in80, in95 = (float(np.mean([row[name] for row in rows])) for name in ("crps", "in80", "in95"))
    return {
        "horizon_min": horizon, "n": len(found), "rmse": rmse(said, truth), "hold_rmse": hold,
        "mard": mard(said, truth), "crps": crps_, "cover80": in80, "cover95": in95,
    }  # fmt: skip


def judge(bank: Bank, proposal: Proposal) -> Draft | None:
    """Return the outcome of a delivered action: what was read, against the paired run in which nothing was done.

    The run with all that was done since and the run without this action start from one belief and share their noise;
    their difference, taken off what was read, says what would have been read. None where nothing was read.
    """
    since = delivered_at(bank, proposal)
    twin_type = bank.type_of(proposal.twin, since)
    signal, until = next(iter(twin_type.band)), since + WINDOW
    read = [r.value for r in bank.replica(proposal.twin).read(since, until + 1) if r.signal == signal]
    if not read:
        return None
    done, undone, count = _with_and_without(bank, proposal, since, until)
    effect = _effect(bank, proposal.twin, signal, since, (done, undone))
    happened, low, high = float(np.mean(read)), *(float(np.quantile(effect, level)) for level in (0.1, 0.9))
    body = {
        "proposal": proposal.seq, "signal": signal, "unit": twin_type.signals[signal].unit, "hours": WINDOW / HOUR,
        "happened": happened, "nothing_done": happened - float(effect.mean()),
        "nothing_done_80": [happened - high, happened - low],
        "difference": float(effect.mean()), "difference_80": [low, high], "n": len(read), "doses_reported": count,
    }  # fmt: skip
    cause = (proposal.history[-1],)
    return Draft(proposal.twin, "outcome/1", body, until, "loop:outcomes", cause, key=f"outcome|{proposal.seq}")


def delivered_at(bank: Bank, proposal: Proposal) -> Time:
    """Return the minute in which the asset had it."""
    return bank.thread.get(proposal.history[-1]).true_at // MINUTE * MINUTE


def _with_and_without(bank: Bank, proposal: Proposal, since: Time, until: Time) -> tuple[Plan, Plan, int]:
    """Return all doses that were taken, those that would have been without the action, and how many it led to."""
    entries = [entry for entry in bank.replica(proposal.twin).doses if since - MINUTE <= entry[0] < until]
    own = {entry for entry in entries if entry[3].startswith(f"{proposal.twin}/{proposal.seq}#")}
    own = own or {entry for entry in entries if any(_is(entry, dose) for dose in proposal.intervention.doses)}

    def plan(kept: Iterable[tuple[Time, str, float, str]]) -> Plan:
        return [Dose(name, value, max(at, since)) for at, name, value, _ in kept]

    return plan(entries), plan(entry for entry in entries if entry not in own), len(own)


def _is(entry: tuple[Time, str, float, str], dose: Dose) -> bool:
    """Return whether a reported dose looks like one that was asked for: the lever, the amount, about the time."""
    at, name, value, _ = entry
    near = -MINUTE <= at - dose.at <= 10 * MINUTE
    return name == dose.lever and near and alike(value, dose)


def alike(value: float, dose: Dose) -> bool:
    """Return whether an amount is the dose's, but for the steps in which it can be given."""
    return abs(value - float(dose.amount)) <= 0.05 + 0.02 * abs(float(dose.amount))


def _effect(bank: Bank, twin: str, signal: str, since: Time, plans: tuple[Plan, Plan]) -> np.ndarray:
    """Return by how much the first plan raised the mean of *signal* over the second, per member."""
    dynamics, belief = bank.type_of(twin, since).dynamics, bank.belief_at(twin, since)
    variable = sensed(dynamics, signal)
    both = belief.rows([0, 0])
    _, way = dynamics.advance(both, plans, both.at + WINDOW, bank.seed, record=[variable])
    mean: np.ndarray = np.asarray(way.values[variable]).mean(axis=0)
    effect: np.ndarray = mean[0] - mean[1]
    return effect
