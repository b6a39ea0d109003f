"""What is fitted on example sentences: hashed words as features beside sentence vectors, and weights that are kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from gemel.model.cache import cache_folder

HASHED = 1024
"""How many places hashed words share."""


def hashed(said: str) -> np.ndarray:
    """Return words, stems and pairs of words of a normalised sentence in 1024 places, as a unit vector."""
    found = np.zeros(HASHED, np.float32)
    words = ["^", *(re.sub(r"\d+", "9", word) for word in re.findall(r"[\w']+", said)), "$"]
    for word in words[1:-1]:
        found[zlib.crc32(word.encode()) % HASHED] += 1.0
        found[zlib.crc32(("~" + word[:4]).encode()) % HASHED] += 0.5
    for left, right in pairwise(words):
        found[zlib.crc32(f"{left} {right}".encode()) % HASHED] += 0.7
    length = np.linalg.norm(found)
    return found / length if length else found


def kept(about: object, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what *make* returns, made once for the same *about* (JSON types); a damaged file is made anew."""
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
    path = cache_folder() / "sunny" / f"{digest}.npz"
    with (
        contextlib.suppress(OSError, ValueError, KeyError, EOFError),
        np.load(path, allow_pickle=False) as held,
    ):
        return {name: held[name] for name in held.files}
    made = make()
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, **made)  # type: ignore[arg-type]
        part.replace(path)
    return made
