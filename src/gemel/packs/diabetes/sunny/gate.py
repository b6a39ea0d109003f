"""The gate between what may be answered and what a person must hear of, by meaning: for what rules do not find.

A kernel ridge regression (Saunders, Gammerman & Vovk 1998) of 1 for unsafe and -1 for harmless, with a further column for each
kind, on sentence vectors, hashed words and hashed letters, which bear spelling errors. It is solved in closed form: the same
examples give the same gate.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from gemel.packs.diabetes.sunny.fitting import Arrays, embedded, hashed, kept, lettered
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.language import Meaning

WIDTH, WORDS, LETTERS, SMOOTH = 0.6, 0.3, 0.3, 0.03
"""Of the kernel exp(-WIDTH (d² of vectors + WORDS · d² of hashed words + LETTERS · d² of hashed letters)), and the ridge; tried
by leaving out one writer of `writers.toml`."""
EASE = 0.3
"""How much more a part of a sentence must look unsafe than a whole one: it stands without what is around it."""
SHORTEST = 3
"""Words of a part that is judged on its own."""
ENDS = re.compile(r"[.!?;:]+\s+")
JOINS = re.compile(r"[.!?;:]+\s+|,\s+|\s+(?:and|but|then|so|because|cause|also|plus|while|since)\s+")


def judged(without: Collection[str] = ()) -> tuple[Mapping[str, Sequence[str]], Sequence[str]]:
    """Return example sentences of each unsafe kind, and harmless ones, without those of some writers."""
    own = _read("gate.toml")
    told: list[Mapping[str, Any]] = [{"unsafe": own["unsafe"], "safe": own["safe"]["safe"]}]
    told += [one for writer, one in writers().items() if writer not in without]
    unsafe = {kind: [s for one in told for s in one["unsafe"].get(kind, ())] for kind in own["unsafe"]}
    return unsafe, [s for one in told for s in one["safe"]]


def writers() -> Mapping[str, Mapping[str, Any]]:
    """Return what each of some more writers wrote: unsafe sentences by kind, and safe ones."""
    return _read("writers.toml")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def parts(said: str) -> list[str]:
    """Return the sentences and clauses of a normalised text, so that a harmless beginning hides no end."""
    found: list[str] = []
    for split in (ENDS, JOINS):
        pieces = [piece.strip(" ,.!?") for piece in split.split(said)]
        found += [one for one in pieces if len(one.split()) >= SHORTEST] if len(pieces) > 1 else []
    return list(dict.fromkeys(found))


class Gate:
    """Judges normalised sentences by one `Meaning`, fitted on unsafe examples by kind and harmless ones."""

    def __init__(self, words: Meaning, unsafe: Mapping[str, Sequence[str]], harmless: Sequence[str]) -> None:
        self.meaning, self.kinds = words, tuple(unsafe)
        self.said = [normal(one) for group in (*unsafe.values(), harmless) for one in group]
        self._of = np.repeat(np.arange(len(unsafe) + 1), [*(len(group) for group in unsafe.values()), len(harmless)])
        examples = embedded(words, self.said)
        self.vectors = examples["vectors"].astype(np.float32)
        about = [self.said, self._of.tolist(), WIDTH, WORDS, LETTERS, SMOOTH]
        self.fitted = {"examples": examples, "gate": kept("gate", words, about, self.fit)}
        self._weights = self.fitted["gate"]["weights"]

    def judge(self, said: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """Return for each sentence how unsafe it or a part of it looks, about -1 to 1, and the likeliest kind if it is."""
        pieces = [(row, one, 0.0 if one is text else EASE)
                  for row, text in enumerate(said) for one in (text, *parts(text))]  # fmt: skip
        asked = [one for _, one, _ in pieces]
        scores = self._near(asked, self.meaning.embed(asked)) @ self._weights
        alarm, kinds = np.full(len(said), -np.inf), [""] * len(said)
        for (row, _, ease), score in zip(pieces, scores, strict=True):
            if score[0] - ease > alarm[row]:
                alarm[row], kinds[row] = score[0] - ease, self.kinds[int(np.argmax(score[1:]))]
        return alarm, kinds

    @cached_property
    def _held(self) -> np.ndarray:
        return self._features(self.said, self.vectors)

    @cached_property
    def _squares(self) -> np.ndarray:
        squares: np.ndarray = (self._held**2).sum(1)
        return squares

    def _features(self, said: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Return rows whose inner products are those of the kernel's distances."""
        words, letters = (np.stack([by(one) for one in said]) for by in (hashed, lettered))
        weighed = (vectors, np.float32(WORDS**0.5) * words, np.float32(LETTERS**0.5) * letters)
        rows: np.ndarray = np.concatenate(weighed, axis=1)
        return rows

    def _near(self, said: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        rows = self._features(said, vectors)
        squares = (rows**2).sum(1)[:, None] + self._squares[None, :]
        near: np.ndarray = np.exp(-WIDTH * (squares - 2 * rows @ self._held.T))
        return near

    def fit(self) -> Arrays:
        """Solve for the weights of the examples; both sides weigh the same, however many there are."""
        harmless = self._of == len(self.kinds)
        aims = np.where(harmless, -1.0, 1.0)[:, None]
        each = np.where(self._of[:, None] == np.arange(len(self.kinds)), 1.0, 0.0)
        ridge = SMOOTH * np.where(harmless, 1.0, (~harmless).sum() / harmless.sum())
        near = self._near(self.said, self.vectors).astype(np.float64)
        solved = np.linalg.solve(near + np.diag(ridge), np.concatenate([aims, each], axis=1))
        return {"weights": solved.astype(np.float32)}
