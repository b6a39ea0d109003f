"""Kernel: what happens next, one event after another, until the end of the span; compiled.

Events wait in a heap, ordered by time, kind and sequence number, so that ties fall the same way in any run. An event's place
at the top stays open while it is handled: the first event that follows from it takes that place. Events are not taken back: a
service that was interrupted, or patience that was not needed, is known by its number, which the token no longer bears.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile, rest
from gemel.process.memory import accessor, swift


def _words(count: int) -> Iterator[np.int64]:
    """Return codes as machine words: what numba is given as a plain number it compiles anew for each value."""
    return (np.int64(code) for code in range(count))


(ENDS, PASSES, REPAIRED, CALENDAR, FAILS, ARRIVES, GIVES_UP, RIPENS, CONTROLLED) = _words(9)
"""Kinds of event, in the order in which those of one moment happen."""

(TASK, CHOICE, SPLIT, JOIN, DELAY) = _words(5)
(WAITING, SERVED, DELAYED, JOINED) = _words(4)
(FIFO, LIFO, RANDOM, PRIORITY, PROMISE) = _words(5)
(DONE, GAVE_UP, BALKED, MOVED) = _words(4)
"""How a visit, or a case, ended."""

(C_STAFF, C_OPEN, C_ARRIVALS, C_PACE, C_PATIENCE, C_ROUTE, C_AWAY, C_URGENCY, C_SEND) = _words(9)
(OK, MORE) = _words(2)
MARGIN = 64
MANY = 1 << 30
NEVER = np.inf
GOLDEN = draws.GOLDEN
STATION_GAUGES = ("queue", "busy", "oldest", "served", "waited", "abandoned", "breaches")
POOL_GAUGES = ("busy", "here", "worked")
WHOLE_GAUGES = ("inside", "came", "left", "late", "cost")

globe, tokens, cases, stations = accessor("globe"), accessor("tokens"), accessor("cases"), accessor("stations")
pools, teams, classes, nodes = accessor("pools"), accessor("teams"), accessor("classes"), accessor("nodes")
rules, tests, attributes, heap = accessor("rules"), accessor("tests"), accessor("attributes"), accessor("heap")
steps, controls, todo, visits, rows = (
    accessor("steps"), accessor("controls"), accessor("todo"), accessor("visits"), accessor("rows")
)  # fmt: skip
needs, users, targets, weights, options = (
    accessor("needs"), accessor("users"), accessor("targets"), accessor("weights"), accessor("options")
)  # fmt: skip
service, patience, about, times, joined = (
    accessor("service"), accessor("patience"), accessor("about"), accessor("times"), accessor("joined")
)  # fmt: skip
starts, first_held, first_stood, first_tallies, first_aways = (
    accessor("starts"), accessor("first_held"), accessor("first_stood"), accessor("first_tallies"), accessor("first_aways")
)  # fmt: skip
first_about, first_arrivals, first_change, failures, elapsed = (
    accessor("first_about"), accessor("first_arrivals"), accessor("first_change"), accessor("failures"), accessor("elapsed")
)  # fmt: skip
held, stood, tallies, end_aways, end_about = (
    accessor("held"), accessor("stood"), accessor("tallies"), accessor("end_aways"), accessor("end_about")
)  # fmt: skip
end_arrivals, end_change, end_failures, ordering, usual_weights = (
    accessor("end_arrivals"), accessor("end_change"), accessor("end_failures"), accessor("ordering"), accessor("usual_weights")
)  # fmt: skip
settings, scales, gauges, ticks, has = (
    accessor("settings"), accessor("scales"), accessor("gauges"), accessor("ticks"), accessor("has")
)  # fmt: skip

# --- the heap ---------------------------------------------------------------------------------------------------------


@swift
def before(at, kind, seq, other):
    """Return whether an event comes before *other*."""
    if at != other.at:
        return at < other.at
    return kind < other.kind if kind != other.kind else seq < other.seq


@swift
def push(w, at, kind, ref, seq):
    """Let an event happen at some time."""
    g, events = globe(w)[0], heap(w)
    if g.hole:
        g.hole = 0
        sink(w, at, kind, ref, seq)
        return
    place = g.heap_n
    g.heap_n = place + 1
    while place > 0:
        above = (place - 1) >> 1
        if not before(at, kind, seq, events[above]):
            break
        copy(events, above, place)
        place = above
    put(events[place], at, kind, ref, seq)


@swift
def sink(w, at, kind, ref, seq):
    """Let an event take the open place at the top."""
    events, many = heap(w), globe(w)[0].heap_n
    place = 0
    while True:
        below = 2 * place + 1
        if below >= many:
            break
        if below + 1 < many:
            left, right = events[below], events[below + 1]
            below += before(right.at, right.kind, right.seq, left)
        if before(at, kind, seq, events[below]):
            break
        copy(events, below, place)
        place = below
    put(events[place], at, kind, ref, seq)


@swift
def drop(w):
    """Close the open place at the top."""
    g, events = globe(w)[0], heap(w)
    g.hole = 0
    g.heap_n -= 1
    if g.heap_n > 0:
        last = events[g.heap_n]
        sink(w, last.at, last.kind, last.ref, last.seq)


@swift
def copy(events, source, target):
    """Copy one event."""
    one = events[source]
    put(events[target], one.at, one.kind, one.ref, one.seq)


@swift
def put(event, at, kind, ref, seq):
    """Write one event."""
    event.at = at
    event.kind = kind
    event.ref = ref
    event.seq = seq


@swift
def numbered(w):
    """Return the next sequence number."""
    g = globe(w)[0]
    g.seq += 1
    return g.seq


# --- tokens and cases -------------------------------------------------------------------------------------------------


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


# --- the way ----------------------------------------------------------------------------------------------------------


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
def later(w, at, node):
    """Note that a token has yet to enter a node, at this moment."""
    g = globe(w)[0]
    one = todo(w)[g.todo_n]
    one.token = at
    one.node = node
    g.todo_n += 1


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


# --- stations ---------------------------------------------------------------------------------------------------------


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
def rank_of(w, place, at):
    """Return where a token stands in a station's order: lower is first, equal by when they came."""
    s, t = stations(w)[place], tokens(w)[at]
    c = cases(w)[t.case]
    if s.order == PROMISE:
        return min(t.since + s.promise, c.arrived + globe(w)[0].most)
    if s.order == PRIORITY:
        return c.urgency if not math.isnan(c.urgency) else classes(w)[c.group].priority
    return 0.0


