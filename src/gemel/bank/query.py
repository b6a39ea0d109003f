"""What may be asked of the twins of a bank, as values, text and JSON: steps with conditions, and relations between them.

    batch[temperature>8 degC, alert=none] on_board vessel[alert=reefer] part_of+ fleet

asks for batches; each must stand in the relation to some vessel, and that one, over one hop or more, to some fleet.
`~` before a relation follows it backwards. A condition compares `id`, `seen` (a time), `silent` (how long nothing came),
`alert`, a signal's last value or an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gemel.errors import BadInput

ANY = "*"
ACTOR = "actor"
"""The type of a name at an end of a relation that is no twin of the bank: a person or a stream."""

MOST = 16
"""Relations that one query may follow."""

WORD = re.compile(r"[A-Za-z][\w.-]*")
RELATION = re.compile(r"[a-z][a-z0-9_]{0,63}")
OPERATORS = (">=", "<=", "!=", "=", ">", "<", "~")
_CONDITION = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(>=|<=|!=|=|>|<|~)\s*(.+?)\s*", re.DOTALL)
_STEP = re.compile(r"\s*(\*|[A-Za-z][\w.-]*)(?:\s*\[([^\]]*)\])?")
_HOP = re.compile(r"\s+(~?)([A-Za-z]\w*)(\+?)(?=\s)")


@dataclass(frozen=True)
class Condition:
    """That *name* compares so with *value*: a number with or without a unit, a time, a word."""

    name: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise BadInput(f"{self.operator!r} compares nothing; possible: {' '.join(OPERATORS)}", field="operator")
        if not WORD.fullmatch(self.name) or not self.value or set(self.value) & set(",[]"):
            raise BadInput(f"{self.name!r} {self.operator} {self.value!r} is not a condition, such as glucose>180")

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


@dataclass(frozen=True)
class Step:
    """Twins of one type (`"*"`: of any; `"actor"`: names that are no twins) for which all conditions hold."""

    type: str = ANY
    where: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}[{', '.join(map(str, self.where))}]" if self.where else self.type


@dataclass(frozen=True)
class Hop:
    """A relation to follow: backwards if *reverse*, any number of times, at least once, if *many*."""

    relation: str
    reverse: bool = False
    many: bool = False

    def __post_init__(self) -> None:
        relation(self.relation)

    def __str__(self) -> str:
        return f"{'~' if self.reverse else ''}{self.relation}{'+' if self.many else ''}"


@dataclass(frozen=True)
class Query:
    """Which twins are asked for: those of the first step from which the hops lead through the other steps."""

    steps: tuple[Step, ...]
    hops: tuple[Hop, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) != len(self.hops) + 1:
            raise BadInput(f"{len(self.hops)} relations do not join {len(self.steps)} steps")
        if len(self.hops) > MOST:
            raise BadInput(f"{len(self.hops)} relations are too many; {MOST} may follow each other")
        if self.steps[0].type == ACTOR and not self.hops:
            raise BadInput(
                "actors are found by a relation, as in 'actor cares_for person'; on their own they are no twins"
            )

    def __str__(self) -> str:
        rest = "".join(f" {hop} {step}" for hop, step in zip(self.hops, self.steps[1:], strict=True))
        return f"{self.steps[0]}{rest}"

    def where(self, *conditions: Condition) -> Query:
        """Return the query with more conditions on its last step."""
        last = self.steps[-1]
        return replace(self, steps=(*self.steps[:-1], replace(last, where=(*last.where, *conditions))))

    def body(self) -> dict[str, Any]:
        """Return the query as JSON types."""
        return {
            "steps": [{"type": s.type, "where": [[c.name, c.operator, c.value] for c in s.where]} for s in self.steps],
            "hops": [{"relation": h.relation, "reverse": h.reverse, "many": h.many} for h in self.hops],
        }


def relation(name: str) -> str:
    """Return the name of a relation, or raise `BadInput`: small letters, digits and _, beginning with a letter."""
    if not isinstance(name, str) or not RELATION.fullmatch(name):
        raise BadInput(f"{name!r} is not the name of a relation, such as part_of or cares_for", field="relation")
    return name


def condition(text: str) -> Condition:
    """Return one condition given as text, such as `glucose>180 mg/dL`."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise BadInput(f"{text.strip()!r} is not a condition, such as glucose>180 or alert=low", field="where")
    return Condition(*found.groups())


def query(asked: str | Query | Mapping[str, Any]) -> Query:
    """Return a query given as text, as JSON, or as one already."""
    if isinstance(asked, Query):
        return asked
    return _parsed(asked) if isinstance(asked, str) else _from_body(asked)


def _parsed(text: str) -> Query:
    step, place = _step(text, 0)
    steps, hops = [step], list[Hop]()
    while text[place:].strip():
        found = _HOP.match(text, place)
        if found is None:
            raise BadInput(
                f"{text[place:].strip()!r} does not go on with a relation and a type, as in 'batch on_board vessel'"
            )
        hops.append(Hop(found[2], bool(found[1]), bool(found[3])))
        step, place = _step(text, found.end())
        steps.append(step)
    return Query(tuple(steps), tuple(hops))


def _step(text: str, place: int) -> tuple[Step, int]:
    found = _STEP.match(text, place)
    if found is None:
        raise BadInput(f"{text[place:].strip()!r} does not begin with a type of twin or *")
    inner = found[2] or ""
    return Step(found[1], tuple(condition(part) for part in inner.split(",") if part.strip())), found.end()


def _from_body(body: Mapping[str, Any]) -> Query:
    try:
        steps = tuple(Step(str(s.get("type", ANY)), _conditions(s.get("where", ()))) for s in body["steps"])
        hops = tuple(
            Hop(h["relation"], bool(h.get("reverse", False)), bool(h.get("many", False))) for h in body.get("hops", ())
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(f"{body!r:.80} is not a query: steps with type and where, hops with relation") from None
    return Query(steps, hops)


def _conditions(rows: Sequence[Sequence[Any]]) -> tuple[Condition, ...]:
    return tuple(Condition(str(name), str(operator), str(value)) for name, operator, value in rows)
