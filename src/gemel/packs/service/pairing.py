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


_jit = numba.njit(cache=True, nogil=True)


@_jit
def _pairs(order, group, instanced, phase, at, resource):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Walk through the events of each group; lists of rows that wait and that are worked on tell which one is meant."""
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
        if kind == QUEUED:
            queued[rows] = event
            found, waits = rows, _put(waiting, waits, rows)
        elif kind in (STARTED, NOTED):
            found = _begun(kind, waiting, waits, working, works, instanced[event] and over, rows)
            if kind == STARTED and found >= 0:
                waits = _drop(waiting, waits, 0) if waits else waits
                started[found] = event
                works = _put(working, works, found)
            elif found == rows:
                waits = _put(waiting, waits, rows)
        elif kind in (PAUSED, RESUMED):
            place = _stopped(kind, working, works, since, started, resource, event)
            found = working[place] if place >= 0 else LOOSE
            if place >= 0:
                _pause(kind, found, event, since, paused, at)
        elif kind in (COMPLETED, ABANDONED):
            found = rows
            if works and not (kind == ABANDONED and waits):
                place = _ended(working, works, started, resource, event)
                found, works = working[place], _drop(working, works, place)
                _pause(RESUMED, found, event, since, paused, at)
            elif waits:
                found, waits = waiting[0], _drop(waiting, waits, 0)
            ended[found], over = event, True
        else:
            continue
        row[event] = found
        rows = max(rows, found + 1)
    return row, queued[:rows], started[:rows], ended[:rows], paused[:rows]


@_jit
def _put(places, many, row):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Put a row at the end of a list of *many*; return how many there are then."""
    places[many] = row
    return many + 1


@_jit
def _drop(places, many, place):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Take the row at a place out of a list of *many*; return how many there are then."""
    for i in range(place, many - 1):
        places[i] = places[i + 1]
    return many - 1


@_jit
def _begun(kind, waiting, waits, working, works, closed, rows):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Return the row that is begun or noted: the first that waits, one that is worked on, or a new one."""
    if waits:
        return waiting[0]
    if kind == NOTED and works:
        return working[0]
    return LATE_START if closed else rows


@_jit
def _stopped(kind, working, works, since, started, resource, event):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Return the place of what is paused or resumed: by whom began it, else the first that can be; -1 for none."""
    found = -1
    for i in range(works):
        if (since[working[i]] >= 0) == (kind == RESUMED):
            if resource[started[working[i]]] == resource[event]:
                return i
            found = i if found < 0 else found
    return found


@_jit
def _ended(working, works, started, resource, event):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Return the place of what is ended: by whom began it, else the first."""
    for i in range(works):
        if resource[started[working[i]]] == resource[event]:
            return i
    return 0


@_jit
def _pause(kind, row, event, since, paused, at):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Begin the pause of a row, or count and end the one that it has."""
    if kind == PAUSED:
        since[row] = event
    elif since[row] >= 0:
        paused[row] += at[event] - at[since[row]]
        since[row] = -1
