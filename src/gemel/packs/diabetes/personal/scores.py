"""How days were foretold: by yesterday's twin as it is used, with its 90 % interval, and by the equations alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

import numpy as np

from gemel.packs.diabetes.personal.carried import foretold, trust
from gemel.packs.diabetes.personal.evidence import EVERY, Foretold
from gemel.packs.diabetes.personal.root import mean_squared, rooted

SHOWN = 14
"""Days whose scores are shown, the last ones."""

HALF = 1.645
"""Standard deviations to either end of a 90 % interval."""


def scores(days: Sequence[Foretold], zone: tzinfo) -> list[dict[str, Any]]:
    """Return how each day was foretold for 24 h from its first reading: `twin_rmse` and `within90` are of what the twin itself
    said (`ahead.expected`), `rmse` of the equations alone (mg/dL)."""
    from threadpoolctl import threadpool_limits

    shown = [i for i, day in enumerate(days) if _scored(day)][-SHOWN:]
    with threadpool_limits(1):  # so few readings are done sooner by one thread than shared by several
        return [_score(days[i], days[:i], zone) for i in shown]


def line(row: dict[str, Any]) -> str:
    """Return a day's scores as a line of text."""
    twin = f"RMSE {row['twin_rmse']:5.1f} mg/dL, {row['within90']:4.0%} within its 90 %"
    return f"  {row['day']}  {twin}; the equations alone {row['rmse']:5.1f}; the day's own SD {row['own_sd']:.1f}"


def _scored(day: Foretold) -> bool:
    return bool(np.isfinite(day.said * day.read)[1:].any())


def _score(day: Foretold, before: Sequence[Foretold], zone: tzinfo) -> dict[str, Any]:
    read = np.isfinite(day.read)
    first = read & (np.cumsum(read) == 1)
    mean, covariance = foretold(
        day.at, day.said, np.where(first, day.read, np.nan), trust(before), day.doses, day.hour, EVERY
    )
    variance = np.diag(covariance)
    held = np.abs(rooted(day.read) - mean) < HALF * np.sqrt(variance)
    return {
        "day": datetime.fromtimestamp(day.at / 1000, zone).date().isoformat(),
        "rmse": round(_rmse(day.said - day.read), 1), "own_sd": round(float(np.nanstd(day.read)), 1),
        "twin_rmse": round(_rmse((mean_squared(mean, variance) - day.read)[read & ~first]), 1),
        "within90": round(float(held[read & ~first].mean()), 3),
    }  # fmt: skip


def _rmse(off: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(off**2)))
