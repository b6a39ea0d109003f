"""Stations: a token comes to a task, waits, and is served, alone or together with others."""

from __future__ import annotations

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, quantile
from gemel.process.kernel.codes import BALKED, ENDS, NEVER, PRIORITY, RIPENS, SERVED, WAITING
from gemel.process.kernel.crews import free, free_team, resume, use
from gemel.process.kernel.heap import numbered, push
from gemel.process.kernel.queues import be_patient, line_up, next_in, note_visit, ripe, service_of, step_out
from gemel.process.kernel.tables import cases, globe, nodes, pools, stations, teams, tokens, users
from gemel.process.kernel.way import counted, hold, later
from gemel.process.memory import swift


@swift
def arrive_at_task(w, at, node):
    """Let a token come to a task: be served at once, or balk, or wait."""
    g, t = globe(w)[0], tokens(w)[at]
    place = nodes(w)[node].station
    s = stations(w)[place]
    t.node = node
    t.station = place
    t.visit = counted(w, t.case, node)
    t.status = WAITING
    t.since = g.now
    t.started = np.nan
    t.due = np.nan
    t.patient = NEVER
    t.seq = numbered(w)
    if s.waiting == 0 and s.open and s.size <= 1:
        team = free_team(w, place, at)
        if team >= 0:
            start(w, place, at, team)
            return
    if s.waiting >= s.balk_at:
        c = cases(w)[t.case]
        if draw(c.base, nodes(w)[node].key, t.visit, draws.BALK) < s.balk:
            turn_away(w, place, at, BALKED)
            return
    line_up(w, place, at)
    if s.impatient:
        be_patient(w, place, at)
    if s.size > 1:
        push(w, t.since + s.most_wait, RIPENS, place, t.seq)
        look(w, place)


@swift
def turn_away(w, place, at, why):
    """Let a token that is in no queue go without having been served; it may be called back."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    s.abandoned += 1
    s.breaches += g.now - t.since > s.promise
    c = cases(w)[t.case]
    if g.keep_visits:
        note_visit(w, at, why)
    node = t.node
    key = nodes(w)[node].key
    if s.share > 0 and draw(c.base, key, t.visit, draws.SHARE) < s.share:
        after = quantile(w, s.after, draw(c.base, key, t.visit, draws.AFTER))
        hold(w, at, node, t.visit, g.now + after)
        return
    if s.gives_up_to < 0:
        c.why = why
    later(w, at, s.gives_up_to)


@swift
def start(w, place, at, team):
    """Let a team begin to serve a token that is in no queue."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    begun(w, place, at, team)
    use(w, team, 1)
    s.serving += 1
    g.cost += s.cost
    t.due = g.now + service_of(w, place, at, team, 0.0)
    push(w, t.due, ENDS, at, t.seq)


@swift
def begun(w, place, at, team):
    """Note that a token's wait is over."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    waited = g.now - t.since
    t.status = SERVED
    t.started = g.now
    t.team = team
    t.patient = NEVER
    t.seq = numbered(w)
    s.served += 1
    s.waited += waited
    s.breaches += waited > s.promise


@swift
def begin(w, place, team):
    """Let a team begin with whose turn it is, and with those served together."""
    many, first = ripe(w, place), next_in(w, place)
    step_out(w, place, first)
    start(w, place, first, team)
    last = first
    for _ in range(many - 1):
        other = next_in(w, place)
        step_out(w, place, other)
        begun(w, place, other, team)
        t = tokens(w)[other]
        t.due = tokens(w)[first].due
        tokens(w)[last].mate = other
        t.group = first
        last = other
    if many > 1:
        tokens(w)[first].group = first


@swift
def look(w, place):
    """Let free teams of a station serve those who wait there."""
    s = stations(w)[place]
    while s.open and ripe(w, place) > 0:
        team = free_team(w, place, s.head)
        if team < 0:
            return
        begin(w, place, team)


@swift
def supply(w, pool):
    """Let free units of a pool go on with what stands still, or else serve whose turn it is."""
    p = pools(w)[pool]
    if p.paused > 0:
        resume(w, pool)
    if p.users == 1 and stations(w)[teams(w)[users(w)[p.user0]].station].simple:
        place = teams(w)[users(w)[p.user0]].station
        s = stations(w)[place]
        while p.busy < p.here and s.waiting > 0 and s.open and ripe(w, place) > 0:
            begin(w, place, s.team0)
        return
    while p.busy < p.here:
        team = whose_turn(w, pool)
        if team < 0:
            return
        begin(w, teams(w)[team].station, team)


@swift
def whose_turn(w, pool):
    """Return the team with a unit of this pool that serves next: for the most urgent, then for who has waited longest."""
    p, found, rank, since, seq = pools(w)[pool], -1, 0.0, 0.0, 0
    for k in range(p.user0, p.user0 + p.users):
        team = users(w)[k]
        place = teams(w)[team].station
        s = stations(w)[place]
        if s.waiting == 0 or not s.open or not free(w, team) or ripe(w, place) == 0:
            continue
        t = tokens(w)[s.head]
        own = t.rank if s.order == PRIORITY else 0.0
        if found < 0 or own < rank or (own == rank and (t.since < since or (t.since == since and t.seq < seq))):
            found, rank, since, seq = team, own, t.since, t.seq
    return found
