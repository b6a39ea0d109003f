"""What somebody means: the nearest of the intents in `intents.toml`, by a linear classifier on sentence vectors.

The classifier is a logistic regression (scikit-learn) on the vectors of the example sentences beside hashed words and pairs of
words; what was fitted on these examples comes with the package (`fitting.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files

import numpy as np

from gemel.packs.diabetes.sunny.fitting import Arrays, hashed, kept
from gemel.packs.diabetes.sunny.gate import Gate, judged
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.safety import urgent
from gemel.packs.language import Meaning, meaning

UNSAFE = "unsafe."
WORDS, WORDS_ALONE = 0.35, 1.0
"""The weight of hashed words beside the small model, and where they stand alone."""
STRENGTH, STRENGTH_ALONE = 30.0, 100.0
"""Inverse regularisation; with the weights, tried on `tests/data/sunny_dev.toml`."""
SURE, APART = 0.30, 0.08
"""Below this chance of the likeliest intent, or this distance to the next, Sunny asks back."""
NEAR = 0.42
"""Below this cosine to the nearest example of the small model, a sentence is called unclear, unless it is small talk."""
ANYTHING = ("off_topic", "wonder", "chat")
"""Intents of which no sentence need be near an example: none looks at the twin."""
WARY, GRAVE = 0.0, -0.1
"""From here on the gate takes a sentence for unsafe (`gate.py`), and where the likeliest kind is urgent, by rules."""
PLAIN = 0.2
"""Below this, what looks urgent to the gate alone is handed over as `unsure`, and no emergency number is said, but for self-harm:
of what writers wrote whom it does not know, 24 of 53 false urgent alarms lie there, and 13 of 267 right ones."""
EASE_ALONE = 0.1
"""How much more it must look unsafe by words alone: then 243 of 252 and 117 of 120 of two writers it does not know are found."""


@dataclass(frozen=True)
class Understood:
    """What is meant: the likeliest intent with its chance and the next one with its own.

    `alarm` is how unsafe it looks, about -1 to 1, `danger` the likeliest kind if it is; `near` is the cosine to the nearest
    example.
    """

    intent: str
    chance: float
    other: str
    other_chance: float
    alarm: float = -1.0
    danger: str = ""
    near: float = 1.0

    @property
    def unsafe(self) -> str | None:
        """Return the kind for which a person is wanted; of what is urgent, less is enough."""
        return self.danger if self.alarm >= (GRAVE if urgent(self.danger) else WARY) else None

    @property
    def wanted(self) -> str | None:
        """Return what a person is called for: of what is urgent the kind where it is plain, else that she is unsure."""
        kind = self.unsafe
        grave = kind is not None and kind != "self_harm" and urgent(kind)
        return "unsure" if grave and self.alarm < PLAIN else kind

    @property
    def clear(self) -> bool:
        """Return whether to act on it without asking back."""
        known = self.near >= NEAR or self.intent in ANYTHING
        return known and self.chance >= SURE and self.chance - self.other_chance >= APART


def examples() -> Mapping[str, Sequence[str]]:
    """Return the example sentences of each intent."""
    found: dict[str, list[str]] = tomllib.loads(files(__package__).joinpath("intents.toml").read_text(encoding="utf-8"))
    return found


class Understanding:
    """Understands sentences by one `Meaning`; *without* names writers whose sentences its gate does not know."""

    def __init__(self, words: Meaning, without: Collection[str] = ()) -> None:
        told = examples()
        self.meaning, self.intents, self._gate = words, tuple(told), Gate(words, *_judged_examples(told, without))
        self._said = [normal(one) for group in told.values() for one in group]
        self._meant = [row for row, group in enumerate(told.values()) for _ in group]
        self._safe = np.array([not name.startswith(UNSAFE) for name in self.intents])
        about = [self._said, self._meant, WORDS, WORDS_ALONE, STRENGTH, STRENGTH_ALONE]
        intents = kept("intents", words, about, self.fit)
        self._weights, self._bias = intents["weights"], intents["bias"]
        self.fitted = {**self._gate.fitted, "intents": intents}

    def understand(self, text: str, names: Sequence[str] = ()) -> Understood:
        """Return what *text* means; raises nothing: what means nothing is `off_topic` with little chance."""
        return self.understand_all([text], names)[0]

    def understand_all(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[Understood]:
        """Return what each of *texts* means."""
        said = [normal(text, names) for text in texts]
        vectors = self.meaning.embed(said)
        scores = self._features(said, vectors) @ self._weights.T + self._bias
        near = np.ones(len(said)) if self.meaning.weaker else (vectors @ self._vectors.T).max(axis=1)
        alarms, kinds = self._gate.judge(said)
        alarms = alarms - EASE_ALONE if self.meaning.weaker else alarms
        return [
            replace(self._judged(row, float(one)), alarm=float(alarm), danger=kind)
            for row, one, alarm, kind in zip(scores, near, alarms, kinds, strict=True)
        ]

    @cached_property
    def _vectors(self) -> np.ndarray:
        """Of the examples of intents, which are all among those of the gate."""
        rows = {one: row for row, one in enumerate(self._gate.said)}
        return self._gate.vectors[[rows[one] for one in self._said]]

    def _judged(self, scores: np.ndarray, near: float) -> Understood:
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        likely = [int(i) for i in np.argsort(-chances, kind="stable") if self._safe[i]]
        first, second = likely[0], likely[1]
        return Understood(
            self.intents[first], float(chances[first]), self.intents[second], float(chances[second]), near=near
        )

    def _features(self, said: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        weight = WORDS_ALONE if self.meaning.weaker else WORDS
        return np.concatenate([vectors, weight * np.stack([hashed(one) for one in said])], axis=1)

    def fit(self) -> Arrays:
        from sklearn.linear_model import LogisticRegression

        strength = STRENGTH_ALONE if self.meaning.weaker else STRENGTH
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
        model.fit(self._features(self._said, self._vectors), self._meant)
        return {"weights": model.coef_.astype(np.float32), "bias": model.intercept_.astype(np.float32)}


def _judged_examples(
    told: Mapping[str, Sequence[str]], without: Collection[str] = ()
) -> tuple[Mapping[str, Sequence[str]], Sequence[str]]:
    """Return what the gate is fitted on: its own examples and those of the intents."""
    unsafe, harmless = judged(without)
    kinds = {kind: [*told.get(UNSAFE + kind, ()), *group] for kind, group in unsafe.items()}
    return kinds, [*harmless, *(one for name, group in told.items() if not name.startswith(UNSAFE) for one in group)]


@cache
def understanding() -> Understanding:
    """Return the understanding by the small model where it is installed, else by words alone."""
    return Understanding(meaning())
