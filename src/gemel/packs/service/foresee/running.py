"""Running: what is learned from cases that are over, said of each case that is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.facts import Time
from gemel.packs.service.foresee.backtest import Forecaster
from gemel.packs.service.foresee.learned import Next
from gemel.packs.service.foresee.live import known_by, settled, silence_of
from gemel.packs.service.foresee.prefix import LEVELS, prefixes_of
from gemel.packs.service.log import Log


@dataclass(frozen=True)
class Outlook:
    """What is foreseen of one running case: seconds that remain at `LEVELS`, the probabilities of her `next` activity ("" for
    none), of giving up, of having left in silence, and, where time is promised, of a breach (None: nothing is)."""

    case: str
    remaining: np.ndarray
    next: Mapping[str, float]
    give_up: float
    left: float
    breach: float | None


def outlooks(log: Log, at: Time, promise: float | None = None, seed: int = 0) -> tuple[Outlook, ...]:
    """Return what a log, as known at a moment, says of the cases then running; *promise* is in seconds from their begin."""
    past = known_by(log, at)
    over = settled(past, at)
    train = prefixes_of(past.only(over), shortest=1, least=2)
    rows = prefixes_of(past, shortest=1, least=1, whole=True)
    now = rows.only((rows.remained == 0) & (rows.next < 0) & ~over[rows.case])
    if not len(now):
        return ()
    finished = prefixes_of(past.only(over), shortest=1, least=1, whole=True)
    remaining = Forecaster(seed).fit(train).quantiles(now)
    nexts, gives_up = Next(seed).fit(finished, finished.next), Next(seed).fit(finished, finished.lost.astype(np.int64))
    silence, follow = silence_of(past.only(over)), nexts.probabilities(now)
    lost = (
        gives_up.probabilities(now)[:, list(gives_up.classes).index(1)] if 1 in gives_up.classes else np.zeros(len(now))
    )
    names = past.activity.names
    return tuple(
        Outlook(
            past.cases[now.case[i]], remaining[i],
            {names[code] if code >= 0 else "": float(p) for code, p in zip(nexts.classes.tolist(), follow[i], strict=True)},
            float(lost[i]), silence.left(names[now.last[i]], (at - now.at[i]) / 1000),
            None if promise is None else breach(remaining[i], promise - (int(now.at[i]) - int(now.begun[i])) / 1000),
        )
        for i in range(len(now))
    )  # fmt: skip


def breach(remaining: np.ndarray, left: float) -> float:
    """Return the probability that more than *left* seconds remain, by quantiles at `LEVELS` (outside them: their edge)."""
    if left <= 0:
        return 1.0
    return 1.0 - float(np.interp(left, remaining, LEVELS, left=0.0, right=1.0 - (1.0 - LEVELS[-1]) / 2))
