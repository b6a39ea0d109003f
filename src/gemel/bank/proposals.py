"""Proposals: what was proposed, what became of it; their status is a fold of facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.intervention import Intervention

KINDS = ("proposed/1", "decided/1", "sent/1", "delivered/1", "failed/1")
AGREED = ("approved", "sent", "delivered")

AFTER: Time = 2 * HOUR
"""How long what is over is still told among what was planned, for what has to follow it; a judgement."""

NEAR, ALIKE = 15 * MINUTE, 0.05
"""A report that names no command stands for a dose so long before it, and of an amount within this part of its own."""

Told = tuple[Time, str, float, str]
"""When what was done, how much, and the key under which it was told."""


@dataclass(frozen=True)
class Proposal:
    """An intervention somebody proposed; `status` is open, approved, rejected, refused, expired, sent, delivered or failed."""

    seq: int
    twin: str
    by: str
    made_at: Time
    expires_at: Time
    intervention: Intervention
    why: str
    purpose: str
    cause: tuple[int, ...]
    status: str = "open"
    reason: str = ""
    advice: bool = False
    decided_by: str = ""
    decided_for: str = ""
    history: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Return the key by which the asset knows a repeat, and names what it did."""
        return f"{self.twin}/{self.seq}"


def fold(facts: Iterable[Fact], now: Time) -> list[Proposal]:
    """Return the proposals of one twin in the order they were made, as they stand at *now*."""
    found: dict[int, Proposal] = {}
    for fact in facts:
        if fact.kind == "proposed/1":
            found[fact.seq] = _proposal(fact)
        elif fact.kind in KINDS:
            seq = int(fact.body["proposal"])
            if seq in found:
                found[seq] = _moved(found[seq], fact)
    return [_aged(proposal, now) for proposal in found.values()]


def planned(found: Iterable[Proposal], now: Time) -> tuple[Dose, ...]:
    """Return the doses, given or not, of what was approved and is not over since `AFTER`, in order of time."""
    agreed = [one.intervention.doses for one in found if one.status in AGREED]
    doses = [dose for own in agreed if max(dose.at for dose in own) > now - AFTER for dose in own]
    return tuple(sorted(doses, key=lambda dose: dose.at))


def underway(
    found: Iterable[Proposal], told: Sequence[Told], holds: Collection[str], decided: int | None = None
) -> tuple[Dose, ...]:
    """Return the doses of what was approved of which nothing was *told* yet, in order of time.

    A report that names the command stands for its doses of that lever in turn, one without a name for a dose like it. What was
    decided by or after the fact *decided* does not count.
    """
    agreed = [one for one in found if one.status in AGREED and (decided is None or one.history[1] < decided)]
    left = _standing(sorted(agreed, key=lambda one: one.history[1]), holds)
    named = Counter((_command(key), lever) for _, lever, _, key in told)
    missing = []
    for command, dose in left:
        if named[command, dose.lever] > 0:
            named[command, dose.lever] -= 1
        else:
            missing.append(dose)
    commands = {one.key for one in agreed}
    return tuple(_unlike(missing, [one for one in told if _command(one[3]) not in commands]))


def _standing(agreed: Iterable[Proposal], holds: Collection[str]) -> list[tuple[str, Dose]]:
    """Return commands and doses in order of time; of a lever that holds, a later command replaces what was to follow."""
    left: list[tuple[str, Dose]] = []
    for one in agreed:
        own = one.intervention.doses
        begins = {lever: min(d.at for d in own if d.lever == lever) for lever in {d.lever for d in own} & set(holds)}
        left = [row for row in left if row[1].lever not in begins or row[1].at < begins[row[1].lever]]
        left += [(one.key, dose) for dose in own]
    return sorted(left, key=lambda row: row[1].at)


def _command(key: str) -> str:
    """Return the command that a key of a report names, if it names one: `TWIN/SEQ#n|LEVER`."""
    return key.rpartition("|")[0].partition("#")[0]


def _unlike(doses: Iterable[Dose], told: Iterable[Told]) -> list[Dose]:
    """Return the doses without those that a report is like; one report is one dose."""
    left = list(doses)
    for at, lever, value, _ in sorted(told):
        like = (dose for dose in left if dose.lever == lever and dose.at - MINUTE <= at <= dose.at + NEAR
                and abs(value - float(dose.amount)) <= ALIKE * float(dose.amount))  # fmt: skip
        first = next(like, None)
        if first is not None:
            left.remove(first)
    return left


def _proposal(fact: Fact) -> Proposal:
    body = fact.body
    return Proposal(
        fact.seq, fact.twin, fact.by, fact.true_at, int(body["expires_at"]), Intervention.from_body(body["intervention"]),
        str(body["why"]), str(body["purpose"]), fact.cause, advice=bool(body.get("advice", False)), history=(fact.seq,),
    )  # fmt: skip


def _moved(proposal: Proposal, fact: Fact) -> Proposal:
    status = str(fact.body["verdict"]) if fact.kind == "decided/1" else fact.kind.split("/")[0]
    reason = str(fact.body.get("reason", "")) or proposal.reason
    moved = replace(proposal, status=status, reason=reason, history=(*proposal.history, fact.seq))
    if fact.kind != "decided/1":
        return moved
    as_decided = Intervention.from_body(fact.body.get("intervention") or moved.intervention.body())
    return replace(moved, decided_by=fact.by, decided_for=str(fact.body.get("purpose", "")), intervention=as_decided)


def _aged(proposal: Proposal, now: Time) -> Proposal:
    late = proposal.status == "open" and now >= proposal.expires_at
    return replace(proposal, status="expired", reason="nobody decided in time") if late else proposal
