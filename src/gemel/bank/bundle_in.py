"""Into a bank: everything of a bundle that is new, or nothing; what is here already is recognised, and may not differ.

A fact is recognised by its idempotency key or, if it has none, by what it says. Facts keep when they were true, who said
them and what they follow from; they get numbers of this bank, and become known here when they are imported. The bank's own
fact `imported/1` tells where they came from, which numbers they had there, and when they were known there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.bank.arrivals import IMPORTED, came_from
from gemel.bank.bundle import Box, opened
from gemel.bank.bundle_check import About, Told, checked
from gemel.bank.bundle_seal import Receiver
from gemel.bank.lineage import DEFINED, made_of
from gemel.consent import ALL, Rights, fold
from gemel.consent.rights import CREATED, KINDS
from gemel.errors import Refused, Unavailable, unknown
from gemel.facts import HOUSE, Draft, Fact, Time
from gemel.thread.codec import name, unseal_with_key
from gemel.thread.export import head
from gemel.thread.keys import SubjectKey

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

REFERENCES = frozenset({"proposal", "corrects", "rolls_back", "forecast"})
"""Names under which a body holds the number of another fact."""
NUMBERED = ("decided/1", "outcome/1")
"""Kinds whose idempotency key ends with the number of another fact."""
GONE = 0
"""The number of a fact that did not come along."""
TRIES = 5
SHOWN = 20
"""Conflicts that a message tells."""


@dataclass(frozen=True)
class Received:
    """What an import did, or would do: facts new and known, of which twins, from whom (public key), and remarks."""

    twins: tuple[str, ...]
    new: int
    known: int
    sender: str
    digest: str
    remarks: tuple[str, ...]


def receive(
    bank: Bank, path: Path | str, *, by: str, sender: str | None = None, receiver: Receiver | None = None,
    types: Mapping[str, str] | None = None, trial: bool = False,
) -> Received:  # fmt: skip
    """Import a bundle, whole or not at all; *trial* only says what would be done.

    *sender* insists on who signed it, *types* says which type here stands for one there that differs. Raises `Tampered`
    where it does not hold, and `Refused` where the grants do not allow it, a type is another, or facts contradict.
    """
    box = opened(Path(path), sender, receiver)
    told = checked(box)
    for about in told.contents.twins:
        _check_actor(bank, told, about, by)
    mapped = {about.id: _type(bank, told, about, types or {}) for about in told.contents.twins}
    for _ in range(TRIES - 1):
        try:
            return _Plan(bank, box, told, mapped, by).carry_out(trial)
        except Unavailable:
            continue  # others wrote meanwhile
    return _Plan(bank, box, told, mapped, by).carry_out(trial)


def _check_actor(bank: Bank, told: Told, about: About, by: str) -> None:
    if about.id.startswith(HOUSE[0]):
        raise Refused(f"{about.id} is no twin: names that begin with {HOUSE[0]} are a bank's own")
    if bank.thread.erased(about.id):
        raise Refused(f"{about.id} was erased here; nothing can be added to it")
    if by != told.contents.to and not told.rights(about.id).holds(by, bank.now()):
        raise Refused(f"{by} may not import this: it was made for {told.contents.to}")


def _type(bank: Bank, told: Told, about: About, types: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and hash of the type that takes the place of the bundle's, or None if it is known here as it is."""
    asked = types.get(about.type)
    if asked is not None:
        if asked not in bank.types:
            raise unknown("twin type", asked, bank.types)
        return asked, bank.types[asked].hash
    there = {known.hash: known.name for known in bank.lineages.known()}
    if there.get(about.hash) == about.type or _defined(told, about):
        return None
    here = ", ".join(f"{known} {hash_[:12]}" for hash_, known in sorted(there.items())) or "none"
    raise Refused(
        f"{about.id} is a {about.type} of version {about.hash[:12]}, which is not here (here: {here}); install it, or say"
        " which type is to take its place"
    )


def _defined(told: Told, about: About) -> bool:
    """Return whether the bundle brings along what its type is made of, and a maker for it is installed."""
    facts = [fact for fact in told.of(about.id) if fact.kind == DEFINED and fact.body["hash"] == about.hash]
    return any(made is not None and made.name == about.type for made in map(made_of, facts))


@dataclass
class _Known:
    """The facts of one twin that are here already."""

    by_key: dict[str, Fact] = field(default_factory=dict)
    others: dict[bytes, list[Fact]] = field(default_factory=dict)
    all: list[Fact] = field(default_factory=list)
    thinned: dict[bytes, int] = field(default_factory=dict)
    key: SubjectKey | None = None

    def without_body(self, key: str | None) -> int | None:
        """Return the place of a fact of that key that was thinned: it is here, and cannot be compared."""
        return None if key is None or self.key is None else self.thinned.get(self.key.mark(key))


