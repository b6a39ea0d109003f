"""Cases: who is inside, and the tokens that stand for her, each at one node."""

from __future__ import annotations

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile
from gemel.process.kernel.codes import DONE, GOLDEN
from gemel.process.kernel.tables import (
    about,
    attributes,
    cases,
    globe,
    has,
    joined,
    options,
    rows,
    times,
    tokens,
    weights,
)
from gemel.process.memory import swift


@swift
def new_token(w, case):
    """Return the place of a new token of a case."""
    g, all_ = globe(w)[0], tokens(w)
    found = g.token_free
    if found >= 0:
        g.token_free = all_[found].next
    else:
        found = g.token_used
        g.token_used = found + 1
    t = all_[found]
    t.case = case
    t.status = -1
    t.team = -1
    t.mate = -1
    t.group = -1
    t.left = np.nan
    cases(w)[case].tokens += 1
    return found


@swift
def free_token(w, at):
    """Give the place of a token back."""
    g, t = globe(w)[0], tokens(w)[at]
    t.status = -1
    t.seq = -1
    t.next = g.token_free
    g.token_free = at


@swift
def new_case(w, group, key, arrived):
    """Return the place of a new case of a class."""
    g, all_ = globe(w)[0], cases(w)
    found = g.case_free
    if found >= 0:
        g.case_free = all_[found].tokens
    else:
        found = g.case_used
        g.case_used = found + 1
    c = all_[found]
    c.group = group
    c.key = key
    c.base = mix(g.seed + np.uint64(key) * GOLDEN)
    c.arrived = arrived
    c.urgency = np.nan
    c.tokens = 0
    c.why = DONE
    c.index = g.cases_seen
    g.cases_seen += 1
    g.inside += 1
    if g.looped:
        for node in range(g.nodes):
            times(w)[found * g.nodes + node] = 0
    for join in range(2 * g.joins):
        joined(w)[found * 2 * g.joins + join] = -(join & 1)
    if g.keep_cases:
        note_case(w, c)
    return found


@swift
def note_case(w, c):
    """Open the row that tells of a case."""
    g = globe(w)[0]
    row = rows(w)[g.row0 + c.index]
    g.row_n += 1
    row.arrived = (c.arrived - g.t0) / 1000.0
    row.left = np.nan
    row.key = c.key
    row.member = g.member
    row.customers = c.group
    row.outcome = -1
    row.index = c.index


@swift
def leave(w, at):
    """Let a token end, and with the last one its case."""
    g, t = globe(w)[0], tokens(w)[at]
    place = t.case
    c = cases(w)[place]
    free_token(w, at)
    c.tokens -= 1
    if c.tokens > 0:
        return
    g.left += 1
    g.inside -= 1
    g.late += g.now - c.arrived > g.most
    if g.keep_cases:
        row = rows(w)[g.row0 + c.index]
        row.left = (g.now - g.t0) / 1000.0
        row.outcome = c.why
    c.index = -1
    c.tokens = g.case_free
    g.case_free = place


@swift
def know(w, place, column):
    """Draw what is not known of a case: one attribute."""
    g, c = globe(w)[0], cases(w)[place]
    a = attributes(w)[column]
    which = has(w)[c.group * g.attributes + column]
    if which < 0:
        return
    u = draw(c.base, a.key, 0, draws.ABOUT)
    own = attributes(w)[which]
    if own.numbers >= 0:
        about(w)[place * g.attributes + column] = quantile(w, own.numbers, u) / 1000.0
        return
    at = own.first
    while at < own.first + own.count - 1 and u >= weights(w)[at]:
        at += 1
    about(w)[place * g.attributes + column] = options(w)[at]
