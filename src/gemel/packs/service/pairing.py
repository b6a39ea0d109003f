"""Pairing: what was told at moments (queued, started, paused, completed …) becomes one row per activity performed.

Events are put in groups (a case, an activity, and an instance where one is told) and taken in order of time. In a group
the first to begin is the first to end, unless a later one was begun by the resource that ends it. At one moment starts
come before ends, so that the order of a file does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from gemel.dynamics import PHASES

QUEUED, STARTED, PAUSED, RESUMED, COMPLETED, ABANDONED, NOTED = (
    PHASES.index(word) for word in ("queued", "started", "paused", "resumed", "completed", "abandoned", "noted")
)
LEFT = PHASES.index("left")

_RANK = np.full(len(PHASES), 9, np.int8)
_RANK[[QUEUED, NOTED, STARTED, PAUSED, RESUMED, COMPLETED, ABANDONED, LEFT]] = [0, 1, 2, 3, 4, 5, 6, 7]

NONE, LATE_START, LOOSE = -1, -2, -3
"""Why an event has no row: it names no activity; it begins what is already over; it pauses or resumes nothing."""


@dataclass(frozen=True)
class Pairs:
    """Rows (r,): the events (indices, -1 for none) that queued, started and ended each, and the ms it was paused.

    `row` (n,) is the row of each event, or a reason why it has none.
    """

    row: np.ndarray
    queued: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    paused: np.ndarray


def pairs(group: np.ndarray, instanced: np.ndarray, phase: np.ndarray, at: np.ndarray, resource: np.ndarray) -> Pairs:
    """Return the rows of events (n,): group -1 belongs nowhere, *instanced* says that the group is one instance."""
    order = np.lexsort((_RANK[phase], at, group))
    found = _pairs(order, group, instanced, phase, at, resource)
    return Pairs(*found)


@numba.njit(cache=True, nogil=True)
def _pairs(order, group, instanced, phase, at, resource):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    n = len(order)
    row = np.full(n, NONE, np.int64)
    queued, started, ended = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    paused, since = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    waiting, working = np.empty(n, np.int64), np.empty(n, np.int64)
    rows = waits = works = 0
    last, over = -1, False
    for event in order:
        if group[event] < 0:
            continue
        if group[event] != last:
            last, waits, works, over = group[event], 0, 0, False
        kind = phase[event]
        found = -1
        if kind == QUEUED:
            found = rows
        elif kind in (STARTED, NOTED):
            if waits:
                found = waiting[0]
            elif kind == NOTED and works:
                found = working[0]
            elif instanced[event] and over:
                row[event] = LATE_START
                continue
            else:
                found = rows
        elif kind in (PAUSED, RESUMED):
            place = -1
            for i in range(works):
                if (since[working[i]] >= 0) != (kind == RESUMED):
                    continue
                place = i if place < 0 else place
                if resource[started[working[i]]] == resource[event]:
                    place = i
                    break
            if place < 0:
                row[event] = LOOSE
                continue
            found = working[place]
            if kind == PAUSED:
                since[found] = event
            else:
                paused[found] += at[event] - at[since[found]]
                since[found] = -1
        elif kind in (COMPLETED, ABANDONED):
            first_waits = kind == ABANDONED and waits > 0
            if works and not first_waits:
                place = 0
                for i in range(works):
                    if resource[started[working[i]]] == resource[event]:
                        place = i
                        break
                found = working[place]
                if since[found] >= 0:
                    paused[found] += at[event] - at[since[found]]
                    since[found] = -1
                for i in range(place, works - 1):
                    working[i] = working[i + 1]
                works -= 1
            elif waits:
                found = waiting[0]
                for i in range(waits - 1):
                    waiting[i] = waiting[i + 1]
                waits -= 1
            else:
                found = rows
            ended[found] = event
            over = True
        else:
            continue
        row[event] = found
        if kind == STARTED:
            if waits and found == waiting[0]:
                for i in range(waits - 1):
                    waiting[i] = waiting[i + 1]
                waits -= 1
            started[found] = event
            working[works] = found
            works += 1
        elif (kind in (QUEUED, NOTED)) and found == rows:
            if kind == QUEUED:
                queued[found] = event
            waiting[waits] = found
            waits += 1
        rows = max(rows, found + 1)
    return row, queued[:rows], started[:rows], ended[:rows], paused[:rows]
