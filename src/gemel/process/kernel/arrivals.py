"""Arrivals: when the next of a class comes, and what is known of her."""

from __future__ import annotations

import math

import numpy as np

from gemel.process import draws
from gemel.process.draws import draw, mix, quantile
from gemel.process.kernel.cases import know, new_case, new_token
from gemel.process.kernel.codes import ARRIVES, GOLDEN
from gemel.process.kernel.heap import push
from gemel.process.kernel.tables import about, classes, globe, steps
from gemel.process.kernel.travel import go
from gemel.process.memory import swift


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
