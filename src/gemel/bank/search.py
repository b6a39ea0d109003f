"""The catalogue and the graph: which twins an asker may find by what is so of them and of those they stand in relation to.

Whoever asks finds a twin only if they may read every field that the query names, of that twin and of every twin on some
path that the query follows, and the relations on it; a relation is a field of the twin it was said of. Twins they may not
see are left out before anything is counted or cut into pages, so that neither totals nor cursors tell of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.bank.beliefs import Tell, quiet
from gemel.bank.index_columns import NEVER
from gemel.bank.index_edges import Edge
from gemel.bank.moment import Present, Ready, Then, column, ready
from gemel.bank.query import ACTOR, ANY, Hop, Query
from gemel.consent import ALL, Decision
from gemel.dynamics import Array
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import Time

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

NAME = "id"
"""What is read, and put on record, of a twin of which a query names no field: that it is there."""

LONGEST = 1000
"""Twins that one page may hold."""

AT_ONCE = 64
"""Twins whose rights are read together."""


@dataclass(frozen=True)
class Found:
    """A twin (or actor) that was asked for, its type, and the last values of the fields that the query named."""

    id: str
    type: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Some of what was found, and where to go on; no cursor: this was all."""

    found: tuple[Found, ...]
    cursor: str | None = None

    @property
    def ids(self) -> list[str]:
        """Return the names found."""
        return [one.id for one in self.found]


@dataclass(frozen=True)
class Asked:
    """A query by somebody for a purpose, of a moment; `sort` is `id` or a field, `-` before it turns it round."""

    query: Query
    by: str
    purpose: str
    sort: str = "id"
    at: Time | None = None
    known_by: Time | None = None
    verb: str = "read"

    @property
    def key(self) -> str:
        """Return what a cursor must have been made for."""
        text = json.dumps([str(self.query), self.by, self.purpose, self.sort, self.at, self.known_by])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def search(bank: Bank, asked: Asked, limit: int, cursor: str | None, tell: Tell = quiet) -> Page:
    """Return at most *limit* twins after the cursor, and put on record whose fields were read."""
    if not 1 <= limit <= LONGEST:
        raise BadInput(f"limit {limit} is not between 1 and {LONGEST}", field="limit")
    finder = Finder(bank, asked, tell)
    names = list(islice(finder.find(_opened(cursor, asked.key)), limit + 1))
    shown = names[:limit]
    finder.record(shown)
    found = tuple(finder.described(name) for name in shown)
    return Page(found, _closed(asked.key, finder.place_of(shown[-1])) if len(names) > limit else None)


Place = tuple[float | None, str]
"""Where a page ended: the value that it is sorted by, if there is one, and the name."""


def _closed(key: str, place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, *place]).encode()).decode().rstrip("=")


def _opened(cursor: str | None, key: str) -> Place | None:
    if cursor is None:
        return None
    try:
        made_for, value, name = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value = None if value is None else float(value)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise BadInput(f"{cursor!r:.40} is not a cursor; ask again from the beginning", field="cursor") from None
    if made_for != key or not isinstance(name, str):
        raise BadInput("the cursor was made for another question; ask again from the beginning", field="cursor")
    return value, name


