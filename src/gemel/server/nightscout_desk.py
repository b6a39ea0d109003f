"""What the Nightscout addresses share: documents read and written as one actor, all through the gate and the intake."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gemel.bank.tail import Tail
from gemel.errors import BadInput
from gemel.facts import DAY, Draft, Time
from gemel.server.asker import Asker
from gemel.server.desk import Desk
from gemel.server.errors import Turned
from gemel.server.nightscout_auth import Doorkeeper
from gemel.server.nightscout_intake import Change, basal, check, told
from gemel.server.nightscout_shelf import COLLECTIONS, KIND, NAMES, Doc, Shelf, moment, rates, version
from gemel.server.nightscout_shelf import told as words

STATUSES = 300
"""How many device statuses are remembered of a twin, in memory: a day of them."""

MOST = 1000
"""Documents in one request."""

DEEPEST = 30
LONGEST = 256 * 1024
"""Bytes of a document: one with a whole profile in it has some ten thousand."""


@dataclass(frozen=True)
class Put:
    """What became of one document: how it is kept, whether it is new or changed, or why it cannot be used."""

    doc: Doc
    created: bool
    changed: bool
    problem: BadInput | None = None
    old: Doc | None = None

    @property
    def gone(self) -> bool:
        """Return whether it was deleted before: then it stays so."""
        return self.old is not None and self.old["isValid"] is False and not self.changed


class Documents:
    """The documents of all twins, always in step with the thread; device statuses in memory alone."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.keeper = desk, Doorkeeper(desk.entry)
        self._tail = Tail(desk.bank.thread, (KIND,))
        self._shelves: dict[str, Shelf] = {}
        self._statuses: dict[str, deque[Doc]] = {}
        self._lock = threading.RLock()
        desk.bank.forgetting.append(self.forget)

    def forget(self, twin: str) -> None:
        """Forget what is held of a twin."""
        self._tail.forget(twin)
        with self._lock:
            self._shelves.pop(twin, None)
            self._statuses.pop(twin, None)

    def shelf(self, twin: str) -> Shelf:
        """Return what is known of a twin."""
        facts = self._tail.of(twin)
        with self._lock:
            shelf = self._shelves.setdefault(twin, Shelf())
            shelf.fold(facts[shelf.seen :])
            return shelf

    # reading

    def all(self, asker: Asker, twin: str, collection: str, deleted: bool = False) -> list[Doc]:
        """Return the documents of a collection, if the asker may read what they speak of."""
        self._may(asker, "read", twin, known(collection))
        if collection == "devicestatus":
            return list(self._statuses.get(twin, ()))
        found = self.shelf(twin).docs[collection].values()
        return [doc for doc in found if deleted or doc["isValid"]]

    def one(self, asker: Asker, twin: str, collection: str, name: str) -> Doc | None:
        """Return one document, deleted or not, None where there is none."""
        held = self.all(asker, twin, collection, deleted=True)
        return next((doc for doc in held if name in (doc["identifier"], doc["_id"])), None)

    def held(self, asker: Asker, twin: str, collection: str) -> list[Doc]:
        """Return the documents of a collection to one who may write some of what they speak of."""
        self._admit(asker, twin, known(collection), [])
        return list(self.shelf(twin).docs[collection].values())

    def _may(self, asker: Asker, verb: str, twin: str, collection: str) -> None:
        for name in NAMES[collection]:
            self.desk.bank.gate.require(asker.actor, verb, twin, name, asker.purpose)

    def may(self, asker: Asker, verb: str, twin: str, collection: str) -> bool:
        """Return whether the asker might do that, on record nowhere."""
        gate = self.desk.bank.gate
        may = [gate.decide(asker.actor, verb, twin, name, asker.purpose).allowed for name in NAMES[collection]]
        return verb in asker.scopes and (any(may) if verb == "write" else all(may))

    # writing

    def put(self, asker: Asker, twin: str, collection: str, docs: Sequence[Any], revive: bool = False) -> list[Put]:
        """Write documents, each as a new one or a new version; what cannot be used is told, the others are written.

        What was deleted stays so, or, if *revive*, is there again.
        """
        if len(docs) > MOST:
            raise Turned(413, "bad_input", f"a request has at most {MOST} documents: send them in parts")
        with self._lock:
            if known(collection) == "devicestatus":
                return self._status(asker, twin, docs)
            shelf, now = self.shelf(twin), self.desk.bank.now()
            puts: list[Put] = []
            held: dict[str, Put] = {}
            for doc in docs:
                put = self._weigh(twin, shelf, collection, doc, asker, max(now, shelf.modified + 1), held, revive)
                puts.append(put)
                held = held | {str(put.doc["identifier"]): put} if put.problem is None else held
            self._write(asker, twin, collection, shelf, [put for put in puts if put.changed], now)
        self._tell(twin, asker.actor, puts)
        return puts

    def _weigh(
        self, twin: str, shelf: Shelf, collection: str, doc: Any, asker: Asker, now: Time, held: dict[str, Put],
        revive: bool,
    ) -> Put:  # fmt: skip
        """Return what is to become of a document; *held* are those before it in the same request."""
        try:
            plain(doc)
            at = moment(doc, collection, self.desk.bank.now())
            old = shelf.same(collection, doc, at)
            new = version(doc, old, collection, at, now, asker.actor)
            before = held.get(str(new["identifier"]))
            if before is not None and words(before.doc) == words(new):
                return Put(before.doc, False, False)
            gone = old is not None and old["isValid"] is False and not (revive and new["isValid"])
            if old is not None and (gone or words(old) == words(new)):
                return Put(old, False, False, old=old)
            check(self.desk.bank, twin, shelf, collection, new, self.desk.bank.now())
            return Put(new, old is None, True, old=old)
        except BadInput as problem:
            return Put({"identifier": ""}, False, False, problem)

    def _write(self, asker: Asker, twin: str, collection: str, shelf: Shelf, puts: Sequence[Put], now: Time) -> None:
        """Write versions, with the readings and doses they make, in one append; ask the gate for each name first."""
        bank, changes = self.desk.bank, [Change(collection, put.old, put.doc) for put in puts]
        facts = told(bank, twin, shelf, changes, asker.actor, now)
        self._admit(asker, twin, collection, facts)
        if not puts:
            return
        kept = [
            Draft(twin, KIND, {"collection": collection, "doc": put.doc}, int(put.doc["date"]), asker.actor,
                  key=f"{KIND}|{collection}|{put.doc['identifier']}|{put.doc['srvModified']}")
            for put in puts
        ]  # fmt: skip
        bank.append([*kept, *facts])
        if bank.gate.decide(asker.actor, "write", twin, "basal", asker.purpose).allowed:
            times = [int(put.doc["date"]) for put in puts if collection == "treatments" and rates(put.doc)]
            rate = basal(bank, twin, self.shelf(twin), min([*times, now - DAY]), asker.actor, now)
            if rate:
                self._admit(asker, twin, collection, rate)
                bank.append(rate)

    def _admit(self, asker: Asker, twin: str, collection: str, facts: Sequence[Draft]) -> None:
        names = sorted({str(fact.body["name"]) for fact in facts})
        if names:
            self.desk.admit(asker, twin, names)
        else:
            self.desk.bank.gate.require_one(asker.actor, "write", twin, NAMES[collection], asker.purpose)

    def _status(self, asker: Asker, twin: str, docs: Sequence[Any]) -> list[Put]:
        self.desk.bank.gate.require_one(asker.actor, "write", twin, NAMES["devicestatus"], asker.purpose)
        held, now, puts = self._statuses.setdefault(twin, deque(maxlen=STATUSES)), self.desk.bank.now(), list[Put]()
        for doc in docs:
            plain(doc)
            made = version(doc, None, "devicestatus", moment(doc, "devicestatus", now), now, asker.actor)
            fresh = all(one["identifier"] != made["identifier"] for one in held)
            held += [made] if fresh else []
            puts.append(Put(made, fresh, fresh))
        return puts

    def drop(self, asker: Asker, twin: str, collection: str, name: str) -> Put | None:
        """Mark a document as deleted and take back what it said; None where there is none."""
        with self._lock:
            old = self.shelf(twin).find(collection, name) if known(collection) in self.shelf(twin).docs else None
            if old is None:
                self._admit(asker, twin, collection, [])
                return None
            return self.put(asker, twin, collection, [{**old, "isValid": False}])[0]

    def _tell(self, twin: str, actor: str, puts: Sequence[Put]) -> None:
        """Put on record that something an app sent cannot be used, or that it can again."""
        problem = next((put.problem for put in puts if put.problem is not None), None)
        if puts:
            self.desk.loop.unusable(twin, actor, problem)


def plain(doc: Any) -> None:
    """Raise `BadInput` unless *doc* is an object that can be kept: finite numbers, proper text, not too long."""
    if not isinstance(doc, dict):
        raise BadInput(f"a document is an object, not {type(doc).__name__}")
    try:
        size = len(json.dumps(doc, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise BadInput("a document has finite numbers and proper text, not too deep") from None
    if size > LONGEST:
        raise BadInput(f"a document has at most {LONGEST} bytes; this one has {size}")
    _within(doc)


def _within(value: Any, depth: int = 0) -> None:
    if isinstance(value, (dict, list)):
        if depth > DEEPEST:
            raise BadInput(f"a document has at most {DEEPEST} levels")
        for inner in value.values() if isinstance(value, dict) else value:
            _within(inner, depth + 1)
    elif isinstance(value, int) and abs(value) >= 2**53:
        raise BadInput("a document has numbers of 53 bits at most")


def known(collection: str) -> str:
    """Return the name of a collection; raise 404 for one that Nightscout does not have."""
    if collection not in COLLECTIONS:
        raise Turned(404, "not_found", f"there is no collection {collection[:40]!r}")
    return collection
