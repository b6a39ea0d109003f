"""Load: from a present state into the tables."""

from __future__ import annotations

import math

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile, rest
from gemel.process.kernel.arrivals import await_next
from gemel.process.kernel.cases import know, new_case, new_token
from gemel.process.kernel.codes import (
    CONTROLLED,
    DELAYED,
    ENDS,
    FAILS,
    GIVES_UP,
    GOLDEN,
    JOINED,
    MANY,
    NEVER,
    PASSES,
    REPAIRED,
    RIPENS,
    SERVED,
    TASK,
    WAITING,
)
from gemel.process.kernel.crews import next_step, stand, use, wear
from gemel.process.kernel.heap import numbered, push
from gemel.process.kernel.pools import change
from gemel.process.kernel.queues import be_patient, line_up, service_of
from gemel.process.kernel.stations import look
from gemel.process.kernel.tables import (
    about,
    cases,
    classes,
    controls,
    elapsed,
    failures,
    first_about,
    first_arrivals,
    first_aways,
    first_change,
    first_held,
    first_stood,
    first_tallies,
    globe,
    joined,
    nodes,
    pools,
    scales,
    starts,
    stations,
    ticks,
    times,
    tokens,
    usual_weights,
    weights,
)
from gemel.process.memory import swift


@swift
def load(w):
    """Set everything to the present state of the member whose turn it is."""
    reset(w)
    load_levers(w)
    load_cases(w)
    load_pools(w)
    load_tokens(w)
    load_arrivals(w)
    g = globe(w)[0]
    for which in range(g.controls):
        at = controls(w)[which].at
        if g.t0 <= at < g.until:
            push(w, at, CONTROLLED, which, which)
    for pool in range(g.pools):
        change(w, pool, MANY * pools(w)[pool].pauses)
    for place in range(g.stations):
        look(w, place)


@swift
def reset(w):
    """Empty the service."""
    g = globe(w)[0]
    g.now, g.seq, g.heap_n, g.hole, g.todo_n = g.t0, 0, 0, 0, 0
    g.token_used, g.token_free, g.case_used, g.case_free, g.cases_seen = 0, -1, 0, -1, 0
    g.cost, g.left, g.late, g.came, g.inside, g.tick_i = 0.0, 0.0, 0.0, 0.0, 0, 0
    g.tick, g.row0 = ticks(w)[0], g.row_n
    g.seed = mix(g.root + np.uint64(g.member + 1) * GOLDEN)
    columns, row = g.classes + g.stations, (g.member if g.scale_rows > 1 else 0)
    for group in range(g.classes):
        k = classes(w)[group]
        k.base = mix(g.seed + k.key)
        k.factor, k.step, k.scale = 1.0, 0, scales(w)[row * columns + group]
    for place in range(g.stations):
        s = stations(w)[place]
        s.served, s.waited, s.abandoned, s.breaches = 0.0, 0.0, 0.0, 0.0
        s.head, s.tail, s.waiting, s.serving, s.open = -1, -1, 0, 0, 1
        s.pace, s.easy, s.scale = 1.0, 1.0, scales(w)[row * columns + g.classes + place]
    for pool in range(g.pools):
        p = pools(w)[pool]
        p.added, p.paid_at, p.worked = 0.0, g.t0, 0.0
        p.down, p.busy, p.paused, p.step = 0, 0, 0, 0


@swift
def load_levers(w):
    """Set levers to where somebody left them, and the rest to where they usually are."""
    g, at = globe(w)[0], shared(w) * globe(w)[0].levers
    values = first_change(w)
    for pool in range(g.pools):
        pools(w)[pool].added = usual(values[at + pool], 0.0)
    at += g.pools
    for place in range(g.stations):
        s = stations(w)[place]
        s.open = int(usual(values[at + place], 1.0) != 0)
        s.pace = usual(values[at + g.stations + place], 1.0)
        s.easy = usual(values[at + 2 * g.stations + place], 1.0)
    at += 3 * g.stations
    for group in range(g.classes):
        classes(w)[group].factor = usual(values[at + group], 1.0)
    at += g.classes
    for way in range(g.ways):
        weights(w)[way] = usual(values[at + way], usual_weights(w)[way])


@swift
def usual(value, otherwise):
    """Return a value, or what it is otherwise if it is not known."""
    return otherwise if math.isnan(value) else value


@swift
def shared(w):
    """Return which of the present states is this member's."""
    g = globe(w)[0]
    return 0 if g.one else g.member


@swift
def load_cases(w):
    """Let those be inside who are."""
    g, bounds = globe(w)[0], 5 * shared(w)
    first = starts(w)[bounds]
    for row in range(first, starts(w)[bounds + 5]):
        own = first_held(w)[row]
        place = new_case(w, int(own.customers), np.int64(own.key), own.arrived)
        cases(w)[place].urgency = own.urgency
        for column in range(g.attributes):
            about(w)[place * g.attributes + column] = first_about(w)[row * g.attributes + column]
            if math.isnan(about(w)[place * g.attributes + column]):
                know(w, place, column)
    if g.looped:
        for row in range(starts(w)[bounds + 2], starts(w)[bounds + 7]):
            one = first_tallies(w)[row]
            times(w)[int(one.case) * g.nodes + int(one.node)] = int(one.count)


