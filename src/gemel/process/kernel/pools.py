"""Pools: units come and leave by the calendar, fail, are repaired and maintained."""

from __future__ import annotations

import math

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile
from gemel.process.kernel.codes import FAILS, MANY, REPAIRED, SERVED
from gemel.process.kernel.crews import pay, renumber, stand, use, uses, wear
from gemel.process.kernel.heap import before, forget, numbered, push
from gemel.process.kernel.stations import supply
from gemel.process.kernel.tables import globe, heap, needs, pools, teams, tokens
from gemel.process.memory import swift


@swift
def change(w, pool, most):
    """Let a pool have the units that calendar, levers and failures leave; at most *most* services stop for want of them."""
    p = pools(w)[pool]
    pay(w, pool)
    p.here = max(p.listed + int(p.added) - p.down, 0)
    if p.busy > p.here:
        pause(w, pool, most)
    elif p.busy < p.here:
        supply(w, pool)


@swift
def pause(w, pool, most):
    """Stop the services begun last, at most so many, while a pool has fewer units than work."""
    g, p, all_ = globe(w)[0], pools(w)[pool], tokens(w)
    while p.busy > p.here and most > 0:
        most -= 1
        last = -1
        for at in range(g.token_used):
            t = all_[at]
            alone = t.status == SERVED and (t.group < 0 or t.group == at)
            if alone and math.isnan(t.left) and uses(w, t.team, pool) and (last < 0 or t.seq > all_[last].seq):
                last = at
        if last < 0:
            return
        t = all_[last]
        t.left = t.due - g.now
        t.due = np.nan
        renumber(w, last)
        use(w, t.team, -1)
        stand(w, t.team, 1)
        own = teams(w)[t.team]
        for k in range(own.need0, own.need0 + own.needs):
            if needs(w)[k] != pool:
                supply(w, needs(w)[k])


@swift
def fail(w, pool):
    """Let a unit fail: one service stops if no unit was free."""
    g, p = globe(w)[0], pools(w)[pool]
    p.down += 1
    lasts = 0.0
    if p.repair >= 0:
        lasts = quantile(w, p.repair, draw(mix(g.seed + p.key), p.key, p.failures, draws.REPAIR))
    p.failures += 1
    push(w, g.now + lasts, REPAIRED, pool, numbered(w))
    change(w, pool, 1)


@swift
def repaired(w, pool):
    """Let a unit be back, as good as new."""
    p = pools(w)[pool]
    p.down -= 1
    if p.between >= 0:
        wear(w, pool)
    change(w, pool, 0)


@swift
def maintain(w, pool, seconds):
    """Take a unit away for a while: of those that will fail, the one that would fail first."""
    g, p, events = globe(w)[0], pools(w)[pool], heap(w)
    first = -1
    for place in range(g.hole, g.heap_n):
        one = events[place]
        if one.kind == FAILS and one.ref == pool and (first < 0 or before(one.at, FAILS, one.seq, events[first])):
            first = place
    if first >= 0:
        forget(w, FAILS, pool, events[first].seq)
    p.down += 1
    push(w, g.now + 1000.0 * seconds, REPAIRED, pool, numbered(w))
    change(w, pool, MANY * p.pauses)
