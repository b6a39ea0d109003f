"""Pilot: the twin's own loop over a live service: events in, forks from the present, a choice, an act, and its record.

A share of blocks of time is held out at random: nothing is done in them, and nothing done before reaches into them, so that
what the twin's acts prevent can be told from the others (a switchback; Bojinov, Simchi-Levi & Zhao, 10.1287/mnsc.2022.4583).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from gemel.dynamics import Event, Seed
from gemel.facts import HOUR, MINUTE, SECOND, Time
from gemel.packs.service.actions import Action, controls, doses
from gemel.packs.service.advise import Extra, Felt, View, fork, trusted
from gemel.packs.service.follow import Follower, scales
from gemel.packs.service.guards import Approve, Decided, Rules, decide, spent
from gemel.packs.service.means import Here, Means, closed
from gemel.packs.service.planner import Considered, by_station, considered, repaired
from gemel.process.network import Network


class Live(Protocol):
    """A service that can be followed and acted on."""

    def until(self, time: Time) -> list[Event]:
        """Let time pass and return what was told meanwhile."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """Return what can be read of it now."""
        ...

    def act(self, action: Action) -> None:
        """Do something from now on."""
        ...


@dataclass
class Pilot:
    """A twin that follows one service; `step` may act, and `decided` holds what was chosen of what, and why."""

    network: Network
    means: Means
    rules: Rules = field(default_factory=Rules)
    members: int = 64
    block: Time = 2 * HOUR
    every: Time = 10 * MINUTE
    seed: Seed = 0
    tells: bool = False
    """Whether callers hear a time. Told callers give up less, so those behind them may wait longer: a run where they were told
    broke more promises than one where they were not, but over other days, so whether telling does harm is open."""
    approve: Approve = lambda proposal: False
    done: list[Action] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.follower = Follower(self.network)
        self._pools = {pool.name for pool in self.network.pools}

    def watch(self, live: Live, now: Time) -> None:
        """Let the service go on until *now* and take in what is told."""
        self.follower.take(live.until(now))
        self.follower.settle(now, live.gauges())

    def step(self, live: Live, now: Time) -> list[Decided]:
        """Look ahead from *now*, and do what is worth it; nothing where no promise is at risk."""
        view, here = self.view(live, now), self.here(live, now)
        here = replace(here, closed=closed(view))
        view = self.means.sharpen(view, here)
        if self.tells and not self.held_out(now):
            self._tell(live, fork(view), now)
        looks = [look for look in self.means.looks if look.when(here)]
        found = [self._decided(live, considered(view, look, self.means, here, self.rules), here) for look in looks]
        taken = [action for one in found if one and one.chosen for action in one.chosen.actions]
        here = self.here(live, now)
        found.append(self._decided(live, repaired(view, self.means, here, self.rules, taken), here))
        return [one for one in found if one is not None]

    def _decided(self, live: Live, told: Considered | None, here: Here) -> Decided | None:
        """Choose one of what was tried, do it, and put that on record."""
        if told is None:
            return None
        rng = np.random.default_rng([self.seed, here.now // MINUTE])
        found = decide(
            told.ranked, self.rules, self.done, here.now, rng, approve=self.approve, hold=self.held_out(here.now)
        )  # fmt: skip
        self.decided.append(found)
        for action in found.chosen.actions if found.chosen else ():
            self._do(live, action)
        return found

    def here(self, live: Live, now: Time) -> Here:
        """Return what means are asked about."""
        turned = {dose.lever: dose.at for dose in doses(self.done, 0)}
        left = self.rules.money_per_day - spent(self.done, now)
        return Here(now, live.gauges(), turned, tuple(self.done), left)

    def view(self, live: Live, now: Time) -> View:
        """Return what the forks start from."""
        standing = tuple(action for action in self.done if action.until > now)
        rng = np.random.default_rng([self.seed, now // MINUTE, 1])
        return View(
            self.network, self.follower.present(now), self.means.promised or by_station(self.network),
            scales(self.follower, now, self.members, rng), standing, self._missing(live, now, standing),
            members=self.members, seed=int(now // MINUTE) + self.seed,
        )  # fmt: skip

    def held_out(self, now: Time) -> bool:
        """Return whether nothing is done in the block of *now*; drawn once for each."""
        return bool(np.random.default_rng([self.seed, now // self.block, 2]).random() < self.rules.holdout)

    def _do(self, live: Live, action: Action) -> None:
        """Act, but never into a block that is held out."""
        block = (action.at // self.block + 1) * self.block
        while block < action.until:
            if self.held_out(block):
                action = replace(action, hold=max((block - action.works) / SECOND, 1.0))
                break
            block += self.block
        self.done.append(action)
        live.act(action)

    def _tell(self, live: Live, usual: Felt, now: Time) -> None:
        for station in usual.soon:
            wait = trusted(usual, station)
            if wait is not None and wait >= 60 and self._tells(station):
                live.act(Action("tell", station, wait, now, self.every / SECOND))

    def _tells(self, station: str) -> bool:
        return bool(self.network.station(station).patience)

    def _missing(self, live: Live, now: Time, standing: Sequence[Action]) -> tuple[Extra, ...]:
        """Return who is there beyond, or short of, the rota and what was done: taken to go on for three quarters of an hour."""
        changed = {c.target: float(c.value) for c in controls(standing, now) if c.kind == "staff" and c.at <= now}
        found = []
        for name, here in live.gauges().items():
            if not name.startswith("here.pool."):
                continue
            pool = name.removeprefix("here.pool.")
            if pool not in self._pools:
                continue
            planned = float(self.network.pool(pool).calendar.steps(now, now + 1)[1][0])
            short = here - planned - changed.get(pool, 0.0)
            found += [("staff", pool, now, now + 45 * MINUTE, short)] if short else []
        return tuple(found)
