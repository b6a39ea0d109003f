"""Batches: activities that are done for several cases at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.facts import SECOND
from gemel.packs.service.discovery.evidence import Evidence
from gemel.process.network import Batch

TOGETHER = 0.5
"""Share of an activity's rows that begin and end with others for it to be done in batches."""


@dataclass(frozen=True)
class Batches:
    """Batches by activity, and of each batch one row (n,) bool, with all rows that are in none."""

    by_activity: Mapping[str, Batch]
    leading: np.ndarray


def batches_of(evidence: Evidence, since: np.ndarray) -> Batches:
    """Return what is done in batches, given since when rows waited (n,) ms."""
    found: dict[str, Batch] = {}
    leading = np.ones(len(evidence.case), bool)
    for code, name in enumerate(evidence.names if evidence.timed else ()):
        rows = np.flatnonzero((evidence.activity == code) & ~evidence.gave_up)
        batch = _batch(evidence, name, rows, since[rows], leading)
        if batch is not None:
            found[name] = batch
    return Batches(found, leading)


def _batch(evidence: Evidence, name: str, rows: np.ndarray, since: np.ndarray, leading: np.ndarray) -> Batch | None:
    """Return the batches of an activity: rows that begin and end at one moment by one person."""
    if not np.any(evidence.end[rows] > evidence.start[rows]):
        return None
    key = np.stack([evidence.start[rows] // SECOND, evidence.end[rows] // SECOND, evidence.resource[rows]])
    _, lead, place, sizes = np.unique(key, axis=1, return_index=True, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    if np.mean(sizes[place] > 1) < TOGETHER or evidence.several_at_once(rows):
        return None
    leading[np.delete(rows, lead)] = False
    size = int(np.quantile(sizes, 0.95))
    first = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(first, place, since)
    waits = (evidence.start[rows][lead] - first) / 1000.0
    short = waits[sizes < size]
    longest = float(np.quantile(short, 0.5)) if len(short) else float(2 * waits.max() + 1)
    evidence.seen(f"station {name}", f"works in batches of up to {size}, or fewer after {longest / 60:.0f} min")
    return Batch(size, longest)
