"""Snapshots: beliefs kept beside the thread so that neither a start nor a late fact folds from the beginning.

A snapshot is no source: it is used only where folding the facts would give the same. It is keyed by twin, type, seed and
by what it was folded from, whatever the order in which that became known; so it serves any later view of the same past.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from gemel.bank.ground import SLOTS, slot
from gemel.bank.memory import Array, pack, unpack
from gemel.bank.replica import Followed, Replica
from gemel.dynamics import Belief, exact
from gemel.facts import Time
from gemel.thread import Thread

LATEST = "belief"
NAMES = (LATEST, *(f"belief-{i}" for i in range(SLOTS)))


class Snapshot(msgspec.Struct, frozen=True):
    """A belief, the last fact its replica had taken, and what it depends on."""

    lineage: str
    seed: int
    seq: int
    ground: bytes
    born: Time
    attributes: Mapping[str, float]
    at: Time
    moment: Time
    values: Mapping[str, Array]


def snapshot(replica: Replica, followed: Followed, seq: int) -> bytes:
    """Return a belief as a note; *seq* is the last fact that the replica took."""
    belief, subject = followed.belief, followed.belief.subjects[0]
    frozen = replica.type.dynamics.frozen(belief) if exact(replica.type.dynamics) else belief.values
    values = {name: pack(np.asarray(value)) for name, value in frozen.items()}
    made = Snapshot(
        replica.lineage, replica.seed, seq, followed.ground.to_bytes(16), subject.born, subject.attributes,
        followed.at, int(belief.at[0]), values,
    )  # fmt: skip
    return msgspec.msgpack.encode(made)


def read(note: bytes | None) -> Snapshot | None:
    """Return what a note holds, or None where there is none, or it is damaged or of an older form."""
    if not note:
        return None
    try:
        return msgspec.msgpack.decode(note, type=Snapshot)
    except msgspec.MsgspecError:
        return None


def restored(replica: Replica, found: Snapshot) -> Followed | None:
    """Return the belief of a snapshot, or None where folding the replica's facts would give another."""
    subject = None if replica.start is None else replica.subject(replica.start)
    same = (found.lineage, found.seed) == (replica.lineage, replica.seed)
    if subject is None or not same or (found.born, found.attributes) != (subject.born, subject.attributes):
        return None
    ground = int.from_bytes(found.ground)
    if ground != replica.ground(found.at, found.moment):
        return None
    values = {name: unpack(value) for name, value in found.values.items()}
    belief = Belief((subject,), np.array([found.moment], np.int64), values)
    thawed = replica.type.dynamics.thawed(belief) if exact(replica.type.dynamics) else belief
    return Followed(found.at, thawed, {}, ground)


class Snapshots:
    """The snapshots of the twins of one thread: the latest, and one in each slot, each slot about twice as old."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._put: dict[str, dict[str, tuple[str, Time, int]]] = {}

    def find(self, replica: Replica, until: Time | None) -> Followed | None:
        """Return the latest snapshot at or before *until* that folding would give."""
        for found in self._of(replica.id, until):
            followed = restored(replica, found)
            if followed is not None:
                return followed
        return None

    def _of(self, twin: str, until: Time | None) -> Iterator[Snapshot]:
        """Yield the snapshots to try, the latest first; older ones are opened only when it is of no use."""
        latest = read(self._thread.kept(twin, LATEST))
        if latest is not None and (until is None or latest.at <= until):
            yield latest
        others = [found for found in (read(self._thread.kept(twin, name)) for name in NAMES[1:]) if found is not None]
        yield from sorted(
            (one for one in others if until is None or one.at <= until), key=lambda one: one.at, reverse=True
        )

    def put(self, replica: Replica, seq: int) -> None:
        """Keep what the replica holds and is not kept yet: its latest belief, and the latest of each slot."""
        points = replica.points
        chosen = {NAMES[1 + slot(point.at)]: point for point in points} | dict(zip([LATEST], points[-1:], strict=False))
        done = self._put.setdefault(replica.id, {})
        for name, point in chosen.items():
            mark = (replica.lineage, point.at, point.ground)
            if done.get(name) != mark:
                self._thread.keep(replica.id, name, snapshot(replica, point, seq))
                done[name] = mark

    def forget(self, twin: str) -> None:
        """Forget what was kept of a twin: its notes may be gone."""
        self._put.pop(twin, None)

    def purge(self, twin: str) -> None:
        """Overwrite what was kept of a twin: a belief may name cases whose events were dropped."""
        self.forget(twin)
        for name in NAMES:
            if self._thread.kept(twin, name):
                self._thread.keep(twin, name, b"")