@swift
def line_up(w, place, at):
    """Put a token in the queue of a station."""
    s, all_ = stations(w)[place], tokens(w)
    t = all_[at]
    t.rank = rank_of(w, place, at)
    s.waiting += 1
    if s.order == LIFO:
        t.prev, t.next = -1, s.head
        if s.head >= 0:
            all_[s.head].prev = at
        else:
            s.tail = at
        s.head = at
        return
    ahead = s.tail
    while ahead >= 0 and (all_[ahead].rank > t.rank or (all_[ahead].rank == t.rank and all_[ahead].seq > t.seq)):
        ahead = all_[ahead].prev
    t.prev = ahead
    t.next = all_[ahead].next if ahead >= 0 else s.head
    if ahead >= 0:
        all_[ahead].next = at
    else:
        s.head = at
    if t.next >= 0:
        all_[t.next].prev = at
    else:
        s.tail = at


@swift
def step_out(w, place, at):
    """Take a token out of the queue of a station."""
    s, all_ = stations(w)[place], tokens(w)
    t = all_[at]
    s.waiting -= 1
    if t.prev >= 0:
        all_[t.prev].next = t.next
    else:
        s.head = t.next
    if t.next >= 0:
        all_[t.next].prev = t.prev
    else:
        s.tail = t.prev


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
def be_patient(w, place, at):
    """Draw when a token that waits will give up."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    c = cases(w)[t.case]
    own = patience(w)[place * g.classes + c.group]
    if own < 0:
        t.patient = NEVER
        return
    u = draw(c.base, nodes(w)[t.node].key, t.visit, draws.PATIENCE)
    t.patient = g.now + s.easy * rest(w, own, (g.now - t.since) / s.easy, u)
    push(w, t.patient, GIVES_UP, at, t.seq)


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
def note_visit(w, at, outcome):
    """Write the row that tells of a visit; -1 is one that is not over."""
    g, t = globe(w)[0], tokens(w)[at]
    row = visits(w)[g.visit_n]
    g.visit_n += 1
    row.member = g.member
    row.case = cases(w)[t.case].index
    row.node = t.node
    row.station = t.station
    row.ready = (t.since - g.t0) / 1000.0
    row.started = (t.started - g.t0) / 1000.0
    row.ended = (g.now - g.t0) / 1000.0 if outcome >= 0 else np.nan
    row.pool = needs(w)[teams(w)[t.team].need0] if t.team >= 0 else -1
    row.outcome = outcome


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
def service_of(w, place, at, team, elapsed):
    """Return how long a service lasts, ms, or how much longer after so many ms."""
    g, t, s = globe(w)[0], tokens(w)[at], stations(w)[place]
    c = cases(w)[t.case]
    own = service(w)[place * g.classes + c.group]
    u = draw(c.base, nodes(w)[t.node].key, t.visit, draws.SERVICE)
    factor = s.pace * s.scale / teams(w)[team].speed
    if elapsed > 0 and factor > 0:
        return factor * rest(w, own, elapsed / factor, u)
    return factor * quantile(w, own, u)


@swift
def ripe(w, place):
    """Return how many a station would serve now together; 0 while it waits for more."""
    g, s = globe(w)[0], stations(w)[place]
    if s.size <= 1 or s.waiting == 0:
        return min(s.waiting, 1)
    if s.waiting >= s.size:
        return s.size
    oldest = first_come(w, place)
    return s.waiting if g.now >= oldest + s.most_wait else 0


@swift
def first_come(w, place):
    """Return since when the one who waits longest at a station has waited."""
    s, all_ = stations(w)[place], tokens(w)
    if s.order == FIFO or s.order == RANDOM:
        return all_[s.head].since if s.head >= 0 else NEVER
    found, at = NEVER, s.head
    while at >= 0:
        found = min(found, all_[at].since)
        at = all_[at].next
    return found


@swift
def next_in(w, place):
    """Return whose turn it is at a station."""
    g, s = globe(w)[0], stations(w)[place]
    at = s.head
    if s.order == RANDOM and s.waiting > 1:
        moment = np.uint64(np.int64(g.now * 1024.0)) * GOLDEN
        u = draw(mix(g.seed + moment), np.uint64(place), s.waiting, draws.PICK)
        for _ in range(int(u * s.waiting)):
            at = tokens(w)[at].next
    return at


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


# --- pools ------------------------------------------------------------------------------------------------------------


@swift
def pay(w, pool):
    """Add what a pool's units cost since this was last done: all who are here, and who work on after their shift."""
    g, p = globe(w)[0], pools(w)[pool]
    g.cost += p.rate * max(p.here, p.busy) * (g.now - p.paid_at)
    p.paid_at = g.now


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
def uses(w, team, pool):
    """Return whether a team has a unit of a pool."""
    own = teams(w)[team]
    for k in range(own.need0, own.need0 + own.needs):  # noqa: SIM110  # numba would build a generator
        if needs(w)[k] == pool:
            return True
    return False


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


