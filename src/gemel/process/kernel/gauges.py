"""Gauges: what is read at a moment."""

from __future__ import annotations

from gemel.process.kernel.crews import pay
from gemel.process.kernel.tables import gauges, globe, pools, stations, tokens
from gemel.process.memory import swift


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