@dataclass
class _Plan:
    """What is to be written, made from what is here at one moment."""

    bank: Bank
    box: Box
    told: Told
    types: Mapping[str, tuple[str, str] | None]
    by: str
    seqs: dict[int, int] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    known: int = 0

    def carry_out(self, trial: bool) -> Received:
        """Match every fact, and write those that are new in their place."""
        self.size, self.now = head(self.bank.thread)[0], self.bank.now()
        self.here = {about.id: self._known(about.id) for about in self.told.contents.twins}
        self.partial = {about.id for about in self.told.contents.twins if not about.all}
        for fact, key in self.told.facts:
            self._match(self._renumbered(fact), self._key(fact, key))
        if self.conflicts:
            raise Refused(_said(self.conflicts))
        new = len(self.drafts)
        remarks = [remark for about in self.told.contents.twins for remark in self._admit(about.id)]
        if new and not trial:
            made = self.bank.thread.append([*self.drafts, *self._records()], self.now, after=self.size)
            for fact in (fact for fact in made.facts if fact.kind == DEFINED):
                self.bank.lineages.take(fact)
        twins = tuple(about.id for about in self.told.contents.twins)
        return Received(twins, new, self.known, self.box.sender, self.box.digest, tuple(remarks))

    def _known(self, twin: str) -> _Known:
        if twin not in self.bank:
            return _Known()
        key = SubjectKey(*self.bank.thread.secrets(twin))
        known = _Known(key=key)
        for row in self.bank.thread.rows(twin):
            if not row.sealed:
                known.thinned |= {row.mark: row.seq} if row.mark else {}
            elif row.seq <= self.size:
                fact, mark = unseal_with_key(row, key)
                known.all.append(fact)
                if mark is None:
                    known.others.setdefault(_content(fact), []).append(fact)
                else:
                    known.by_key[mark] = fact
        return known

    # from there to here

    def _renumbered(self, fact: Fact) -> Fact:
        """Return a fact with the numbers of this bank, and the type that takes the place of its own."""
        body = _moved(dict(fact.body), self.seqs)
        if fact.kind == CREATED and (other := self.types[fact.twin]) is not None:
            body |= {"type": other[0], "hash": other[1]}
        cause = tuple(self.seqs[seq] for seq in fact.cause if seq in self.seqs)
        return replace(fact, body=body, cause=cause)

    def _key(self, fact: Fact, key: str | None) -> str | None:
        start, bar, last = (key or "").rpartition("|")
        if fact.kind in NUMBERED and bar and last.isdecimal():
            return f"{start}|{self.seqs.get(int(last), GONE)}"
        return key

    def _match(self, fact: Fact, key: str | None) -> None:
        """Recognise a fact, or plan to write it, or note in what it differs from the one that is here."""
        thinned = self.here[fact.twin].without_body(key)
        if thinned is not None:
            self.seqs[fact.seq] = thinned
            self.known += 1
            return
        found = _recognised(self.here[fact.twin], fact, key)
        if found is None:
            self.seqs[fact.seq] = self.size + len(self.drafts) + 1
            self.times.append(min(fact.known_at, self.now))
            self.drafts.append(Draft(fact.twin, fact.kind, fact.body, fact.true_at, fact.by, fact.cause, key))
            return
        self.seqs[fact.seq] = found.seq
        differs = list(_differences(fact, found, fact.twin in self.partial))
        if differs:
            named = f"{name(fact.seq, fact.twin, fact.kind)} of the bundle"
            self.conflicts.append(f"{named} differs from fact {found.seq} here in {', '.join(differs)}")
        self.known += 1

    # rights

    def _admit(self, twin: str) -> Iterator[str]:
        """Refuse where this actor may not add to the twin, or where rights would be open that were not; yield remarks."""
        if not any(draft.twin == twin for draft in self.drafts):
            return
        told, here, now = self.told.rights(twin), self.bank.rights.of(twin), self.now
        vouched = self._vouched(twin, here)
        if not vouched:
            self.bank.gate.require(self.by, "write", twin, ALL, self.told.contents.purpose)
        then = self._then(twin)
        holders = {*_holders(here, now), *(_holders(told, now) if vouched else ())}
        grants = _open(here, now) | (_open(told, now) if vouched else set())
        more = [f"{actor} would hold its keys" for actor in sorted(_holders(then, now) - holders)]
        more += [f"grant {id_} would be open" for id_ in sorted(_open(then, now) - grants)]
        if more:
            raise Refused(f"the rights of {twin} cannot be carried over as they are: {', '.join(more)}, and may not be")
        for id_ in sorted(_open(told, now) - _open(then, now)):
            yield f"grant {id_} of {twin} opens nothing here"

    def _vouched(self, twin: str, here: Rights) -> bool:
        """Return whether the bundle may say who has which rights: of a twin that is new, or that came from the same bank,
        or because whoever imports it holds its keys.
        """
        if not self.here[twin].all or here.holds(self.by, self.now):
            return True
        first = next((fact.seq for fact in self.here[twin].all if fact.kind == CREATED), 0)
        facts = self.bank.thread.read(HOUSE, kinds=[IMPORTED])
        told = [fact.body for fact in facts if fact.body["twin"] == twin and fact.body["sender"] == self.box.sender]
        return any(start <= first < start + count for body in told for _, start, count in body["seqs"])

    def _as_known(self, twin: str) -> bool:
        """Return whether rights follow from when facts became known there: all that is said of them comes from there."""
        said = [fact for fact in self.here[twin].all if fact.kind in KINDS]
        return came_from(said, self.bank.rights.imports(twin), self.box.sender)

    def _then(self, twin: str) -> Rights:
        """Return the rights as they would be here."""
        there = self._as_known(twin)
        made = [
            Fact(
                draft.twin, draft.kind, draft.body, draft.true_at, at if there else self.now, draft.by, draft.cause, seq
            )
            for seq, (draft, at) in enumerate(zip(self.drafts, self.times, strict=True), self.size + 1)
            if draft.twin == twin
        ]
        return fold(twin, sorted([*self.bank.rights.said(twin), *made], key=lambda fact: fact.known_at))

    # the record

    def _records(self) -> Iterator[Draft]:
        for about in self.told.contents.twins:
            facts = self.told.of(about.id)
            body = {
                "twin": about.id, "sender": self.box.sender, "digest": self.box.digest, "checkpoint": self.told.note,
                "made_at": self.told.made_at, "exported_by": self.told.contents.by, "purpose": self.told.contents.purpose,
                "whole": about.whole, "all": about.all, "facts": len(facts), "type": [about.type, about.hash],
                "seqs": _runs([(fact.seq, self.seqs[fact.seq]) for fact in facts]),
                "new": [self.size + 1, len(self.drafts)], "as_known": self._as_known(about.id),
                "known_at": [[at, len(list(same))] for at, same in groupby(fact.known_at for fact in facts)],
            }  # fmt: skip
            yield Draft(HOUSE, IMPORTED, body, self.now, self.by)