# --- arrivals ---------------------------------------------------------------------------------------------------------


@swift
def await_next(w, group):
    """Find when the next of a class comes: when the rates since the last have added up to what is needed."""
    k = classes(w)[group]
    if not math.isnan(k.known):
        push(w, max(k.known, globe(w)[0].now), ARRIVES, group, group)
        return
    at, need, step = k.anchor, k.need, k.step
    while True:
        rate = steps(w)[k.step0 + step].value * k.factor * k.scale
        last = step == k.steps - 1
        end = globe(w)[0].until if last else steps(w)[k.step0 + step + 1].at
        if rate > 0 and at + need / rate <= end:
            k.step = step
            push(w, at + need / rate, ARRIVES, group, group)
            return
        if last:
            return
        if end > at:
            need -= rate * (end - at)
            at = end
        step += 1


@swift
def draw_gap(w, group):
    """Draw how much the rates must add up to before the next of a class comes."""
    g, k = globe(w)[0], classes(w)[group]
    k.anchor = g.now
    k.need = quantile(w, k.gap, draw(k.base, k.key, k.came, draws.GAP))


@swift
def arrive(w, group):
    """Let one of a class come."""
    g, k = globe(w)[0], classes(w)[group]
    key = np.int64(mix(k.key + np.uint64(k.came) * GOLDEN) >> np.uint64(16))
    k.came += 1
    k.known = np.nan
    g.came += 1
    draw_gap(w, group)
    await_next(w, group)
    place = new_case(w, group, key, g.now)
    for column in range(g.attributes):
        about(w)[place * g.attributes + column] = np.nan
        know(w, place, column)
    go(w, new_token(w, place), k.entry)


