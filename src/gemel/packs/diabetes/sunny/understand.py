"""What somebody means: the nearest of the intents in `intents.toml`, by a linear classifier on sentence vectors.

The classifier is a logistic regression (scikit-learn) on the vectors of the example sentences beside hashed words and pairs of
words; it is fitted once for each set of examples and model, and kept on disk beside the vectors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise

import numpy as np

from gemel.model.cache import cache_folder
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.language import Meaning, meaning, remembered

UNSAFE = "unsafe."
HASHED = 1024
"""How many places hashed words share."""
WORDS, WORDS_ALONE = 0.35, 1.0
"""The weight of hashed words beside the small model, and where they stand alone."""
STRENGTH, STRENGTH_ALONE = 30.0, 100.0
"""Inverse regularisation; with the weights, tried on `tests/data/sunny_dev.toml`."""
SURE, APART = 0.30, 0.08
"""Below this chance of the likeliest intent, or this distance to the next, Sunny asks back."""
NEAR = 0.42
"""Below this cosine to the nearest example of the small model, a sentence is called unclear, unless it is small talk."""
WARY = 0.3
"""From this chance that it is unsafe, all kinds together, it is taken for unsafe."""


@dataclass(frozen=True)
class Understood:
    """What is meant: the likeliest intent with its chance and the next one with its own.

    `unsafe_chance` is that of all unsafe kinds together, `danger` the likeliest of them;
    `near` is the cosine to the nearest example.
    """

    intent: str
    chance: float
    other: str
    other_chance: float
    unsafe_chance: float = 0.0
    danger: str = "dose"
    near: float = 1.0

    @property
    def clear(self) -> bool:
        """Return whether to act on it without asking back."""
        known = self.near >= NEAR or self.intent == "off_topic"
        return known and self.chance >= SURE and self.chance - self.other_chance >= APART


def examples() -> Mapping[str, Sequence[str]]:
    """Return the example sentences of each intent."""
    found: dict[str, list[str]] = tomllib.loads(files(__package__).joinpath("intents.toml").read_text(encoding="utf-8"))
    return found


class Understanding:
    """Understands sentences by one `Meaning`."""

    def __init__(self, words: Meaning, told: Mapping[str, Sequence[str]] | None = None) -> None:
        self.meaning, self._told = words, told or examples()
        self.intents = tuple(self._told)
        self._weights, self._bias = self._fitted()

    def understand(self, text: str, names: Sequence[str] = ()) -> Understood:
        """Return what *text* means; raises nothing: what means nothing is `off_topic` with little chance."""
        return self.understand_all([text], names)[0]

    def understand_all(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[Understood]:
        """Return what each of *texts* means."""
        said = [normal(text, names) for text in texts]
        vectors = self.meaning.embed(said)
        scores = self._features(said, vectors) @ self._weights.T + self._bias
        near = np.ones(len(said)) if self.meaning.weaker else (vectors @ self._vectors.T).max(axis=1)
        return [self._judged(row, float(one)) for row, one in zip(scores, near, strict=True)]

    @cached_property
    def _vectors(self) -> np.ndarray:
        return remembered(self.meaning, [normal(one) for group in self._told.values() for one in group])

    def _judged(self, scores: np.ndarray, near: float) -> Understood:
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        grave = {
            n.removeprefix(UNSAFE): float(c) for c, n in zip(chances, self.intents, strict=True) if n.startswith(UNSAFE)
        }
        first, second = (int(i) for i in np.argsort(-chances, kind="stable")[:2])
        return Understood(
            self.intents[first], float(chances[first]), self.intents[second], float(chances[second]),
            sum(grave.values()), max(grave, key=lambda name: grave[name]), near,
        )  # fmt: skip

    def _features(self, said: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        weight = WORDS_ALONE if self.meaning.weaker else WORDS
        return np.concatenate([vectors, weight * np.stack([_hashed(one) for one in said])], axis=1)

    def _fitted(self) -> tuple[np.ndarray, np.ndarray]:
        path = cache_folder() / "sunny" / f"{self._digest()}.npz"
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError), np.load(path, allow_pickle=False) as held:
            weights, bias = held["weights"], held["bias"]
            if weights.shape[0] == len(bias) == len(self.intents):
                return weights, bias
        weights, bias = self._fit()
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(part, weights=weights, bias=bias)
            part.replace(path)
        return weights, bias

    def _digest(self) -> str:
        about = [self.meaning.name, self._told, WORDS, WORDS_ALONE, STRENGTH, STRENGTH_ALONE, HASHED, 2]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]

    def _fit(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.linear_model import LogisticRegression

        said = [normal(one) for group in self._told.values() for one in group]
        meant = [row for row, group in enumerate(self._told.values()) for _ in group]
        strength = STRENGTH_ALONE if self.meaning.weaker else STRENGTH
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
        model.fit(self._features(said, self._vectors), meant)
        return model.coef_.astype(np.float32), model.intercept_.astype(np.float32)


def _hashed(said: str) -> np.ndarray:
    """Return words, stems and pairs of words in 1024 places, as a unit vector."""
    found = np.zeros(HASHED, np.float32)
    words = ["^", *(re.sub(r"\d+", "9", word) for word in re.findall(r"[\w']+", said)), "$"]
    for word in words[1:-1]:
        found[zlib.crc32(word.encode()) % HASHED] += 1.0
        found[zlib.crc32(("~" + word[:4]).encode()) % HASHED] += 0.5
    for left, right in pairwise(words):
        found[zlib.crc32(f"{left} {right}".encode()) % HASHED] += 0.7
    length = np.linalg.norm(found)
    return found / length if length else found


@cache
def understanding() -> Understanding:
    """Return the understanding by the small model where it is installed, else by words alone."""
    return Understanding(meaning())
