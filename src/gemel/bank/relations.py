"""Relations between twins, and between twins and people, as facts; and a graph to ask along them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gemel.bank.index_edges import RELATED, UNRELATED
from gemel.bank.query import ANY, Condition, Hop, Query, Step, condition, relation
from gemel.bank.search import Asked, Page, search
from gemel.errors import BadInput
from gemel.facts import Draft, Fact, Time

if TYPE_CHECKING:
    from gemel.bank.bank import Bank


@dataclass(frozen=True)
class Related:
    """A relation of a twin at some moment, as said: to whom, since when, until when, with which attributes."""

    name: str
    other: str
    since: Time
    until: Time | None = None
    attributes: Mapping[str, Any] | None = None


def relate(
    bank: Bank, id: str, name: str, other: str, *, by: str, purpose: str, since: Time | None = None,
    until: Time | None = None, attributes: Mapping[str, Any] | None = None,
) -> Fact:  # fmt: skip
    """Say that a twin stands in a relation to another twin or an actor, from *since* (now) on; asks the gate to write."""
    began = bank.now() if since is None else since
    if until is not None and until <= began:
        raise BadInput(f"a relation that begins at {began} cannot end at {until}", field="until")
    body = {
        "name": _checked(bank, id, name, other),
        "other": other,
        "attributes": dict(attributes or {}),
        "until": until,
    }
    return _say(bank, Draft(id, RELATED, body, began, by), purpose)


def unrelate(
    bank: Bank, id: str, name: str, other: str, *, by: str, purpose: str, at: Time | None = None
) -> Fact:  # fmt: skip
    """Say that a relation ended at *at* (now); asks the gate to write."""
    body = {"name": _checked(bank, id, name, other), "other": other}
    return _say(bank, Draft(id, UNRELATED, body, bank.now() if at is None else at, by), purpose)


def _checked(bank: Bank, id: str, name: str, other: str) -> str:
    if not other or other == id:
        raise BadInput(f"{id} cannot stand in the relation {name} to {other or 'nobody'}", field="other")
    return relation(name)


def _say(bank: Bank, draft: Draft, purpose: str) -> Fact:
    bank.gate.require(draft.by, "write", draft.twin, str(draft.body["name"]), purpose)
    return bank.append([draft]).facts[0]


def related(
    bank: Bank, id: str, *, by: str, purpose: str, at: Time | None = None, known_by: Time | None = None
) -> list[Related]:
    """Return what is said of a twin's own relations at a moment, of those that the asker may read."""
    moment = bank.now() if at is None else at
    last: dict[tuple[str, str], Fact] = {}
    for fact in bank.thread.read(id, kinds=[RELATED, UNRELATED], true_until=moment + 1, known_by=known_by):
        key = str(fact.body["name"]), str(fact.body["other"])
        if key not in last or (last[key].true_at, last[key].seq) <= (fact.true_at, fact.seq):
            last[key] = fact
    holding = [f for f in last.values() if f.kind == RELATED and (f.body["until"] is None or moment < f.body["until"])]
    seen = [f for f in holding if bank.gate.decide(by, "read", id, str(f.body["name"]), purpose).allowed]
    if seen:
        bank.gate.record(by, "read", purpose, [
            (id, name, bank.gate.decide(by, "read", id, name, purpose)) for name in sorted({str(f.body["name"]) for f in seen})
        ])  # fmt: skip
    return [Related(f.body["name"], f.body["other"], f.true_at, f.body["until"], f.body["attributes"]) for f in seen]


@dataclass(frozen=True)
class Graph:
    """A question that is put together piece by piece; it is asked when it is gone through.

    bank.graph(by="sarah", purpose="service").all("batch").on("on_board").of("vessel").where(alert="reefer")
    """

    bank: Bank
    by: str
    purpose: str
    query: Query = field(default_factory=lambda: Query((Step(),)))
    at: Time | None = None
    known_by: Time | None = None

    def all(self, type: str = ANY) -> Graph:
        """Begin with all twins of a type."""
        return replace(self, query=Query((Step(type),)))

    def on(self, name: str, *, reverse: bool = False, many: bool = False) -> Graph:
        """Go on along a relation, to twins of any type; `of` says of which."""
        hops = (*self.query.hops, Hop(name, reverse, many))
        return replace(self, query=Query((*self.query.steps, Step()), hops))

    def of(self, type: str) -> Graph:
        """Say of which type those are that one has come to."""
        steps = self.query.steps
        return replace(self, query=replace(self.query, steps=(*steps[:-1], replace(steps[-1], type=type))))

    def where(self, *conditions: str | Condition, **equal: object) -> Graph:
        """Say what must be so of them: `where("glucose>180", alert="low")`."""
        made = [one if isinstance(one, Condition) else condition(one) for one in conditions]
        made += [Condition(name, "=", str(value)) for name, value in equal.items()]
        return replace(self, query=self.query.where(*made))

    def as_of(self, at: Time | None = None, known_by: Time | None = None) -> Graph:
        """Ask about a past moment, or as it was known at one."""
        return replace(self, at=at, known_by=known_by)

    def page(self, limit: int = 50, cursor: str | None = None) -> Page:
        """Return some of the first step's twins, by name, and where to go on."""
        return search(self.bank, Asked(self.query, self.by, self.purpose, "id", self.at, self.known_by), limit, cursor)

    def __iter__(self) -> Iterator[str]:
        page = self.page()
        while True:
            yield from page.ids
            if page.cursor is None:
                return
            page = self.page(cursor=page.cursor)
