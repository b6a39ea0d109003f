"""Columns: the readings of one signal, kept as arrays beside the thread so that few facts need be opened to tell many.

A column is no source: it is used only where the facts would say the same. It is a note of the twin, sealed with its key,
and says which fact the store ended with when it was made; facts after that are read. It is of no use in a store that does
not hold that fact, nor once readings of the twin were thinned.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal

import msgspec
import numpy as np

from gemel.dynamics import Array
from gemel.facts import DAY, HOUSE, Time
from gemel.thread import Said, Thread
from gemel.thread.thinning import THINNED, cover_of, rows_of

MANY = 1_000
"""As many facts opened make a column worth keeping."""

FAR = 100_000
"""As many facts later, of whatever twin, a column is kept anew: those may tell of thinning, and each such one is opened."""

MOST = 250_000
"""Readings that a column holds: 14 MB."""

SHORT: Time = 7 * DAY
"""Within less than this, the facts are read: a column would be longer than what is asked."""

_OBSERVED = "observed/1"


class _Reading(msgspec.Struct, gc=False):
    name: str
    value: float
    key: str


class _Covered(msgspec.Struct):
    twin: str


class _Column(msgspec.Struct, frozen=True):
    """All readings with `since <= true_at < until` among the first `size` facts, the last of which has this leaf."""

    form: Literal[1]
    size: int
    leaf: bytes
    since: Time | None
    until: Time | None
    at: bytes
    seqs: bytes
    values: bytes
    keys: list[str]

    @property
    def readings(self) -> Readings:
        at, seqs = (np.frombuffer(column, "<i8") for column in (self.at, self.seqs))
        return Readings(at, seqs, np.frombuffer(self.values, "<f8"), self.keys)

    def spans(self, since: Time | None, until: Time | None) -> bool:
        """Return whether it holds all of this time."""
        begun = self.since is None or (since is not None and since >= self.since)
        return begun and (self.until is None or (until is not None and until <= self.until))


@dataclass(frozen=True)
class Readings:
    """Readings of one signal in order of when they were true and of seq: times (int64), seqs, values, keys."""

    at: Array
    seqs: Array
    values: Array
    keys: list[str]

    def where(self, chosen: Array) -> Readings:
        """Return some of them."""
        if chosen.all():
            return self
        keys = list(compress(self.keys, chosen.tolist()))
        return Readings(self.at[chosen], self.seqs[chosen], self.values[chosen], keys)

    def between(self, since: Time | None, until: Time | None) -> Readings:
        """Return those with `since <= true_at < until`."""
        low = 0 if since is None else int(np.searchsorted(self.at, since))
        high = len(self.at) if until is None else max(int(np.searchsorted(self.at, until)), low)
        return Readings(self.at[low:high], self.seqs[low:high], self.values[low:high], self.keys[low:high])

    def standing(self, withdrawn: Collection[str]) -> Readings:
        """Return those that were not taken back; of two with one key, the first stands."""
        if len(set(self.keys)) == len(self.keys) and not withdrawn:
            return self
        latest_first = np.argsort(-self.seqs).tolist()
        first = {self.keys[i]: i for i in latest_first if self.keys[i] not in withdrawn}
        chosen = np.zeros(len(self.keys), bool)
        chosen[list(first.values())] = True
        return self.where(chosen)


def readings(
    thread: Thread, twin: str, signal: str, since: Time | None = None, until: Time | None = None,
    known_by: Time | None = None,
) -> Readings:  # fmt: skip
    """Return what was read of one signal, `since <= true_at < until`, taken back or not, as known by some time."""
    if since is not None and until is not None and until - since < SHORT:
        return _opened(
            thread.bodies(_Reading, twin, _OBSERVED, true_from=since, true_until=until, known_by=known_by), signal
        )
    size, held = thread.size, _held(thread, twin, signal, since, until)
    sound = held.size > 0 or _settled(thread, twin)
    found = thread.bodies(
        _Reading, twin, _OBSERVED, after_seq=held.size, true_from=held.since, true_until=held.until, known_by=known_by
    )
    whole = _joined(_known(thread, twin, held.readings, known_by), _opened(found, signal))
    if sound and known_by is None and (len(found) > MANY or 0 < held.size < size - FAR):
        _keep(thread, twin, signal, held, size, whole)
    return whole.between(since, until)


def tidy(thread: Thread, twin: str, signal: str) -> None:
    """Remove a column that was made before readings of the twin were said to be thinned."""
    held = _read(thread.kept(twin, _name(signal)))
    if held is not None and _thinned(thread, twin, held.size):
        thread.keep(twin, _name(signal), b"")


def _name(signal: str) -> str:
    return f"column-{signal}"


def _held(thread: Thread, twin: str, signal: str, since: Time | None, until: Time | None) -> _Column:
    """Return the column that is kept, or an empty one where it is of no use."""
    found = _read(thread.kept(twin, _name(signal)))
    same = found is not None and found.spans(since, until) and found.leaf == _leaf(thread, found.size)
    if found is not None and same and not _thinned(thread, twin, found.size):
        return found
    return _Column(1, 0, b"", since, until, b"", b"", b"", [])


def _read(note: bytes | None) -> _Column | None:
    if not note:
        return None
    try:
        return msgspec.msgpack.decode(note, type=_Column)
    except msgspec.MsgspecError:
        return None


def _leaf(thread: Thread, seq: int) -> bytes:
    """Return the hash of a fact, with which all before it are given: it was made of random bytes."""
    return next((row.leaf for row in thread.rows(after_seq=seq - 1)), b"")


def _thinned(thread: Thread, twin: str, after: int) -> bool:
    covers = thread.bodies(_Covered, HOUSE, THINNED, after_seq=after)
    return any(said.twin == twin for _, _, said in covers)


def _settled(thread: Thread, twin: str) -> bool:
    """Return whether all that was said to be thinned is: of the last alone it may still have to be done."""
    for fact in thread.read(HOUSE, kinds=[THINNED], reverse=True, limit=1):
        cover = cover_of(fact)
        return cover.twin != twin or not any(row.sealed for row in rows_of(thread, twin, cover.seqs[:1]))
    return True


def _opened(found: Sequence[Said[_Reading]], signal: str) -> Readings:
    of = [entry for entry in found if entry[2].name == signal]
    at, seqs = (np.array([entry[place] for entry in of], np.int64) for place in (0, 1))
    values = np.array([said.value for _, _, said in of], float)
    return Readings(at, seqs, values, [said.key for _, _, said in of])


def _known(thread: Thread, twin: str, held: Readings, known_by: Time | None) -> Readings:
    """Return what was known by some time: as facts become known in order of seq, all to the last that was."""
    if known_by is None or not held.keys:
        return held
    last = thread.read(twin, kinds=[_OBSERVED], known_by=known_by, reverse=True, limit=1)
    return held.where(held.seqs <= next((fact.seq for fact in last), 0))


def _joined(held: Readings, fresh: Readings) -> Readings:
    if not held.keys or not fresh.keys:
        return held if held.keys else fresh
    at, seqs = np.append(held.at, fresh.at), np.append(held.seqs, fresh.seqs)
    order, keys = np.lexsort((seqs, at)), [*held.keys, *fresh.keys]
    return Readings(
        at[order], seqs[order], np.append(held.values, fresh.values)[order], [keys[i] for i in order.tolist()]
    )


def _keep(thread: Thread, twin: str, signal: str, held: _Column, size: int, whole: Readings) -> None:
    """Keep a column of what the first *size* facts say, unless readings are being thinned meanwhile."""
    of = whole.where(whole.seqs <= size)
    if len(of.keys) <= MOST:
        at, seqs = (column.astype("<i8").tobytes() for column in (of.at, of.seqs))
        values, leaf = of.values.astype("<f8").tobytes(), _leaf(thread, size)
        made = _Column(1, size, leaf, held.since, held.until, at, seqs, values, of.keys)
        thread.keep(twin, _name(signal), msgspec.msgpack.encode(made))
        if _thinned(thread, twin, size):
            thread.keep(twin, _name(signal), b"")
