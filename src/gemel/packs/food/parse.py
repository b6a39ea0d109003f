"""A meal from words: what is in the table is found, what is not is said and never guessed.

Which measure belongs to what: "X with Y, small bowl" is one bowl of both; "two slices of toast with peanut butter" is a serving
of peanut butter on each; "milk" with a breakfast cereal is half a cup.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemel.packs.food.dishes import framed
from gemel.packs.food.meal import Item, Meal, Unknown
from gemel.packs.food.measures import VESSELS, Grams, grams, serving
from gemel.packs.food.phrases import Phrase, ended, phrases
from gemel.packs.food.search import Hit, Search
from gemel.packs.food.table import Food

MIXED = frozenset({"dish", "grain", "vegetable", "meat", "legume", "soup", "sauce", "fruit"})
"""Kinds that share one bowl or plate."""
MILK_ON_CEREAL_G = 125.0
BY_NAME, COMPOSED, LIKELY = 0.8, 0.7, 0.3
"""Scores from which a food was named, of a dish that was composed, and from which a food is worth mention."""


@dataclass(frozen=True)
class _Found:
    """A phrase and the food it names; `mixed` is set where it shares the measure of its group."""

    phrase: Phrase
    food: Food
    hits: tuple[Hit, ...]


def parse(text: str, search: Search) -> Meal:
    """Return the meal that *text* tells of, such as "two slices of toast with peanut butter and a glass of milk"."""
    said = phrases(text, lambda name: search.by_name(name) is not None)
    items: list[Item] = []
    unknown: list[Unknown] = []
    for group in _groups(said, search):
        found = [_found(phrase, search) for phrase in group]
        unknown += [one for one in found if isinstance(one, Unknown)]
        items += _items([one for one in found if isinstance(one, _Found)])
    return Meal(text, tuple(items), tuple(unknown))


def _groups(said: Sequence[Phrase], search: Search) -> list[list[Phrase]]:
    """Return what belongs together: a head, and what is with it without a measure of its own; a lone measure is its head's."""
    groups: list[list[Phrase]] = []
    for phrase in said:
        if groups and not phrase.food:
            head = groups[-1][0]
            groups[-1][0] = replace(phrase, joined=head.joined, food=head.food) if not head.measured else head
        elif groups and phrase.joined == "on" and not groups[-1][-1].measured:
            groups[-1].insert(0, phrase)  # peanut butter on toast: the toast is what the rest lies on
        elif groups and _joins(phrase, groups[-1], search):
            groups[-1].append(phrase)
        else:
            groups.append([phrase])
    return groups


def _joins(phrase: Phrase, group: Sequence[Phrase], search: Search) -> bool:
    if phrase.measured:
        return False
    if phrase.joined in ("with", "topped with", "in", "served with"):
        return True
    hits = search.find(phrase.food, 1)
    spread = bool(hits) and hits[0].taken and hits[0].food.kind == "spread"
    return phrase.joined == "and" and (len(group) > 1 or spread)


def _found(phrase: Phrase, search: Search) -> _Found | Unknown:
    """Return the food of a phrase: by name, else as a dish of it, else with its last word as a measure, else the nearest."""
    hits = tuple(search.find(phrase.food, 4))
    taken = bool(hits) and hits[0].taken
    if taken and hits[0].score >= BY_NAME:
        return _Found(phrase, hits[0].food, hits)
    made = framed(phrase.food, search)
    if made is not None:
        return _Found(phrase, made, (Hit(made, COMPOSED, True), *hits))
    again = ended(phrase)
    found = _found(again, search) if again is not None else None
    if isinstance(found, _Found) and found.hits[0].score >= (hits[0].score if taken else 0.0):
        return found
    if taken:
        return _Found(phrase, hits[0].food, hits)
    return Unknown(phrase.food or _said(phrase), tuple(hit for hit in hits if hit.score > LIKELY)[:3])


def _items(found: Sequence[_Found]) -> list[Item]:
    if not found:
        return []
    head, rest = found[0], found[1:]
    sharing = [one for one in rest if head.food.kind in MIXED and one.food.kind in MIXED and not _garnish(head, one)]
    if sharing and head.phrase.unit in VESSELS and not _poured(head):
        return [*_shared([head, *sharing]), *(_item(one, _beside(head, one)) for one in rest if one not in sharing)]
    return [_item(head, _own(head)), *(_item(one, _beside(head, one)) for one in rest)]


def _garnish(head: _Found, one: _Found) -> bool:
    return head.food.kind in ("fruit", "soup") or (head.food.kind == "grain" and one.food.kind == "fruit")


def _poured(head: _Found) -> bool:
    return head.phrase.unit in ("tbsp", "tsp", "spoon", "handful", "splash", "can", "bottle")


def _shared(found: Sequence[_Found]) -> list[Item]:
    """Return items of one vessel, filled in the ratio of their usual servings."""
    head = found[0]
    whole = sum(serving(one.food) for one in found)
    made = []
    for one in found:
        share = serving(one.food) / whole
        full = grams(one.food, head.phrase.count, head.phrase.unit, head.phrase.size)
        made.append(_item(one, Grams(full.grams * share, math.hypot(full.spread, 0.2), f"{share:.0%} of {full.how}")))
    return made


def _own(one: _Found) -> Grams:
    phrase = one.phrase
    unit = phrase.unit
    if not unit and phrase.count is not None and phrase.count < 1 and "whole" in one.food.portions:
        unit = "whole"
    found = grams(one.food, phrase.count, unit, phrase.size)
    if phrase.vague:
        usual = grams(one.food, None, unit, phrase.size)
        return Grams(usual.grams * (phrase.count or 1.0), max(usual.spread, 0.35), f"{phrase.count:g} × {usual.how}")
    return found


def _beside(head: _Found, one: _Found) -> Grams:
    """Return how much goes with a head: spreads on each slice, milk on cereal; else what was said, or a serving."""
    own = _own(one)
    if one.phrase.measured:
        return own
    if one.food.kind in ("spread", "cheese") and head.food.kind == "bread":
        slices = max((head.phrase.count or 1.0) if head.phrase.unit not in ("g",) else 1.0, 0.5)
        return Grams(own.grams * slices, own.spread, f"{slices:g} × {own.how}")
    if one.food.kind == "drink" and head.food.kind in ("cereal", "grain"):
        return Grams(MILK_ON_CEREAL_G, 0.35, "half a cup on cereal")
    return own


def _item(one: _Found, amount: Grams) -> Item:
    others = tuple(hit for hit in one.hits if hit.food.key != one.food.key and hit.score > LIKELY)
    return Item(_said(one.phrase), one.food, amount, one.hits[0].score, others)


def _said(phrase: Phrase) -> str:
    count = "" if phrase.count is None else f"{phrase.count:g}"
    return " ".join(part for part in (count, phrase.size, phrase.unit, phrase.food) if part)
