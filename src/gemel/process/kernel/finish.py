"""Finish: from the tables to the present state at the end."""

from __future__ import annotations

import numpy as np

from gemel.process.kernel.codes import FAILS, REPAIRED, SERVED, WAITING
from gemel.process.kernel.queues import note_visit
from gemel.process.kernel.tables import (
    about,
    cases,
    classes,
    end_about,
    end_arrivals,
    end_aways,
    end_change,
    end_failures,
    globe,
    heap,
    held,
    ordering,
    pools,
    stations,
    stood,
    tallies,
    times,
    tokens,
    usual_weights,
    weights,
)
from gemel.process.memory import swift


@swift
def finish(w):
    """Write down the present state that a member has come to, and the visits that are not over."""
    g, all_ = globe(w)[0], tokens(w)
    if not (g.keep_end or g.keep_visits):
        return
    many = 0
    for at in range(g.token_used):
        many += all_[at].seq >= 0
    seqs, found = np.empty(many, np.int64), np.empty(many, np.int64)
    many = 0
    for at in range(g.token_used):
        if all_[at].seq >= 0:
            seqs[many], found[many] = all_[at].seq, at
            many += 1
    found = found[np.argsort(seqs)]
    if g.keep_visits:
        for one in found:
            if all_[one].status == WAITING or all_[one].status == SERVED:
                note_visit(w, one, -1)
    if g.keep_end:
        end_cases(w)
        end_tokens(w, found)
        end_aside(w)


@swift
def end_cases(w):
    """Write down who is inside, in the order in which they came to be."""
    g, order, many = globe(w)[0], ordering(w), 0
    places, indices = np.empty(g.inside, np.int64), np.empty(g.inside, np.int64)
    for place in range(g.case_used):
        if cases(w)[place].index >= 0:
            places[many], indices[many] = place, cases(w)[place].index
            many += 1
    places = places[np.argsort(indices)]
    for position in range(many):
        place = places[position]
        c, row = cases(w)[place], held(w)[g.held_n]
        order[place] = position
        row.key, row.customers, row.arrived, row.urgency, row.member = c.key, c.group, c.arrived, c.urgency, g.member
        for column in range(g.attributes):
            end_about(w)[g.held_n * g.attributes + column] = about(w)[place * g.attributes + column]
        g.held_n += 1
        for node in range(g.nodes if g.looped else 0):
            if times(w)[place * g.nodes + node] > 0:
                tally = tallies(w)[g.times_n]
                tally.case, tally.node, tally.count = position, node, times(w)[place * g.nodes + node]
                tally.member = g.member
                g.times_n += 1


@swift
def end_tokens(w, found):
    """Write down where the tokens are, in the order in which they came there."""
    g, all_, order = globe(w)[0], tokens(w), ordering(w)
    for position in range(len(found)):
        t, row = all_[found[position]], stood(w)[g.end_n]
        row.case, row.node, row.status = order[t.case], t.node, t.status
        row.since, row.started, row.due, row.left = t.since, t.started, t.due, t.left
        row.team = t.team - stations(w)[t.station].team0 if t.status == SERVED else -1
        row.patient = t.patient if t.status == WAITING else np.nan
        row.member = g.member
        row.group = -1
        if t.status == SERVED and t.group >= 0:
            for other in range(position + 1):
                if found[other] == t.group:
                    row.group = other
        g.end_n += 1


@swift
def end_aside(w):
    """Write down units away and to fail, what arrivals need, and where the levers are."""
    g, events = globe(w)[0], heap(w)
    lasting = np.empty(g.heap_n, np.int64)
    seqs, many = np.empty(g.heap_n, np.int64), 0
    for place in range(g.heap_n):
        if events[place].kind == FAILS or events[place].kind == REPAIRED:
            lasting[many], seqs[many] = place, events[place].seq
            many += 1
    for k in np.argsort(seqs[:many]):
        one, row = events[lasting[k]], end_aways(w)[g.away_n]
        row.pool, row.until, row.fails, row.member = one.ref, one.at, 1.0 if one.kind == FAILS else 0.0, g.member
        g.away_n += 1
    for group in range(g.classes):
        k, at = classes(w)[group], (g.column * g.classes + group) * 4
        out = end_arrivals(w)
        out[at], out[at + 1], out[at + 2], out[at + 3] = k.known, k.anchor, k.need, np.float64(k.came)
    out, at = end_change(w), g.column * g.levers
    for pool in range(g.pools):
        out[at + pool] = unless(pools(w)[pool].added, 0.0)
        end_failures(w)[g.column * g.pools + pool] = pools(w)[pool].failures
    at += g.pools
    for place in range(g.stations):
        s = stations(w)[place]
        out[at + place] = unless(np.float64(s.open), 1.0)
        out[at + g.stations + place] = unless(s.pace, 1.0)
        out[at + 2 * g.stations + place] = unless(s.easy, 1.0)
    at += 3 * g.stations
    for group in range(g.classes):
        out[at + group] = unless(classes(w)[group].factor, 1.0)
    at += g.classes
    for way in range(g.ways):
        out[at + way] = unless(weights(w)[way], usual_weights(w)[way])


@swift
def unless(value, usually):
    """Return a value, or NaN where it is as usual."""
    return np.nan if value == usually else value
