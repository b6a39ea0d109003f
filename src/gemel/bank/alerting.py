"""Alerting: who is told of a twin's alerts, when, and who is told next where nobody answers; all of it is facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from gemel.bank.consenting import holder_only
from gemel.consent import ALL
from gemel.consent.hours import hours
from gemel.consent.purposes import purpose_iri
from gemel.dynamics import ALERTS
from gemel.errors import BadInput, NotFound, Refused, unknown
from gemel.facts import MINUTE, Draft, Fact, Time

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

ALERTING, ACKNOWLEDGED, NOTIFIED = "alerting/1", "acknowledged/1", "notified/1"
KINDS = (ALERTING, ACKNOWLEDGED, NOTIFIED)

SEVERITIES = ("info", "warning", "urgent")

SOONEST: Time = MINUTE
"""Nobody is told of one alert more often than that."""


@dataclass(frozen=True)
class Rule:
    """Tell *to* of alerts that are at least so severe and called one of *names* (`*` stands for anything).

    They are told `after` ms, if it still holds and nobody has acknowledged it: rules with rising `after` are an escalation.
    Within `hours` only, not in `quiet` hours unless it is urgent, and `again` every so many ms until somebody acknowledges it.
    """

    to: str
    severity: str = "warning"
    names: tuple[str, ...] = (ALL,)
    after: Time = 0
    hours: str | None = None
    quiet: str | None = None
    again: Time | None = None
    purpose: str = "care"
    id: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise unknown("severity", self.severity, SEVERITIES)
        if self.after < 0 or (self.again is not None and self.again < SOONEST):
            raise BadInput("somebody is told at once or later, and again after a minute or more", field="after")
        if not self.to or not self.names:
            raise BadInput("a rule says who is told of what", field="to")
        purpose_iri(self.purpose)
        for window in (self.hours, self.quiet):
            if window is not None:
                hours(window)
        if not self.id:
            content = json.dumps({**asdict(self), "id": ""}, sort_keys=True)
            object.__setattr__(self, "id", hashlib.sha256(content.encode()).hexdigest()[:12])

    def concerns(self, alert: Fact) -> bool:
        """Return whether the rule is about an alert."""
        grave = SEVERITIES.index(str(alert.body["severity"])) >= SEVERITIES.index(self.severity)
        return grave and any(fnmatchcase(str(alert.body["name"]), name) for name in self.names)

    def reaches(self, alert: Fact, now: Time) -> bool:
        """Return whether they may be told of an alert at this hour."""
        if self.hours is not None and not hours(self.hours).open(now):
            return False
        return self.quiet is None or alert.body["severity"] == "urgent" or not hours(self.quiet).open(now)


@dataclass(frozen=True)
class Notice:
    """Somebody was told of an alert: the `nth` time, or that it is `over`."""

    seq: int
    twin: str
    to: str
    at: Time
    alert: int
    name: str
    severity: str
    text: str
    nth: int
    over: bool
    acknowledged_by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Told:
    """What has been said about the alerts of one twin: its rules, who acknowledged what, and who was told.

    `said` holds, by the id of each rule in force, the fact that put it on record.
    """

    rules: tuple[Rule, ...]
    acknowledged: Mapping[int, Fact]
    notices: tuple[Notice, ...]
    said: Mapping[str, Fact] = field(default_factory=dict)


def fold(facts: Iterable[Fact]) -> Told:
    """Return what facts of `KINDS` say, in order."""
    said: dict[str, Fact] = {}
    acknowledged: dict[int, Fact] = {}
    notified: list[Fact] = []
    for fact in facts:
        if fact.kind == ALERTING:
            said = _ruled(said, fact)
        elif fact.kind == ACKNOWLEDGED:
            acknowledged.setdefault(int(fact.body["alert"]), fact)
        else:
            notified.append(fact)
    rules = tuple(_rule(fact.body["rule"]) for fact in said.values())
    return Told(rules, acknowledged, tuple(_notice(fact, acknowledged) for fact in notified), said)


def _ruled(said: Mapping[str, Fact], fact: Fact) -> dict[str, Fact]:
    """Return the rules after one more fact; a changed rule takes the place of the one that it replaces."""
    made, replaced = str(fact.body["rule"]["id"]), str(fact.body.get("replaces", ""))
    if not fact.body["active"]:
        return {name: one for name, one in said.items() if name != made}
    if replaced not in said or made in said:
        return {**{name: one for name, one in said.items() if name != replaced}, made: fact}
    return {made if name == replaced else name: fact if name == replaced else one for name, one in said.items()}


def _rule(body: Mapping[str, Any]) -> Rule:
    return Rule(**{**body, "names": tuple(body["names"])})


def _notice(fact: Fact, acknowledged: Mapping[int, Fact]) -> Notice:
    body, heard = fact.body, acknowledged.get(int(fact.body["alert"]))
    return Notice(
        fact.seq, fact.twin, str(body["to"]), fact.true_at, int(body["alert"]), str(body["name"]), str(body["severity"]),
        str(body["text"]), int(body["nth"]), bool(body["over"]), "" if heard is None else heard.by,
        "" if heard is None else str(heard.body["note"]),
    )  # fmt: skip


def due(told: Told, alerts: Sequence[Fact], now: Time) -> list[tuple[Rule, Fact, int]]:
    """Return whom to tell of which active alert now, the how-manieth time: each person once, by the rule that comes first."""
    found: dict[tuple[str, int], tuple[Rule, Fact, int]] = {}
    for alert in alerts:
        if not alert.body["active"] or alert.seq in told.acknowledged:
            continue
        for rule in sorted(told.rules, key=lambda one: one.after):
            before = [one for one in told.notices if one.alert == alert.seq and one.to == rule.to and not one.over]
            if rule.concerns(alert) and rule.reaches(alert, now) and _time(rule, alert, before, now):
                found.setdefault((rule.to, alert.seq), (rule, alert, len(before) + 1))
    return list(found.values())


def _time(rule: Rule, alert: Fact, before: Sequence[Notice], now: Time) -> bool:
    if not before:
        return now - alert.true_at >= rule.after
    return rule.again is not None and now - before[-1].at >= rule.again


def heard(twin: Twin, rule: Rule) -> bool:
    """Return whether whom a rule names may read alerts, now or at other hours; if not, nobody is told by it."""
    return twin.bank.gate.over(rule.to, "read", twin.id, ALERTS, rule.purpose) is None


def over(told: Told, alerts: Sequence[Fact]) -> list[Notice]:
    """Return, of what somebody was told, what has ended since without their being told; what only grew worse has not."""
    active = {str(alert.body["name"]) for alert in alerts if alert.body["active"]}
    ended: dict[tuple[str, str], Notice] = {}
    for one in told.notices:
        if one.over:
            ended.pop((one.to, one.name), None)
        elif one.name not in active:
            ended[one.to, one.name] = one
    return list(ended.values())


def drafts(twin: Twin, told: Told, alerts: Sequence[Fact], now: Time, by: str) -> list[Draft]:
    """Return the notices to write now; who may not read alerts at this moment is not told."""
    return [
        *(_draft(twin.id, rule.to, alert.seq, alert.body, nth, now, by) for rule, alert, nth in due(told, alerts, now)
          if twin.bank.gate.decide(rule.to, "read", twin.id, ALERTS, rule.purpose).allowed),
        *(_draft(twin.id, one.to, one.alert, asdict(one), one.nth, now, by, ended=True) for one in over(told, alerts)),
    ]  # fmt: skip


def _draft(
    twin: str, to: str, alert: int, what: Mapping[str, Any], nth: int, now: Time, by: str, ended: bool = False
) -> Draft:
    body = {"to": to, "alert": alert, "nth": nth, "over": ended}
    body |= {name: what[name] for name in ("name", "severity", "text")}
    return Draft(twin, NOTIFIED, body, now, by, (alert,), key=f"notified|{alert}|{to}|{'over' if ended else nth}")


# what people say


def alert_to(twin: Twin, rule: Rule) -> Rule:
    """Put a rule on record: only who holds the keys says who is told."""
    holder_only(twin, "say who is told of alerts")
    _may_be_told(twin, rule)
    _say(twin, ALERTING, _ruling(rule, True))
    return rule


def change(twin: Twin, rule_id: str, rule: Rule) -> Rule:
    """Put *rule* in the place of the one of that id; the old one stays on record, as the cause of the new one.

    A rule's id is made of what it says, so whoever changes one that somebody else has just changed is told that it is gone.
    """
    holder_only(twin, "say who is told of alerts")
    old = _in_force(twin, rule_id)
    _may_be_told(twin, rule)
    if rule.id != old.id:
        body = {**_ruling(rule, True), "replaces": old.id}
        _say(twin, ALERTING, body, (twin.bank.told(twin.id).said[old.id].seq,))
    return rule


def stop(twin: Twin, rule_id: str) -> None:
    """Take a rule out of force."""
    holder_only(twin, "say who is told of alerts")
    _say(twin, ALERTING, _ruling(_in_force(twin, rule_id), False))


def _ruling(rule: Rule, active: bool) -> dict[str, Any]:
    return {"rule": {**asdict(rule), "names": list(rule.names)}, "active": active}


def _in_force(twin: Twin, rule_id: str) -> Rule:
    rules = {one.id: one for one in twin.bank.told(twin.id).rules}
    if rule_id not in rules:
        raise unknown("rule", rule_id, rules)
    return rules[rule_id]


def _may_be_told(twin: Twin, rule: Rule) -> None:
    """Raise unless they may read alerts now, or may at other hours."""
    if twin.bank.gate.decide(rule.to, "read", twin.id, ALERTS, rule.purpose).allowed:
        return
    now = twin.bank.now()
    granted = [grant for grant in twin.bank.grants(twin.id) if grant.to == rule.to and grant.revoked is None
               and all(end is None or now < end for end in (grant.until, grant.lapsed))]  # fmt: skip
    if not any(ALERTS in grant.signals or ALL in grant.signals for grant in granted):
        raise Refused(f"{rule.to} may not read {ALERTS} of {twin.id} for {rule.purpose}: grant that first")


def acknowledge(twin: Twin, seq: int, note: str) -> Fact:
    """Say that one takes care of an alert: nobody else is told of it, until it grows worse or comes again."""
    twin.bank.gate.require(twin.actor, "read", twin.id, ALERTS, twin.purpose)
    if twin.actor == twin.id and not twin.bank.holds(twin.actor, twin.id):
        raise Refused(
            f"{twin.actor} cannot take care of an alert alone: somebody of the team does, so that it is not lost"
        )
    alert = next((fact for fact in twin.bank.alerts(twin.id) if fact.seq == seq), None)
    if alert is None:
        raise NotFound(f"{twin.id} has no alert {seq} that is on now")
    done = _say(twin, ACKNOWLEDGED, {"alert": seq, "note": note}, (seq,), f"acknowledged|{seq}")
    if done is None:
        raise Refused(f"alert {seq} was acknowledged by {twin.bank.told(twin.id).acknowledged[seq].by}")
    return done


def notices(twin: Twin) -> list[Notice]:
    """Return what the actor was told of this twin, newest first."""
    return [one for one in reversed(twin.bank.told(twin.id).notices) if one.to == twin.actor]


def _say(
    twin: Twin, kind: str, body: Mapping[str, Any], cause: tuple[int, ...] = (), key: str | None = None
) -> Fact | None:
    draft = Draft(twin.id, kind, body, twin.bank.now(), twin.actor, cause, key=key)
    return next(iter(twin.bank.append([draft]).facts), None)
