"""Why: the walk from a fact back along its causes, as far as the reader may see, down to readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gemel.bank.sentence import sentence
from gemel.errors import NotFound, Refused
from gemel.facts import Fact, iso

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

DEPTH, SIZE = 12, 200
"""How many causes deep, and how many facts in all, a walk goes."""


@dataclass(frozen=True)
class Because:
    """A fact, what it says, and what it follows from; `more` causes are withheld, told above, or too far away."""

    fact: Fact
    text: str
    causes: tuple[Because, ...] = ()
    more: int = 0

    def body(self) -> dict[str, Any]:
        """Return the tree as JSON types."""
        fact = self.fact
        return {
            "seq": fact.seq, "kind": fact.kind, "at": fact.true_at, "by": fact.by, "text": self.text,
            "causes": [cause.body() for cause in self.causes], "more": self.more,
        }  # fmt: skip


def walk(twin: Twin, seq: int, depth: int = DEPTH, size: int = SIZE) -> Because:
    """Return why fact *seq* is there; each fact is told once, so that no circle is walked twice."""
    return _because(twin, twin.why(seq), depth, {seq}, size)


def _because(twin: Twin, fact: Fact, depth: int, told: set[int], size: int) -> Because:
    found: list[Because] = []
    for seq in dict.fromkeys(fact.cause):
        if depth > 0 and seq not in told and len(told) < size:
            told.add(seq)
            try:
                found.append(_because(twin, twin.why(seq), depth - 1, told, size))
            except (Refused, NotFound):
                continue
    more = len(set(fact.cause)) - len(found)
    return Because(fact, sentence(fact, twin.type), tuple(found), more)


def told(tree: Because) -> str:
    """Return the tree as indented lines, one fact each."""
    return "\n".join(_lines(tree, 0))


def _lines(tree: Because, indent: int) -> Iterator[str]:
    fact = tree.fact
    yield f"{'  ' * indent}{fact.seq:>6}  {iso(fact.true_at)}  {fact.by}: {tree.text}"
    for cause in tree.causes:
        yield from _lines(cause, indent + 1)
    if tree.more:
        yield f"{'  ' * (indent + 1)}     …  {tree.more} more, told above or not shown to you"