@swift
def load_pools(w):
    """Let units be there by calendar, less those away; draw when the others fail where it is not known."""
    g, bounds = globe(w)[0], 5 * shared(w)
    for pool in range(g.pools):
        p = pools(w)[pool]
        p.failures = int(failures(w)[shared(w) * g.pools + pool])
        next_step(w, pool)
        p.timers = 0
    for row in range(starts(w)[bounds + 3], starts(w)[bounds + 8]):
        one = first_aways(w)[row]
        pool = int(one.pool)
        p = pools(w)[pool]
        p.timers += 1
        if one.fails > 0:
            push(w, one.until, FAILS, pool, numbered(w))
            continue
        p.down += 1
        until = one.until
        if math.isnan(until):
            until = (
                NEVER
                if p.repair < 0
                else g.now + quantile(w, p.repair, draw(mix(g.seed + p.key), p.key, p.failures, draws.REPAIR))
            )
            p.failures += 1
        push(w, max(until, g.now), REPAIRED, pool, numbered(w))
    for pool in range(g.pools):
        p = pools(w)[pool]
        p.here = max(p.listed + int(p.added) - p.down, 0)
        for _ in range(p.units - p.timers if p.between >= 0 else 0):
            wear(w, pool)


@swift
def load_tokens(w):
    """Put tokens where they are, and draw what is not known of them given how long they have been there."""
    g, bounds = globe(w)[0], 5 * shared(w)
    first = starts(w)[bounds + 1]
    for row in range(first, starts(w)[bounds + 6]):
        one = first_stood(w)[row]
        at = new_token(w, int(one.case))
        t = tokens(w)[at]
        t.node, t.status, t.since, t.started = int(one.node), int(one.status), one.since, one.started
        t.due, t.left, t.patient = one.due, one.left, one.patient
        t.seq = numbered(w)
        t.station = nodes(w)[t.node].station
        t.visit = 0
        if g.looped and t.status != JOINED:
            slot = t.case * g.nodes + t.node
            times(w)[slot] = max(times(w)[slot], 1)
            t.visit = times(w)[slot] - 1
        if t.status == WAITING:
            load_waiting(w, at)
        elif t.status == SERVED:
            load_served(w, at, row, first)
        elif t.status == DELAYED:
            load_delayed(w, at)
        else:
            slot = (t.case * g.joins + nodes(w)[t.node].join) * 2
            joined(w)[slot] += 1
            t.next = joined(w)[slot + 1]
            joined(w)[slot + 1] = at


@swift
def load_waiting(w, at):
    """Put a token into the queue that it is in."""
    t = tokens(w)[at]
    s = stations(w)[t.station]
    line_up(w, t.station, at)
    if math.isnan(t.patient):
        be_patient(w, t.station, at)
    elif t.patient < NEVER:
        push(w, max(t.patient, globe(w)[0].now), GIVES_UP, at, t.seq)
    if s.size > 1 and t.since + s.most_wait > globe(w)[0].now:
        push(w, t.since + s.most_wait, RIPENS, t.station, t.seq)


@swift
def load_served(w, at, row, first):
    """Let the service of a token go on, alone or with those served together."""
    g, all_ = globe(w)[0], tokens(w)
    t, one = all_[at], first_stood(w)[row]
    s = stations(w)[t.station]
    t.patient = NEVER
    t.team = s.team0 + max(int(one.team), 0)
    if one.group >= 0:
        t.group = int(one.group)
        if t.group != at:
            last = t.group
            while all_[last].mate >= 0:
                last = all_[last].mate
            all_[last].mate = at
            return
    s.serving += 1
    if not math.isnan(t.left):
        stand(w, t.team, 1)
        return
    use(w, t.team, 1)
    if math.isnan(t.due):
        t.due = g.now + service_of(w, t.station, at, t.team, elapsed(w)[row])
    t.due = max(t.due, g.now)
    push(w, t.due, ENDS, at, t.seq)


@swift
def load_delayed(w, at):
    """Let the delay of a token go on."""
    g, t = globe(w)[0], tokens(w)[at]
    own = nodes(w)[t.node]
    if math.isnan(t.due):
        task = own.kind == TASK
        lasts = stations(w)[own.station].after if task else own.lasts
        u = draw(cases(w)[t.case].base, own.key, t.visit, draws.AFTER if task else draws.LASTS)
        t.due = g.now + (rest(w, lasts, g.now - t.since, u) if lasts >= 0 else 0.0)
    t.due = max(t.due, g.now)
    push(w, t.due, PASSES, at, t.seq)


@swift
def load_arrivals(w):
    """Find when the next of each class comes; where it is not known, from now on."""
    g = globe(w)[0]
    for group in range(g.classes):
        k, at = classes(w)[group], (shared(w) * g.classes + group) * 4
        k.known, k.anchor, k.need = first_arrivals(w)[at], first_arrivals(w)[at + 1], first_arrivals(w)[at + 2]
        k.came = np.int64(first_arrivals(w)[at + 3])
        if math.isnan(k.anchor):
            k.anchor = g.now
            k.need = quantile(w, k.first, draw(k.base, k.key, k.came, draws.FIRST))
            if k.first != k.gap:
                k.need *= draw(k.base, k.key, k.came, draws.FIRST_AGE)
        await_next(w, group)