# --- levers -----------------------------------------------------------------------------------------------------------


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
def forget(w, kind, ref, seq):
    """Take an event out of the heap."""
    g, events = globe(w)[0], heap(w)
    if g.hole:
        drop(w)
    many, kept = g.heap_n, 0
    for place in range(many):
        one = events[place]
        if one.kind != kind or one.ref != ref or one.seq != seq:
            copy(events, place, kept)
            kept += 1
    g.heap_n = 0
    for place in range(kept):
        one = events[place]
        push(w, one.at, one.kind, one.ref, one.seq)


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


# --- gauges -----------------------------------------------------------------------------------------------------------


@swift
def read_gauges(w):
    """Write what all gauges show now."""
    g, all_ = globe(w)[0], tokens(w)
    out, at = gauges(w), (g.column * g.ticks_many + g.tick_i) * g.width
    for place in range(g.stations):
        s = stations(w)[place]
        late, since, token = 0, g.now, s.head
        while token >= 0:
            since = min(since, all_[token].since)
            late += g.now - all_[token].since > s.promise
            token = all_[token].next
        out[at] = s.waiting
        out[at + 1] = s.serving
        out[at + 2] = (g.now - since) / 1000.0
        out[at + 3] = s.served
        out[at + 4] = s.waited / 1000.0
        out[at + 5] = s.abandoned
        out[at + 6] = s.breaches + late
        at += 7
    for pool in range(g.pools):
        p = pools(w)[pool]
        pay(w, pool)
        out[at] = p.busy
        out[at + 1] = p.here
        out[at + 2] = (p.worked + p.busy * (g.now - g.t0)) / 1000.0
        at += 3
    out[at] = g.inside
    out[at + 1] = g.came
    out[at + 2] = g.left
    out[at + 3] = g.late
    out[at + 4] = g.cost
    g.tick_i += 1


# --- from one present state to another --------------------------------------------------------------------------------


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


# --- the loop ---------------------------------------------------------------------------------------------------------


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


@swift
def pass_by(w, at):
    """Let a delay be over; who was to be called back joins the queue again, who stands at a choice is sent on."""
    t = tokens(w)[at]
    t.status = -1
    own = nodes(w)[t.node]
    go(w, at, t.node if own.kind == TASK or own.kind == CHOICE else own.then)


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
