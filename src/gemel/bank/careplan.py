"""The shared care plan: what a care team has set and agreed on, how it came to be, and reviews of it; all of it is facts.

The gate calls it `plan`: `read` shows it, `propose` puts a change before those who decide, `act` decides. A change names only
what it changes; what is in force is the fold of all that was approved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.dynamics import PLAN
from gemel.errors import BadInput, NotFound, Refused, unknown
from gemel.facts import Draft, Fact, Time
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

PROPOSED, DECIDED, REVIEWED = "plan_proposed/1", "plan_decided/1", "reviewed/1"
KINDS = (PROPOSED, DECIDED, REVIEWED)

HOURS = 24
LONGEST = 4000
"""Characters that a note or a review may have."""

Setting = float | tuple[float, ...]
"""One number, or one for each hour of the person's day."""


@dataclass(frozen=True)
class Change:
    """A proposed change of settings (in the type's own units) and notes (by section); `status` is open, approved or rejected."""

    seq: int
    by: str
    at: Time
    why: str
    settings: Mapping[str, Setting]
    notes: Mapping[str, str]
    status: str = "open"
    decided_by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Review:
    """What somebody of the care team says of a stretch of time."""

    seq: int
    by: str
    at: Time
    since: Time
    until: Time
    text: str


@dataclass(frozen=True)
class Plan:
    """What is in force, by which change each part of it came, and all changes and reviews in order."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    reviews: tuple[Review, ...] = ()

    @property
    def open(self) -> tuple[Change, ...]:
        """Return the changes that wait for a decision."""
        return tuple(change for change in self.changes if change.status == "open")


def fold(facts: Iterable[Fact]) -> Plan:
    """Return the plan that facts of `KINDS` make, in order."""
    changes: dict[int, Change] = {}
    settings: dict[str, Setting] = {}
    notes: dict[str, str] = {}
    since: dict[str, int] = {}
    reviews = []
    for fact in facts:
        if fact.kind == PROPOSED:
            changes[fact.seq] = _change(fact)
        elif fact.kind == REVIEWED:
            body = fact.body
            reviews.append(Review(fact.seq, fact.by, fact.true_at, body["since"], body["until"], str(body["text"])))
        else:
            change = changes[int(fact.body["change"])]
            changes[change.seq] = decided = _decided(change, fact)
            if decided.status == "approved":
                settings |= decided.settings
                notes |= decided.notes
                since |= dict.fromkeys([*decided.settings, *decided.notes], decided.seq)
    kept = {section: text for section, text in notes.items() if text}
    return Plan(settings, kept, since, tuple(changes.values()), tuple(reviews))


def _change(fact: Fact) -> Change:
    body = fact.body
    settings = {name: tuple(v) if isinstance(v, list | tuple) else float(v) for name, v in body["settings"].items()}
    return Change(fact.seq, fact.by, fact.true_at, str(body["why"]), settings, dict(body["notes"]))


def _decided(change: Change, fact: Fact) -> Change:
    return Change(
        change.seq, change.by, change.at, change.why, change.settings, change.notes, str(fact.body["verdict"]), fact.by,
        str(fact.body["note"]),
    )  # fmt: skip


def propose(twin: Twin, settings: Mapping[str, Any], notes: Mapping[str, str], why: str) -> Change:
    """Put a change of the plan before those who decide; a note that is empty takes its section away."""
    _require(twin, "propose")
    if not settings and not notes:
        raise BadInput("a change of the plan names at least one setting or note")
    said = {name: _accepted(twin.type, name, value) for name, value in settings.items()}
    for section, text in notes.items():
        if not section or len(text) > LONGEST:
            raise BadInput(f"a note has a section and at most {LONGEST} characters", field=section or "notes")
    fact = _say(twin, PROPOSED, {"settings": said, "notes": dict(notes), "why": why})
    assert fact is not None
    return _found(twin, fact.seq)


def _accepted(twin_type: TwinType, name: str, value: Any) -> float | list[float]:
    """Return a setting in the type's own unit; refuse what cannot be one."""
    if name not in twin_type.settings:
        raise unknown("setting", name, twin_type.settings)
    port = twin_type.settings[name]
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if len(values) not in (1, HOURS):
        raise BadInput(f"{len(values)} values; a setting has one, or one for each of {HOURS} hours", field=name)
    for one in values:
        number = isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
        if not number or not port.low <= one <= port.high:
            raise BadInput(f"{one!r} is not a number from {port.low:g} to {port.high:g} {port.unit}", field=name)
    return float(values[0]) if len(values) == 1 else [float(one) for one in values]


def decide(twin: Twin, seq: int, approve: bool, note: str) -> Change:
    """Approve or reject an open change, once."""
    _require(twin, "act")
    change = _found(twin, seq)
    body = {"change": seq, "verdict": "approved" if approve else "rejected", "note": note}
    if change.status != "open" or _say(twin, DECIDED, body, (seq,), f"plan|{seq}") is None:
        raise Refused(f"change {seq} of the plan is {_found(twin, seq).status}, not open")
    return _found(twin, seq)


def review(twin: Twin, text: str, since: Time, until: Time) -> Review:
    """Put on record what one makes of a stretch of time."""
    _require(twin, "propose")
    if not text.strip() or len(text) > LONGEST or since >= until:
        raise BadInput(f"a review has a text of at most {LONGEST} characters, and a stretch of time that it is about")
    _say(twin, REVIEWED, {"text": text.strip(), "since": since, "until": until})
    return twin.bank.plan(twin.id).reviews[-1]


def _require(twin: Twin, verb: str) -> None:
    """Ask the gate; an act on a plan has no amount to hold against a bound."""
    twin.bank.gate.require(twin.actor, verb, twin.id, PLAN, twin.purpose, 0.0)


def _found(twin: Twin, seq: int) -> Change:
    found = next((change for change in twin.bank.plan(twin.id).changes if change.seq == seq), None)
    if found is None:
        raise NotFound(f"the plan of {twin.id} has no change {seq}")
    return found


def _say(
    twin: Twin, kind: str, body: Mapping[str, Any], cause: tuple[int, ...] = (), key: str | None = None
) -> Fact | None:
    draft = Draft(twin.id, kind, body, twin.bank.now(), twin.actor, cause, key=key)
    return next(iter(twin.bank.append([draft]).facts), None)
