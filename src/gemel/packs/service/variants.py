"""Variants: the ways that customers went through a service, most trodden first."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from itertools import pairwise
from typing import Any

import numpy as np

from gemel.facts import SECOND
from gemel.packs.service.estimate import Estimate, share
from gemel.packs.service.log import MISSING, Log


@dataclass(frozen=True)
class Variant:
    """One way through: its activities in order, how many went it, and their median time from first to last, s."""

    activities: tuple[str, ...]
    cases: int
    share: Estimate
    seconds: float

    def body(self) -> dict[str, Any]:
        """Return the variant as JSON types."""
        return {
            "activities": list(self.activities), "cases": self.cases, "share": self.share.body(), "seconds": self.seconds
        }  # fmt: skip


def variants(log: Log, most: int = 10) -> tuple[Variant, ...]:
    """Return the ways that most cases went, at the most so many."""
    ways: dict[bytes, list[int]] = {}
    bounds = log.bounds().tolist()
    for case, (first, last) in enumerate(pairwise(bounds)):
        ways.setdefault(log.activity.codes[first:last].tobytes(), []).append(case)
    took = lengths(log)
    chosen = nsmallest(most, ways.values(), key=lambda cases: (-len(cases), cases[0]))
    return tuple(_variant(log, bounds, np.array(cases), took) for cases in chosen)


def _variant(log: Log, bounds: list[int], cases: np.ndarray, took: np.ndarray) -> Variant:
    first, last = bounds[cases[0]], bounds[cases[0] + 1]
    names = tuple(log.activity.names[code] for code in log.activity.codes[first:last].tolist())
    part = share("share", len(cases), len(log.cases))
    told = took[cases][np.isfinite(took[cases])]
    return Variant(names, len(cases), part, float(np.median(told)) if len(told) else float("nan"))


def lengths(log: Log) -> np.ndarray:
    """Return how long each case took, from the first time told to the last (cases,) s, NaN without an end."""
    first = np.full(len(log.cases), np.iinfo(np.int64).max)
    last = np.full(len(log.cases), MISSING)
    np.minimum.at(first, log.case.codes, log.first)
    np.maximum.at(last, log.case.codes, log.end)
    found: np.ndarray = np.where(last > MISSING, (last - np.where(last > MISSING, first, 0)) / SECOND, np.nan)
    return found
