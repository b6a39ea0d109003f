"""Vectors of many texts, kept on disk beside the compiled kernels."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gemel.model.cache import cache_folder
from gemel.packs.language.vectors import WIDTH, Meaning


def remembered(meaning: Meaning, texts: Sequence[str]) -> np.ndarray:
    """Return `meaning.embed(texts)`, computed once for the same texts and model; a damaged file is made anew."""
    if meaning.weaker:
        return meaning.embed(texts)  # as quick as reading it
    path = _path(meaning, texts)
    held = _read(path, len(texts))
    if held is None:
        held = meaning.embed(texts)
        _write(path, held)
    return held


def kept(meaning: Meaning, texts: Sequence[str]) -> bool:
    """Return whether `remembered` would answer at once."""
    return bool(meaning.weaker) or _path(meaning, texts).is_file()


def _path(meaning: Meaning, texts: Sequence[str]) -> Path:
    digest = hashlib.sha256("\0".join([meaning.name, *texts]).encode(errors="replace")).hexdigest()[:32]
    return cache_folder() / "meaning" / f"{digest}.npy"


def _read(path: Path, rows: int) -> np.ndarray | None:
    with contextlib.suppress(OSError, ValueError, EOFError):
        held: np.ndarray = np.load(path, allow_pickle=False)
        if held.shape == (rows, WIDTH) and held.dtype == np.float32:
            return held
    return None


def _write(path: Path, vectors: np.ndarray) -> None:
    """Write beside and rename, so that no reader meets half a file; a full disk only costs time."""
    part = path.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, vectors)
        part.replace(path)
