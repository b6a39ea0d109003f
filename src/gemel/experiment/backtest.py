"""Backtest: walk through records causally, and score what would have been said against what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.bank import Replica, Tell, Walk, Walked, quiet, record
from gemel.bank.cold import cold_start
from gemel.bank.features import Past
from gemel.bank.record import EVERY, Record
from gemel.errors import BadInput
from gemel.experiment.baselines import design, hold, ridge_ar
from gemel.facts import HOUR, MINUTE, Time
from gemel.simulate.score import covered, crps, mard, rmse

HORIZONS = (30, 60, 120)
SPLIT = 0.7
"""The share of each record that baselines learn from; the rest is scored."""

SHORTEST: Time = 24 * HOUR
"""Records shorter than this teach baselines next to nothing."""


@dataclass(frozen=True)
class Scored:
    """All forecasts of one horizon over the scored part of some records, beside what came; times in one order."""

    truth: np.ndarray
    mean: np.ndarray
    quantiles: np.ndarray
    twin_only: np.ndarray
    hold: np.ndarray
    ridge_ar: np.ndarray

    def row(self) -> dict[str, Any]:
        """Return the scores, in the signal's own unit."""
        said = {"hold": self.hold, "ridge_ar": self.ridge_ar, "twin_only": self.twin_only}
        return {
            "n": len(self.truth), "rmse": rmse(self.mean, self.truth), "mard": mard(self.mean, self.truth),
            "crps": float(crps(self.quantiles, self.truth).mean()),
            "cover80": float(covered(self.quantiles, self.truth, 0.8).mean()),
            "cover95": float(covered(self.quantiles, self.truth, 0.95).mean()),
            "baselines": {name: rmse(values, self.truth) for name, values in said.items() if name != "twin_only"},
            "twin_only": rmse(self.twin_only, self.truth),
        }  # fmt: skip


def backtest(replicas: Sequence[Replica], others: Sequence[Replica], signal: str, tell: Tell = quiet) -> dict[str, Any]:
    """Return scores pooled over *replicas* and per twin, on the last 30 % of each record.

    At each reading the forecast uses what was known then: the twin's own record up to that reading, and of the other
    records (*others*, and the other *replicas*) only their first 70 %.
    """
    everyone = [*replicas, *others]
    records = []
    for i, replica in enumerate(everyone):
        tell("following", i, len(everyone))
        records.append(record(replica, signal))
    for found in records[: len(replicas)]:
        _long_enough(found)
    firsts = [found.until(_cut(found)) for found in records]
    scored: dict[str, Mapping[int, Scored]] = {}
    for i, replica in enumerate(replicas):
        rest = [first for j, first in enumerate(firsts) if j != i]
        walked = Walk(rest, cold=cold_start(replica.type, signal)).along(
            records[i], _telling(tell, f"foreseeing {replica.id}", len(records[i].at))
        )
        scored[replica.id] = _score(walked, Past(replica, signal))
    pooled = {h: _pooled([scored[r.id][h] for r in replicas]) for h in HORIZONS}
    return {
        "twins": [replica.id for replica in replicas],
        "signal": signal,
        "unit": replicas[0].type.signals[signal].unit,
        "learned_from": [replica.id for replica in everyone],
        "horizons": {str(h): pooled[h].row() for h in HORIZONS},
        "each": {name: {str(h): found[h].row() for h in HORIZONS} for name, found in scored.items()},
    }


def _telling(tell: Tell, what: str, whole: int) -> Callable[[int], object]:
    return lambda k: tell(what, k + 1, whole) if k % 50 == 49 or k + 1 == whole else None


def _long_enough(found: Record) -> None:
    length = int(found.at[-1] - found.at[0]) if len(found.at) else 0
    scored = np.isfinite(found.truth[found.at > _cut(found)]).any(axis=0).all() if length else False
    if length < SHORTEST or not scored:
        raise BadInput(
            f"{found.twin} has {length / HOUR:.1f} h of {found.signal}; a backtest takes {SHORTEST // HOUR} h, and "
            f"{HORIZONS[-1]} min without a gap somewhere in the last {1 - SPLIT:.0%}"
        )


def _cut(found: Record) -> int:
    """Return the moment that ends the first 70 % of a record."""
    return int(found.at[0] + SPLIT * (found.at[-1] - found.at[0]))


def _score(walked: Walked, past: Past) -> Mapping[int, Scored]:
    found, cut = walked.record, _cut(walked.record)
    X = design(past, found)
    return {h: _at(walked, X, h * MINUTE // EVERY - 1, cut) for h in HORIZONS}


def _at(walked: Walked, X: np.ndarray, step: int, cut: int) -> Scored:
    found = walked.record
    truth = found.truth[:, step]
    train = (found.at + EVERY * (step + 1) <= cut) & (np.arange(len(found.at)) >= 11)
    rows = (found.at > cut) & np.isfinite(truth)
    ridge = ridge_ar(X, truth, train)
    return Scored(
        truth[rows], walked.mean[rows, step], walked.quantiles[:, rows, step], found.said[rows, step],
        hold(found, step)[rows], ridge[rows],
    )  # fmt: skip


def _pooled(parts: Sequence[Scored]) -> Scored:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    return Scored(*(joined(name) for name in ("truth", "mean", "quantiles", "twin_only", "hold", "ridge_ar")))
