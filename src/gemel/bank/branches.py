"""Branches: forks that are kept as facts, each of the twin or of another fork, and rebuilt exactly when they are opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gemel.bank.fork import Fork
from gemel.errors import BadInput, NotFound, Refused, unknown
from gemel.facts import MINUTE, Draft, Fact, Time, iso

if TYPE_CHECKING:
    from gemel.bank.bank import Bank
    from gemel.bank.replica import Replica
    from gemel.bank.twin import Twin

FORKED, UNFORKED = "forked/1", "unforked/1"


@dataclass(frozen=True)
class Branch:
    """A fork that is kept: when it left the twin, what was known then (to fact `known`), what it supposes, its own forks."""

    name: str
    at: Time
    known: int
    scenario: str | None
    values: Mapping[str, float]
    by: str
    fact: int
    parent: int | None = None
    children: tuple[Branch, ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the branch and all below it as JSON types."""
        own = {name: getattr(self, name) for name in ("name", "at", "known", "scenario", "by", "fact", "parent")}
        return {**own, "values": dict(self.values), "forks": [child.body() for child in self.children]}

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:g}" for name, value in self.values.items())
        supposes = "as usual" if self.scenario is None else self.scenario + (f" ({values})" if values else "")
        below = [f"  {line}" for child in self.children for line in str(child).splitlines()]
        return "\n".join([f"{self.name}  {supposes}, from {iso(self.at)}, {self.by}", *below])


def keep(
    twin: Twin, name: str, scenario: str | None, values: Mapping[str, float], parent: str | None, now: Time | None
) -> Branch:
    """Keep a fork of the twin as of now, or of the fork *parent* at its moment, under one of the type's scenarios."""
    _admit(twin)
    held, bank = _held(twin.bank, twin.id), twin.bank
    if not name.strip() or any(one.name == name and one.by == twin.actor for one in held.values()):
        raise BadInput(f"{name!r} cannot name another fork of yours: drop the one there is first", field="name")
    above = None if parent is None else _find(held, parent, twin.actor)
    at = above.at if above else (bank.now() if now is None else now) // MINUTE * MINUTE
    known = above.known if above else _last(bank, twin.id)
    _supposed(twin, at, scenario, values)
    body = {
        "name": name, "at": at, "known": known, "scenario": scenario, "values": dict(values),
        "parent": above.fact if above else None,
    }  # fmt: skip
    cause = (above.fact,) if above else ()
    return _branch(bank.append([Draft(twin.id, FORKED, body, bank.now(), twin.actor, cause)]).facts[0])


def _last(bank: Bank, id: str) -> int:
    return next(fact.seq for fact in bank.thread.read(id, reverse=True, limit=1))


def _admit(twin: Twin) -> None:
    twin.bank.gate.require(twin.actor, "fork", twin.id, "*", twin.purpose)


def _branch(fact: Fact) -> Branch:
    body = fact.body
    scenario = None if body["scenario"] is None else str(body["scenario"])
    values = {str(name): float(value) for name, value in body["values"].items()}
    return Branch(
        str(body["name"]), int(body["at"]), int(body["known"]), scenario, values, fact.by, fact.seq, body["parent"]
    )


def _held(bank: Bank, id: str) -> dict[int, Branch]:
    """Return the forks that were not dropped, nor any they are forks of."""
    held: dict[int, Branch] = {}
    for fact in bank.thread.read(id, kinds=[FORKED, UNFORKED]):
        if fact.kind == FORKED and (fact.body["parent"] is None or fact.body["parent"] in held):
            held[fact.seq] = _branch(fact)
        elif fact.kind == UNFORKED:
            gone = {int(fact.body["fork"])}
            for seq, one in held.items():
                gone |= {seq} if one.parent in gone else set()
            held = {seq: one for seq, one in held.items() if seq not in gone}
    return held


def tree(twin: Twin) -> tuple[Branch, ...]:
    """Return the forks of a twin, each with its own forks."""
    _admit(twin)
    held = _held(twin.bank, twin.id)

    def below(parent: int | None) -> tuple[Branch, ...]:
        return tuple(
            Branch(**{**vars(one), "children": below(one.fact)}) for one in held.values() if one.parent == parent
        )

    return below(None)


def _find(held: Mapping[int, Branch], name: str, actor: str) -> Branch:
    """Return the actor's own fork of that name, or else the only one."""
    named = [one for one in held.values() if one.name == name]
    own = [one for one in named if one.by == actor]
    if not own and len(named) != 1:
        raise unknown("fork", name, sorted({one.name for one in held.values()}))
    return (own or named)[0]


def reopen(twin: Twin, name: str) -> Fork:
    """Return the fork as it was when it was kept: the same past, known then, the same noise, the same suppositions."""
    _admit(twin)
    held = _held(twin.bank, twin.id)
    branch = _find(held, name, twin.actor)
    line = [branch]
    while line[-1].parent is not None:
        line.append(held[line[-1].parent])
    replica = twin.bank.beliefs.replica_known_by(twin.id, None, branch.known)
    made = leave(replica, name, branch.at, lambda signal: _require(twin, signal))
    for one in reversed(line):
        if one.scenario is not None:
            made = made.suppose(made.type.scenarios[one.scenario].fill(one.values))
    return made


def _require(twin: Twin, signal: str) -> None:
    twin.bank.gate.require(twin.actor, "fork", twin.id, signal, twin.purpose)


def leave(replica: Replica, name: str, at: Time, admit: Callable[[str], object]) -> Fork:
    """Return the fork that leaves a replica at a moment."""
    own = replica.during(at)
    last = own.belief(at)
    if last is None:
        raise NotFound(f"nothing is known of {own.id} yet: import a record or connect a stream")
    belief = own.forward(last, at // MINUTE * MINUTE)
    return Fork(name, own.id, own.type, belief, own.usual, own.rates(at), own.seed, admit)


def drop(twin: Twin, name: str) -> None:
    """Drop a fork, and with it all forks of it; whoever made it may, and who holds the twin's keys."""
    _admit(twin)
    branch = _find(_held(twin.bank, twin.id), name, twin.actor)
    if twin.actor != branch.by and not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not drop {name!r} of {twin.id}: {branch.by} made it")
    body = {"fork": branch.fact, "name": name}
    twin.bank.append([Draft(twin.id, UNFORKED, body, twin.bank.now(), twin.actor, (branch.fact,))])


def _supposed(twin: Twin, at: Time, scenario: str | None, values: Mapping[str, float]) -> None:
    forms = twin.bank.type_of(twin.id, at).scenarios
    if scenario is not None and scenario not in forms:
        raise unknown("scenario", scenario, forms)
    if scenario is not None:
        forms[scenario].fill(values)
    elif values:
        raise BadInput("values without a scenario suppose nothing", field="values")
