"""Lineage: which version of which type a twin was, and when; history is folded with the version of its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gemel.bank.catalogue import makers
from gemel.bank.migration import Migration
from gemel.errors import Unavailable, unknown
from gemel.facts import MINUTE, Draft, Fact, Time
from gemel.thread import Thread
from gemel.twintype import TwinType

RETYPED = "retyped/1"
DEFINED = "defined/1"
"""A type that was made from data, and of what. It may name people: so each of its twins says it, sealed by its own key."""


@dataclass(frozen=True)
class Span:
    """From when on a twin is of a version of a type, and what became of its state; the first has no migration."""

    since: Time
    name: str
    hash: str
    migration: Migration | None = None
    seq: int = 0


def spans(created: Fact, retyped: Iterable[Fact]) -> tuple[Span, ...]:
    """Return the spans that a twin's belief is folded through; a retyping that was rolled back has left no trace."""
    stack: list[tuple[Span, ...]] = [(Span(0, str(created.body["type"]), str(created.body["hash"])),)]
    for fact in retyped:
        if fact.body.get("rolls_back") is not None:
            del stack[max(1, len(stack) - 1) :]
            continue
        migration, to = Migration.from_body(fact.body["migration"]), fact.body["to"]
        since = max(fact.true_at // MINUTE * MINUTE, stack[-1][-1].since)
        span = Span(since, str(to["name"]), str(to["hash"]), migration, fact.seq)
        stack.append((span,) if migration.anew else (*stack[-1], span))
    return stack[-1]


class Lineages:
    """The versions of types that are installed, by content hash, and the spans of each twin."""

    def __init__(
        self, thread: Thread, created: Callable[[str], Fact], types: dict[str, TwinType], older: Sequence[TwinType] = ()
    ) -> None:
        self._thread, self._created, self._types = thread, created, types
        self._older = list(older)
        self._spans: dict[str, tuple[Span, ...]] = {}
        self._made: dict[str, set[str]] = {}

    def register(self, twin_type: TwinType) -> None:
        """Add a version; the first of its name is the one that new twins are made of."""
        self._types.setdefault(twin_type.name, twin_type)
        if all(one is not twin_type for one in self._older):
            self._older.append(twin_type)

    def known(self) -> list[TwinType]:
        """Return all versions there are, those in use first."""
        return list({twin_type.hash: twin_type for twin_type in [*self._types.values(), *self._older]}.values())

    def named(self, name: str) -> TwinType:
        """Return the version in use of that name, or the version with that hash or the beginning of it."""
        if name in self._types:
            return self._types[name]
        found = [one for one in self.known() if len(name) >= 6 and one.hash.startswith(name)]
        if len(found) != 1:
            raise unknown("twin type", name, [*self._types, *(one.hash[:12] for one in self.known())])
        return found[0]

    def version(self, span: Span) -> TwinType:
        """Return the very version; raise `Unavailable` where it is not installed."""
        found = self._find(span)
        if found is None:
            there = ", ".join(f"{one.name} {one.hash[:12]}" for one in self.known() if one.name == span.name)
            raise Unavailable(
                f"this belief was folded with version {span.hash[:12]} of {span.name} which is not installed "
                f"(installed: {there or 'none of that name'}); install it, or fold the record "
                "anew: gemel retype ID --to TYPE --anew"
            )
        return found

    def has(self, span: Span) -> bool:
        """Return whether the very version is installed."""
        return self._find(span) is not None

    def _find(self, span: Span) -> TwinType | None:
        current = self._types.get(span.name)
        if current is not None and current.hash == span.hash:
            return current
        found = next((one for one in self._older if one.hash == span.hash), None)
        return found or self._define(span.hash)

    def defined(self) -> None:
        """Make the types that are on record; those whose maker is not installed are left out."""
        for fact in self._thread.read(kinds=[DEFINED]):
            self.take(fact)

    def _define(self, hash_: str) -> TwinType | None:
        """Return a type that another process put on record."""
        facts = self._thread.read(kinds=[DEFINED], reverse=True)
        return next((made for fact in facts if fact.body["hash"] == hash_ and (made := self.take(fact))), None)

    def take(self, fact: Fact) -> TwinType | None:
        """Make the type that a fact defines, and note it."""
        made = next((one for one in self._older if one.hash == fact.body["hash"]), None) or made_of(fact)
        if made is not None:
            self.note(made, fact.twin)
        return made

    def note(self, twin_type: TwinType, twin: str) -> None:
        """Note that a type was made of a twin's data; the last of a name is what new twins are made of."""
        self._types[twin_type.name] = twin_type
        self.register(twin_type)
        self._made.setdefault(twin_type.hash, set()).add(twin)

    def of(self, id: str) -> tuple[Span, ...]:
        """Return the spans of a twin, as last read from the thread."""
        if id not in self._spans:
            self.refresh(id, self._thread.read(id, kinds=[RETYPED]))
        return self._spans[id]

    def refresh(self, id: str, retyped: Iterable[Fact]) -> tuple[Span, ...]:
        """Take note of all retypings of a twin; return its spans."""
        self._spans[id] = spans(self._created(id), retyped)
        return self._spans[id]

    def type_of(self, id: str, at: Time | None = None) -> TwinType:
        """Return the type in force at a moment, or last; where its version is not installed, another of its name."""
        all_spans = self.of(id)
        span = next((one for one in reversed(all_spans) if at is None or one.since <= at), all_spans[0])
        found = self._find(span) or self._types.get(span.name)
        if found is None:
            raise unknown("twin type", span.name, self._types)
        return found

    def reread(self, id: str) -> None:
        """Let the spans of a twin be read anew."""
        self._spans.pop(id, None)

    def forget(self, id: str) -> None:
        """Forget what was read of a twin, and the types that were made of its data alone."""
        self.reread(id)
        for hash_ in [one for one, twins in self._made.items() if id in twins]:
            self._made[hash_].discard(id)
            if not self._made[hash_]:
                self._unmake(hash_)

    def _unmake(self, hash_: str) -> None:
        del self._made[hash_]
        self._older = [one for one in self._older if one.hash != hash_]
        for name in [name for name, one in self._types.items() if one.hash == hash_]:
            del self._types[name]
            self._types |= {one.name: one for one in self._older if one.name == name}


def definition(twin_type: TwinType, twin: str, by: str, now: Time) -> list[Draft]:
    """Return what puts the type of a twin on record, once, where it was made from data: any process can make it again."""
    if twin_type.spec is None:
        return []
    body = {"name": twin_type.name, "hash": twin_type.hash, "spec": dict(twin_type.spec)}
    return [Draft(twin, DEFINED, body, now, by, key=f"{DEFINED}|{twin_type.hash}")]


def made_of(fact: Fact) -> TwinType | None:
    """Return the type that a fact defines; None where its maker is not installed, or makes another of it."""
    maker = makers().get(str(fact.body["spec"].get("maker")))
    made = None if maker is None else maker(fact.body["spec"])
    return made if made is not None and made.hash == fact.body["hash"] else None
