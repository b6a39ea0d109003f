"""The step from drafts to rows: places, times, duplicates, keys and the tree; it stores nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gemel.errors import BadInput, Refused, Unavailable
from gemel.facts import Fact, Time
from gemel.thread.codec import nonces, seal
from gemel.thread.commit import Ticket
from gemel.thread.keys import Keys, SubjectKey
from gemel.thread.merkle import Node, Tree
from gemel.thread.row import Row


@dataclass(frozen=True)
class Head:
    """How far a thread is: how many facts, when the last became known, and the peaks of the tree."""

    size: int = 0
    known_at: Time = -(1 << 63)
    peaks: tuple[bytes, ...] = ()


@dataclass
class Entry:
    """What one commit writes."""

    head: Head
    rows: list[Row] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


Marks = set[tuple[str, bytes]]
Held = Callable[[Marks], Marks]
"""Which (twin, mark) of some are stored already."""


def compose(
    tickets: Sequence[Ticket], head: Head, keys: Keys, held: Held | None, known: Callable[[str], bool]
) -> Entry:
    """Return the rows to write for all tickets that can be; set `error` on the others.

    *known* says whether a twin has facts: a key is made only for one that has none. Without *held*, no mark is asked
    about: whoever stores the rows has an index that finds out, and then composes again.
    """
    subjects = _subjects(tickets, head, keys, known)
    good = [ticket for ticket in tickets if ticket.error is None]
    marks = _marks(good, subjects)
    return _write(good, marks, _seen(good, marks, held), head, subjects)


def _seen(tickets: Iterable[Ticket], marks: Iterable[bytes | None], held: Held | None) -> Marks:
    if held is None:
        return set()
    drafts = (draft for ticket in tickets for draft in ticket.drafts)
    asked = {(draft.twin, mark) for draft, mark in zip(drafts, marks, strict=True) if mark}
    return held(asked) if asked else set()


def _subjects(tickets: Sequence[Ticket], head: Head, keys: Keys, known: Callable[[str], bool]) -> dict[str, SubjectKey]:
    """Return the keys of all subjects, made where need be."""
    subjects: dict[str, SubjectKey] = {}
    new: dict[str, None] = {}
    for ticket in tickets:
        try:
            _check_place(ticket, head, tickets[0])
            for i, draft in enumerate(ticket.drafts):
                if draft.cause and max(draft.cause) > head.size + (0 if ticket.after is None else i):
                    raise BadInput(f"cause {max(draft.cause)} is not stored; the thread has {head.size} facts")
                if draft.twin not in subjects and draft.twin not in new:
                    _admit(draft.twin, subjects, new, keys, known)
        except (BadInput, Refused, Unavailable) as error:
            ticket.error = error
    keys.create(new)
    made = {twin: key for twin in new if (key := keys.subject(twin)) is not None}
    return subjects | made


def _check_place(ticket: Ticket, head: Head, first: Ticket) -> None:
    if ticket.after is not None and (ticket.after != head.size or ticket is not first):
        raise Unavailable(f"the thread goes on after fact {head.size} by now, not after {ticket.after}; try again")


def _admit(
    twin: str, subjects: dict[str, SubjectKey], new: dict[str, None], keys: Keys, known: Callable[[str], bool]
) -> None:
    key = keys.subject(twin)
    if key is not None:
        subjects[twin] = key
    elif keys.erased(twin):
        raise Refused(f"{twin} was erased; nothing can be added to it")
    elif known(twin):
        raise Unavailable(f"the key of {twin} is missing; put the keys back from a copy")
    else:
        new[twin] = None


def _marks(tickets: Iterable[Ticket], subjects: dict[str, SubjectKey]) -> list[bytes | None]:
    drafts = (draft for ticket in tickets for draft in ticket.drafts)
    return [subjects[draft.twin].mark(draft.key) if draft.key else None for draft in drafts]


def _write(
    tickets: Sequence[Ticket],
    marks: Sequence[bytes | None],
    seen: Marks,
    head: Head,
    subjects: dict[str, SubjectKey],
) -> Entry:
    tree, known_at, entry = Tree(head.size, head.peaks), head.known_at, Entry(head)
    drawn, rows, facts = iter(zip(marks, nonces(len(marks)), strict=True)), entry.rows, entry.facts
    for ticket in tickets:
        known_at, first = max(known_at, ticket.now), len(facts)
        for draft in ticket.drafts:
            (mark, nonce), twin, seq = next(drawn), draft.twin, tree.size + 1
            if mark:
                if (twin, mark) in seen:
                    continue
                seen.add((twin, mark))
            row = seal(draft, seq, known_at, mark, subjects[twin], nonce)
            entry.nodes += tree.add(row.leaf)
            rows.append(row)
            facts.append(Fact(twin, draft.kind, draft.body, draft.true_at, known_at, draft.by, draft.cause, seq))
        ticket.facts = tuple(facts[first:])
        ticket.duplicates = len(ticket.drafts) - len(ticket.facts)
    if entry.rows:
        entry.head = Head(tree.size, entry.rows[-1].known_at, tuple(tree.peaks))
    return entry
