"""What a bank keeps of what was learned of a twin's errors, to start quickly; it follows from facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from gemel.assimilate import Learning, Residual, Spread
from gemel.bank.foresight import Foresight
from gemel.facts import Time


class Array(msgspec.Struct, frozen=True):
    """An array as bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


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


def foresight_note(foresight: Foresight, type_hash: str, fitted_at: Time, learned_from: tuple[str, ...]) -> bytes:
    """Return what was learned as a note."""
    arrays = {"widen": foresight.widen}
    if foresight.spread is not None:
        arrays["spread"] = foresight.spread.quantiles
    if foresight.residual is not None:
        arrays |= _residual_arrays(foresight.residual)
        arrays |= _residual_arrays(foresight.residual.start, "start ") if foresight.residual.start else {}
    packed = {name: pack(value.astype(np.float32)) for name, value in arrays.items()}
    return msgspec.msgpack.encode(ForesightNote(type_hash, fitted_at, learned_from, packed))


def read_foresight(note: bytes | None, type_hash: str) -> ForesightNote | None:
    """Return what a note says was learned, if it is about this version of the type."""
    found = _read(note, ForesightNote)
    return found if found is not None and found.type_hash == type_hash else None


def learned_from(note: bytes | None) -> tuple[str, ...]:
    """Return from whose records a note was learned, whatever the version of the type."""
    found = _read(note, ForesightNote)
    return found.learned_from if found is not None else ()


def foresight(note: ForesightNote) -> Foresight:
    """Return what was learned, ready to mend forecasts."""
    arrays = {name: unpack(value).astype(float) for name, value in note.arrays.items()}
    made = Foresight((), widen=arrays["widen"])
    if "spread" in arrays:
        made.spread = Spread(arrays["spread"])
    start = _residual(arrays, "start ")
    made.residual = _residual(arrays, start=start)
    return made


def _residual_arrays(residual: Residual, prefix: str = "") -> dict[str, np.ndarray]:
    """Return the arrays of a correction; how many random features it has is told by the rows of its weights."""
    return {f"{prefix}{name}": getattr(residual, name) for name in ("centre", "scale", "weights")}


def _residual(arrays: Mapping[str, np.ndarray], prefix: str = "", start: Residual | None = None) -> Residual | None:
    if f"{prefix}weights" not in arrays:
        return None
    centre, scale, weights = (arrays[f"{prefix}{name}"] for name in ("centre", "scale", "weights"))
    return Residual(centre, scale, weights, Learning(random=len(weights) - 1 - len(centre)), start)


def _read(note: bytes | None, kind: Any) -> Any:
    """Return the note, or None where there is none or it is of an older form."""
    if note is None:
        return None
    try:
        return msgspec.msgpack.decode(note, type=kind)
    except msgspec.MsgspecError:
        return None
