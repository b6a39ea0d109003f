"""Responsiveness: how long from what a sensor felt to what was done about it, from the times that facts bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy.stats import binom

from gemel.facts import SECOND, Fact
from gemel.packs.service.estimate import LEVEL, Estimate


def responsiveness(stages: Mapping[str, np.ndarray]) -> dict[str, dict[str, Estimate]]:
    """Return p50, p95 and p99 (s) between stages, in order and from first to last; *stages* are ms (n,), NaN where not reached.

    Intervals are order statistics (Conover 1999, Practical nonparametric statistics, section 3.2): no shape is assumed.
    """
    names = list(stages)
    legs = [*pairwise(names)]
    legs += [(names[0], names[-1])] if len(names) > 2 else []
    found = {}
    for start, end in legs:
        took = (np.asarray(stages[end], float) - np.asarray(stages[start], float)) / SECOND
        took = np.sort(took[np.isfinite(took)])
        if len(took):
            found[f"{start} to {end}"] = {f"p{q}": _quantile(f"p{q}", took, q / 100) for q in (50, 95, 99)}
    return found


def _quantile(name: str, ordered: np.ndarray, q: float) -> Estimate:
    n = len(ordered)
    low, high = (int(binom.ppf(side, n, q)) for side in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    inside = low >= 1 and high < n
    span = (float(ordered[low - 1]), float(ordered[high])) if inside else (np.nan, np.nan)
    return Estimate(name, float(np.quantile(ordered, q)), *span, n, "s")


def stamps(facts: Sequence[Fact]) -> dict[str, np.ndarray]:
    """Return for each delivered action when it was sensed, known, alarmed or proposed, decided and delivered, ms (n,).

    *facts* are one twin's; what was sensed is the last reading or event that the proposal rests on, through its causes.
    """
    by_seq = {fact.seq: fact for fact in facts}
    rows = [row for fact in facts if fact.kind == "proposed/1" for row in [_stamp(fact, by_seq, facts)]]
    names = ("sensed", "known", "proposed", "decided", "delivered")
    return {name: np.array([row[i] for row in rows], float) for i, name in enumerate(names)}


def _stamp(proposed: Fact, by_seq: Mapping[int, Fact], facts: Sequence[Fact]) -> tuple[float, ...]:
    ground = [by_seq[seq] for seq in _grounds(proposed, by_seq)]
    last = max(ground, key=lambda fact: fact.known_at, default=None)
    after = {f.kind: f.known_at for f in facts if f.body.get("proposal") == proposed.seq and f.kind != "outcome/1"}
    sensed, known = (np.nan, np.nan) if last is None else (last.true_at, last.known_at)
    return sensed, known, proposed.known_at, after.get("decided/1", np.nan), after.get("delivered/1", np.nan)


def _grounds(fact: Fact, by_seq: Mapping[int, Fact]) -> set[int]:
    """Return the readings and events that a fact rests on, through its causes."""
    found, todo, seen = set(), list(fact.cause), set()
    while todo:
        seq = todo.pop()
        if seq in by_seq and seq not in seen:
            seen.add(seq)
            todo.extend(by_seq[seq].cause)
            if by_seq[seq].kind in ("observed/1", "happened/1"):
                found.add(seq)
    return found
