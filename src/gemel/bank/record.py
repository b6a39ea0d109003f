"""Record: what a twin would have forecast all along its past, beside what then happened; nothing looks ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from gemel.bank.features import Past
from gemel.bank.replica import Followed, Replica
from gemel.dynamics import Belief, exact, stack
from gemel.facts import DAY, MINUTE, Time
from gemel.simulate import sensed, with_noise

EVERY: Time = 5 * MINUTE
AHEAD = 24
"""Steps of `EVERY` a record looks ahead: two hours."""

SHOWN = (2, 5, 8, 11, 17, 23)
"""Steps of the model's own forecast from which errors are learned."""

NEAR, FAR = slice(0, 6), slice(6, 12)
"""The coming half hour and the one after it, over which explaining variables are averaged."""

RECENT: Time = 4 * DAY
"""How far back is looked where events fix the state: their dynamics learn by themselves, and each origin is a simulation."""

BATCH = 64


@dataclass(frozen=True)
class Record:
    """Origins of one signal: `said` and `sd` are the model's mean and spread (n, AHEAD), `truth` what was read, or NaN."""

    twin: str
    signal: str
    at: np.ndarray
    value: np.ndarray
    features: np.ndarray
    said: np.ndarray
    sd: np.ndarray
    truth: np.ndarray

    def until(self, moment: Time) -> Record:
        """Return what was known at *moment*: origins before it, and truths that had been read by then."""
        rows = self.at <= moment
        came = self.at[rows, None] + EVERY * np.arange(1, AHEAD + 1)[None] <= moment
        truth = np.where(came, self.truth[rows], np.nan)
        return Record(
            self.twin,
            self.signal,
            self.at[rows],
            self.value[rows],
            self.features[rows],
            self.said[rows],
            self.sd[rows],
            truth,
        )


def record(replica: Replica, signal: str, since: Time | None = None) -> Record:
    """Return the record of *replica* for *signal*, from *since* on; every origin is a reading."""
    past = Past(replica, signal)
    if exact(replica.type.dynamics):
        since = int(past.times[-1]) - RECENT if since is None and len(past.times) else since
        parts = [_alone(replica, signal, past, *origin) for origin in _before(replica, past, since or 0)]
    else:
        origins = (
            f for f in replica.follow(since=since or 0) if f.at in past.minutes and (since is None or f.at >= since)
        )
        parts = [_batch(replica, signal, past, group) for group in _batches(origins)]
    at, value, features, said, sd = (
        (np.concatenate([part[i] for part in parts]) for i in range(5)) if parts else _nothing(past)
    )
    return Record(replica.id, signal, at, value, features, said, sd, past.truth(at, EVERY, AHEAD))


def _nothing(past: Past) -> tuple[np.ndarray, ...]:
    return (*(np.zeros(0) for _ in range(2)), np.zeros((0, past.width)), *(np.zeros((0, AHEAD)) for _ in range(2)))


def _before(replica: Replica, past: Past, since: Time) -> Iterator[tuple[Time, Belief]]:
    """Yield each minute with a reading, and what was believed then from events before it: gauges are no cycles themselves."""
    waiting = deque(sorted(minute for minute in past.minutes if minute >= since))
    last: Followed | None = None
    for followed in chain(replica.follow(since=since), [None]):
        while waiting and (followed is None or waiting[0] <= followed.at):
            minute = waiting.popleft()
            if last is not None and last.at < minute:
                yield minute, replica.forward(last, minute)
        last = followed


def _alone(replica: Replica, signal: str, past: Past, minute: Time, belief: Belief) -> tuple[np.ndarray, ...]:
    """Return what `known` does of one origin: beliefs that hold objects are not stacked, some have values of their own."""
    return known(replica, signal, past, belief, [past.origin(minute)])


def _batches(origins: Iterator[Followed]) -> Iterator[list[Followed]]:
    while group := list(islice(origins, BATCH)):
        yield group


def _batch(replica: Replica, signal: str, past: Past, group: Sequence[Followed]) -> tuple[np.ndarray, ...]:
    """Return origins, values, features, means and spreads of one batch, always of the same shape for the compiler."""
    belief = stack([followed.belief for followed in [*group, *[group[-1]] * (BATCH - len(group))]])
    return known(replica, signal, past, belief, [past.origin(followed.at) for followed in group])


def known(replica: Replica, signal: str, past: Past, belief: Belief, origins: Sequence[Time]) -> tuple[np.ndarray, ...]:
    """Return what can be said at *origins* from their beliefs: (at, value, features, said, sd)."""
    dynamics, count = replica.type.dynamics, len(origins)
    plans = [replica.expected(int(at), origins[min(i, count - 1)], AHEAD * EVERY) for i, at in enumerate(belief.at)]
    variable, explains = sensed(dynamics, signal), replica.type.explains
    _, way = dynamics.advance(
        belief, plans, belief.at + AHEAD * EVERY, replica.seed, record=[variable, *explains], every=EVERY
    )
    draws = with_noise(dynamics, belief, np.asarray(way.values[variable]), signal, replica.seed)[:, :count]
    said, sd = draws.mean(axis=2).T, draws.std(axis=2).T
    at = np.array(origins, np.int64)
    value = past.value(at)
    coming = [np.asarray(way.values[name])[span, :count].mean(axis=(0, 2)) for name in explains for span in (NEAR, FAR)]
    features = np.column_stack([past.features(at), said[:, SHOWN] - value[:, None], *coming])
    return at, value, features, said, sd
