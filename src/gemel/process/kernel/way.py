"""Way: what a node that is no task does with a token: choose, split, join, delay."""

from __future__ import annotations

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, quantile
from gemel.process.kernel.cases import free_token, new_token
from gemel.process.kernel.codes import DELAYED, JOINED, PASSES
from gemel.process.kernel.heap import numbered, push
from gemel.process.kernel.tables import (
    about,
    cases,
    globe,
    joined,
    nodes,
    rules,
    targets,
    tests,
    times,
    todo,
    tokens,
    weights,
)
from gemel.process.memory import swift


@swift
def later(w, at, node):
    """Note that a token has yet to enter a node, at this moment."""
    g = globe(w)[0]
    one = todo(w)[g.todo_n]
    one.token = at
    one.node = node
    g.todo_n += 1


@swift
def counted(w, place, node):
    """Return how often a case was at a node, and count this time."""
    g = globe(w)[0]
    if not g.looped:
        return 0
    found = times(w)[place * g.nodes + node]
    times(w)[place * g.nodes + node] = found + 1
    return found


@swift
def choose(w, at, node):
    """Return the node that a choice sends a token to."""
    place = tokens(w)[at].case
    own = nodes(w)[node]
    rule = own.first
    while rule < own.first + own.count - 1 and not holds(w, rule, place, node):
        rule += 1
    r = rules(w)[rule]
    u = draw(cases(w)[place].base, own.key, counted(w, place, node), draws.ROUTE)
    total = 0.0
    for way in range(r.to0, r.to0 + r.tos):
        total += weights(w)[way]
    u *= total
    for way in range(r.to0, r.to0 + r.tos):
        u -= weights(w)[way]
        if u < 0:
            return targets(w)[way]
    return targets(w)[r.to0]


@swift
def holds(w, rule, place, node):
    """Return whether all conditions of a rule hold for a case."""
    g, r = globe(w)[0], rules(w)[rule]
    for k in range(r.test0, r.test0 + r.tests):
        test = tests(w)[k]
        if test.attribute >= 0:
            value = about(w)[place * g.attributes + test.attribute]
        elif test.attribute == -1:
            value = float(cases(w)[place].group)
        else:
            value = float(times(w)[place * g.nodes + node]) if g.looped else 0.0
        if not compare(value, test.test, test.value):
            return False
    return True


@swift
def compare(value, test, other):
    """Return the outcome of one comparison."""
    if test == 0:
        return value == other
    if test == 1:
        return value != other
    if test == 2:
        return value < other
    if test == 3:
        return value <= other
    return value > other if test == 4 else value >= other


@swift
def delay(w, at, node):
    """Let a token wait for nobody of the service."""
    g, t = globe(w)[0], tokens(w)[at]
    own = nodes(w)[node]
    visit = counted(w, t.case, node)
    lasts = quantile(w, own.lasts, draw(cases(w)[t.case].base, own.key, visit, draws.LASTS))
    hold(w, at, node, visit, g.now + lasts)


@swift
def hold(w, at, node, visit, due):
    """Keep a token at a node until it is due."""
    g, t = globe(w)[0], tokens(w)[at]
    t.node = node
    t.visit = visit
    t.status = DELAYED
    t.since = g.now
    t.started = np.nan
    t.due = due
    t.seq = numbered(w)
    push(w, due, PASSES, at, t.seq)


@swift
def split(w, at, node):
    """Send a token several ways at once."""
    own = nodes(w)[node]
    place = tokens(w)[at].case
    counted(w, place, node)
    for way in range(own.first + own.count - 1, own.first, -1):
        later(w, new_token(w, place), targets(w)[way])
    later(w, at, targets(w)[own.first])


@swift
def join(w, at, node):
    """Let a token wait for the others of its case, or go on as the last of them."""
    g, t = globe(w)[0], tokens(w)[at]
    own = nodes(w)[node]
    slot = (t.case * g.joins + own.join) * 2
    met = joined(w)
    if met[slot] + 1 < own.parts:
        met[slot] += 1
        t.node = node
        t.status = JOINED
        t.since = g.now
        t.started = np.nan
        t.due = np.nan
        t.seq = numbered(w)
        t.next = met[slot + 1]
        met[slot + 1] = at
        return
    other = met[slot + 1]
    while other >= 0:
        following = tokens(w)[other].next
        cases(w)[t.case].tokens -= 1
        free_token(w, other)
        other = following
    met[slot] = 0
    met[slot + 1] = -1
    counted(w, t.case, node)
    later(w, at, own.then)
