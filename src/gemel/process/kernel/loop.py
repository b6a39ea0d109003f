"""Loop: one event after another, until the end of the span."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile
from gemel.process.kernel.arrivals import arrive, await_next
from gemel.process.kernel.cases import leave, new_case, new_token
from gemel.process.kernel.codes import (
    ARRIVES,
    CALENDAR,
    ENDS,
    FAILS,
    GIVES_UP,
    GOLDEN,
    MANY,
    MORE,
    NEVER,
    OK,
    PASSES,
    REPAIRED,
    RIPENS,
    SERVED,
    WAITING,
)
from gemel.process.kernel.crews import next_step
from gemel.process.kernel.finish import finish
from gemel.process.kernel.gauges import read_gauges
from gemel.process.kernel.heap import drop, push, sink
from gemel.process.kernel.levers import control
from gemel.process.kernel.load import load, shared
from gemel.process.kernel.pools import change, fail, repaired
from gemel.process.kernel.stations import look
from gemel.process.kernel.tables import (
    cases,
    classes,
    globe,
    heap,
    nodes,
    pools,
    service,
    starts,
    stations,
    steps,
    teams,
    ticks,
    tokens,
)
from gemel.process.kernel.travel import end_service, give_up, pass_by
from gemel.process.memory import swift


@swift
def room(w):
    """Return whether whatever one event may bring about fits into all tables."""
    g = globe(w)[0]
    many = g.token_used + g.margin
    return (
        many <= g.token_cap
        and g.case_used < g.case_cap
        and g.heap_n + many <= g.heap_cap
        and (not g.keep_visits or g.visit_n + many <= g.visit_cap)
        and (not g.keep_cases or g.row_n < g.row_cap)
    )


@swift
def room_to_load(w):
    """Return whether the rows of those inside fit into the table of cases."""
    g, bounds = globe(w)[0], 5 * shared(w)
    return not g.keep_cases or g.row_n + starts(w)[bounds + 5] - starts(w)[bounds] < g.row_cap


@swift
def room_to_end(w):
    """Return whether a member's end fits into the tables of ends."""
    g = globe(w)[0]
    return not g.keep_end or (
        g.end_n + g.token_used <= g.end_cap
        and g.held_n + g.inside <= g.held_cap
        and g.times_n + g.inside * g.nodes <= g.times_cap
        and g.away_n + g.heap_n <= g.away_cap
    )


@swift
def run(w):
    """Let events happen until the end of the span; stop before one that might not fit."""
    g, events = globe(w)[0], heap(w)
    while True:
        if not room(w):
            return MORE
        top = events[0]
        if g.heap_n == 0 or top.at > g.tick:
            g.now = g.tick
            read_gauges(w)
            if g.tick_i == g.ticks_many:
                return OK
            g.tick = ticks(w)[g.tick_i]
            continue
        g.hole = 1
        happen(w, top.kind, top.ref, top.seq, top.at)
        if g.hole:
            drop(w)


