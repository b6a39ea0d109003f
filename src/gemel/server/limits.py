"""Limits: a bucket of tokens per actor and per address, refilled steadily; writes take more of it than reads."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gemel.server.errors import Turned

WRITE, LOOK, WRONG = 5.0, 1.0, 20.0
"""What a write, a look and a login that failed cost."""

MOST = 10_000
"""Buckets at a time; those longest untouched go first, and by then they are full."""


@dataclass(frozen=True)
class Rate:
    """*burst* at once, and *per_s* from then on; a rate of nothing limits nothing."""

    per_s: float = 100.0
    burst: float = 1000.0


@dataclass(frozen=True)
class Left:
    """What a bucket still holds, and in how many seconds it will be full."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """Return it as headers (the IETF's draft of RateLimit fields)."""
        return {
            "RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }  # fmt: skip


class Buckets:
    """One bucket per name, all alike."""

    def __init__(self, rate: Rate, ticks: Callable[[], float]) -> None:
        self._rate, self._ticks = rate, ticks
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, cost: float) -> Left:
        """Take *cost* from a bucket, or raise `Turned` (429) saying when there will be enough."""
        if self._rate.per_s <= 0:
            return Left(0, 0, 0)
        now = self._ticks()
        level, at = self._held.get(name, (self._rate.burst, now))
        level = min(self._rate.burst, level + (now - at) * self._rate.per_s)
        enough = level >= cost
        self._held[name] = (level - cost if enough else level), now
        self._held.move_to_end(name)
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        left = self._left(self._held[name][0])
        if not enough:
            wait = math.ceil((cost - level) / self._rate.per_s)
            raise Turned(
                429, "limited", f"too much at once: try again in {wait} s", {"Retry-After": str(wait)} | left.headers()
            )
        return left

    def charge(self, name: str, cost: float) -> None:
        """Take *cost*, be there enough or not."""
        level, at = self._held.get(name, (self._rate.burst, self._ticks()))
        self._held[name] = max(level - cost, 0.0), at

    def _left(self, level: float) -> Left:
        full = math.ceil((self._rate.burst - level) / self._rate.per_s)
        return Left(round(self._rate.burst), math.floor(level), full)
