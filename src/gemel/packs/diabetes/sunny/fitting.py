"""What is fitted on example sentences: hashed words as features beside sentence vectors, and what comes of them, kept.

The package carries what was fitted on its own examples (`shipping.py`). Each file bears a checksum of what it was made from;
where that is another, it is made anew and kept on disk (`gemel.model.cache`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from gemel.model.cache import cache_folder
from gemel.packs.language import Meaning

HASHED = 1024
"""How many places hashed words share, and hashed letters."""
CODE = 4
"""Raised whenever the same examples and model would give other vectors or weights."""

Arrays = Mapping[str, np.ndarray]


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


def lettered(said: str) -> np.ndarray:
    """Return runs of three and four letters of the words in 1024 places, as a unit vector."""
    found = np.zeros(HASHED, np.float32)
    for word in re.findall(r"[\w']+", said):
        marked = f"<{word}>"
        for start, size in product(range(len(marked)), (3, 4)):
            if start + size <= len(marked):
                found[zlib.crc32(marked[start : start + size].encode()) % HASHED] += 1.0
    length = np.sqrt(found.sum())
    return np.sqrt(found) / length if length else found


def checksum(about: object) -> str:
    """Return a digest of *about* (JSON types) and of the version of the fit."""
    return hashlib.sha256(json.dumps([CODE, HASHED, about]).encode()).hexdigest()[:32]


def embedded(words: Meaning, said: Sequence[str]) -> Arrays:
    """Return `vectors` of *said* (n, 384) to half precision, an error of about 1e-4."""

    def embed() -> Arrays:
        return {"vectors": words.embed(said).astype(np.float16)}

    return embed() if words.weaker else kept("examples", words, list(said), embed)


def kept(name: str, words: Meaning, about: object, make: Callable[[], Arrays]) -> Arrays:
    """Return what *make* returns, and its `checksum`: from the package or the disk where it is of the same *about*."""
    of, folder = checksum([name, words.name, words.version, about]), cache_folder() / "sunny"
    path = folder / f"{of}.npz"
    for place in (shipped() / filed(name, words), path):
        held = _read(place, of)
        if held is not None:
            return held
    made = {**make(), "checksum": np.array(of)}
    with contextlib.suppress(OSError):  # a full disk only costs time
        folder.mkdir(parents=True, exist_ok=True)
        write(path, made)
    return made


def filed(name: str, words: Meaning) -> str:
    """Return the name of a file in the package."""
    return f"{name}-words.npz" if words.weaker else f"{name}.npz"


def shipped() -> Traversable:
    """Return the folder of what the package carries."""
    return files(__package__) / "fitted"


def write(path: Path, made: Arrays) -> None:
    """Write beside and rename, so that no reader meets half a file."""
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez_compressed(part, **made)  # type: ignore[arg-type]
    part.replace(path)


def _read(place: Traversable, of: str) -> Arrays | None:
    """Return the arrays of a file, or None where it is missing, damaged or made of something else."""
    with (
        contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error),
        place.open("rb") as file,
        np.load(file, allow_pickle=False) as held,
    ):
        if str(held["checksum"]) == of:
            return {name: held[name] for name in held.files}
    return None
