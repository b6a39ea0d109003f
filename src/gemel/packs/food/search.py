"""Foods by name and by meaning; a typo is forgiven, and what is not in the table is not found.

A food scores most where its name or an alias is what was asked for; else its score is made of the words that both share
(weighted by how rare a word is in the table) and the cosine of their meanings. Weights and limits are judgements, tried on
the sentences of `tests/data/meals.tsv`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from gemel.packs.food.spelling import alike, changed, telling, words
from gemel.packs.food.table import Food, Table
from gemel.packs.language import Meaning, kept, remembered

NAMED, TYPO = 0.97, 0.9
"""Scores of what was asked for by name, and by name with a typo."""
COVERED, HALF_COVERED, NEAR, NEARER = 0.98, 0.55, 0.6, 0.82
"""What is taken as meant: all words shared; or some and the last, and near in meaning; or nearer in meaning alone."""
MOST_OF_A_NAME = 0.5
"""The share of a spoken name that must have been said: a big mac is no mac and cheese; names with commas are not spoken."""
USUAL = {"raw": 0.0, "boiled": 0.01, "fresh": 0.01, "regular": 0.01, "commercial": 0.01, "plain": 0.02, "peeled": 0.01}
UNUSUAL = {
    "dried": -0.06,
    "dry": -0.06,
    "powder": -0.08,
    "flour": -0.08,
    "uncooked": -0.06,
    "infant": -0.1,
    "baby": -0.1,
}
"""Forms in which a food is usually meant, or not, where nobody says so: tips the scales between the foods of a large table."""


@dataclass(frozen=True)
class Hit:
    """A food that may be meant: score in [0, 1], and whether it is near enough to be taken without asking."""

    food: Food
    score: float
    taken: bool


@dataclass(frozen=True)
class _Name:
    food: int
    words: tuple[str, ...]
    first: frozenset[str]
    listed: bool


class Search:
    """Finds foods of one table; the vectors of its names are kept on disk."""

    def __init__(self, table: Table, meaning: Meaning) -> None:
        self.table, self.meaning = table, meaning
        self._texts = [
            (row, text) for row, food in enumerate(table) for text in dict.fromkeys((food.name, *food.aliases))
        ]
        self._names = [
            _Name(row, words(text), frozenset(words(text.split(",")[0])), "," in text) for row, text in self._texts
        ]
        self._exact: dict[frozenset[str], int] = {}
        for number, name in enumerate(self._names):
            self._exact.setdefault(frozenset(name.words), number)
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._names):
            for word in set(name.words):
                self._holding[word].append(number)

    @cached_property
    def _vectors(self) -> np.ndarray:
        return np.concatenate([remembered(self.meaning, texts) for texts in self._said])

    @property
    def _said(self) -> list[list[str]]:
        """Return the names, each table's on their own: one that is joined later costs nothing for the others."""
        by_table = groupby(self._texts, key=lambda held: self.table.foods[held[0]].key.partition(":")[0])
        return [[text.lower() for _, text in held] for _, held in by_table]

    @property
    def ready(self) -> bool:
        """Whether the meaning of the names is on disk already, or costs nothing."""
        return all(kept(self.meaning, texts) for texts in self._said)

    def find(self, text: str, most: int = 5) -> list[Hit]:
        """Return up to *most* foods that may be meant by *text*, the likeliest first."""
        asked = words(text)
        if not asked:
            return []
        scores = self._named(asked) or self._scored(text, telling(asked))
        return self._hits(scores, most)

    def by_name(self, text: str) -> Food | None:
        """Return the food whose name or alias is *text*, whatever the order of its words."""
        number = self._exact.get(frozenset(words(text)))
        return None if number is None else self.table.foods[self._names[number].food]

    def _named(self, asked: tuple[str, ...]) -> dict[int, tuple[float, bool]]:
        """Return the name that was said, with others that hold its words; nothing if there is no such name."""
        for said in (asked, telling(asked)):
            number = self._exact.get(frozenset(said))
            if number is not None:
                others = {one: (self._lexical(said, one) * 0.8, False) for one in self._candidates(said)}
                return others | {number: (NAMED, True)}
        return {}

    def _candidates(self, asked: Iterable[str]) -> set[int]:
        return {number for word in asked for other in alike(word, self._holding) for number in self._holding[other]}

    def _scored(self, text: str, asked: tuple[str, ...]) -> dict[int, tuple[float, bool]]:
        """Return score and whether it is taken, by number of name: words in common, and nearness in meaning."""
        cosines = self._vectors @ self.meaning.embed([" ".join(asked) or text.lower()])[0]
        near = np.argsort(-cosines, kind="stable")[:20]
        found: dict[int, tuple[float, bool]] = {}
        for number in self._candidates(asked) | {int(one) for one in near}:
            found[number] = self._judged(asked, number, float(cosines[number]))
        return found

    def _judged(self, asked: tuple[str, ...], number: int, cosine: float) -> tuple[float, bool]:
        covered, last = self._covered(asked, number)
        lexical = self._lexical(asked, number)
        if covered >= 1 - 1e-9 and len(self._names[number].words) == len(asked):
            return TYPO * min(lexical, 1.0), True
        score = 0.6 * lexical + 0.35 * max(cosine, 0.0)
        strict = bool(self.meaning.weaker)
        name = self._names[number]
        whole = name.listed or self._back(asked, number) >= MOST_OF_A_NAME
        if changed(asked, self._all_words[self._names[number].food]):
            return 0.5 * score, False
        near = cosine >= NEAR and not strict
        taken = whole and (covered >= COVERED or (covered >= HALF_COVERED and last and near))
        return score, taken or (cosine >= NEARER and not strict)

    @cached_property
    def _all_words(self) -> dict[int, set[str]]:
        """Return the words of all names of each food."""
        held: dict[int, set[str]] = defaultdict(set)
        for name in self._names:
            held[name.food].update(name.words)
        return held

    @cached_property
    def _rarity(self) -> dict[str, float]:
        held = Counter({word: len(names) for word, names in self._holding.items()})
        return {word: math.log(1 + len(self._names) / count) for word, count in held.items()}

    def _covered(self, asked: tuple[str, ...], number: int) -> tuple[float, bool]:
        """Return the share of what was asked that a name covers, 1 if every word has its like, and whether its last has."""
        name = self._all_words[self._names[number].food]
        best = [max(alike(word, name).values(), default=0.0) for word in asked]
        weights = [self._rarity.get(word, math.log(1 + len(self._names))) for word in asked]
        hit = sum(weight for weight, value in zip(weights, best, strict=True) if value > 0)
        return hit / sum(weights), best[-1] > 0

    def _lexical(self, asked: tuple[str, ...], number: int) -> float:
        """Return how far words of the asked and the name cover each other; first words of a long name count more."""
        name = self._names[number]
        best = {word: alike(word, name.words) for word in asked}
        weight = {word: self._rarity.get(word, math.log(1 + len(self._names))) for word in asked}
        there = sum(weight[word] * max(found.values(), default=0.0) for word, found in best.items()) / sum(
            weight.values()
        )
        met = {other for found in best.values() for other in found}
        mass = {word: (3.0 if word in name.first else 1.0) for word in name.words}
        back = sum(value for word, value in mass.items() if word in met) / sum(mass.values())
        form = sum(USUAL.get(word, 0.0) + UNUSUAL.get(word, 0.0) for word in name.words if word not in met)
        return 0.7 * there + 0.3 * back + form

    def _back(self, asked: tuple[str, ...], number: int) -> float:
        """Return the share of a name that what was asked covers; words before its first comma count three times."""
        name = self._names[number]
        met = {other for word in asked for other in alike(word, name.words)}
        mass = {word: (3.0 if word in name.first else 1.0) for word in name.words}
        return sum(value for word, value in mass.items() if word in met) / sum(mass.values())

    def _hits(self, scores: dict[int, tuple[float, bool]], most: int) -> list[Hit]:
        best: dict[int, Hit] = {}
        for number, (score, taken) in scores.items():
            row = self._names[number].food
            hit = Hit(self.table.foods[row], min(max(score, 0.0), 1.0), taken)
            if row not in best or (hit.taken, hit.score) > (best[row].taken, best[row].score):
                best[row] = hit
        order = sorted(best, key=lambda row: (not best[row].taken, -best[row].score, row))
        return [best[row] for row in order[:most]]
