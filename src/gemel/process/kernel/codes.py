"""Codes: kinds of events, nodes, tokens and levers, as machine words, and the gauges that are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gemel.process import draws


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
