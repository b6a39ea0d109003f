"""Distance: how unlike two logs are, in what is done after what, when, and how long it takes.

Our own code after the definitions of Chapela-Campa et al., "Can I trust my simulation model?" (BPM 2023,
10.1007/978-3-031-41620-0_2; arXiv 2303.17463). Moments are rounded down to hours, and histograms are compared by the
1-Wasserstein (earth mover's) distance, so that most distances are hours; an n-gram distance is a share, 0 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, Time
from gemel.packs.service.log import MISSING, Log

DAY_HOURS, FARTHEST = 24, 23.0
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""


def distances(one: Log, other: Log) -> Mapping[str, float]:
    """Return all distances between two logs by name; remaining time at the middle of the first log."""
    found: dict[str, float] = {"2-gram": ngrams(one, other, 2), "3-gram": ngrams(one, other, 3)}
    return found | {name: measure(one, other) for name, measure in MEASURES.items()}


def ngrams(one: Log, other: Log, n: int) -> float:
    """Return the share of n-grams of activities that differ: Σ|f₁-f₂| / Σ(f₁+f₂), cases padded with n-1 on both sides."""
    ours, theirs = _ngrams(one, n), _ngrams(other, n)
    apart = sum(abs(ours[gram] - theirs[gram]) for gram in ours.keys() | theirs.keys())
    return apart / (ours.total() + theirs.total())


def relative(one: Log, other: Log) -> float:
    """Return how far apart events are since the start of their case, h."""
    return wasserstein(_hours_in(one), _hours_in(other))


def absolute(one: Log, other: Log) -> float:
    """Return how far apart events are on the calendar, h."""
    return wasserstein(_moments(one) // HOUR, _moments(other) // HOUR)


def arrivals(one: Log, other: Log) -> float:
    """Return how far apart the first events of cases are on the calendar, h."""
    return wasserstein(_span(one)[0] // HOUR, _span(other)[0] // HOUR)


def circadian(one: Log, other: Log) -> float:
    """Return how far apart events are within the day, h, as a mean over the seven weekdays (UTC).

    A weekday that only one of the logs knows counts 23 h, one that neither knows 0.
    """
    days = zip(_weekly(_moments(one)), _weekly(_moments(other)), strict=True)
    return sum(wasserstein(a, b) if len(a) and len(b) else FARTHEST for a, b in days if len(a) or len(b)) / 7


def cycle_time(one: Log, other: Log) -> float:
    """Return how far apart the times from first to last event of a case are, h, in bins that begin at the shortest."""
    ours, theirs = (over - begun for begun, over in map(_span, (one, other)))
    shortest = min(ours.min(), theirs.min())
    return wasserstein((ours - shortest) // HOUR, (theirs - shortest) // HOUR)


def workforce(one: Log, other: Log) -> float:
    """Return by how many resources at work the hours of the week differ: mean |difference| over 168 hours (UTC).

    A resource is at work in an hour in which it starts or ends something; weeks are those that the log touches.
    """
    return float(np.abs(_workforce(one) - _workforce(other)).mean())


def remaining_time(one: Log, other: Log, at: Time | None = None) -> float:
    """Return how far apart the remaining times of the cases under way at a moment are, h.

    The moment is the middle of the first log where none is told. If nobody is under way in only one log, the mean
    remaining time of the other counts.
    """
    begun, over = _span(one)
    moment = (int(begun.min()) + int(over.max())) // 2 if at is None else at
    ours, theirs = (_remaining(log, moment) for log in (one, other))
    if len(ours) and len(theirs):
        return wasserstein(ours, theirs)
    return float(np.concatenate([ours, theirs]).mean()) if len(ours) or len(theirs) else 0.0


def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance of two samples: the area between their empirical distribution functions."""
    if not (len(one) and len(other)):
        raise BadInput("a log without events is at no distance from another")
    a, b = np.sort(one.astype(float)), np.sort(other.astype(float))
    places = np.sort(np.concatenate([a, b]))
    apart = np.searchsorted(a, places[:-1], "right") / len(a) - np.searchsorted(b, places[:-1], "right") / len(b)
    return float(np.abs(apart) @ np.diff(places))


MEASURES: Mapping[str, Callable[[Log, Log], float]] = {
    "relative": relative, "absolute": absolute, "arrivals": arrivals, "circadian": circadian,
    "cycle time": cycle_time, "workforce": workforce, "remaining time": remaining_time,
}  # fmt: skip


def _ngrams(log: Log, n: int) -> Counter[tuple[str, ...]]:
    names, found = log.activity.names, Counter[tuple[str, ...]]()
    edge = [""] * (n - 1)
    for trace in _in_order(log):
        padded = [*edge, *(names[code] for code in trace.tolist()), *edge]
        found.update(zip(*(padded[i:] for i in range(n)), strict=False))
    return found


def _in_order(log: Log) -> list[np.ndarray]:
    """Return the activities of each case by start, and by end where they start together."""
    order = np.lexsort((log.end, log.first if not log.timed else _starts(log), log.case.codes))
    bounds = np.searchsorted(log.case.codes[order], np.arange(1, len(log.cases)))
    return np.split(log.activity.codes[order], bounds)


def _starts(log: Log) -> np.ndarray:
    return np.where(log.start == MISSING, log.end, log.start)


def _moments(log: Log) -> np.ndarray:
    both = np.concatenate([log.start, log.end]) if log.timed else log.end
    told: np.ndarray = both[both != MISSING]
    return told


def _hours_in(log: Log) -> np.ndarray:
    begun = _span(log)[0][log.case.codes]
    moments = np.stack([log.start, log.end]) if log.timed else log.end[None]
    found: np.ndarray = (moments - begun)[moments != MISSING] // HOUR
    return found


def _span(log: Log) -> tuple[np.ndarray, np.ndarray]:
    """Return when each case begins and is over (cases,) ms, by what starts and ends."""
    begun, over = np.full(len(log.cases), np.iinfo(np.int64).max), np.full(len(log.cases), MISSING)
    np.minimum.at(begun, log.case.codes, np.where(_starts(log) == MISSING, np.iinfo(np.int64).max, _starts(log)))
    np.maximum.at(over, log.case.codes, np.maximum(log.end, log.start))
    told = over != MISSING
    return begun[told], over[told]


def _weekly(moments: np.ndarray) -> list[np.ndarray]:
    hour, weekday = moments % DAY // HOUR, (moments // DAY + EPOCH_WEEKDAY) % 7
    return [hour[weekday == day] for day in range(7)]


def _workforce(log: Log) -> np.ndarray:
    known = np.concatenate([log.resource.codes, log.resource.codes])
    moments = np.concatenate([log.start, log.end])
    told = (moments != MISSING) & (known >= 0)
    hours = moments[told] // HOUR + DAY_HOURS * EPOCH_WEEKDAY
    if not len(hours):
        return np.zeros(168)
    at_work = np.unique(np.stack([hours, known[told]]), axis=1)[0]
    weeks = hours.max() // 168 - hours.min() // 168 + 1
    mean: np.ndarray = np.bincount(at_work % 168, minlength=168) / weeks
    return mean


def _remaining(log: Log, at: Time) -> np.ndarray:
    begun, over = _span(log)
    left: np.ndarray = (over[(begun <= at) & (over > at)] - at) / HOUR
    return left
