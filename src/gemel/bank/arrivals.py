"""Arrivals: when imported facts became known in the bank they came from, as the house's facts `imported/1` keep it.

Only the importer writes such a fact, in one append with the facts that it tells of. It says nothing of any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gemel.facts import HOUSE, Fact, Time

IMPORTED = "imported/1"
"""That facts of a twin came from another bank: which, from whom, and when they were known there."""


def as_known_there(facts: Sequence[Fact], imports: Iterable[Fact]) -> list[Fact]:
    """Return facts with the times at which they were first known, in this order; those that did not arrive as they are."""
    told = [one for one in imports if one.twin == HOUSE and one.kind == IMPORTED and one.body.get("as_known")]
    return sorted((_first_known(fact, told) for fact in facts), key=lambda fact: fact.known_at) if told else [*facts]


def came_from(facts: Iterable[Fact], imports: Iterable[Fact], sender: str) -> bool:
    """Return whether all of the facts arrived from one bank, with their times."""
    told = [one for one in imports if one.body["sender"] == sender and one.body.get("as_known")]
    return all(any(_known(fact, one) is not None for one in told) for fact in facts)


def _first_known(fact: Fact, imports: Iterable[Fact]) -> Fact:
    found = next((at for one in imports if (at := _known(fact, one)) is not None), None)
    return fact if found is None else replace(fact, known_at=min(found, fact.known_at))


def _known(fact: Fact, imported: Fact) -> Time | None:
    """Return when the fact was known where it came from, None if it did not come in this import."""
    body = imported.body
    new, count = body["new"]
    together = new <= fact.seq < new + count <= imported.seq and fact.known_at == imported.known_at
    place = _place(body, fact.seq) if together and body["twin"] == fact.twin else None
    for at, same in body["known_at"] if place is not None else ():
        if place < same:
            return int(at)
        place -= same
    return None


def _place(body: Mapping[str, Any], seq: int) -> int | None:
    """Return which of the facts of a bundle has that number here."""
    before = 0
    for _, start, count in body["seqs"]:
        if start <= seq < start + count:
            return int(before + seq - start)
        before += count
    return None
