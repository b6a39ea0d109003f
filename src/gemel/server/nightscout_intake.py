"""From documents that apps send to readings and doses: what is new, what is otherwise now, what is taken back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gemel.bank import Bank
from gemel.bank.correction import ANEW, NEXT, amended, latest, revived
from gemel.bank.intake import drafts
from gemel.errors import BadInput
from gemel.facts import DAY, Draft, Time
from gemel.server.nightscout_shelf import PLACE, Doc, Shelf, document
from gemel.streams import Item, Report, checked, key_of, withdraws
from gemel.streams.basal import timeline
from gemel.streams.nightscout_basal import SWITCH, schedules, temporary
from gemel.streams.nightscout_json import items_of

BACK = "its app took it back"


@dataclass(frozen=True)
class Change:
    """One document as it was, if it was there, and as it is now."""

    collection: str
    old: Doc | None
    new: Doc


def said(shelf: Shelf, collection: str, doc: Doc | None, gone: bool = False) -> list[Item]:
    """Return what one document says by itself: all but the basal rate, which several say together.

    If it is *gone*, these are items that take back all it ever said.
    """
    if doc is None or doc["isValid"] is False or collection not in ("entries", "treatments"):
        return []
    profiles = [document(one, "profile") for one in shelf.docs["profile"].values() if one["isValid"]]
    found = items_of([*profiles, document({**doc, "isValid": not gone}, collection)], None, Report())
    return [item for item in found if item.name != "basal"]


def check(bank: Bank, twin: str, shelf: Shelf, collection: str, doc: Doc, now: Time) -> None:
    """Raise `BadInput` where a document cannot be used."""
    if doc["isValid"] is False or collection not in ("entries", "treatments", "profile"):
        return
    found = items_of([document(doc, collection)], None, Report())
    checked(said(shelf, collection, doc), bank.type_of(twin), now=now)
    checked(found, bank.type_of(twin), now=now)


def told(bank: Bank, twin: str, shelf: Shelf, changes: Sequence[Change], by: str, now: Time) -> list[Draft]:
    """Return the facts that *changes* make: readings and doses, corrections of both, and what is taken back."""
    kind = bank.type_of(twin)
    new = [item for change in changes for item in said(shelf, change.collection, change.new)]
    keys = {key_of(item) for item in new}
    before = [item for change in changes for item in said(shelf, change.collection, change.old, gone=True)]
    gone = [item for item in before if withdraws(item) not in keys]
    made = _anew(bank, twin, drafts(checked(new, kind, now=now), kind, twin, by))
    return [*made, *(draft for item in gone for draft in _back(bank, twin, withdraws(item), item.name, item.at, by))]


def _anew(bank: Bank, twin: str, made: Sequence[Draft]) -> list[Draft]:
    """Return *made*, with corrections, and anew what its app took back before and says again."""
    return revived(bank, twin, amended(bank, twin, made), BACK)


def _back(bank: Bank, twin: str, key: str, name: str, at: Time, by: str) -> list[Draft]:
    """Return the draft that takes back what stands under *key*, however often it was corrected; not what a person said."""
    replica = bank.replica(twin)
    key = latest(replica, key)
    seq = replica.standing(key)
    if seq is None or bank.thread.get(seq).body.get("why", ANEW) != ANEW:
        return []
    body = {"key": key, "name": name, "why": BACK}
    return [Draft(twin, "retracted/1", body, at, by, (seq,), f"{key}|retracted")]


def basal(bank: Bank, twin: str, shelf: Shelf, since: Time, by: str, now: Time) -> list[Draft]:
    """Return the facts that set the basal rate right from *since*, a week ago at most, until the last record.

    A record that came late may cut what was thought to hold: of what this actor said, that is taken back.
    """
    end, since = shelf.last, max(since, now - 7 * DAY)
    kind = bank.type_of(twin)
    if end is None or since > end or "basal" not in kind.levers:
        return []
    items = _line(shelf, since, end)
    doses = [dose for dose in bank.replica(twin).doses if dose[1] == "basal"]
    before = next((dose for dose in reversed(doses) if dose[0] <= since), None)
    kept = {key_of(item) for item in items}
    if items and before is not None and items[0].at == since and before[2] == items[0].value:
        items, kept = items[1:], kept | {before[3].split(NEXT)[0]}
    known = {dose[3] for dose in doses}
    new = [item for item in items if key_of(item) not in known]
    stale = [
        dose for dose in doses[bisect_left(doses, (since,)) :] if dose[0] <= end and dose[3].split(NEXT)[0] not in kept
    ]
    made = _anew(bank, twin, drafts(checked(new, kind, now=now), kind, twin, by))
    return [*made, *_stale(bank, twin, stale, by)]


def _stale(bank: Bank, twin: str, doses: Iterable[tuple[Time, str, float, str]], by: str) -> list[Draft]:
    sources, found = bank.replica(twin).sources, list[Draft]()
    for at, name, _, key in doses:
        fact = bank.thread.get(sources[key])
        if fact.by == by and str(fact.body.get("source", "")).startswith(PLACE):
            found += _back(bank, twin, key, name, at, by)
    return found


def _line(shelf: Shelf, since: Time, end: Time) -> list[Item]:
    """Return the changes of the basal rate from *since* until *end*."""
    held = shelf.docs["treatments"]
    names = dict.fromkeys(name for at, name in shelf.rated if at <= end)
    docs = [document(one, "treatments") for name in names if (one := held[name])["isValid"]]
    profiles = [document(one, "profile") for one in shelf.docs["profile"].values() if one["isValid"]]
    report = Report()
    temporaries = [
        temporary(one, None) for one in docs if one.event != SWITCH and int(one.fields["date"]) >= since - DAY
    ]
    try:
        plans = schedules(profiles, [one for one in docs if one.event == SWITCH], None, report)
    except BadInput:
        plans = []
    return list(timeline(temporaries, plans, since, end, report)) if temporaries or plans else []
