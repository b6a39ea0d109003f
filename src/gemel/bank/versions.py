"""Versions: beliefs under a name, each reproducible from what was known when it was named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.bank.replica import Followed, Replica
from gemel.consent import ALL
from gemel.dynamics import Belief, bits
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import Draft, Fact, Time, iso, time_of

if TYPE_CHECKING:
    from gemel.bank.bank import Bank
    from gemel.bank.twin import Twin

NAMED = "named/1"
NOW = "now"


@dataclass(frozen=True)
class View:
    """Which belief is meant: that about `true_at` from what was known at `known_by`, to fact `seq`; None for all there is."""

    true_at: Time | None = None
    known_by: Time | None = None
    seq: int | None = None
    label: str = NOW


@dataclass(frozen=True)
class Version:
    """A belief under a name: about when, known by when and to which fact, by which version of which type, and why."""

    name: str
    at: Time
    known_by: Time
    seq: int
    type: str
    type_hash: str
    why: str
    by: str
    digest: str
    fact: int

    @property
    def view(self) -> View:
        """Return which belief is meant."""
        return View(self.at, self.known_by, self.seq, self.name)

    def body(self) -> dict[str, Any]:
        """Return the version as JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.name}  {iso(self.at)}, known by {iso(self.known_by)}, {self.type} {self.type_hash[:12]}, {self.by}{why}"


def name_version(twin: Twin, name: str, why: str, true_at: Time | None, known_by: Time | None) -> Version:
    """Put a name on what is believed now, or was believed at another moment; raise `BadInput` for a name that is taken."""
    if not name.strip() or name == NOW or _is_time(name):
        raise BadInput(f"{name!r} cannot name a version: it means a time, or nothing", field="name")
    bank, now = twin.bank, twin.bank.now()
    known = now if known_by is None else min(known_by, now)
    at = known if true_at is None else true_at
    last = next(iter(bank.thread.read(twin.id, known_by=known, reverse=True, limit=1)), None)
    if last is None:
        raise NotFound(f"nothing was known of {twin.id} by {iso(known)}")
    replica = bank.beliefs.replica_known_by(twin.id, known, last.seq).during(at)
    kind = {"type": replica.type.name, "type_hash": replica.type.hash}
    digest = digest_of(at_view(bank, twin.id, View(at, known, last.seq, name)).belief)
    body = {"name": name, "at": at, "known_by": known, "seq": last.seq, "why": why, "digest": digest, **kind}
    made = bank.append([Draft(twin.id, NAMED, body, at, twin.actor, (last.seq,), key=f"named|{name}")]).facts
    if not made:
        raise BadInput(
            f"{twin.id} has a version {name!r} already; a name stays with what it was given to", field="name"
        )
    return _version(made[0])


def _is_time(text: str) -> bool:
    try:
        time_of(text)
    except BadInput as error:
        return "time zone" in str(error)
    return True


def _version(fact: Fact) -> Version:
    body = fact.body
    words = {word: str(body[word]) for word in ("name", "type", "type_hash", "why", "digest")}
    return Version(
        at=int(body["at"]), known_by=int(body["known_by"]), seq=int(body["seq"]), by=fact.by, fact=fact.seq, **words
    )


def versions(bank: Bank, id: str) -> dict[str, Version]:
    """Return the named versions of a twin by name, oldest first."""
    return {str(fact.body["name"]): _version(fact) for fact in bank.thread.read(id, kinds=[NAMED])}


def view_of(bank: Bank, id: str, what: str | Time | View) -> View:
    """Return what a version's name, a time, or "now" stands for; a time means what was believed then."""
    if isinstance(what, View) or what == NOW:
        return what if isinstance(what, View) else View()
    named = versions(bank, id) if isinstance(what, str) else {}
    if isinstance(what, str) and what in named:
        return named[what].view
    try:
        moment = time_of(what)
    except BadInput:
        raise unknown("version", str(what), [*named, NOW, "a time such as 2026-11-20T08:00Z"]) from None
    return View(moment, moment, None, iso(moment))


def replica_at(bank: Bank, id: str, view: View) -> Replica:
    """Return the replica that a view looks at, of the type in force then."""
    replica = bank.beliefs.replica_known_by(id, view.known_by, view.seq)
    return replica if view.true_at is None else replica.during(view.true_at)


def at_view(bank: Bank, id: str, view: View) -> Followed:
    """Return what is, or was, believed: after the last reading of a view; raise `NotFound` where nothing was known."""
    replica = replica_at(bank, id, view)
    found = None if _before(replica, view.true_at) else replica.belief(view.true_at)
    if found is None:
        when = "" if view.true_at is None else f" at {iso(view.true_at)}"
        by = " yet" if view.known_by is None else f" by {iso(view.known_by)}"
        raise NotFound(f"nothing is known of {id}{when}{by}: import a record or connect a stream")
    return found


def _before(replica: Replica, at: Time | None) -> bool:
    return at is not None and (replica.start is None or at < replica.start)


def digest_of(belief: Belief) -> str:
    """Return the SHA-256 of a belief's bits: equal digests, equal beliefs."""
    told = sha256(np.asarray(belief.at, np.int64).tobytes())
    for name in sorted(belief.values):
        value = np.asarray(belief.values[name])
        told.update(f"{name}|{value.dtype.str}|{value.shape}|".encode() + bits(value))
    return told.hexdigest()


def described(belief: Belief, units: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return each variable of a belief: mean, standard deviation, 80 % interval and unit."""
    found = {}
    for name in sorted(name for name, value in belief.values.items() if np.asarray(value).dtype != object):
        value = np.asarray(belief.values[name], np.float64)[0]
        low, high = (float(v) for v in np.quantile(value, (0.1, 0.9)))
        found[name] = {
            "mean": float(value.mean()), "sd": float(value.std()), "low": low, "high": high, "unit": units.get(name, "")
        }  # fmt: skip
    return found


def readable(twin: Twin) -> None:
    """Ask the gate for all that a belief is made of."""
    twin.bank.gate.require(twin.actor, "read", twin.id, ALL, twin.purpose)
