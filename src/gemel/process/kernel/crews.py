"""Crews: the units that a team needs: whether they are free, taken, paid, standing still."""

from __future__ import annotations

import math

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile
from gemel.process.kernel.codes import CALENDAR, ENDS, FAILS, SERVED
from gemel.process.kernel.heap import numbered, push
from gemel.process.kernel.tables import cases, globe, needs, nodes, pools, stations, steps, teams, tokens
from gemel.process.memory import swift


@swift
def free(w, team):
    """Return whether all units that a team needs are free."""
    own = teams(w)[team]
    for k in range(own.need0, own.need0 + own.needs):
        p = pools(w)[needs(w)[k]]
        if p.busy >= p.here:
            return False
    return True


@swift
def free_team(w, place, at):
    """Return the team that serves next at a station, or -1."""
    s = stations(w)[place]
    if s.simple:
        p = pools(w)[s.pool]
        return s.team0 if p.busy < p.here else -1
    if not s.any_team:
        for team in range(s.team0, s.team0 + s.teams):
            if free(w, team):
                return team
        return -1
    many = 0
    for team in range(s.team0, s.team0 + s.teams):
        many += free(w, team)
    if many == 0:
        return -1
    t = tokens(w)[at]
    pick = int(draw(cases(w)[t.case].base, nodes(w)[t.node].key, t.visit, draws.TEAM) * many)
    for team in range(s.team0, s.team0 + s.teams):
        pick -= free(w, team)
        if pick < 0:
            return team
    return -1


@swift
def use(w, team, many):
    """Take (many 1) or give back (-1) the units of a team."""
    g, own = globe(w)[0], teams(w)[team]
    for k in range(own.need0, own.need0 + own.needs):
        p = pools(w)[needs(w)[k]]
        if p.busy > p.here and p.rate > 0:
            pay(w, needs(w)[k])
        p.busy += many
        p.worked -= many * (g.now - g.t0)


@swift
def pay(w, pool):
    """Add what a pool's units cost since this was last done: all who are here, and who work on after their shift."""
    g, p = globe(w)[0], pools(w)[pool]
    g.cost += p.rate * max(p.here, p.busy) * (g.now - p.paid_at)
    p.paid_at = g.now


@swift
def uses(w, team, pool):
    """Return whether a team has a unit of a pool."""
    own = teams(w)[team]
    for k in range(own.need0, own.need0 + own.needs):  # noqa: SIM110  # numba would build a generator
        if needs(w)[k] == pool:
            return True
    return False


@swift
def stand(w, team, many):
    """Count a service that stands still (1) or goes on (-1) at all pools of its team."""
    own = teams(w)[team]
    for k in range(own.need0, own.need0 + own.needs):
        pools(w)[needs(w)[k]].paused += many


@swift
def renumber(w, at):
    """Number a token anew, and after it those served together with it, so that their order stays."""
    all_ = tokens(w)
    while at >= 0:
        all_[at].seq = numbered(w)
        at = all_[at].mate


@swift
def resume(w, pool):
    """Go on with services that stand still, in the order in which they stopped, while there are units."""
    g, p, all_ = globe(w)[0], pools(w)[pool], tokens(w)
    while p.busy < p.here and p.paused > 0:
        first = -1
        for at in range(g.token_used):
            t = all_[at]
            alone = t.status == SERVED and (t.group < 0 or t.group == at)
            if not alone or math.isnan(t.left) or not uses(w, t.team, pool) or not free(w, t.team):
                continue
            if first < 0 or t.seq < all_[first].seq:
                first = at
        if first < 0:
            return
        t = all_[first]
        t.due = g.now + t.left
        t.left = np.nan
        renumber(w, first)
        use(w, t.team, 1)
        stand(w, t.team, -1)
        push(w, t.due, ENDS, first, t.seq)


@swift
def next_step(w, pool):
    """Let a pool follow its calendar."""
    p = pools(w)[pool]
    p.listed = int(steps(w)[p.step0 + p.step].value)
    p.step += 1
    if p.step < p.steps:
        push(w, steps(w)[p.step0 + p.step].at, CALENDAR, pool, pool)


@swift
def wear(w, pool):
    """Draw when another unit of a pool fails, from now."""
    g, p = globe(w)[0], pools(w)[pool]
    u = draw(mix(g.seed + p.key), p.key, p.failures, draws.FAIL)
    p.failures += 1
    push(w, g.now + quantile(w, p.between, u), FAILS, pool, numbered(w))
