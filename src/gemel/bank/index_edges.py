"""Edges of the index: every statement that was made of a relation, so that any past moment can be asked about."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from gemel.facts import Fact, Time
from gemel.thread import Light

RELATED, UNRELATED = "related/1", "unrelated/1"

INVERSE = {
    "has_part": "part_of", "has_member": "member_of", "contains": "located_in", "carries": "on_board",
    "cared_for_by": "cares_for", "bought_by": "bought", "made_into": "made_from", "supplied_by": "supplies",
    "used_by": "uses", "owned_by": "owns",
}  # fmt: skip
"""From the name of a relation to the name of the same relation seen from the other end."""


def canonical(name: str, reverse: bool = False) -> tuple[str, bool]:
    """Return under which name a relation is kept, and whether it is to be followed backwards."""
    return (INVERSE[name], not reverse) if name in INVERSE else (name, reverse)


@dataclass(frozen=True, order=True, slots=True)
class Statement:
    """That a relation began at `true_at`, to end at `until`, or (`holds` false) that it ended."""

    true_at: Time
    seq: int
    known_at: Time
    holds: bool
    until: Time | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation from one name to another, as said of `owner` under the name `said`."""

    source: str
    target: str
    owner: str
    said: str


class Edges:
    """All relations, by name and end."""

    def __init__(self) -> None:
        self._said: dict[Edge, list[Statement]] = {}
        self._from: dict[tuple[str, str], list[Edge]] = {}
        self._to: dict[tuple[str, str], list[Edge]] = {}
        self.relations: set[str] = set()

    def take(self, fact: Fact | Light) -> None:
        """Take in a fact that says or ends a relation."""
        edge, name = _edge(fact)
        if edge not in self._said:
            self._said[edge] = []
            self._from.setdefault((name, edge.source), []).append(edge)
            self._to.setdefault((name, edge.target), []).append(edge)
            self.relations.add(name)
        until = fact.body.get("until")
        insort(self._said[edge], Statement(fact.true_at, fact.seq, fact.known_at, fact.kind == RELATED, until))

    def of(
        self, node: str, relation: str, reverse: bool, at: Time, known_by: Time | None = None
    ) -> Iterator[tuple[str, Edge]]:
        """Yield who is at the other end of the relation at *at*, as known by *known_by*, with the edge."""
        name, back = canonical(relation, reverse)
        for edge in (self._to if back else self._from).get((name, node), ()):
            if _holds(self._said[edge], at, known_by):
                yield (edge.source if back else edge.target), edge

    def touching(self, node: str) -> set[Edge]:
        """Return every edge at either end of a name."""
        return {
            edge for name in self.relations for ends in (self._from, self._to) for edge in ends.get((name, node), ())
        }

    def ends(self) -> set[str]:
        """Return everybody who is at an end of some relation."""
        return {end for edge in self._said for end in (edge.source, edge.target)}

    def forget(self, node: str) -> None:
        """Let go of every relation of a name."""
        for edge in self.touching(node):
            name, _ = canonical(edge.said)
            del self._said[edge]
            for ends, end in ((self._from, edge.source), (self._to, edge.target)):
                ends[name, end].remove(edge)
                if not ends[name, end]:
                    del ends[name, end]

    def __len__(self) -> int:
        return len(self._said)


def _edge(fact: Fact | Light) -> tuple[Edge, str]:
    said, other = str(fact.body["name"]), str(fact.body["other"])
    name, back = canonical(said)
    source, target = (other, fact.twin) if back else (fact.twin, other)
    return Edge(source, target, fact.twin, said), name


def _holds(said: list[Statement], at: Time, known_by: Time | None) -> bool:
    """Return what the last statement about a moment says of it."""
    last = None
    for one in said:
        if one.true_at > at:
            break
        if known_by is None or one.known_at <= known_by:
            last = one
    return last is not None and last.holds and (last.until is None or at < last.until)
