"""Travel: tokens go from node to node, and on through all that take no time."""

from __future__ import annotations

from gemel.process.kernel.cases import leave
from gemel.process.kernel.codes import CHOICE, DELAY, DONE, GAVE_UP, SPLIT, TASK
from gemel.process.kernel.crews import use
from gemel.process.kernel.queues import note_visit, step_out
from gemel.process.kernel.stations import arrive_at_task, supply, turn_away
from gemel.process.kernel.tables import globe, needs, nodes, stations, teams, todo, tokens
from gemel.process.kernel.way import choose, delay, join, later, split
from gemel.process.memory import swift


@swift
def go(w, at, node):
    """Move a token to a node, and on through all nodes that take no time."""
    g = globe(w)[0]
    if node < 0:
        leave(w, at)
        return
    if nodes(w)[node].kind == TASK:
        arrive_at_task(w, at, node)
        if g.todo_n == 0:
            return
    else:
        later(w, at, node)
    while g.todo_n > 0:
        g.todo_n -= 1
        one = todo(w)[g.todo_n]
        pass_on(w, one.token, one.node)


@swift
def pass_on(w, at, node):
    """Let a token enter a node."""
    if node < 0:
        leave(w, at)
        return
    kind = nodes(w)[node].kind
    if kind == TASK:
        arrive_at_task(w, at, node)
    elif kind == CHOICE:
        later(w, at, choose(w, at, node))
    elif kind == DELAY:
        delay(w, at, node)
    elif kind == SPLIT:
        split(w, at, node)
    else:
        join(w, at, node)


@swift
def end_service(w, at):
    """Let a service be over: the units serve on, the customers go on."""
    all_ = tokens(w)
    t = all_[at]
    place, team = t.station, t.team
    s = stations(w)[place]
    s.serving -= 1
    use(w, team, -1)
    one = at
    while one >= 0:
        all_[one].status = -1
        if globe(w)[0].keep_visits:
            note_visit(w, one, DONE)
        one = all_[one].mate
    if s.simple:
        supply(w, s.pool)
    else:
        own = teams(w)[team]
        for k in range(own.need0, own.need0 + own.needs):
            supply(w, needs(w)[k])
    one = at
    while one >= 0:
        following = all_[one].mate
        all_[one].mate = -1
        all_[one].group = -1
        all_[one].team = -1
        go(w, one, nodes(w)[all_[one].node].then)
        one = following


@swift
def give_up(w, at):
    """Let a token's patience end."""
    place = tokens(w)[at].station
    step_out(w, place, at)
    turn_away(w, place, at, GAVE_UP)
    settle(w)


@swift
def settle(w):
    """Let all tokens that have yet to enter a node do so."""
    g = globe(w)[0]
    while g.todo_n > 0:
        g.todo_n -= 1
        one = todo(w)[g.todo_n]
        pass_on(w, one.token, one.node)


@swift
def pass_by(w, at):
    """Let a delay be over; who was to be called back joins the queue again, who stands at a choice is sent on."""
    t = tokens(w)[at]
    t.status = -1
    own = nodes(w)[t.node]
    go(w, at, t.node if own.kind == TASK or own.kind == CHOICE else own.then)
