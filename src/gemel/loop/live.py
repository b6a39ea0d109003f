"""Live: keep twins in step with their counterparts; the only place with a clock and async."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.bank import Bank, Followed
from gemel.dynamics import Reading
from gemel.errors import GemelError, Refused
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import Forecast, Situation
from gemel.loop import outbox, outcomes
from gemel.loop.agents import Agent
from gemel.streams import Item, checked
from gemel.twintype import Autonomy

log = logging.getLogger(__name__)

STALE_AFTER = 3.2
"""A sensor is stale after this many of its own cadences without a reading."""

DIVERGED = 3.0
"""The filter has diverged when the root mean square of the last hour's standardised innovations exceeds this."""


@dataclass
class Pace:
    """What the loop remembers of one twin between turns; all of it can be rebuilt from facts."""

    forecasts: deque[tuple[int, Forecast]] = field(default_factory=lambda: deque(maxlen=40))
    surprises: deque[float] = field(default_factory=lambda: deque(maxlen=12))
    alerts: dict[str, str] = field(default_factory=dict)
    assimilated: Time = 0


class Loop:
    """Takes readings, appends, assimilates, forecasts, lets agents propose, sends what was approved, scores."""

    def __init__(self, bank: Bank, agents: Sequence[Agent] = ()) -> None:
        self.bank, self.agents = bank, tuple(agents)
        self._paces: dict[str, Pace] = {}
        self._fresh: dict[str, list[Fact]] = {}
        self._wake = asyncio.Event()
        self.listeners: list[Callable[[str], None]] = []

    async def run(self, stop: asyncio.Event | None = None, every_s: float = 1.0) -> None:
        """Run until *stop*; turns come at once after new facts and at least every *every_s* seconds."""
        stop = stop or asyncio.Event()
        home = asyncio.get_running_loop()
        quiet = self.bank.thread.subscribe(lambda facts: home.call_soon_threadsafe(self._notice, tuple(facts)))
        streams = [asyncio.create_task(self._listen(twin, *source)) for twin, group in self.bank.sources.items() for source in group]
        try:
            while not stop.is_set():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), every_s)
                self._wake.clear()
                await self.turn()
        finally:
            quiet()
            for task in streams:
                task.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    def _notice(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.kind in ("observed/1", "acted/1", "retracted/1", "decided/1", "granted/1", "revoked/1"):
                self._fresh.setdefault(fact.twin, []).append(fact)
        if self._fresh:
            self._wake.set()

    async def _listen(self, twin: str, source: object, actor: str, purpose: str) -> None:
        """Write what a live source says; a refused or wrong item is told and left out, the stream goes on."""
        async for item in source.items():  # type: ignore[attr-defined]  # a Live by the bank's own signature
            try:
                await asyncio.to_thread(self.take, twin, [item], actor, purpose)
            except Refused as error:
                self._alert(twin, f"stream:{actor}", "warning", f"a reading was refused: {error}")
            except GemelError as error:
                self._alert(twin, f"input:{actor}", "warning", f"a reading could not be used: {error}")

    def take(self, twin: str, items: Sequence[Item], actor: str, purpose: str) -> int:
        """Write items as *actor*, durably; return how many were new."""
        seen = self.bank.find(twin, by=actor, purpose=purpose) if actor == self.bank.holder(twin) else None
        from_stream = seen or self.bank.as_writer(twin, actor, purpose)
        return from_stream.record(checked(items, from_stream.type, now=self.bank.now())).new

    async def turn(self) -> None:
        """Do all that is due: new facts, time passing, sends."""
        fresh, self._fresh = self._fresh, {}
        for twin in self.bank.live_twins():
            try:
                changed = await asyncio.to_thread(self.attend, twin, fresh.get(twin, []))
                changed |= bool(await outbox.flush(self.bank, twin))
            except GemelError as error:
                log.exception("turn of a twin failed")
                changed = self._alert(twin, "loop", "urgent", f"the loop fell back: {error}")
            if changed:
                for listener in self.listeners:
                    listener(twin)

    def attend(self, twin: str, fresh: Sequence[Fact]) -> bool:
        """Bring one twin up to date; return whether anything about it changed."""
        pace = self._pace(twin)
        now = self.bank.now()
        read = [fact for fact in fresh if fact.kind in ("observed/1", "acted/1", "retracted/1")]
        if read:
            self._score(twin, pace, read)
            self._assimilate(twin, pace)
            self._foresee(twin, pace, now)
        changed = self._watch(twin, pace, now)
        if read:
            self._advise(twin, pace, now)
            self._judge(twin, now)
        return bool(fresh) or changed

    def _pace(self, twin: str) -> Pace:
        if twin not in self._paces:
            pace = self._paces[twin] = Pace()
            recent = list(self.bank.thread.read(twin, kinds=["forecast/1"], reverse=True, limit=40))
            pace.forecasts.extend((fact.seq, Forecast.from_body(fact.body)) for fact in reversed(recent))
            pace.alerts = {str(f.body["name"]): str(f.body["text"]) for f in self.bank.alerts(twin) if f.body["active"]}
        return self._paces[twin]

    def _score(self, twin: str, pace: Pace, read: Sequence[Fact]) -> None:
        found = [
            outcomes.score(
                [(seq, f) for seq, f in pace.forecasts if f.signal == fact.body["name"]],
                Reading(str(fact.body["name"]), float(fact.body["value"]), fact.true_at), fact.seq, twin, "loop:outcomes",
            )
            for fact in read if fact.kind == "observed/1"
        ]  # fmt: skip
        drafts = [draft for draft in found if draft is not None]
        if drafts:
            self.bank.append(drafts)

    def _assimilate(self, twin: str, pace: Pace) -> None:
        replica = self.bank.replica(twin)
        for followed in list(replica.follow(since=max(pace.assimilated, (replica.last or 0) - HOUR))):
            if followed.at > pace.assimilated:
                pace.assimilated = followed.at
                pace.surprises.extend(_surprises(followed))

    def _foresee(self, twin: str, pace: Pace, now: Time) -> None:
        twin_type = self.bank.type_of(twin)
        for signal in twin_type.band:
            forecast = self.bank.forecast(twin, signal, 2.0, now)
            cause = self._evidence(twin, signal)
            draft = Draft(twin, "forecast/1", forecast.body(), forecast.made_at, "loop:forecast", cause)
            pace.forecasts.append((self.bank.append([draft]).facts[0].seq, forecast))

    def _evidence(self, twin: str, signal: str) -> tuple[int, ...]:
        replica = self.bank.replica(twin)
        entries = [entry for entry in replica.readings[-40:] if entry[1] == signal][-6:] + replica.doses[-4:]
        return tuple(sorted(replica.sources[entry[3]] for entry in entries))

    # alarms

    def _watch(self, twin: str, pace: Pace, now: Time) -> bool:
        found = self._alarms(twin, pace, now)
        changed = False
        for name, (severity, text) in found.items():
            if name not in pace.alerts:
                changed |= self._alert(twin, name, severity, text)
        for name in [name for name in pace.alerts if name not in found and not name.startswith(("stream:", "input:"))]:
            changed |= self._alert(twin, name, "info", pace.alerts[name], active=False)
        return changed

    def _alarms(self, twin: str, pace: Pace, now: Time) -> dict[str, tuple[str, str]]:
        twin_type, replica = self.bank.type_of(twin), self.bank.replica(twin)
        found: dict[str, tuple[str, str]] = {}
        for signal in twin_type.band:
            last = next((entry[0] for entry in reversed(replica.readings) if entry[1] == signal), None)
            port = twin_type.signals[signal]
            if last is not None and now - last > STALE_AFTER * port.cadence:
                silent = f"no {port.label.lower() or signal} reading for {(now - last) // MINUTE} min"
                found[f"stale:{signal}"] = ("warning", f"{silent}; agents pause, and the asset's own settings go on")
        if len(pace.surprises) == 12 and np.sqrt(np.mean(np.square(pace.surprises))) > DIVERGED:
            found["diverged"] = ("warning", "the twin no longer follows its readings; agents pause until it does")
        if not found and pace.forecasts:
            situation = self._situation(twin, now)
            for name, alarm in twin_type.alarms.items():
                told = alarm(situation)
                if told is not None:
                    found[name] = told
        return found

    def _alert(self, twin: str, name: str, severity: str, text: str, active: bool = True) -> bool:
        pace = self._pace(twin)
        if active and pace.alerts.get(name) == text:
            return False
        body = {"name": name, "severity": severity, "text": text, "active": active}
        self.bank.append([Draft(twin, "alert/1", body, self.bank.now(), "loop:alarms", self.bank.evidence(twin))])
        if active:
            pace.alerts[name] = text
        else:
            pace.alerts.pop(name, None)
        return True

    # agents

    def _situation(self, twin: str, now: Time) -> Situation:
        return self.bank.situation(twin, now)

    def _advise(self, twin: str, pace: Pace, now: Time) -> None:
        """Let agents that hold a grant propose; while the twin falls back, they pause."""
        if any(name.startswith(("stale:", "diverged")) for name in pace.alerts):
            return
        for agent in self.agents:
            if agent.autonomy is Autonomy.OBSERVE or self._waiting(twin, agent):
                continue
            try:
                seen = self.bank.find(twin, by=agent.actor, purpose=agent.purpose)
            except Refused:
                continue
            for intervention, why in agent.advise(seen.situation(now)):
                with contextlib.suppress(Refused):
                    proposal = seen.propose(intervention, why)
                    if agent.autonomy is Autonomy.ACT and proposal.status == "open":
                        seen.decide(proposal.seq, approve=True, note=f"{agent.name} acts within its grant")

    def _waiting(self, twin: str, agent: Agent) -> bool:
        return any(p.by == agent.actor and p.status in ("open", "approved", "sent") for p in self.bank.proposals(twin))

    def _judge(self, twin: str, now: Time) -> None:
        done = {f.body.get("proposal") for f in self.bank.thread.read(twin, kinds=["outcome/1"], true_from=now - 12 * HOUR)}
        for proposal in self.bank.proposals(twin):
            due = proposal.made_at + outcomes.WINDOW <= now <= proposal.made_at + 2 * outcomes.WINDOW
            if proposal.status != "delivered" or not due or proposal.seq in done:
                continue
            evidence = self.bank.thread.get(proposal.cause[0])
            if evidence.kind == "forecast/1":
                undone = Forecast.from_body(evidence.body)
                readings = self.bank.replica(twin).read(undone.made_at, undone.at[-1] + 1)
                if any(r.signal == undone.signal for r in readings):
                    self.bank.append([outcomes.judge(self.bank, proposal, undone, readings)])


def _surprises(followed: Followed) -> list[float]:
    return [float(np.asarray(value)[0]) for name, value in followed.info.items() if name.endswith(".z")]


def live(bank: Bank, agents: Sequence[Agent] = (), stop: asyncio.Event | None = None) -> None:
    """Run the loop over all twins of *bank* until *stop* or Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Loop(bank, agents).run(stop))
