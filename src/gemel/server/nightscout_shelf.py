"""The documents that apps put at a twin's Nightscout address, folded from its facts: the latest version of each."""

from __future__ import annotations

import hashlib
import json
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.errors import BadInput
from gemel.facts import Fact, Time, iso
from gemel.streams import Place
from gemel.streams.nightscout_basal import SUSPENDED, SWITCH, TEMPORARY
from gemel.streams.nightscout_docs import Document, document_of, time_of

KIND = "nightscout/1"
Doc = dict[str, Any]
PLACE = "nightscout/"
"""How the place of what apps said begins."""

COLLECTIONS = ("devicestatus", "entries", "food", "profile", "settings", "treatments")
NAMES: Mapping[str, tuple[str, ...]] = {
    "entries": ("glucose",), "treatments": ("bolus", "carbs", "basal"), "profile": ("basal",),
    "devicestatus": ("glucose", "bolus", "carbs", "basal"), "food": ("carbs",), "settings": ("glucose",),
}  # fmt: skip
"""What somebody has to be allowed to read to see a collection."""

_IDS = ("identifier", "_id", "syncIdentifier", "id", "uuid", "NSCLIENT_ID")
_OURS = ("identifier", "_id", "srvCreated", "srvModified", "subject", "modifiedBy", "mills", "sysTime")
_AMOUNTS = ("insulin", "carbs", "absolute", "rate", "percent", "glucose", "enteredinsulin", "profile")


def place(collection: str) -> Place:
    """Return where a document was said."""
    return Place(f"{PLACE}{collection}", 1)


def document(doc: Mapping[str, Any], collection: str) -> Document:
    """Return a document as the reader of Nightscout's records knows it."""
    return document_of(doc, place(collection))


def moment(doc: Mapping[str, Any], collection: str, now: Time) -> Time:
    """Return when a document's event was; profiles and settings that do not say hold from now on."""
    try:
        return time_of(document(doc, collection), None)
    except BadInput:
        if collection in ("profile", "settings", "food", "devicestatus") and not any(
            n in doc for n in ("date", "created_at")
        ):
            return now
        raise


def short(text: str) -> str:
    """Return an id of 24 hex digits, as Nightscout's database makes them, the same for the same text."""
    known = text.lower()
    is_one = len(known) == 24 and all(c in "0123456789abcdef" for c in known)
    return known if is_one else hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]


def named(doc: Mapping[str, Any]) -> str | None:
    """Return the name that the app gave a document, None if it gave none."""
    for name in _IDS:
        found = doc.get(name)
        if isinstance(found, dict):
            found = found.get("$oid")
        if isinstance(found, str) and found.strip():
            return found
    if doc.get("pumpId") is not None:
        return "|".join(str(doc.get(name, "")) for name in ("pumpType", "pumpSerial", "pumpId", "eventType"))
    return None


def event_of(doc: Mapping[str, Any], collection: str, at: Time) -> tuple[object, ...]:
    """Return what makes two documents without a name one: an entry's time and type, a treatment's time, type and amounts."""
    if collection == "entries":
        return collection, at, str(doc.get("type", "sgv"))
    if collection == "treatments":
        return collection, at, str(doc.get("eventType", "")), *(str(doc.get(name)) for name in _AMOUNTS)
    return collection, at, str(doc.get("device", doc.get("defaultProfile", "")))


def told(doc: Mapping[str, Any]) -> str:
    """Return what a document says, without what we add to it."""
    return json.dumps({k: v for k, v in doc.items() if k not in (*_OURS, *_IDS)}, sort_keys=True, default=str)


def rates(doc: Mapping[str, Any]) -> bool:
    """Return whether a treatment bears on the basal rate."""
    return str(doc.get("eventType", "")) in (*TEMPORARY, *SUSPENDED, SWITCH)


@dataclass
class Shelf:
    """What is known of one twin: documents by collection and name, and what is looked up often."""

    seen: int = 0
    docs: dict[str, dict[str, Doc]] = field(default_factory=lambda: {name: {} for name in COLLECTIONS})
    alias: dict[str, str] = field(default_factory=dict)
    events: dict[tuple[object, ...], str] = field(default_factory=dict)
    rated: list[tuple[Time, str]] = field(default_factory=list)
    modified: Time = 0
    last: Time | None = None

    def fold(self, facts: Iterable[Fact]) -> None:
        """Take in facts that were not folded yet."""
        for fact in facts:
            self.put(str(fact.body["collection"]), dict(fact.body["doc"]))
            self.seen += 1

    def put(self, collection: str, doc: Doc) -> None:
        """Take in one version of a document."""
        name, at = str(doc["identifier"]), int(doc["date"])
        old = self.docs[collection].get(name)
        if old is not None:
            self.events.pop(event_of(old, collection, int(old["date"])), None)
        self.docs[collection][name] = doc
        self.alias[str(doc["_id"])] = name
        self.events[event_of(doc, collection, at)] = name
        self.modified = max(self.modified, int(doc["srvModified"]))
        if collection == "treatments" and rates(doc) and (at, name) not in self.rated[-500:]:
            insort(self.rated, (at, name))
        if collection in ("entries", "treatments"):
            self.last = at if self.last is None else max(self.last, at)

    def find(self, collection: str, name: str) -> Doc | None:
        """Return a document by its identifier or `_id`, deleted ones included."""
        held = self.docs[collection]
        return held.get(name) or held.get(self.alias.get(name, ""))

    def same(self, collection: str, doc: Mapping[str, Any], at: Time) -> Doc | None:
        """Return the document that *doc* is another version, or a copy, of."""
        name = named(doc)
        found = None if name is None else self.find(collection, name) or self.find(collection, short(name))
        if found is None:
            twin = self.docs[collection].get(self.events.get(event_of(doc, collection, at), ""))
            found = twin if twin is not None and (name is None or not twin.get("named", True)) else None
        return found


def version(doc: Mapping[str, Any], old: Doc | None, collection: str, at: Time, now: Time, by: str) -> Doc:
    """Return *doc* as it is kept: with its names, its moment, when and by whom it was made and changed."""
    name = named(doc)
    known = str(old["identifier"]) if old is not None else name or short(repr(event_of(doc, collection, at)))
    kept = {key: value for key, value in doc.items() if key not in _OURS}
    made = {"srvCreated": now, "subject": by} if old is None else {"srvCreated": old["srvCreated"], "subject": old["subject"],
                                                                  "modifiedBy": by}  # fmt: skip
    own = {
        "identifier": known, "_id": short(known), "date": at, "created_at": str(doc.get("created_at") or iso(at)),
        "srvModified": now, "isValid": doc.get("isValid") is not False, "named": name is not None,
    }  # fmt: skip
    if collection == "entries":
        own |= {"type": doc.get("type", "sgv"), "dateString": str(doc.get("dateString") or iso(at))}
    return {**kept, **own, **made}


def shown(doc: Doc) -> Doc:
    """Return a document as apps are given it."""
    extra = {"mills": doc["date"]} | ({"sysTime": doc["dateString"]} if "dateString" in doc else {})
    return {key: value for key, value in doc.items() if key != "named"} | extra
