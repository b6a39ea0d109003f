"""Reaching: how somebody who is told of a twin's alerts wants to hear of it away from the page; by their own asking only.

A way is asked for, and holds once a code that was sent by it has come back: so nobody is sent to who did not agree. All of it
is facts of the twin: erasing her erases it. What a notice says away from here is nothing of her, unless that was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.bank.alerting import Notice, Told
from gemel.dynamics import ALERTS
from gemel.errors import BadInput, Refused, unknown
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time

if TYPE_CHECKING:
    from gemel.bank.bank import Bank
    from gemel.bank.twin import Twin

ASKED, CONFIRMED, ENDED, PUSHED = "reach_asked/1", "reach_confirmed/1", "reach_ended/1", "pushed/1"
KINDS = (ASKED, CONFIRMED, ENDED, PUSHED)

CODE_LASTS: Time = HOUR
MOST = 5
"""How many ways one may have at once, and may ask for within an hour."""
STALE: Time = 30 * MINUTE
"""How long after somebody was to be told it may still set out: later it is no news, and the page says it anyway."""


@dataclass(frozen=True)
class Way:
    """How *actor* is reached: a kind of way and an address; `words` says that a notice may tell what the matter is."""

    id: str
    actor: str
    purpose: str
    kind: str
    address: str = field(repr=False)
    words: bool
    digest: str = field(repr=False)
    asked_at: Time
    confirmed_at: Time | None = None


@dataclass(frozen=True)
class Reached:
    """The ways there are, and what became of each notice by each way: (notice, way)."""

    ways: tuple[Way, ...] = ()
    pushed: Mapping[tuple[int, str], Fact] = field(default_factory=dict)


def fold(facts: Iterable[Fact]) -> Reached:
    """Return what facts of `KINDS` say, in order."""
    ways: dict[str, Way] = {}
    pushed: dict[tuple[int, str], Fact] = {}
    for fact in facts:
        id = str(fact.body["way"])  # noqa: A001 a way's id
        if fact.kind == PUSHED:
            pushed[int(fact.body["notice"]), id] = fact
        elif fact.kind == ASKED:
            ways[id] = _way(fact)
        elif fact.kind == ENDED:
            ways.pop(id, None)
        elif id in ways:
            ways[id] = Way(**{**vars(ways[id]), "confirmed_at": fact.known_at})
    return Reached(tuple(ways.values()), pushed)


def _way(fact: Fact) -> Way:
    said = {name: fact.body[name] for name in ("purpose", "kind", "address", "words")}
    return Way(id=str(fact.body["way"]), actor=fact.by, digest=str(fact.body["digest"]), asked_at=fact.known_at, **said)


def reached(twin: Twin) -> Reached:
    """Return what is on record of one twin."""
    return fold(twin.bank.thread.read(twin.id, kinds=KINDS))


def own(twin: Twin) -> list[Way]:
    """Return the ways by which the twin's actor is reached."""
    return [way for way in reached(twin).ways if way.actor == twin.actor]


# what people say


def ask(
    twin: Twin, kind: str, address: str, words: bool, code: str, send: Callable[[Mapping[str, Any], str], None]
) -> Way:
    """Ask to be reached, and *send* the code by that way: it holds once the code has come back."""
    twin.bank.gate.require(twin.actor, "read", twin.id, ALERTS, twin.purpose)
    asked = twin.bank.thread.read(twin.id, kinds=[ASKED])
    lately = [one for one in asked if one.by == twin.actor and one.known_at > twin.bank.now() - CODE_LASTS]
    if len(own(twin)) >= MOST or len(lately) >= MOST:
        raise Refused(f"nobody is reached in more than {MOST} ways, or asks for more within an hour")
    id = hashlib.sha256(f"{twin.id}|{twin.actor}|{code}".encode()).hexdigest()[:12]  # noqa: A001 a way's id
    body = {
        "way": id,
        "purpose": twin.purpose,
        "kind": kind,
        "address": address,
        "words": words,
        "digest": _digest(id, code),
    }
    _say(twin, ASKED, body)
    try:
        send(greeting(code), f"{id}/code")
    except BaseException:
        _say(twin, ENDED, {"way": id, "why": "the code could not be sent"})
        raise
    return _own(twin, id)


def greeting(code: str) -> dict[str, Any]:
    """Return the message that bears a code."""
    text = f"The code is {code}. If you did not ask for it, do nothing: you will hear no more."
    return {"title": "Gemel: your code", "text": text, "severity": "info", "over": False}


