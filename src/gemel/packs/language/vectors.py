"""Texts as unit vectors, so that the nearest in meaning can be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.errors import Unavailable

WIDTH = 384
"""How many numbers stand for a text."""

Encode = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Meaning:
    """A way to turn texts into vectors; `weaker` says what it cannot do, and is empty for the full model.

    `version` tells other weights or another tokenizer of the same name.
    """

    name: str
    encode: Encode
    weaker: str = ""
    version: str = ""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return a float32 array (len(texts), 384): rows of length 1, or 0 for a text without words."""
        if not texts:
            return np.zeros((0, WIDTH), np.float32)
        return self.encode(texts)

    def nearest(self, text: str, among: np.ndarray, most: int = 5) -> list[tuple[int, float]]:
        """Return rows of *among* (n, 384) nearest to *text* with their cosines in [-1, 1], nearest first."""
        return nearest(self.embed([text])[0], among, most)


def nearest(vector: np.ndarray, among: np.ndarray, most: int = 5) -> list[tuple[int, float]]:
    """Return rows of *among* (n, 384) nearest to *vector* (384,) with their cosines, nearest first, ties in order."""
    cosines = among @ vector
    order = np.argsort(-cosines, kind="stable")[:most]
    return [(int(row), float(cosines[row])) for row in order]


def meaning() -> Meaning:
    """Return the small model if it is installed, else word overlap, which says that it is weaker."""
    from gemel.packs.language.shared_words import overlap
    from gemel.packs.language.small_model import minilm

    try:
        return minilm()
    except Unavailable:
        return overlap()
