"""The index: what the last facts say of every twin, in arrays, in memory only, and in step with the thread."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gemel.bank.beliefs import Tell, quiet
from gemel.bank.index_columns import NEVER, Column, Latest, Ordered
from gemel.bank.index_edges import RELATED, UNRELATED, Edges
from gemel.bank.intake import HAPPENED
from gemel.bank.lineage import RETYPED, spans
from gemel.bank.statistics import SUMMARISED, parts_in
from gemel.dynamics import Array
from gemel.facts import HOUSE, Fact, Time
from gemel.thread import Light, Thread

TOLD_EVERY = 20_000
GONE = -1
"""The type of a place whose twin was erased, or not yet made."""
Told = Fact | Light


class Index:
    """Twins by place: type, attributes, last values, when last seen, open alerts, relations.

    It is built from the thread when first asked, and hears of what is appended from then on. `fresh` brings it up to the
    last fact, so that whoever appended finds what they wrote. Nothing of it is written anywhere.
    """

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self.lock = threading.RLock()
        self._empty()

    def _empty(self) -> None:
        self.seq, self.built = 0, False
        self.ids: list[str] = []
        self.places: dict[str, int] = {}
        self.type_names: list[str] = []
        self.types = Column(np.int16, GONE)
        self.seen = Column(np.int64, NEVER)
        self.signals: dict[str, Latest] = {}
        self.attributes: dict[str, Column] = {}
        self.alerts: dict[str, set[int]] = {}
        self.named: dict[str, array[int]] = {}
        self.order, self.edges = Ordered(), Edges()
        self._withdrawn: set[tuple[int, str]] = set()
        self._doubtful: set[tuple[int, str]] = set()
        self._take: dict[str, Callable[[int, Told], None]] = {
            "created/1": self._created, RETYPED: self._retyped, "observed/1": self._observed, "acted/1": self._acted,
            HAPPENED: self._happened,
            "retracted/1": self._retracted, "alert/1": self._alert, SUMMARISED: self._summarised,
            "granted/1": self._named, "entrusted/1": self._named, "broke_glass/1": self._broke,
            RELATED: self._related, UNRELATED: self._related,
        }  # fmt: skip

    def fresh(self, tell: Tell = quiet) -> Index:
        """Return the index, in step with the last fact of the thread."""
        with self.lock:
            if not self.built:
                self._build(tell)
            self._apply(self._thread.read(after_seq=self.seq))
            for place, name in sorted(self._doubtful):
                self._read_again(place, name)
            self._doubtful.clear()
            return self

    def _build(self, tell: Tell) -> None:
        last = next((fact.seq for fact in self._thread.read(reverse=True, limit=1)), 0)
        self._thread.subscribe(self._heard)
        self._apply(_told(self._thread.skim(list(self._take)), last, tell))
        self.seq, self.built = max(self.seq, last), True

    def _heard(self, facts: Sequence[Fact]) -> None:
        """Take in what follows at once; where somebody is reading or a gap is left, the next who asks reads it."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            if self.built and facts[0].seq <= self.seq + 1:
                self._apply(fact for fact in facts if fact.seq > self.seq)
        finally:
            self.lock.release()

    def _apply(self, facts: Iterable[Told]) -> None:
        takes, places = self._take, self.places
        for fact in facts:
            take, twin = takes.get(fact.kind), fact.twin
            if take is not None and twin != HOUSE:
                place = places.get(twin)
                take(self._place(twin) if place is None else place, fact)
            self.seq = fact.seq

    def _place(self, twin: str) -> int:
        place = self.places[twin] = len(self.ids)
        self.ids.append(twin)
        return place

    # what facts say

    def _created(self, place: int, fact: Told) -> None:
        self._typed(place, str(fact.body["type"]))
        self.order.add(fact.twin, place)
        self._mention(str(fact.body["holder"]), place)
        for attribute, value in fact.body["attributes"].items():
            if attribute not in self.attributes:
                self.attributes[attribute] = Column(np.float64, np.nan)
            self.attributes[attribute][place] = float(value)

    def _retyped(self, place: int, fact: Told) -> None:
        """Say of which type a twin is now; a retyping may have rolled another back."""
        said = list(self._thread.read(fact.twin, kinds=["created/1", RETYPED]))
        if said:
            self._typed(place, spans(said[0], said[1:])[-1].name)

    def _typed(self, place: int, name: str) -> None:
        if name not in self.type_names:
            self.type_names.append(name)
        self.types[place] = self.type_names.index(name)

    def _observed(self, place: int, fact: Told) -> None:
        body = fact.body
        if self._withdrawn and (place, str(body.get("key"))) in self._withdrawn:
            return
        name = body["name"]
        column = self.signals.get(name)
        if column is None:
            column = self.signals[name] = Latest()
        column.take(place, float(body["value"]), fact.true_at)
        self._acted(place, fact)

    def _summarised(self, place: int, fact: Told) -> None:
        """Take the last of readings that were thinned."""
        column = self.signals.setdefault(str(fact.body["name"]), Latest())
        for part in parts_in(fact):
            if (place, part.key) not in self._withdrawn:
                column.take(place, part.last, part.last_at)
                self.seen[place] = max(self.seen[place], part.last_at)

    def _acted(self, place: int, fact: Told) -> None:
        if fact.true_at > self.seen[place]:
            self.seen[place] = fact.true_at

    def _happened(self, place: int, fact: Told) -> None:
        if not self._withdrawn or (place, str(fact.body.get("key"))) not in self._withdrawn:
            self._acted(place, fact)

    def _retracted(self, place: int, fact: Told) -> None:
        self._withdrawn.add((place, str(fact.body["key"])))
        self._doubtful.add((place, str(fact.body["name"])))

    def _alert(self, place: int, fact: Told) -> None:
        open_ = self.alerts.setdefault(str(fact.body["name"]), set())
        (open_.add if fact.body["active"] else open_.discard)(place)

    def _named(self, place: int, fact: Told) -> None:
        self._mention(str(fact.body["to"]), place)

    def _broke(self, place: int, fact: Told) -> None:
        self._mention(fact.by, place)

    def _related(self, place: int, fact: Told) -> None:
        if not self._thread.erased(str(fact.body["other"])):
            self.edges.take(fact)

    def _mention(self, actor: str, place: int) -> None:
        if actor not in self.named:
            self.named[actor] = array("q")
        self.named[actor].append(place)

    def _read_again(self, place: int, name: str) -> None:
        """Fold one signal of one twin anew: a reading of it was withdrawn."""
        if name in self.signals:
            self.signals[name].clear(place)
        self.seen[place] = NEVER
        for fact in self._thread.read(self.ids[place], kinds=["observed/1", "acted/1", HAPPENED, SUMMARISED]):
            if fact.kind == SUMMARISED:
                self._summarised(place, fact)
            elif (place, str(fact.body.get("key"))) not in self._withdrawn:
                if fact.kind == "observed/1" and fact.body["name"] == name:
                    self._observed(place, fact)
                self._acted(place, fact)

    # what is asked of it

    @property
    def size(self) -> int:
        """Return how many places there are."""
        return len(self.ids)

    def is_twin(self, name: str) -> bool:
        """Return whether there is a twin of that name."""
        place = self.places.get(name)
        return place is not None and self.types[place] != GONE

    def type_at(self, place: int) -> str:
        """Return the name of a twin's type."""
        return self.type_names[int(self.types[place])]

    def of_type(self, name: str) -> Array:
        """Return which places are twins of a type (`"*"`: of any)."""
        types = self.types.upto(self.size)
        if name == "*":
            return np.asarray(types != GONE)
        return np.asarray(types == (self.type_names.index(name) if name in self.type_names else GONE - 1))

    def alerting(self, name: str) -> Array:
        """Return which places have an open alert of that name (`"*"`: of any)."""
        found = np.zeros(self.size, bool)
        for alert, places in self.alerts.items():
            if name in ("*", alert):
                found[list(places)] = True
        return found

    def naming(self, actor: str) -> Array:
        """Return which places have a fact that may have opened something to *actor*: nothing else can.

        Keys given, grants and broken glass; what they open is for the gate to say.
        """
        found = np.zeros(self.size, bool)
        found[np.asarray(self.named.get(actor, ()), np.int64)] = True
        return found

    def forget(self, id: str) -> None:
        """Let go of all that is held of a twin."""
        with self.lock:
            self.edges.forget(id)
            place = self.places.pop(id, None)
            if place is None:
                return
            self.ids[place], self.types[place], self.seen[place] = "", GONE, NEVER
            self.order.drop(id)
            for column in self.signals.values():
                column.clear(place)
            for attribute in self.attributes.values():
                attribute[place] = np.nan
            for alerts in self.alerts.values():
                alerts.discard(place)
            self._withdrawn = {one for one in self._withdrawn if one[0] != place}
            self._doubtful = {one for one in self._doubtful if one[0] != place}


def _told(facts: Iterable[Told], last: Time, tell: Tell) -> Iterable[Told]:
    for i, fact in enumerate(facts):
        if i % TOLD_EVERY == 0:
            tell("indexing the twins", fact.seq, last)
        yield fact
    tell("indexing the twins", last, last)
