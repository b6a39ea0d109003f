"""Outcomes: every forecast meets what happened; every action meets the run in which nothing was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gemel.bank import Bank, Proposal
from gemel.dynamics import Reading
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import LEVELS, Forecast
from gemel.simulate.score import covered, crps

HORIZONS = (30, 60, 120)
"""Minutes ahead at which forecasts are scored."""

WINDOW: Time = 2 * HOUR


def score(forecasts: Sequence[tuple[int, Forecast]], reading: Reading, seq: int, twin: str, by: str) -> Draft | None:
    """Return the outcome of the forecasts that spoke of the time of *reading*, or None where none did."""
    rows = [row for made, forecast in forecasts if (row := _row(made, forecast, reading)) is not None]
    if not rows:
        return None
    body = {"signal": reading.signal, "happened": reading.value, "horizons": rows}
    cause = (seq, *(int(row["forecast"]) for row in rows))
    return Draft(twin, "outcome/1", body, reading.at, by, cause, key=f"outcome|{reading.signal}|{seq}")


def _row(seq: int, forecast: Forecast, reading: Reading) -> dict[str, Any] | None:
    ahead = (reading.at - forecast.made_at) / MINUTE
    horizon = next((h for h in HORIZONS if abs(ahead - h) <= 2.5), None)
    if horizon is None or horizon * MINUTE > forecast.at[-1] - forecast.made_at:
        return None
    i = int(np.argmin(np.abs(np.array(forecast.at) - reading.at)))
    quantiles, truth = forecast.quantiles[:, i : i + 1], np.array([reading.value])
    return {
        "forecast": seq, "horizon": horizon, "made_at": forecast.made_at, "median": float(forecast.at_level(0.5)[i]),
        "mean": float(forecast.mean[i]), "low80": float(quantiles[LEVELS.index(0.1), 0]), "high80": float(quantiles[LEVELS.index(0.9), 0]),
        "in80": bool(covered(quantiles, truth, 0.8)[0]), "in95": bool(covered(quantiles, truth, 0.95)[0]),
        "crps": float(crps(quantiles, truth)[0]),
    }  # fmt: skip


def summary(outcomes: Sequence[Fact], held: dict[Time, float]) -> list[dict[str, float]]:
    """Return, per horizon, how forecasts came true; `held` gives the reading at each origin for hold-last-value."""
    rows: dict[int, list[tuple[dict[str, Any], float]]] = {h: [] for h in HORIZONS}
    for fact in outcomes:
        for row in fact.body.get("horizons", ()):
            rows[int(row["horizon"])].append((row, float(fact.body["happened"])))
    return [_summary(h, found, held) for h, found in rows.items() if found]


def _summary(horizon: int, found: list[tuple[dict[str, Any], float]], held: dict[Time, float]) -> dict[str, float]:
    truth = np.array([value for _, value in found])
    said = np.array([row["mean"] for row, _ in found])
    holds = [(held[row["made_at"]], value) for row, value in found if row["made_at"] in held]
    hold = np.array(holds) if holds else np.full((1, 2), np.nan)
    return {
        "horizon_min": horizon, "n": len(found), "rmse": float(np.sqrt(np.mean((said - truth) ** 2))),
        "hold_rmse": float(np.sqrt(np.mean((hold[:, 0] - hold[:, 1]) ** 2))),
        "mard": float(100 * np.mean(np.abs(said - truth) / truth)), "crps": float(np.mean([row["crps"] for row, _ in found])),
        "cover80": float(np.mean([row["in80"] for row, _ in found])), "cover95": float(np.mean([row["in95"] for row, _ in found])),
    }  # fmt: skip


def judge(bank: Bank, proposal: Proposal, forecast: Forecast, readings: Sequence[Reading]) -> Draft:
    """Return the outcome of an action: the mean that was read, against the run in which nothing was done."""
    at = np.array(forecast.at)
    inside = [r for r in readings if r.signal == forecast.signal and forecast.made_at < r.at <= forecast.at[-1]]
    index = [int(np.argmin(np.abs(at - r.at))) for r in inside]
    happened = float(np.mean([r.value for r in inside]))
    undone, low, high = (float(np.mean(row[index])) for row in (forecast.mean, forecast.at_level(0.1), forecast.at_level(0.9)))
    body = {
        "proposal": proposal.seq, "signal": forecast.signal, "hours": WINDOW / HOUR, "happened": happened,
        "nothing_done": undone, "nothing_done_80": [low, high], "difference": happened - undone, "n": len(inside),
    }  # fmt: skip
    return Draft(proposal.twin, "outcome/1", body, bank.now(), "loop:outcomes", (proposal.history[-1],), key=f"outcome|{proposal.seq}")