def confirm(twin: Twin, way_id: str, code: str) -> Way:
    """Say the code that came: from now on the way holds."""
    way = _own(twin, way_id)
    if way.confirmed_at is not None:
        return way
    if twin.bank.now() - way.asked_at > CODE_LASTS:
        raise Refused("the code has ended: ask anew")
    if not hmac.compare_digest(_digest(way.id, code.strip().lower()), way.digest):
        raise BadInput("that is not the code", field="code")
    _say(twin, CONFIRMED, {"way": way.id})
    return _own(twin, way_id)


def end(twin: Twin, way_id: str) -> None:
    """Be reached no more in that way; who holds the keys may end anybody's."""
    ways = reached(twin).ways if twin.bank.holds(twin.actor, twin.id) else own(twin)
    if way_id not in {way.id for way in ways}:
        raise unknown("way", way_id, [way.id for way in ways])
    _say(twin, ENDED, {"way": way_id, "why": ""})


def end_all(twin: Twin, actor: str) -> None:
    """End every way of somebody: they have left the team."""
    for way in reached(twin).ways:
        if way.actor == actor:
            _say(twin, ENDED, {"way": way.id, "why": "left the team"})


def _own(twin: Twin, way_id: str) -> Way:
    ways = {way.id: way for way in own(twin)}
    if way_id not in ways:
        raise unknown("way", way_id, ways)
    return ways[way_id]


def _digest(way_id: str, code: str) -> str:
    return hashlib.sha256(f"{way_id}|{code}".encode()).hexdigest()


def _say(twin: Twin, kind: str, body: Mapping[str, Any]) -> None:
    twin.bank.append([Draft(twin.id, kind, body, twin.bank.now(), twin.actor)])


# what is sent


def due(bank: Bank, twin: str, found: Reached, now: Time) -> list[tuple[Way, Notice]]:
    """Return what is to be sent now by which way: what is news, to whom it may be told, at an hour at which it may."""
    ways = {way.id: way.confirmed_at for way in found.ways if way.confirmed_at is not None}
    told = bank.told(twin) if ways else Told((), {}, ())
    recent = [notice for notice in told.notices if now - notice.at <= STALE]
    return [
        (way, notice)
        for way in found.ways if way.id in ways
        for notice in recent
        if notice.to == way.actor and ways[way.id] <= notice.at and (notice.seq, way.id) not in found.pushed
        and _news(found, way, notice, told) and _may(bank, way, notice, told, now)
    ]  # fmt: skip


def _news(found: Reached, way: Way, notice: Notice, told: Told) -> bool:
    """Return whether it is still worth saying: that something is over only to whom it was said by this way."""
    if notice.over:
        earlier = [one.seq for one in told.notices if one.alert == notice.alert and not one.over]
        return any(_arrived(found.pushed.get((seq, way.id))) for seq in earlier)
    ended = any(one.over and one.alert == notice.alert and one.seq > notice.seq for one in told.notices)
    return not ended and notice.alert not in told.acknowledged


def _arrived(fact: Fact | None) -> bool:
    return fact is not None and fact.body["outcome"] == "delivered"


def _may(bank: Bank, way: Way, notice: Notice, told: Told, now: Time) -> bool:
    """Return whether consent, and one of the rules of that person at this hour, let them be told."""
    if not bank.gate.decide(way.actor, "read", notice.twin, ALERTS, way.purpose).allowed:
        return False
    alert = bank.thread.get(notice.alert)
    rules: Sequence[Any] = [rule for rule in told.rules if rule.to == way.actor]
    return any(rule.concerns(alert) and rule.reaches(alert, now) for rule in rules)


def message(way: Way, notice: Notice) -> dict[str, Any]:
    """Return what is sent: what the matter is only where that was asked for, else that there is something."""
    marks = {"severity": notice.severity, "over": notice.over, "at": notice.at}
    if way.words:
        over = "over: " if notice.over else ""
        return {"title": f"{notice.twin}: {notice.severity}", "text": f"{over}{notice.text}", **marks}
    grave = "An urgent alert" if notice.severity == "urgent" else "An alert"
    text = f"{grave} is over." if notice.over else f"{grave} waits for you: open Gemel."
    return {"title": "Gemel", "text": text, **marks}


def outcome(way: Way, notice: Notice, reason: str | None, now: Time, by: str) -> Draft:
    """Return what became of a notice: delivered, or not, and why."""
    body = {"notice": notice.seq, "way": way.id, "to": way.actor, "kind": way.kind,
            "outcome": "delivered" if reason is None else "failed", "reason": reason or ""}  # fmt: skip
    return Draft(notice.twin, PUSHED, body, now, by, (notice.seq,), key=f"pushed|{notice.seq}|{way.id}")