@swift
def run_lean(w):
    """Do as `run` does, where all nodes are tasks with one team of a pool of its own, in order of arrival, and none gives up.

    Arrivals and ends of service are written out in one piece, so that the compiler sees them whole; it is twice as fast, and bit
    for bit the same.
    """
    g, events, all_, line = globe(w)[0], heap(w), tokens(w), nodes(w)
    places, crews, groups = stations(w), pools(w), classes(w)
    while True:
        if not room(w):
            return MORE
        top = events[0]
        if g.heap_n == 0 or top.at > g.tick:
            g.now = g.tick
            read_gauges(w)
            if g.tick_i == g.ticks_many:
                return OK
            g.tick = ticks(w)[g.tick_i]
            continue
        now, kind, ref = top.at, top.kind, top.ref
        if kind != ARRIVES and (kind != ENDS or all_[ref].seq != top.seq or crews[places[all_[ref].station].pool].busy
                                > crews[places[all_[ref].station].pool].here):  # fmt: skip
            g.hole = 1
            happen(w, kind, ref, top.seq, now)
            if g.hole:
                drop(w)
            continue
        g.now = now
        if kind == ARRIVES:
            k = groups[ref]
            key = np.int64(mix(k.key + np.uint64(k.came) * GOLDEN) >> np.uint64(16))
            k.came += 1
            k.known = np.nan
            g.came += 1
            k.anchor = now
            k.need = quantile(w, k.gap, draw(k.base, k.key, k.came, draws.GAP))
            rate = steps(w)[k.step0 + k.step].value * k.factor * k.scale
            after = now + k.need / rate
            if k.step == k.steps - 1 and rate > 0 and after <= g.until:
                sink(w, after, ARRIVES, ref, ref)
            else:
                g.hole = 1
                await_next(w, ref)
                if g.hole:
                    drop(w)
            ref, node = new_token(w, new_case(w, ref, key, now)), k.entry
        else:
            t = all_[ref]
            s = places[t.station]
            p = crews[s.pool]
            node = line[t.node].then
            t.mate, t.group, t.team = -1, -1, -1
            if s.waiting > 0 and s.open:
                starting = s.head
                n = all_[starting]
                s.head = n.next
                if n.next >= 0:
                    all_[n.next].prev = -1
                else:
                    s.tail = -1
                s.waiting -= 1
                due = serve_lean(w, starting, now)
                sink(w, due, ENDS, starting, n.seq)
            else:
                p.worked += now - g.t0
                p.busy -= 1
                s.serving -= 1
                g.hole = 1
        if node < 0:
            leave(w, ref)
        else:
            t = all_[ref]
            t.node, t.station = node, line[node].station
            s = places[t.station]
            p = crews[s.pool]
            t.visit = 0
            t.status = WAITING
            t.since = now
            t.started = np.nan
            t.due = np.nan
            t.patient = NEVER
            t.rank = 0.0
            g.seq += 1
            t.seq = g.seq
            if s.waiting == 0 and s.open and p.busy < p.here:
                p.busy += 1
                p.worked -= now - g.t0
                s.serving += 1
                due = serve_lean(w, ref, now)
                push(w, due, ENDS, ref, t.seq)
            else:
                s.waiting += 1
                t.prev = s.tail
                t.next = -1
                if s.tail >= 0:
                    all_[s.tail].next = ref
                else:
                    s.head = ref
                s.tail = ref
        if g.hole:
            drop(w)


@swift
def serve_lean(w, at, now):
    """Let the only team begin to serve a token, and return when that ends."""
    g, t = globe(w)[0], tokens(w)[at]
    s, c = stations(w)[t.station], cases(w)[t.case]
    waited = now - t.since
    t.status = SERVED
    t.started = now
    t.team = s.team0
    g.seq += 1
    t.seq = g.seq
    s.served += 1
    s.waited += waited
    s.breaches += waited > s.promise
    g.cost += s.cost
    u = draw(c.base, nodes(w)[t.node].key, 0, draws.SERVICE)
    factor = s.pace * s.scale / teams(w)[s.team0].speed
    t.due = now + factor * quantile(w, service(w)[t.station * g.classes + c.group], u)
    return t.due


@swift
def happen(w, kind, ref, seq, at):
    """Let one event happen, unless it was overtaken."""
    globe(w)[0].now = at
    if kind == ARRIVES:
        arrive(w, ref)
    elif kind == ENDS:
        if tokens(w)[ref].seq == seq:
            end_service(w, ref)
    elif kind == GIVES_UP:
        t = tokens(w)[ref]
        if t.seq == seq and t.patient <= at:
            give_up(w, ref)
    elif kind == PASSES:
        pass_by(w, ref)
    elif kind == RIPENS:
        look(w, ref)
    elif kind == CALENDAR:
        next_step(w, ref)
        change(w, ref, MANY * pools(w)[ref].pauses)
    elif kind == FAILS:
        fail(w, ref)
    elif kind == REPAIRED:
        repaired(w, ref)
    else:
        control(w, ref)


def members(source: str) -> Any:
    """Return the compiled function that runs members until it needs room (MORE) or is done (OK), kept on disk by *source*."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def run_members(w, last):
        g = globe(w)[0]
        while g.member < last:
            if g.stage == 0:
                if not room_to_load(w):
                    return MORE
                load(w)
                g.stage = 1
            if g.stage == 1:
                if (run_lean(w) if g.lean else run(w)) == MORE:
                    return MORE
                g.stage = 2
            if not room_to_end(w):
                return MORE
            finish(w)
            g.member += 1
            g.column += 1
            g.stage = 0
        return OK if source else MORE

    return run_members