class Finder:
    """Finds what one query asks for; it remembers what the gate said while it is about it."""

    def __init__(self, bank: Bank, asked: Asked, tell: Tell = quiet) -> None:
        self._bank, self._asked = bank, asked
        self._index = bank.index.fresh(tell)
        self._at = bank.now() if asked.at is None else asked.at
        self._steps = [ready(step, bank.types, self._at) for step in asked.query.steps]
        self._last = len(self._steps) - 1
        self._sort, self._down = asked.sort.lstrip("-"), asked.sort.startswith("-")
        self._check_sort()
        past = asked.at is not None or asked.known_by is not None
        self._then = Then(bank.thread, self._at, asked.known_by) if past else None
        with self._index.lock:
            self._masks = None if past else [Present(self._index).mask(step) for step in self._steps]
        self._decided: dict[tuple[str, str], Decision] = {}
        self._leads: dict[tuple[int, str], bool] = {}
        self._way: dict[tuple[int, str], tuple[str, tuple[tuple[str, Edge], ...]]] = {}

    def _check_sort(self) -> None:
        first, name = self._asked.query.steps[0], self._sort
        if name == "id":
            if self._down:
                raise BadInput("names are sorted from a to z only", field="sort")
            return
        known = {"seen"} if first.type not in self._bank.types else self._fields_of(first.type)
        if name not in known:
            raise unknown("field to sort by", name, known | {"id"})
        if self._asked.at is not None or self._asked.known_by is not None:
            raise BadInput("twins of a past moment come by id; sorting by a value is for now", field="sort")

    def _fields_of(self, type_name: str) -> set[str]:
        twin_type = self._bank.types[type_name]
        return {"seen", *twin_type.signals, *twin_type.attributes}

    # who comes, in which order

    def takes(self, name: str) -> bool:
        """Return whether one twin is found."""
        return self._index.is_twin(name) and self._leads_on(0, name)

    def find(self, after: Place | None) -> Iterator[str]:
        """Yield the names found after a place, in order, those that the asker may not see left out."""
        names, own = iter(self._candidates(after)), self._steps[0].step.type != ACTOR
        while page := list(islice(names, AT_ONCE)):
            if own:
                self._bank.rights.warm(page)
            yield from (name for name in page if self._leads_on(0, name))

    def _candidates(self, after: Place | None) -> Iterable[str]:
        name = None if after is None else after[1]
        if self._steps[0].step.type == ACTOR:
            return self._actors(name)
        with self._index.lock:
            places = self._index.order.places()
            later = len(places) - len(self._index.order.places(name))
            wanted = self._wanted()
            chosen = wanted[places]
            if self._sort == "id":
                return self._names(places[later:][chosen[later:]])
            values = column(self._index, self._sort)[places]
        return self._by_value(places, values, chosen & ~np.isnan(values), after, later)

    def _wanted(self) -> Array:
        """Return which places may be found at all: the gate can open them, they pass, and somebody leads on from them."""
        index = self._index
        mine = index.naming(self._asked.by)
        if self._masks is None:
            first = self._steps[0].step.type
            return np.asarray(mine & index.of_type(first))
        mask = _fitting(self._masks[0], index.size)
        leading = self._leading()
        if leading is not None:
            held = [place for name in leading if (place := index.places.get(name)) is not None]
            only = np.zeros(index.size, bool)
            only[held] = True
            mask = mask & only
        return np.asarray(mine & mask)

    def _leading(self) -> set[str] | None:
        """Return who leads to the last step, where that is the quicker way to begin; None: look at everybody."""
        assert self._masks is not None
        if not self._asked.query.hops or self._steps[-1].step.type in (ACTOR, ANY):
            return None
        ends = np.flatnonzero(self._masks[-1])
        if len(ends) > max(int(self._masks[0].sum()), 1):
            return None
        current = {self._index.ids[place] for place in ends}
        for hop in reversed(self._asked.query.hops):
            back = Hop(hop.relation, not hop.reverse, hop.many)
            current = {other for name in current for other in self._all(name, back)}
        return current

    def _all(self, name: str, hop: Hop) -> set[str]:
        """Return everybody a hop leads to, whoever may see it."""
        found: set[str] = set()
        border = [name]
        while border:
            ends = {other for one in border for other, _ in self._edges(one, hop)}
            border = [*(ends - found)] if hop.many else []
            found |= ends
        return found

    def _actors(self, after: str | None) -> Iterable[str]:
        with self._index.lock:
            names = sorted(name for name in self._index.edges.ends() if not self._index.is_twin(name))
        return [name for name in names if after is None or name > after]

    def _names(self, places: Array) -> Iterator[str]:
        ids = self._index.ids
        return (ids[place] for place in places)

    def _by_value(self, places: Array, values: Array, chosen: Array, after: Place | None, later: int) -> Iterator[str]:
        """Yield names in order of value, those of one value by name; the first are sorted first, and the rest if asked."""
        keys = -values if self._down else values
        if after is not None and after[0] is not None:
            last = -after[0] if self._down else after[0]
            chosen = chosen & ((keys > last) | ((keys == last) & (np.arange(len(keys)) >= later)))
        rest, size = np.flatnonzero(chosen), 256
        while len(rest):
            edge = np.partition(keys[rest], size - 1)[size - 1] if len(rest) > size else np.inf
            near = rest[keys[rest] <= edge]
            yield from self._names(places[near[np.argsort(keys[near], kind="stable")]])
            rest, size = rest[keys[rest] > edge], size * 4

    # what is so of whom, and who may know

    def _leads_on(self, i: int, name: str) -> bool:
        known = self._leads.get((i, name))
        if known is None:
            known = self._leads[i, name] = self._takes(i, name) and self._may_see(i, name) and self._goes_on(i, name)
        return known

    def _goes_on(self, i: int, name: str) -> bool:
        if i == self._last:
            return True
        for other, trail in self._reached(name, self._asked.query.hops[i]):
            if self._leads_on(i + 1, other):
                self._way[i, name] = other, trail
                return True
        return False

    def _takes(self, i: int, name: str) -> bool:
        """Return whether a step takes somebody, whoever asks."""
        step, index = self._steps[i], self._index
        if not index.is_twin(name):
            return self._takes_actor(step, name)
        place = index.places[name]
        if self._masks is not None:
            return place < len(self._masks[i]) and bool(self._masks[i][place])
        wanted = step.tests(index.type_at(place))
        if wanted is None or self._then is None or not self._known(name):
            return False
        attributes = {key: float(held[place]) for key, held in index.attributes.items()}
        return self._then.passes(name, wanted, attributes)

    def _takes_actor(self, step: Ready, name: str) -> bool:
        own = all(condition.name == "id" for condition in step.step.where)
        if step.step.type not in (ACTOR, ANY) or not own:
            return False
        return all((name == t.value) == (t.operator == "=") if t.operator != "~" else t.value in name
                   for t in step.tests(step.step.type) or ())  # fmt: skip

    def _known(self, name: str) -> bool:
        known_by = self._asked.known_by
        return known_by is None or self._bank.created(name).known_at <= known_by

    def _may_see(self, i: int, name: str) -> bool:
        """Return whether the asker may read of a twin what the step reads; of one that reads nothing, that it is there."""
        if not self._index.is_twin(name):
            return True
        fields = self._fields(i, name)
        if fields:
            return all(self._decision(name, field).allowed for field in fields)
        return self._visible(name)

    def _fields(self, i: int, name: str) -> list[str]:
        fields = [*self._steps[i].fields(self._index.type_at(self._index.places[name]))]
        if i == 0 and self._sort != "id":
            fields.append(ALL if self._sort == "seen" else self._sort)
        return list(dict.fromkeys(fields))

    def _decision(self, name: str, field: str) -> Decision:
        if (name, field) not in self._decided:
            gate, asked = self._bank.gate, self._asked
            try:
                found = gate.decide(asked.by, asked.verb, name, field, asked.purpose)
            except NotFound:  # erased meanwhile, by another process
                found = Decision(False, f"there is no twin {name}")
            self._decided[name, field] = found
        return self._decided[name, field]

    def _visible(self, name: str) -> bool:
        """Return whether the asker may do anything at all of what they are about with a twin."""
        if (name, NAME) not in self._decided:
            try:
                named = self._bank.gate.rights(name).named(self._asked.by)
            except NotFound:
                named = ()
            fields = [ALL, *(field for grant in named for field in grant.signals)]
            found = next((d for field in dict.fromkeys(fields) if (d := self._decision(name, field)).allowed), None)
            self._decided[name, NAME] = found or self._decision(name, ALL)
        return self._decided[name, NAME].allowed

    def _reached(self, name: str, hop: Hop) -> Iterator[tuple[str, tuple[tuple[str, Edge], ...]]]:
        """Yield who is reached by a hop along relations that the asker may read, and over twins they may see."""
        border: list[tuple[str, tuple[tuple[str, Edge], ...]]] = [(name, ())]
        met: set[str] = set()
        while border:
            near, border = border, []
            for one, trail in near:
                for other, edge in self._edges(one, hop):
                    if other in met or not self._decision(edge.owner, edge.said).allowed:
                        continue
                    met.add(other)
                    longer = (*trail, (other, edge))
                    yield other, longer
                    if hop.many and (not self._index.is_twin(other) or self._visible(other)):
                        border.append((other, longer))

    def _edges(self, name: str, hop: Hop) -> list[tuple[str, Edge]]:
        with self._index.lock:
            found = self._index.edges.of(name, hop.relation, hop.reverse, self._at, self._asked.known_by)
            return list(found)

    # what is said of it

    def described(self, name: str) -> Found:
        """Return a name with the values that the query read of it."""
        if not self._index.is_twin(name):
            return Found(name, ACTOR)
        place = self._index.places[name]
        kind = self._index.type_at(place)
        read = {t.name for t in self._steps[0].tests(kind) or () if t.kind in ("signal", "attribute")}
        if self._sort not in ("id", "seen"):
            read.add(self._sort)
        return Found(name, kind, {} if self._then else {name: self._value(place, kind, name) for name in sorted(read)})

    def _value(self, place: int, kind: str, name: str) -> dict[str, Any]:
        index, twin_type = self._index, self._bank.types[kind]
        if name in twin_type.signals:
            held = index.signals[name]
            at = int(held.at[place])
            return {
                "value": float(held.values[place]),
                "unit": twin_type.signals[name].unit,
                "at": None if at == NEVER else at,
            }
        return {"value": float(index.attributes[name][place]), "unit": twin_type.attributes[name].unit}

    def place_of(self, name: str) -> Place:
        """Return where a page that ends with this name ends."""
        if self._sort == "id":
            return None, name
        return float(column(self._index, self._sort)[self._index.places[name]]), name

    def record(self, names: Sequence[str]) -> None:
        """Put on record what was read: of those shown, and of all on the way that was found from each."""
        read = dict.fromkeys(pair for name in names for pair in self._read(name))
        gate, asked = self._bank.gate, self._asked
        gate.record(
            asked.by, "read", asked.purpose, [(twin, field, self._decision(twin, field)) for twin, field in read]
        )

    def _read(self, name: str) -> Iterator[tuple[str, str]]:
        for i in range(self._last + 1):
            if self._index.is_twin(name):
                yield from ((name, field) for field in self._fields(i, name) or [NAME])
            if i < self._last:
                name, trail = self._way[i, name]
                yield from ((edge.owner, edge.said) for _, edge in trail)


def _fitting(mask: Array, size: int) -> Array:
    """Return a mask as long as *size*: twins made since are left for the next who asks."""
    found = np.zeros(size, bool)
    found[: len(mask)] = mask
    return found
