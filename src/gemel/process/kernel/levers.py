"""Levers: what is set by hand while a member runs."""

from __future__ import annotations

import math

from gemel.process.kernel.arrivals import await_next
from gemel.process.kernel.codes import (
    ARRIVES,
    C_ARRIVALS,
    C_AWAY,
    C_OPEN,
    C_PACE,
    C_PATIENCE,
    C_ROUTE,
    C_STAFF,
    C_URGENCY,
    GIVES_UP,
    MANY,
    MOVED,
    NEVER,
    WAITING,
)
from gemel.process.kernel.heap import forget, push
from gemel.process.kernel.pools import change, maintain
from gemel.process.kernel.queues import line_up, note_visit, step_out
from gemel.process.kernel.stations import look
from gemel.process.kernel.tables import (
    cases,
    classes,
    controls,
    globe,
    pools,
    settings,
    stations,
    steps,
    tokens,
    weights,
)
from gemel.process.kernel.travel import go
from gemel.process.memory import swift


@swift
def control(w, which):
    """Let somebody pull a lever."""
    g, one = globe(w)[0], controls(w)[which]
    column = g.member if g.control_columns > 1 else 0
    value = settings(w)[which * g.control_columns + column]
    kind, target = one.kind, one.target
    if math.isnan(value):
        return
    if kind == C_STAFF:
        pools(w)[target].added = value
        change(w, target, MANY * pools(w)[target].pauses)
    elif kind == C_OPEN:
        stations(w)[target].open = int(value != 0)
        look(w, target)
    elif kind == C_ARRIVALS:
        quicken(w, target, value)
    elif kind == C_PACE:
        stations(w)[target].pace = value
    elif kind == C_PATIENCE:
        calm(w, target, value)
    elif kind == C_ROUTE:
        weights(w)[target] = value
    elif kind == C_AWAY:
        maintain(w, target, value)
    else:
        single_out(w, kind, one.key, value)


@swift
def quicken(w, group, factor):
    """Let a class come *factor* times as often from now on."""
    g, k = globe(w)[0], classes(w)[group]
    if not math.isnan(k.known):
        k.factor = factor
        return
    at, need, step = k.anchor, k.need, k.step
    while step < k.steps - 1 and steps(w)[k.step0 + step + 1].at <= g.now:
        end = steps(w)[k.step0 + step + 1].at
        if end > at:
            need -= steps(w)[k.step0 + step].value * k.factor * k.scale * (end - at)
            at = end
        step += 1
    need -= steps(w)[k.step0 + step].value * k.factor * k.scale * (g.now - at)
    k.anchor, k.need, k.step, k.factor = g.now, max(need, 0.0), step, factor
    forget(w, ARRIVES, group, group)
    await_next(w, group)


@swift
def calm(w, place, factor):
    """Make the patience that those at a station have left, and that of those to come, *factor* times its usual."""
    g, s, all_ = globe(w)[0], stations(w)[place], tokens(w)
    at = s.head
    while at >= 0:
        t = all_[at]
        if t.patient < NEVER:
            t.patient = g.now + (t.patient - g.now) * factor / s.easy
            push(w, t.patient, GIVES_UP, at, t.seq)
        at = t.next
    s.easy = factor


@swift
def single_out(w, kind, key, value):
    """Make one case more or less urgent, or send its waiting token elsewhere."""
    g, all_ = globe(w)[0], tokens(w)
    for at in range(g.token_used):
        t = all_[at]
        if t.status < 0 or cases(w)[t.case].key != key:
            continue
        if kind == C_URGENCY:
            cases(w)[t.case].urgency = value
            if t.status == WAITING:
                step_out(w, t.station, at)
                line_up(w, t.station, at)
        elif t.status == WAITING:
            s = stations(w)[t.station]
            step_out(w, t.station, at)
            s.breaches += g.now - t.since > s.promise
            if g.keep_visits:
                note_visit(w, at, MOVED)
            t.status = -1
            go(w, at, int(value))
            return
