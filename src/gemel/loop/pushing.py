"""Pushing: notices set out to whoever asked to be reached away from the page, at least once; what came of it is on record."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gemel.bank import Bank, reaching
from gemel.bank.alerting import Notice
from gemel.bank.reaching import Reached, Way
from gemel.bank.tail import Tail
from gemel.errors import GemelError
from gemel.streams.push import Carriers, Mail

BACKOFF_S = (2.0, 120.0)
AT_ONCE = 16
"""How many are sent at the same time: one host that is slow does not hold up the others."""
BY = "loop:pushing"

log = logging.getLogger(__name__)


def carriers(environment: Mapping[str, str] | None = None) -> Carriers:
    """Return what whoever runs this machine named: GEMEL_PUSH_HOSTS (with commas), GEMEL_MAIL_URL and GEMEL_MAIL_FROM."""
    named = os.environ if environment is None else environment
    hosts = tuple(host.strip().lower() for host in named.get("GEMEL_PUSH_HOSTS", "").split(",") if host.strip())
    url = named.get("GEMEL_MAIL_URL", "")
    return Carriers(hosts, Mail(url, named.get("GEMEL_MAIL_FROM", "")) if url else None)


@dataclass(frozen=True)
class Trial:
    """How sending one notice by one way has gone so far: attempts made, when to try again, what went wrong last."""

    way: Way
    notice: Notice
    attempts: int = 0
    again_at: float = 0.0
    problem: str = ""


class Pusher:
    """Sends for all twins of a bank; `clock` paces the retries, in seconds of this machine."""

    def __init__(
        self, bank: Bank, carriers: Carriers, clock: Callable[[], float] = time.monotonic,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:  # fmt: skip
        self.carriers = carriers
        self._bank, self._clock, self._backoff_s = bank, clock, backoff_s
        self._tail = Tail(bank.thread, reaching.KINDS)
        self._trials: dict[tuple[str, int, str], Trial] = {}

    def forget(self, twin: str) -> None:
        """Forget how sending for a twin has gone, and where."""
        self._tail.forget(twin)
        self._trials = {place: trial for place, trial in self._trials.items() if place[0] != twin}

    async def flush(self, twin: str) -> int:
        """Send all that is due for *twin*; return how many notices were delivered."""
        found, due = await asyncio.to_thread(self._due, twin)
        await asyncio.to_thread(self._give_up, twin, found)
        ready = [(way, notice) for way, notice in due if self._clock() >= self._trial(way, notice).again_at]
        room = asyncio.Semaphore(AT_ONCE)
        return sum(await asyncio.gather(*(self._push(way, notice, room) for way, notice in ready)))

    def _due(self, twin: str) -> tuple[Reached, list[tuple[Way, Notice]]]:
        found = reaching.fold(self._tail.of(twin))
        return found, reaching.due(self._bank, twin, found, self._bank.now())

    def _trial(self, way: Way, notice: Notice) -> Trial:
        return self._trials.get((notice.twin, notice.seq, way.id), Trial(way, notice))

    async def _push(self, way: Way, notice: Notice, room: asyncio.Semaphore) -> bool:
        async with room:
            try:
                sink = self.carriers.sink(way.kind, way.address)
                await sink.send(reaching.message(way, notice), f"{notice.seq}/{way.id}")
            except Exception as error:
                self._later(way, notice, error)
                return False
        self._trials.pop((notice.twin, notice.seq, way.id), None)
        await asyncio.to_thread(self._say, way, notice, None)
        return True

    def _later(self, way: Way, notice: Notice, error: Exception) -> None:
        """Try again in a while; what failed in a way of its own is logged by its name alone, for its text may bear an address."""
        if not isinstance(error, GemelError):
            log.error("a way of reaching somebody failed in a way of its own: %s", type(error).__name__)
        problem = str(error) if isinstance(error, GemelError) else type(error).__name__
        attempts = self._trial(way, notice).attempts + 1
        first, longest = self._backoff_s
        pause = min(first * 2.0 ** (attempts - 1), longest)
        self._trials[notice.twin, notice.seq, way.id] = Trial(way, notice, attempts, self._clock() + pause, problem)

    def _give_up(self, twin: str, found: Reached) -> None:
        """Put on record what was tried in vain until it was no news any more."""
        ways, now = {way.id for way in found.ways}, self._bank.now()
        for place, trial in list(self._trials.items()):
            if place[0] == twin and now - trial.notice.at > reaching.STALE:
                del self._trials[place]
                if trial.way.id in ways:
                    self._say(trial.way, trial.notice, f"tried {trial.attempts} times: {trial.problem}")

    def _say(self, way: Way, notice: Notice, reason: str | None) -> None:
        self._bank.append([reaching.outcome(way, notice, reason, self._bank.now(), BY)])
