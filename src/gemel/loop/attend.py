"""Attend: bring one twin up to date: score, assimilate, foresee, raise alarms, let agents propose, judge actions."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.bank import Bank, Followed, Twin, alerting
from gemel.bank.account import CHOSEN
from gemel.bank.catalogue import agents as offered
from gemel.bank.intake import HAPPENED
from gemel.dynamics import EVENTS, Reading
from gemel.errors import Refused
from gemel.facts import DAY, HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import Forecast
from gemel.loop import alarms, outcomes, reporting, sensing
from gemel.loop.agents import Agent, Weighed
from gemel.loop.alarms import Told
from gemel.loop.gauges import Gauges
from gemel.loop.grounds import grounds
from gemel.loop.outbox import Outbox
from gemel.twintype import Autonomy

log = logging.getLogger(__name__)

HOURS = 2.0
"""How far ahead the loop forecasts."""

REST: Time = 30 * MINUTE
"""How long an agent rests after a proposal of its own came to nothing."""

EVERY: Time = 5 * MINUTE
"""How often agents are asked for what to do without a sensor."""

KEPT = 60
"""How many of the latest forecasts wait for their truth."""

FOLDED = ("observed/1", "acted/1", HAPPENED, "retracted/1")


@dataclass
class Pace:
    """What the loop remembers of one twin between turns; all of it can be rebuilt from facts."""

    forecasts: deque[tuple[int, Forecast]] = field(default_factory=lambda: deque(maxlen=KEPT))
    surprises: deque[float] = field(default_factory=lambda: deque(maxlen=alarms.SURPRISES))
    alerts: dict[str, Told] = field(default_factory=dict)
    assimilated: Time = 0
    judged: set[int] = field(default_factory=set)
    fell_back: Time = 0


class Attendant:
    """Attends to one twin at a time; what it remembers between turns can be rebuilt from facts."""

    def __init__(self, bank: Bank, agents: Sequence[Agent] | None, outbox: Outbox) -> None:
        self.bank, self.outbox = bank, outbox
        self._agents = None if agents is None else tuple(agents)
        self._paces: dict[str, Pace] = {}
        self._gauges = Gauges(bank)
        self._lock = threading.RLock()

    def attend(self, twin: str, fresh: Sequence[Fact]) -> bool:
        """Bring one twin up to date; return whether anything about it changed."""
        try:
            return self._attend(twin, fresh)
        except Exception:  # whatever failed, a low that was measured is told before the failure is
            self._sense_anyway(twin)
            raise

    def _attend(self, twin: str, fresh: Sequence[Fact]) -> bool:
        now, known = self.bank.now(), twin in self._paces
        pace = self._pace(twin)
        heard = fresh if known else [*self._missed(twin), *fresh]
        read = self._moving(twin, heard)
        if any(fact.kind == "retyped/1" for fact in fresh):
            pace.surprises.clear()  # they were another type's
        told = self._outcomes(twin, pace, heard)
        if read:
            self._assimilate(twin, pace)
        gauged = self._gauged(twin, now)
        told += gauged
        found = {**self.silent(twin, now), **alarms.diverged(pace.surprises), **self.behind(twin, now)}
        moved = bool(read or gauged)
        if moved and not found:
            self._foresee(twin, pace, now, told)
        elif told:
            self.bank.append(told)
        changed = self._watch(twin, pace, found, now)
        if moved:
            changed |= self._sense(twin, pace, now, found)
        if moved and not found:
            self._advise(twin, now)
            self._judge(twin, pace, now)
        elif alarms.blind(found) and not 0 <= now - pace.fell_back < EVERY:
            pace.fell_back = now
            self._advise(twin, now, blind=True)
        changed |= self._notify(twin, now)
        return bool(fresh) or changed

    def silent(self, twin: str, now: Time) -> dict[str, Told]:
        """Return the alarms of sensors that are not heard any more."""
        return alarms.silent(self.bank.replica(twin), now, self._known_at(twin, now))

    def behind(self, twin: str, now: Time) -> dict[str, Told]:
        """Return the alarm of a clock that stands before the last fact about *twin*."""
        return alarms.behind(self._known_at(twin, now), now)

    def _known_at(self, twin: str, now: Time) -> Time:
        last = next(iter(self.bank.thread.read(twin, reverse=True, limit=1)), None)
        return last.known_at if last else now

    def _gauged(self, twin: str, now: Time) -> list[Draft]:
        """Return what the gauges of a twin folded from events show, if it is time to write that down."""
        return self._gauges.drafts(twin, now) if self._gauges.due(twin, now) else []

    def _pace(self, twin: str) -> Pace:
        with self._lock:
            if twin not in self._paces:
                self._paces[twin] = self._rebuilt(twin)
            return self._paces[twin]

    def forget(self, twin: str) -> None:
        """Forget what is remembered of a twin between turns."""
        with self._lock:
            self._paces.pop(twin, None)
            self._gauges.forget(twin)

    def _rebuilt(self, twin: str) -> Pace:
        pace = Pace()
        recent = list(self.bank.thread.read(twin, kinds=["forecast/1"], reverse=True, limit=KEPT))
        pace.forecasts.extend((fact.seq, Forecast.from_body(fact.body)) for fact in reversed(recent))
        active = [fact.body for fact in self.bank.alerts(twin) if fact.body["active"]]
        pace.alerts = {str(body["name"]): (str(body["severity"]), str(body["text"])) for body in active}
        return pace

    def _missed(self, twin: str) -> list[Fact]:
        """Return what came after the last forecast, before this loop began: a crash may lie between them."""
        last = next(iter(self.bank.thread.read(twin, kinds=["forecast/1"], reverse=True, limit=1)), None)
        if last is None:
            return list(self.bank.thread.read(twin, kinds=["observed/1"], reverse=True, limit=1))
        return list(self.bank.thread.read(twin, kinds=FOLDED, after_seq=last.seq))

    def _moving(self, twin: str, fresh: Sequence[Fact]) -> list[Fact]:
        """Return, each once, the facts that move the belief."""
        twin_type = self.bank.type_of(twin)
        sensed = () if twin_type.eventful else getattr(twin_type.dynamics, "sensors", twin_type.signals)
        moves = {fact.seq: fact for fact in fresh if fact.kind in FOLDED}
        names = {*sensed, *twin_type.levers, EVENTS}
        return [fact for _, fact in sorted(moves.items()) if str(fact.body["name"]) in names]

    def _outcomes(self, twin: str, pace: Pace, read: Sequence[Fact]) -> list[Draft]:
        said = {fact.seq: fact for fact in read if fact.kind == "observed/1"}
        found = [self._outcome(twin, pace, fact) for _, fact in sorted(said.items())]
        return [draft for draft in found if draft is not None]

    def _outcome(self, twin: str, pace: Pace, fact: Fact) -> Draft | None:
        reading = Reading(str(fact.body["name"]), float(fact.body["value"]), fact.true_at)
        said = [(seq, forecast) for seq, forecast in pace.forecasts if forecast.signal == reading.signal]
        return outcomes.score(said, reading, fact.seq, twin, "loop:outcomes")

    def _assimilate(self, twin: str, pace: Pace) -> None:
        """Take note of how the readings of the last hour fitted; one that is dated later has its turn then."""
        now = self.bank.now() + alarms.BEHIND
        last = min(self.bank.replica(twin).last or 0, now)
        for followed in self.bank.followed(twin, since=max(pace.assimilated, last - HOUR)):
            if pace.assimilated < followed.at <= now:
                pace.assimilated = followed.at
                pace.surprises.extend(_surprises(followed))

    def _foresee(self, twin: str, pace: Pace, now: Time, told: Sequence[Draft]) -> None:
        """Forecast, and write that in one go with what is *told* besides: each append waits for the disk."""
        made = [self.bank.forecast(twin, signal, HOURS, now) for signal in self.bank.type_of(twin).band]
        drafts = [self._forecast_draft(twin, forecast, now) for forecast in made]
        facts = self.bank.append([*told, *drafts]).facts[-len(made) :] if made else ()
        pace.forecasts.extend((fact.seq, forecast) for fact, forecast in zip(facts, made, strict=True))

    def _forecast_draft(self, twin: str, forecast: Forecast, now: Time) -> Draft:
        cause = grounds(self.bank.replica(twin), forecast.signal, now)
        return Draft(twin, "forecast/1", forecast.body(), forecast.made_at, "loop:forecast", cause)

    def _judge(self, twin: str, pace: Pace, now: Time) -> None:
        """Write what became of each action of the last day, once it has had its time."""
        for proposal in self.bank.proposals(twin):
            recent = now - DAY <= proposal.made_at <= now - outcomes.WINDOW
            if proposal.status == "delivered" and recent and proposal.seq not in pace.judged:
                if outcomes.delivered_at(self.bank, proposal) + outcomes.WINDOW > now:
                    continue
                draft = outcomes.judge(self.bank, proposal)
                if draft is not None:
                    self.bank.append([draft])
                pace.judged.add(proposal.seq)

    # alarms

    def _watch(self, twin: str, pace: Pace, found: Mapping[str, Told], now: Time) -> bool:
        """Raise and end the alarms that any twin has."""
        replica, stuck = self.bank.replica(twin), self.outbox.trouble(twin)
        found = {**found, **reporting.unreported(self.bank, twin, now)}
        found |= reporting.unheard(replica, self.bank.reports.get(twin, {}), now)
        if stuck is not None:
            found["sink"] = ("warning", f"an approved action has not reached the asset yet: {stuck}")
        changed = [self.alert(twin, name, told) for name, told in found.items()]
        over = [name for name in pace.alerts if name.startswith(alarms.OWN) and name not in found]
        return any([*changed, *(self.end_alert(twin, name) for name in over)])

    def _sense(self, twin: str, pace: Pace, now: Time, found: Collection[str]) -> bool:
        """Raise and end the alarms of the twin's own type; while a sensor is silent, none is over.

        What events fix has no measure but what is believed: it is not judged while that is not to be relied on.
        """
        if found and self.bank.type_of(twin).eventful:
            return False
        told, failed = sensing.judged(self.bank, twin, now, found)
        changed = [self.alert(twin, name, what) for name, what in told.items() if what is not None]
        changed += [self.alert(twin, f"alarm:{name}", ("warning", text)) for name, text in failed.items()]
        former = {name for kind in self.bank.lineages.known() for name in kind.alarms} - {*told, *failed}
        quiet = former | {name for name, what in told.items() if what is None}
        over = [*(() if any(map(_stale, found)) else quiet), *(f"alarm:{name}" for name in told)]
        return any([*changed, *(self.end_alert(twin, name) for name in sorted(over))])

    def _sense_anyway(self, twin: str) -> None:
        """Judge what was measured, and tell of it, although all else failed."""
        with contextlib.suppress(Exception):
            now = self.bank.now()
            found = {"loop", *self.silent(twin, now), *self.behind(twin, now)}
            self._sense(twin, self._pace(twin), now, found)
            self._notify(twin, now)

    def alert(self, twin: str, name: str, told: Told) -> bool:
        """Put an alert on record when it begins, or grows more or less severe."""
        with self._lock:
            pace = self._pace(twin)
            if name in pace.alerts and pace.alerts[name][0] == told[0]:
                return False
            self._say_alert(twin, name, told, True)
            pace.alerts[name] = told
            return True

    def end_alert(self, twin: str, name: str) -> bool:
        with self._lock:
            pace = self._pace(twin)
            if name not in pace.alerts:
                return False
            self._say_alert(twin, name, pace.alerts[name], False)
            del pace.alerts[name]
            return True

    def _notify(self, twin: str, now: Time) -> bool:
        """Tell those whom the rules name of what is the matter, and of what is over."""
        told = self.bank.told(twin)
        if not told.rules and not told.notices:
            return False
        seen = self.bank.as_writer(twin, "loop:alarms", "monitoring")
        said = alerting.drafts(seen, told, self.bank.alerts(twin), now, "loop:alarms")
        if said:
            self.bank.append(said)
        return bool(said)

    def _say_alert(self, twin: str, name: str, told: Told, active: bool) -> None:
        body = {"name": name, "severity": told[0], "text": told[1], "active": active}
        self.bank.append([Draft(twin, "alert/1", body, self.bank.now(), "loop:alarms", self.bank.evidence(twin))])

    # agents

    def agents(self, twin: str) -> tuple[Agent, ...]:
        """Return the agents that look after *twin*; each still needs the subject's grant."""
        return tuple(offered(self.bank.type_of(twin).name)) if self._agents is None else self._agents

    def _advise(self, twin: str, now: Time, blind: bool = False) -> None:
        """Let agents that hold a grant propose; those that are *blind*, as they do without a sensor."""
        for agent in self.agents(twin):
            advise = agent.fallback if blind else agent.advise
            if advise and agent.autonomy is not Autonomy.OBSERVE and not self._resting(twin, agent, now):
                try:
                    self._hear(twin, replace(agent, advise=advise), now)
                    self.end_alert(twin, f"agent:{agent.name}")
                except Refused:
                    continue
                except Exception as error:
                    log.exception("an agent failed")
                    self.alert(twin, f"agent:{agent.name}", ("warning", f"{agent.name} failed: {error}"))

    def _hear(self, twin: str, agent: Agent, now: Time) -> None:
        seen = self.bank.find(twin, by=agent.actor, purpose=agent.purpose)
        for advice in agent.advise(seen.situation(now)):
            if isinstance(advice, Weighed):
                chosen = self._chosen(twin, agent, advice, now)
                if chosen is None:
                    continue
                weighed, cause = advice, chosen
            else:
                weighed, cause = Weighed({}, *advice), ()
            if weighed.intervention is None:
                continue
            level = agent.autonomy if weighed.autonomy is None else min(agent.autonomy, weighed.autonomy)
            only = level is Autonomy.RECOMMEND
            proposal = seen.propose(weighed.intervention, weighed.why, cause, weighed.lasts, advice=only)
            if level is Autonomy.ACT and proposal.status == "open" and self._may(seen, weighed):
                seen.decide(proposal.seq, approve=True, note=f"{agent.name} acts within its grant")

    def _may(self, seen: Twin, weighed: Weighed) -> bool:
        """Return whether to try: where the kind of action decides, and the grant does not allow it, somebody else may."""
        doses = weighed.intervention.doses if weighed.intervention else ()
        return weighed.autonomy is None or all(seen.may("act", one.lever, float(one.amount)) for one in doses)

    def _chosen(self, twin: str, agent: Agent, weighed: Weighed, now: Time) -> tuple[int, ...] | None:
        """Put on record what an agent chose of what, and return what a proposal of it rests on; None if it chose already.

        A choice that names the `key` by which chance decided is made once: a turn later the same chance says nothing new.
        """
        evidence, key = self.bank.evidence(twin), weighed.choice.get("key")
        once = None if key is None else f"chosen|{agent.actor}|{key}"
        told = self.bank.append([Draft(twin, CHOSEN, weighed.choice, now, agent.actor, evidence, key=once)]).facts
        return (told[0].seq, *evidence) if told else None

    def _resting(self, twin: str, agent: Agent, now: Time) -> bool:
        """Return whether a proposal of this agent still waits, or one came to nothing a short while ago."""
        own = [p for p in self.bank.proposals(twin) if p.by == agent.actor]
        waiting = any(p.status in ("open", "approved", "sent") for p in own)
        return waiting or bool(own and own[-1].status != "delivered" and now - own[-1].made_at < REST)


def _stale(name: str) -> bool:
    return name.startswith("stale:")


def _surprises(followed: Followed) -> list[float]:
    return [float(np.asarray(value)[0]) for name, value in followed.info.items() if name.endswith(".z")]
