"""Paths: the ways that customers take through the service, how many and how long, and the map that they make."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gemel.packs.service.assess.rows import Rows

COME, GO = "come", "go"


@dataclass(frozen=True)
class Path:
    """One way through the service: its activities, how many cases took it, their median time (s)."""

    activities: tuple[str, ...]
    cases: int
    median: float


@dataclass(frozen=True)
class Move:
    """From one activity straight to the next: how often, in how many cases, and the median time between (s)."""

    before: str
    after: str
    times: int
    cases: int
    median: float


@dataclass(frozen=True)
class Paths:
    """The commonest paths, how many kinds there are, and the moves of all cases."""

    common: tuple[Path, ...]
    kinds: int
    moves: tuple[Move, ...]


def paths_of(rows: Rows, most: int = 12) -> Paths:
    """Return the *most* common paths, and all moves with `COME` before the first and `GO` after the last activity."""
    bounds, codes = rows.log.bounds(), rows.log.activity.codes
    traces = [codes[first:last].tobytes() for first, last in pairwise(bounds)]
    counts = Counter(traces)
    common = [_path(rows, trace, np.array([one == trace for one in traces])) for trace, _ in counts.most_common(most)]
    return Paths(tuple(common), len(counts), _moves(rows))


def _path(rows: Rows, trace: bytes, cases: np.ndarray) -> Path:
    names = rows.log.activity.names
    activities = tuple(names[code] for code in np.frombuffer(trace, rows.log.activity.codes.dtype).tolist())
    return Path(activities, int(cases.sum()), float(np.median(rows.visit[cases])))


def _moves(rows: Rows) -> tuple[Move, ...]:
    """Return the moves, those first that are made most often; None is before the first and after the last row."""
    log, count = rows.log, len(rows.log.activity.names)
    names = (*log.activity.names, COME, GO)
    case, code = log.case.codes, log.activity.codes.astype(np.int64)
    inner = np.flatnonzero(case[1:] == case[:-1])
    first, last = np.flatnonzero(np.diff(case, prepend=-1) != 0), np.flatnonzero(np.diff(case, append=-1) != 0)
    before = np.concatenate([code[inner], np.full(len(first), count), code[last]])
    after = np.concatenate([code[inner + 1], code[first], np.full(len(last), count + 1)])
    who = np.concatenate([case[inner], case[first], case[last]])
    between = np.maximum(rows.moment[inner + 1] - rows.until[inner], 0.0)
    took = np.concatenate([between, np.zeros(len(first) + len(last))])
    pair = before * (count + 2) + after
    order = np.argsort(pair, kind="stable")
    kinds, edges = np.unique(pair[order], return_index=True)
    parts = zip(kinds.tolist(), np.split(order, edges[1:]), strict=True)
    found = [
        Move(
            names[kind // (count + 2)],
            names[kind % (count + 2)],
            len(mine),
            len(np.unique(who[mine])),
            float(np.median(took[mine])),
        )
        for kind, mine in parts
    ]
    return tuple(sorted(found, key=lambda move: -move.times))
