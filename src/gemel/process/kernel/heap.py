"""Heap: events that are to come, ordered by time, kind and sequence number."""

from __future__ import annotations

from gemel.process.kernel.tables import globe, heap
from gemel.process.memory import swift


@swift
def before(at, kind, seq, other):
    """Return whether an event comes before *other*."""
    if at != other.at:
        return at < other.at
    return kind < other.kind if kind != other.kind else seq < other.seq


@swift
def push(w, at, kind, ref, seq):
    """Let an event happen at some time."""
    g, events = globe(w)[0], heap(w)
    if g.hole:
        g.hole = 0
        sink(w, at, kind, ref, seq)
        return
    place = g.heap_n
    g.heap_n = place + 1
    while place > 0:
        above = (place - 1) >> 1
        if not before(at, kind, seq, events[above]):
            break
        copy(events, above, place)
        place = above
    put(events[place], at, kind, ref, seq)


@swift
def sink(w, at, kind, ref, seq):
    """Let an event take the open place at the top."""
    events, many = heap(w), globe(w)[0].heap_n
    place = 0
    while True:
        below = 2 * place + 1
        if below >= many:
            break
        if below + 1 < many:
            left, right = events[below], events[below + 1]
            below += before(right.at, right.kind, right.seq, left)
        if before(at, kind, seq, events[below]):
            break
        copy(events, below, place)
        place = below
    put(events[place], at, kind, ref, seq)


@swift
def drop(w):
    """Close the open place at the top."""
    g, events = globe(w)[0], heap(w)
    g.hole = 0
    g.heap_n -= 1
    if g.heap_n > 0:
        last = events[g.heap_n]
        sink(w, last.at, last.kind, last.ref, last.seq)


@swift
def copy(events, source, target):
    """Copy one event."""
    one = events[source]
    put(events[target], one.at, one.kind, one.ref, one.seq)


@swift
def put(event, at, kind, ref, seq):
    """Write one event."""
    event.at = at
    event.kind = kind
    event.ref = ref
    event.seq = seq


@swift
def numbered(w):
    """Return the next sequence number."""
    g = globe(w)[0]
    g.seq += 1
    return g.seq


@swift
def forget(w, kind, ref, seq):
    """Take an event out of the heap."""
    g, events = globe(w)[0], heap(w)
    if g.hole:
        drop(w)
    many, kept = g.heap_n, 0
    for place in range(many):
        one = events[place]
        if one.kind != kind or one.ref != ref or one.seq != seq:
            copy(events, place, kept)
            kept += 1
    g.heap_n = 0
    for place in range(kept):
        one = events[place]
        push(w, one.at, one.kind, one.ref, one.seq)
