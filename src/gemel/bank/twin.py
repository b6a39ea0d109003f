"""Twin: one individual, as one actor may see it for one purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.bank import alerting, branches, careplan, consenting, retype, versions, withdrawal
from gemel.bank.aggregate import Aggregate, aggregate, of_replica
from gemel.bank.branches import Branch
from gemel.bank.contrast import Difference
from gemel.bank.correction import amended
from gemel.bank.diff import HORIZONS, diff
from gemel.bank.fork import Fork
from gemel.bank.gate import signals_of
from gemel.bank.intake import drafts
from gemel.bank.lineage import Span
from gemel.bank.personal import Fit, Progress, personalise
from gemel.bank.proposals import Proposal
from gemel.bank.replica import Followed
from gemel.bank.retype import DAYS, Rehearsal
from gemel.bank.versions import Version, View
from gemel.consent import ALL, Grant
from gemel.dynamics import ALERTS, PLAN, Reading
from gemel.errors import BadInput, NotFound, Refused, unknown
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time, time_of
from gemel.intervention import Forecast, Intervention, Situation
from gemel.streams import Item, Live, Report, Sink, Source, collect
from gemel.twintype import TwinType
from gemel.units import duration

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

PROPOSAL_LASTS: Time = 30 * MINUTE


@dataclass(frozen=True)
class Loaded:
    """What an import did: how many items are new or correct one, how many were there, and what the source said."""

    new: int
    known: int
    report: Report


@dataclass(frozen=True)
class Twin:
    """A twin in the eyes of one actor; every method asks the gate first and raises `Refused` with the reason."""

    bank: Bank
    id: str
    actor: str
    purpose: str

    @property
    def type(self) -> TwinType:
        """Return the twin's type."""
        return self.bank.type_of(self.id)

    def may(self, verb: str, signal: str, amount: float | None = None) -> bool:
        """Return whether the gate would let this actor do that."""
        return self.bank.gate.decide(self.actor, verb, self.id, signal, self.purpose, amount).allowed

    def _require(self, verb: str, signal: str, amount: float | None = None) -> None:
        self.bank.gate.require(self.actor, verb, self.id, signal, self.purpose, amount)

    # data in

    def load(self, source: Source) -> Loaded:
        """Write all that a file source holds, or nothing; what is there already is left as it is."""
        imported = collect(source, self.type, now=self.bank.now())
        for name in sorted({item.name for item in imported.items}):
            self._require("write", name)
        return self._write(imported.items, imported.report)

    def record(self, items: Sequence[Item]) -> Loaded:
        """Write items that are already checked and in the type's own units."""
        for name in sorted({item.name for item in items}):
            self._require("write", name)
        return self._write(items, Report())

    def _write(self, items: Sequence[Item], report: Report) -> Loaded:
        told = amended(self.bank, self.id, drafts(items, self.type, self.id, self.actor))
        appended, corrected = self.bank.append(told), len(told) - len(items)
        return Loaded(len(appended.facts) - corrected, appended.duplicates, report)

    def listen(self, source: Live) -> None:
        """Let a live source write to the twin, as an actor of its own that holds a grant; the loop reads it."""
        actor = f"stream:{source.name}"
        self.grant(to=actor, purpose=self.purpose, write="*")
        self.bank.sources.setdefault(self.id, []).append((source, actor, self.purpose))

    def act_through(self, sink: Sink, reports: Mapping[str, Time] | None = None) -> None:
        """Let approved interventions reach the asset through *sink*; the only way out, and only the holder opens it.

        Where the asset tells of a lever every so many ms, changed or not, *reports* says so, and the loop notices its silence.
        """
        consenting.holder_only(self, "open a way to the asset")
        for lever in reports or {}:
            if lever not in self.type.levers:
                raise unknown("lever", lever, self.type.levers)
        self.bank.sinks[self.id] = sink
        self.bank.reports[self.id] = {lever: (every, self.bank.now()) for lever, every in (reports or {}).items()}

    # consent

    def grant(
        self, *, to: str, purpose: str, until: Time | str | None = None, bounds: Mapping[str, float] | None = None,
        since: Time | str | None = None, hours: str | None = None, onward: int = 0, **verbs: str | Sequence[str],
    ) -> tuple[Grant, ...]:  # fmt: skip
        """Allow *to* what each verb names, as in `read="*", propose="basal"`; return the grants, to revoke by id.

        It holds from *since*, before *until*, within *hours* (`"08:00-15:00 Europe/Paris Mon-Fri"`), and may be given on
        *onward* times. Holders grant; so does, within it, whoever has a grant that may be given on. Whoever may propose
        may try it on a copy first: `propose` brings `fork` along, as a grant of its own.
        """
        terms = consenting.Terms(consenting.moment(since), consenting.moment(until), hours, bounds, onward)
        return tuple(consenting.grant(self, to, purpose, terms, verbs))

    def renew(self, grant_id: str) -> Grant:
        """Say a grant again, as it was, such as one of a guardian's that ended when the subject took the keys."""
        return consenting.renew(self, grant_id)

    def revoke(self, grant_id: str) -> None:
        """Take a grant back, at once and for older forks too, with all that was given on from it."""
        consenting.revoke(self, grant_id)

    def entrust(
        self, to: str, role: str = "holder", *, since: Time | str | None = None, until: Time | str | None = None
    ) -> None:
        """Let *to* hold the keys too, as `holder` or `guardian`: each of several holders suffices."""
        consenting.entrust(self, to, role, consenting.moment(since), consenting.moment(until))

    def hand_over(self, at: Time | str) -> None:
        """Let the subject, by the twin's own id, take the keys alone from *at*; that may come earlier, never later."""
        consenting.hand_over(self, time_of(at))

    def dismiss(self, holder: str) -> None:
        """End the holding of *holder*: one's own, of somebody one entrusted, or as the subject anybody's."""
        consenting.dismiss(self, holder)

    def break_glass(self, reason: str, minutes: float = 60, signals: Sequence[str] = (ALL,)) -> Grant:
        """Open reading in an emergency, for this actor and purpose; the subject is told at once, and it ends by itself."""
        return consenting.break_glass(self, reason, round(minutes * MINUTE), signals)

    # being told

    def alert_to(
        self, to: str, *, severity: str = "warning", names: Sequence[str] = (ALL,), after: Time | str = 0,
        hours: str | None = None, quiet: str | None = None, again: Time | str | None = None, purpose: str = "care",
    ) -> alerting.Rule:  # fmt: skip
        """Let *to* be told of alerts at least so severe, *after* nobody took care of them so long; `alerting.Rule` says more."""
        repeated = None if again is None else duration(again)
        rule = alerting.Rule(to, severity, tuple(names), duration(after), hours, quiet, repeated, purpose)
        return alerting.alert_to(self, rule)

    def change_alerting(self, rule_id: str, rule: alerting.Rule) -> alerting.Rule:
        """Let *rule* be in force in the place of one of `alert_to`; both stay on record."""
        return alerting.change(self, rule_id, rule)

    def stop_alerting(self, rule_id: str) -> None:
        """Take a rule of `alert_to` out of force."""
        alerting.stop(self, rule_id)

    def alert_rules(self) -> tuple[alerting.Rule, ...]:
        """Return the rules in force: who is told of what."""
        self._require("read", ALERTS)
        return self.bank.told(self.id).rules

    def alerts(self) -> list[Fact]:
        """Return the latest fact of each alert by name; whether it is on stands in its body."""
        self._require("read", ALERTS)
        return self.bank.alerts(self.id)

    def acknowledge(self, seq: int, note: str = "") -> Fact:
        """Say that one takes care of an alert: nobody is told of it any more, until it grows worse or comes again."""
        return alerting.acknowledge(self, seq, note)

    def notices(self) -> list[alerting.Notice]:
        """Return what one was told of this twin's alerts, newest first."""
        return alerting.notices(self)

    # the shared care plan

    def plan(self) -> careplan.Plan:
        """Return what the care team has set and agreed on, and what is proposed."""
        self._require("read", PLAN)
        return self.bank.plan(self.id)

    def propose_plan(
        self, settings: Mapping[str, Any] | None = None, notes: Mapping[str, str] | None = None, why: str = ""
    ) -> careplan.Change:
        """Propose a change of the plan: settings in the type's units, one number or 24, and notes by section."""
        return careplan.propose(self, settings or {}, notes or {}, why)

    def decide_plan(self, seq: int, approve: bool, note: str = "") -> careplan.Change:
        """Approve or reject a proposed change of the plan; that takes a right to act on `plan`."""
        return careplan.decide(self, seq, approve, note)

    def review(self, text: str, since: Time | str, until: Time | str) -> careplan.Review:
        """Put on record what one makes of a stretch of time."""
        return careplan.review(self, text, time_of(since), time_of(until))

    # seeing

    def readings(self, signal: str, since: Time | None = None, until: Time | None = None) -> list[Reading]:
        """Return the readings of one signal, `since <= at < until`, in order."""
        self._require("read", signal)
        return [reading for reading in self.bank.replica(self.id).read(since, until) if reading.signal == signal]

    def aggregate(
        self,
        signal: str,
        since: Time | None = None,
        until: Time | None = None,
        every: Time | str = HOUR,
        known_by: Time | None = None,
    ) -> Aggregate:
        """Return count, mean, least, greatest and last reading of one signal in bins, as known now or by some time."""
        self._require("read", signal)
        if signal not in self.type.signals:
            raise unknown("signal", signal, self.type.signals)
        unit, length = self.type.signals[signal].unit, duration(every)
        replica = self.bank.beliefs.loaded(self.id) if known_by is None else None
        held = None if replica is None else of_replica(replica, signal, unit, length, since, until)
        return held or aggregate(self.bank.thread, self.id, signal, unit, length, since, until, known_by)

    def forecast(self, signal: str, hours: float, now: Time | None = None) -> Forecast:
        """Return quantiles of what *signal* will read over the next *hours*, from all that is known now."""
        self._require("read", signal)
        said = self.bank.forecast(self.id, signal, hours, self.bank.now() if now is None else now)
        return replace(said, note=self.bank.calibration(self.id, signal))

    def belief(self, true_at: Time | None = None, known_by: Time | None = None, version: str | None = None) -> Followed:
        """Return what is believed after the last reading, or was: about *true_at*, from what was known by *known_by*."""
        versions.readable(self)
        named = None if version is None else versions.view_of(self.bank, self.id, version)
        return versions.at_view(self.bank, self.id, named or versions.View(true_at, known_by))

    def situation(self, now: Time | None = None) -> Situation:
        """Return what agents and guards look at."""
        self._require("read", "*")
        return self.bank.situation(self.id, self.bank.now() if now is None else now)

    def why(self, seq: int) -> Fact:
        """Return one fact of this twin; its `cause` leads on."""
        fact = self.bank.thread.get(seq)
        if fact.twin != self.id:
            raise NotFound(f"fact {seq} is not of {self.id}")
        self.bank.gate.require_one(self.actor, "read", self.id, signals_of(fact), self.purpose)
        return fact

    # learning

    def personalise(self, days: float = 3, tell: Progress = lambda what, done, whole: None) -> Fit:
        """Fit this individual's constants to the last *days*, hold out the end of them, and adopt only what holds there.

        Whether adopted or not, the fit is on record as `personalised/1`.
        """
        self._require("read", ALL)
        self._require("write", ALL)
        return personalise(self.bank, self.id, days, self.actor, self.bank.now(), tell)

    # trying

    def fork(self, name: str, now: Time | None = None) -> Fork:
        """Return a copy as of now, on which anything may be supposed and from which nothing leaves."""

        def admit(signal: str) -> None:
            self._require("fork", signal)

        admit("*")
        with self.bank.beliefs.lock:
            return branches.leave(self.bank.replica(self.id), name, self.bank.now() if now is None else now, admit)

    def keep_fork(
        self, name: str, scenario: str | None = None, values: Mapping[str, float] | None = None,
        parent: str | None = None, now: Time | None = None,
    ) -> Branch:  # fmt: skip
        """Keep a fork, of the twin or of the fork *parent*, under one of the type's scenarios; it survives a restart."""
        return branches.keep(self, name, scenario, values or {}, parent, now)

    def forks(self) -> tuple[Branch, ...]:
        """Return the forks that are kept, each with its own forks."""
        return branches.tree(self)

    def open_fork(self, name: str) -> Fork:
        """Return a kept fork exactly as it was: the same past as known then, the same noise."""
        return branches.reopen(self, name)

    def drop_fork(self, name: str) -> None:
        """Drop a kept fork and all forks of it."""
        branches.drop(self, name)

    # versions, and becoming another

    def name_version(
        self, name: str, why: str = "", true_at: Time | None = None, known_by: Time | None = None
    ) -> Version:
        """Put a name on what is believed now, or was at another moment, so that it can be asked for again."""
        versions.readable(self)
        self._require("write", ALL)
        return versions.name_version(self, name, why, true_at, known_by)

    def versions(self) -> dict[str, Version]:
        """Return the named versions, by name."""
        versions.readable(self)
        return versions.versions(self.bank, self.id)

    def diff(
        self, a: str | Time | View, b: str | Time | View = "now", horizons: Sequence[int] = HORIZONS
    ) -> Difference:
        """Return what changed between two versions, times or views, by how much, and because of which facts."""
        versions.readable(self)
        before, after = (versions.view_of(self.bank, self.id, side) for side in (a, b))
        return diff(self.bank, self.id, before, after, horizons)

    def rehearse(
        self, to: str | TwinType, renamed: Mapping[str, str] | None = None, anew: bool = False, days: float = DAYS
    ) -> Rehearsal:
        """Return what it would do to become another type or version of it, tried on a copy; nothing is written."""
        return retype.rehearse(self, to, renamed, anew, days)

    def retype(
        self, to: str | TwinType, renamed: Mapping[str, str] | None = None, anew: bool = False, why: str = "",
        days: float = DAYS,
    ) -> Rehearsal | None:  # fmt: skip
        """Become another type or version of it from now on, after a rehearsal; state goes over by name and unit.

        *renamed* gives, for a new name, the old one; *anew* folds the whole record again with the new type instead.
        """
        return retype.retype(self, to, renamed, anew, why, days)

    def roll_back(self, why: str = "") -> Span:
        """Be again what the twin was before it was last retyped, exactly as if it never had been."""
        return retype.roll_back(self, why)

    # proposing, deciding

    def propose(
        self,
        what: Fork | Intervention,
        why: str,
        cause: Sequence[int] = (),
        lasts: Time = PROPOSAL_LASTS,
        advice: bool = False,
    ) -> Proposal:
        """Put an intervention before the guards and then before those who may decide; return it as it stands.

        *advice* is to be read and not to be approved: it never reaches the asset.
        """
        intervention = what.intervention() if isinstance(what, Fork) else what
        self._acceptable(intervention)
        for dose in intervention.doses:
            self._require("propose", dose.lever, float(dose.amount))
        now = self.bank.now()
        body = {
            "intervention": intervention.body(), "why": why, "purpose": self.purpose, "expires_at": now + lasts,
            "advice": advice,
        }  # fmt: skip
        fact = self._say(("proposed/1", body, tuple(cause) or self.bank.evidence(self.id)))[0]
        refusal = self.bank.guarded(self.id, intervention)
        if refusal is not None:
            guard, reason = refusal
            verdict = {"proposal": fact.seq, "verdict": "refused", "reason": f"{guard}: {reason}"}
            self._settle(fact.seq, verdict, f"guard:{guard}")
        return self.bank.proposal(self.id, fact.seq)

    def _acceptable(self, intervention: Intervention) -> None:
        if not intervention.doses:
            raise BadInput(f"{intervention.title!r} changes nothing that could be done in the next two hours")
        for dose in intervention.doses:
            if dose.lever not in self.type.levers or not np.isfinite(dose.amount):
                raise BadInput(f"{dose.lever} of {dose.amount} is nothing {self.type.name} can do")

    def proposals(self) -> list[Proposal]:
        """Return all proposals as they stand."""
        self._require("read", "*")
        return self.bank.proposals(self.id)

    def decide(self, seq: int, approve: bool, note: str = "") -> Proposal:
        """Approve or reject an open proposal; approving asks the gate for `act` and the guards once more.

        What was to begin before it was approved begins then.
        """
        proposal = self.bank.proposal(self.id, seq)
        for dose in proposal.intervention.doses:
            self._require("act", dose.lever, float(dose.amount))
        if proposal.status != "open":
            raise Refused(f"proposal {seq} is {proposal.status}, not open")
        if approve and proposal.advice:
            raise Refused(f"proposal {seq} is advice: {proposal.by} may recommend, and nothing is sent for it")
        over = withdrawal.withdrawn(self.bank, proposal) if approve else None
        if over is not None:
            raise Refused(f"proposal {seq} is withdrawn: {over}")
        intervention = proposal.intervention.starting(self.bank.now())
        refusal = self.bank.guarded(self.id, intervention) if approve else None
        verdict = "rejected" if not approve else "approved" if refusal is None else "refused"
        reason = note if refusal is None else f"{refusal[0]}: {refusal[1]}"
        body: dict[str, Any] = {
            "proposal": seq,
            "verdict": verdict,
            "reason": reason,
            "purpose": self.purpose,
            "intervention": intervention.body(),
        }
        self._settle(seq, body, self.actor if refusal is None else f"guard:{refusal[0]}")
        return self.bank.proposal(self.id, seq)

    def _settle(self, seq: int, body: Mapping[str, Any], by: str) -> None:
        """Decide a proposal once: of two who decide at the same time, the second is refused."""
        draft = Draft(self.id, "decided/1", body, self.bank.now(), by, (seq,), key=f"decided|{seq}")
        if not self.bank.append([draft]).facts:
            raise Refused(f"proposal {seq} was decided meanwhile")

    def _say(self, *facts: tuple[str, Mapping[str, Any], tuple[int, ...]], by: str | None = None) -> tuple[Fact, ...]:
        now = self.bank.now()
        return self.bank.append(
            [Draft(self.id, kind, body, now, by or self.actor, cause) for kind, body, cause in facts]
        ).facts
