"""Handing over: an alert that says that a person is wanted. Rules of alerting decide who is told; the words stay unsaid."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.bank import Twin, alerting
from gemel.bank.tools import Answer
from gemel.dynamics import ALERTS
from gemel.facts import DAY, MINUTE, Draft, Fact, Time
from gemel.packs.diabetes.sunny.safety import urgent

TEXT = {
    "self_harm": "{who} said something to Sunny that may mean wanting to hurt themselves or not to live: be with them now",
    "emergency": "{who} told Sunny of an emergency: go to them now",
    "low": "{who} told Sunny of a low number or signs of a serious low: go to them, check glucose, follow the plan for lows now",
    "sick": "{who} told Sunny of ketones, vomiting or a very high number: check ketones and follow the plan for sick days now",
    "dose": "{who} asked Sunny about an amount of insulin; Sunny does not say: please decide with them",
    "skip": "{who} talked to Sunny about going without insulin: please talk with them",
    "secret": "{who} asked Sunny to hide something or to change numbers: please talk with them, without blame",
    "eating": "{who} talked to Sunny about eating or weight in a way that a person should hear: please talk with them",
    "hurt": "{who} told Sunny that somebody may be hurt, threatened or made to keep a secret: be with them, listen",
    "risky": "{who} talked to Sunny about something that could hurt them or others: please talk with them soon",
    "guards": "{who} asked Sunny to switch off alarms or guards; Sunny does not: please decide with them",
    "medicine": "{who} asked Sunny about an illness or a medicine; Sunny does not say: please look into it with them",
    "unsure": "{who} said something that Sunny did not understand well enough to answer: please ask them about it",
    "others": "{who} asked Sunny for somebody else's data and got none",
    "jailbreak": "{who} asked Sunny to leave its rules, and it did not",
    "help": "{who} asked Sunny for a person: please go or call",
    "comfort": "{who} told Sunny of feeling bad and would like somebody to talk with",
}
"""What whoever is told reads, by kind: none of the words that were said."""

Kind = Literal[
    "self_harm",
    "emergency",
    "low",
    "sick",
    "dose",
    "skip",
    "secret",
    "eating",
    "hurt",
    "risky",
    "guards",
    "medicine",
    "unsure",
    "others",
    "jailbreak",
    "help",
    "comfort",
]

AGAIN: Time = 10 * MINUTE
"""How long an alert of a kind that nobody has taken care of stands before the same is told anew."""
STEP: Time = 15 * MINUTE
"""How finely it is looked for when somebody will be told."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """Why a person is wanted."""

    kind: Kind


def hand_over(twin: Twin, asked: Wanted) -> Answer:
    """Raise an alert in the actor's own name, and tell whom the rules name; asked again soon, nothing is added.

    `told` are those who were told, and `later` is when the first is where nobody was: they have quiet hours, or come second.
    """
    name, now = f"sunny:{asked.kind}", twin.bank.now()
    text = TEXT[asked.kind].format(who=twin.id if twin.actor == twin.id else f"{twin.actor}, about {twin.id},")
    acknowledged = twin.bank.told(twin.id).acknowledged
    last = next((fact for fact in twin.bank.alerts(twin.id) if fact.body["name"] == name), None)
    waits = last is not None and last.body["active"] and last.seq not in acknowledged and now - last.true_at < AGAIN
    if not waits or (last is not None and last.by != twin.actor):
        severity = "urgent" if urgent(asked.kind) or asked.kind == "help" else "warning"
        body = {"name": name, "severity": severity, "text": text, "active": True}
        twin.bank.append([Draft(twin.id, "alert/1", body, now, twin.actor)])
    tell(twin, now)
    return {"kind": asked.kind, "told": sorted(_told(twin, name)), "later": _later(twin, name, now)}


def tell(twin: Twin, now: Time) -> None:
    """Write who is told now, as the loop does at its next turn: a store without a loop tells as well."""
    seen = twin.bank.as_writer(twin.id, "loop:alarms", "monitoring")
    said = alerting.drafts(seen, twin.bank.told(twin.id), twin.bank.alerts(twin.id), now, "loop:alarms")
    if said:
        twin.bank.append(said)


def close(twin: Twin) -> None:
    """End what somebody has taken care of: an alert of Sunny's is over when a person has it."""
    acknowledged, now = twin.bank.told(twin.id).acknowledged, twin.bank.now()
    done = [
        fact for fact in twin.bank.alerts(twin.id)
        if fact.body["active"] and str(fact.body["name"]).startswith("sunny:") and fact.seq in acknowledged
    ]  # fmt: skip
    if done:
        drafts = [
            Draft(twin.id, "alert/1", {**fact.body, "active": False}, now, twin.actor, (fact.seq,)) for fact in done
        ]
        twin.bank.append(drafts)
        tell(twin, now)


def _told(twin: Twin, name: str) -> set[str]:
    """Return who was told, beside whoever talks and the person whom it is about."""
    alert = _alert(twin, name)
    notices = twin.bank.told(twin.id).notices
    told = {one.to for one in notices if alert is not None and one.alert == alert.seq and not one.over}
    return told - {twin.id, twin.actor}


def _alert(twin: Twin, name: str) -> Fact | None:
    return next((fact for fact in twin.bank.alerts(twin.id) if fact.body["name"] == name), None)


def _later(twin: Twin, name: str, now: Time) -> Time | None:
    """Return when within a day the rules first tell somebody, None where they tell nobody."""
    alert = _alert(twin, name)
    if alert is None:
        return None
    rules = [rule for rule in twin.bank.told(twin.id).rules if rule.concerns(alert) and _may_hear(twin, rule)]
    ahead = range(now, now + DAY, STEP)
    return next(
        (at for at in ahead for rule in rules if at >= alert.true_at + rule.after and rule.reaches(alert, at)), None
    )


def _may_hear(twin: Twin, rule: alerting.Rule) -> bool:
    """Return whether a rule names somebody else, who may read alerts now or at other hours."""
    return (
        rule.to not in (twin.id, twin.actor)
        and twin.bank.gate.over(rule.to, "read", twin.id, ALERTS, rule.purpose) is None
    )
