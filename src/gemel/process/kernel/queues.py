"""Queues: who waits at a station, in what order, for how long, and how long her service will last."""

from __future__ import annotations

import math

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile, rest
from gemel.process.kernel.codes import FIFO, GIVES_UP, GOLDEN, LIFO, NEVER, PRIORITY, PROMISE, RANDOM
from gemel.process.kernel.heap import push
from gemel.process.kernel.tables import (
    cases,
    classes,
    globe,
    needs,
    nodes,
    patience,
    service,
    stations,
    teams,
    tokens,
    visits,
)
from gemel.process.memory import swift


@swift
def rank_of(w, place, at):
    """Return where a token stands in a station's order: lower is first, equal by when they came."""
    s, t = stations(w)[place], tokens(w)[at]
    c = cases(w)[t.case]
    if s.order == PROMISE:
        return min(t.since + s.promise, c.arrived + globe(w)[0].most)
    if s.order == PRIORITY:
        return c.urgency if not math.isnan(c.urgency) else classes(w)[c.group].priority
    return 0.0


@swift
def line_up(w, place, at):
    """Put a token in the queue of a station."""
    s, all_ = stations(w)[place], tokens(w)
    t = all_[at]
    t.rank = rank_of(w, place, at)
    s.waiting += 1
    if s.order == LIFO:
        t.prev, t.next = -1, s.head
        if s.head >= 0:
            all_[s.head].prev = at
        else:
            s.tail = at
        s.head = at
        return
    ahead = s.tail
    while ahead >= 0 and (all_[ahead].rank > t.rank or (all_[ahead].rank == t.rank and all_[ahead].seq > t.seq)):
        ahead = all_[ahead].prev
    t.prev = ahead
    t.next = all_[ahead].next if ahead >= 0 else s.head
    if ahead >= 0:
        all_[ahead].next = at
    else:
        s.head = at
    if t.next >= 0:
        all_[t.next].prev = at
    else:
        s.tail = at


@swift
def step_out(w, place, at):
    """Take a token out of the queue of a station."""
    s, all_ = stations(w)[place], tokens(w)
    t = all_[at]
    s.waiting -= 1
    if t.prev >= 0:
        all_[t.prev].next = t.next
    else:
        s.head = t.next
    if t.next >= 0:
        all_[t.next].prev = t.prev
    else:
        s.tail = t.prev


@swift
def be_patient(w, place, at):
    """Draw when a token that waits will give up."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    c = cases(w)[t.case]
    own = patience(w)[place * g.classes + c.group]
    if own < 0:
        t.patient = NEVER
        return
    u = draw(c.base, nodes(w)[t.node].key, t.visit, draws.PATIENCE)
    t.patient = g.now + s.easy * rest(w, own, (g.now - t.since) / s.easy, u)
    push(w, t.patient, GIVES_UP, at, t.seq)


@swift
def note_visit(w, at, outcome):
    """Write the row that tells of a visit; -1 is one that is not over."""
    g, t = globe(w)[0], tokens(w)[at]
    row = visits(w)[g.visit_n]
    g.visit_n += 1
    row.member = g.member
    row.case = cases(w)[t.case].index
    row.node = t.node
    row.station = t.station
    row.ready = (t.since - g.t0) / 1000.0
    row.started = (t.started - g.t0) / 1000.0
    row.ended = (g.now - g.t0) / 1000.0 if outcome >= 0 else np.nan
    row.pool = needs(w)[teams(w)[t.team].need0] if t.team >= 0 else -1
    row.outcome = outcome


@swift
def service_of(w, place, at, team, elapsed):
    """Return how long a service lasts, ms, or how much longer after so many ms."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    c = cases(w)[t.case]
    own = service(w)[place * g.classes + c.group]
    u = draw(c.base, nodes(w)[t.node].key, t.visit, draws.SERVICE)
    factor = s.pace * s.scale / teams(w)[team].speed
    if elapsed > 0 and factor > 0:
        return factor * rest(w, own, elapsed / factor, u)
    return factor * quantile(w, own, u)


@swift
def ripe(w, place):
    """Return how many a station would serve now together; 0 while it waits for more."""
    g, s = globe(w)[0], stations(w)[place]
    if s.size <= 1 or s.waiting == 0:
        return min(s.waiting, 1)
    if s.waiting >= s.size:
        return s.size
    oldest = first_come(w, place)
    return s.waiting if g.now >= oldest + s.most_wait else 0


@swift
def first_come(w, place):
    """Return since when the one who waits longest at a station has waited."""
    s, all_ = stations(w)[place], tokens(w)
    if s.order == FIFO or s.order == RANDOM:
        return all_[s.head].since if s.head >= 0 else NEVER
    found, at = NEVER, s.head
    while at >= 0:
        found = min(found, all_[at].since)
        at = all_[at].next
    return found


@swift
def next_in(w, place):
    """Return whose turn it is at a station."""
    g, s = globe(w)[0], stations(w)[place]
    at = s.head
    if s.order == RANDOM and s.waiting > 1:
        moment = np.uint64(np.int64(g.now * 1024.0)) * GOLDEN
        u = draw(mix(g.seed + moment), np.uint64(place), s.waiting, draws.PICK)
        for _ in range(int(u * s.waiting)):
            at = tokens(w)[at].next
    return at
