"""What a bank keeps to start quickly: the last belief and what was learned of its errors; both follow from facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from gemel.assimilate import Learning, Residual, Spread
from gemel.bank.foresight import Foresight
from gemel.bank.replica import Followed, Replica
from gemel.dynamics import Belief
from gemel.facts import Time


class Array(msgspec.Struct, frozen=True):
    """An array as bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class BeliefNote(msgspec.Struct, frozen=True):
    """A belief, the last fact it was folded from, and what it depends on beside facts."""

    type_hash: str
    seed: int
    seq: int
    start: Time
    at: Time
    moment: Time
    values: Mapping[str, Array]


class ForesightNote(msgspec.Struct, frozen=True):
    """What was learned up to `fitted_at`, and from whose records."""

    type_hash: str
    fitted_at: Time
    learned_from: tuple[str, ...]
    arrays: Mapping[str, Array]


def pack(value: np.ndarray) -> Array:
    """Return an array as bytes."""
    held = np.ascontiguousarray(value)
    return Array(held.dtype.str, held.shape, held.tobytes())


def unpack(held: Array) -> np.ndarray:
    """Return the array that `pack` packed."""
    return np.frombuffer(held.data, np.dtype(held.dtype)).reshape(held.shape).copy()


def belief_note(replica: Replica, followed: Followed, seq: int) -> bytes:
    """Return a belief as a note; *seq* is the last fact that the replica took."""
    values = {name: pack(np.asarray(value)) for name, value in followed.belief.values.items()}
    moment = int(followed.belief.at[0])
    return msgspec.msgpack.encode(
        BeliefNote(replica.type.hash, replica.seed, seq, replica.start or 0, followed.at, moment, values)
    )


def restored(replica: Replica, note: bytes | None, later: Time | None, last: int) -> Followed | None:
    """Return the belief in *note*, or None if it is not what folding would give.

    *later* is the earliest time of what came after the fact the note ends with, *last* the last fact there is.
    """
    found = _read(note, BeliefNote)
    if found is None or found.type_hash != replica.type.hash or found.seed != replica.seed or found.seq > last:
        return None
    if found.start != replica.start or (later is not None and later <= found.at + 59_999):
        return None
    values = {name: unpack(value) for name, value in found.values.items()}
    if not _of_constants(replica, values):
        return None
    subject = replica.subject(found.start)
    return Followed(found.at, Belief((subject,), np.array([found.moment], np.int64), values), {})


def _of_constants(replica: Replica, values: Mapping[str, np.ndarray]) -> bool:
    """Return whether a belief was folded with the constants that are the twin's now."""
    carried = {name: values[name].flat[0] for name in getattr(replica.type.dynamics, "varies", {}) if name in values}
    return carried == {name: np.float32(value) for name, value in replica.constants.items()}


def note_seq(note: bytes | None) -> int:
    """Return the last fact a belief note was folded from, 0 where there is none."""
    found = _read(note, BeliefNote)
    return 0 if found is None else found.seq


def foresight_note(foresight: Foresight, type_hash: str, fitted_at: Time, learned_from: tuple[str, ...]) -> bytes:
    """Return what was learned as a note."""
    arrays = {"widen": foresight.widen}
    if foresight.spread is not None:
        arrays["spread"] = foresight.spread.quantiles
    if foresight.residual is not None:
        residual = foresight.residual
        arrays |= {"centre": residual.centre, "scale": residual.scale, "weights": residual.weights}
    packed = {name: pack(value.astype(np.float32)) for name, value in arrays.items()}
    return msgspec.msgpack.encode(ForesightNote(type_hash, fitted_at, learned_from, packed))


def read_foresight(note: bytes | None, type_hash: str) -> ForesightNote | None:
    """Return what a note says was learned, if it is about this version of the type."""
    found = _read(note, ForesightNote)
    return found if found is not None and found.type_hash == type_hash else None


def foresight(note: ForesightNote) -> Foresight:
    """Return what was learned, ready to mend forecasts."""
    arrays = {name: unpack(value).astype(float) for name, value in note.arrays.items()}
    made = Foresight((), widen=arrays["widen"])
    if "spread" in arrays:
        made.spread = Spread(arrays["spread"])
    if "weights" in arrays:
        made.residual = Residual(arrays["centre"], arrays["scale"], arrays["weights"], Learning())
    return made


def _read(note: bytes | None, kind: Any) -> Any:
    """Return the note, or None where there is none or it is of an older form."""
    if note is None:
        return None
    try:
        return msgspec.msgpack.decode(note, type=kind)
    except msgspec.MsgspecError:
        return None
