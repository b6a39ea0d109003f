"""Reporting: what was sent to the asset and is not said to have been done, and levers that are not heard of any more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence

from gemel.bank import Bank, Proposal, Replica
from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.loop import outcomes
from gemel.loop.alarms import BEHIND, STALE_AFTER, Told
from gemel.twintype import Lever

LATE: Time = 15 * MINUTE
"""How long after it was due, or sent, a dose may be unheard of."""

REMEMBERED: Time = 6 * HOUR
"""How long a dose that was never heard of is worth an alarm."""


def unreported(bank: Bank, twin: str, now: Time) -> dict[str, Told]:
    """Return an alarm for each action that was delivered to the asset, of which nothing says that it was done."""
    found, set_again = dict[str, Told](), set[str]()
    for proposal in reversed([p for p in bank.proposals(twin) if p.status == "delivered" and p.made_at > now - DAY]):
        missing = _missing(bank, proposal, now, set_again)
        if missing:
            text = f"sent, and not reported as done: {', '.join(missing)}; check the asset"
            found[f"unreported:{proposal.seq}"] = ("urgent", text)
        set_again |= {dose.lever for dose in proposal.intervention.doses}
    return found


def _missing(bank: Bank, proposal: Proposal, now: Time, set_again: Collection[str]) -> list[str]:
    """Return, lever by lever, what of an action is unheard of: each amount counts, of rates one, if none was *set again*."""
    since, levers = outcomes.delivered_at(bank, proposal), bank.type_of(proposal.twin).levers
    due = [dose for dose in proposal.intervention.doses if LATE < now - max(dose.at, since) <= REMEMBERED]
    found = list[str]()
    for name in dict.fromkeys(dose.lever for dose in due if dose.lever in levers):
        lever, own = levers[name], [dose for dose in due if dose.lever == name]
        given = _given(bank.replica(proposal.twin), proposal, own, since)
        if given < (1 if lever.holds else len(own)) and not (lever.holds and name in set_again):
            found.append(_text(lever, name, own))
    return found


def _given(replica: Replica, proposal: Proposal, doses: Sequence[Dose], since: Time) -> int:
    """Return how many reports tell of *doses*: by the action's own id, or by lever, amount and time."""
    prefix, found = f"{proposal.twin}/{proposal.seq}#", set[str]()
    for dose in doses:
        standing = _standing(replica, dose)
        found |= {standing[3]} if standing is not None and replica.type.levers[dose.lever].holds else set()
        first, last = dose.at - MINUTE, max(dose.at, since) + LATE
        for at, name, value, key in replica.doses[bisect_left(replica.doses, (min(first, since),)) :]:
            if name == dose.lever and (key.startswith(prefix) or (at <= last and outcomes.alike(value, dose))):
                found.add(key)
    return len(found)


def _standing(replica: Replica, dose: Dose) -> tuple[Time, str, float, str] | None:
    """Return what set a rate to that of *dose* before: a pump that tells only of changes has nothing to tell then."""
    before = replica.doses[: bisect_left(replica.doses, (dose.at,))]
    last = next((entry for entry in reversed(before) if entry[1] == dose.lever), None)
    return last if last is not None and outcomes.alike(last[2], dose) else None


def _text(lever: Lever, name: str, doses: Iterable[Dose]) -> str:
    amounts = " and ".join(f"{float(dose.amount):g} {lever.unit}" for dose in doses)
    return f"{lever.label or name} {amounts}"


def unheard(replica: Replica, every: Mapping[str, tuple[Time, Time]], now: Time) -> dict[str, Told]:
    """Return an alarm for each lever that is to be reported *every* so often, since a moment, and is not any more."""
    found: dict[str, Told] = {}
    for name, (pace, since) in every.items():
        last = next((at for at, lever, _, _ in reversed(replica.doses) if lever == name and at <= now + BEHIND), since)
        if now - max(last, since) > STALE_AFTER * pace:
            label = replica.type.levers[name].label or name
            text = f"no report of {label} for {(now - last) // MINUTE} min: what the asset does is not known; check it"
            found[f"silent:{name}"] = ("urgent", text)
    return found