def _moved(value: Any, seqs: Mapping[int, int], field: str = "") -> Any:
    """Return a body in which the numbers of other facts are those of this bank."""
    if isinstance(value, dict):
        return {key: _moved(held, seqs, key) for key, held in value.items()}
    if isinstance(value, list):
        return [_moved(held, seqs) for held in value]
    return seqs.get(value, GONE) if field in REFERENCES and type(value) is int else value


def _recognised(known: _Known, fact: Fact, key: str | None) -> Fact | None:
    """Return the fact that is here already: that of the same key, or, each once, one that says the same without one."""
    if key is not None:
        return known.by_key.get(key)
    alike = known.others.get(_content(fact), [])
    fitting = (one for one in alike if set(fact.cause) <= set(one.cause))
    found = min(fitting, key=lambda one: len(one.cause), default=None)
    if found is not None:
        alike.remove(found)
    return found


def _content(fact: Fact) -> bytes:
    """Return what two facts without a key have in common if they are the same."""
    return msgspec.json.encode([fact.kind, fact.true_at, fact.by, _nameless(dict(fact.body))], order="sorted")


def _nameless(value: Any, field: str = "") -> Any:
    """Return a body without the numbers of other facts."""
    return _moved(value, {}, field)


def _differences(fact: Fact, found: Fact, partial: bool) -> Iterator[str]:
    """Yield in what two facts of one key differ, by names and not by values: who imports may not be allowed to read.

    Numbers of facts that did not come along may be missing.
    """
    for what in ("kind", "true_at", "by"):
        if getattr(fact, what) != getattr(found, what):
            yield what
    if not set(fact.cause) <= set(found.cause):
        yield "cause"
    hidden = {"attributes"} if partial and fact.kind == CREATED else set()
    for what in sorted({*fact.body, *found.body} - hidden):
        here, there = ({what: each.body[what]} if what in each.body else {} for each in (found, fact))
        if not _fits(there, here):
            yield f"body.{what}"


def _fits(there: Any, here: Any, field: str = "") -> bool:
    """Return whether a value of a bundle is that of a fact here."""
    if isinstance(there, dict) and isinstance(here, dict):
        return there.keys() == here.keys() and all(_fits(there[name], here[name], name) for name in there)
    if isinstance(there, list) and isinstance(here, list):
        return len(there) == len(here) and all(map(_fits, there, here))
    missing = field in REFERENCES and there == GONE
    return missing or (type(there) is type(here) and bool(there == here))


def _holders(rights: Rights, now: Time) -> set[str]:
    """Return who holds the keys now, or will."""
    return {holding.holder for holding in rights.holdings if holding.until is None or now < holding.until}


def _open(rights: Rights, now: Time) -> set[str]:
    """Return the grants that open something now."""
    ends = {grant.id: (grant.until, grant.revoked, grant.lapsed) for grant in (*rights.grants, *rights.glasses)}
    return {id_ for id_, held in ends.items() if all(end is None or now < end for end in held)}


def _runs(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return pairs of numbers as runs: the first there, the first here, how many."""
    runs: list[list[int]] = []
    for there, here in pairs:
        if runs and there == runs[-1][0] + runs[-1][2] and here == runs[-1][1] + runs[-1][2]:
            runs[-1][2] += 1
        else:
            runs.append([there, here, 1])
    return runs


def _said(conflicts: Sequence[str]) -> str:
    more = f"\nand {len(conflicts) - SHOWN} more" if len(conflicts) > SHOWN else ""
    return "nothing was imported, because facts here say otherwise:\n" + "\n".join(conflicts[:SHOWN]) + more
