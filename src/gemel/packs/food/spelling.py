"""Words as they are compared: small letters, one number, one spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

SPELLINGS = {
    "yogurt": "yoghurt", "doughnut": "donut", "wholewheat": "wholemeal", "wholegrain": "wholemeal", "ketchup": "ketchup",
    "catsup": "ketchup", "hommus": "hummus", "houmous": "hummus", "chilli": "chili", "lasagna": "lasagne", "omelet": "omelette",
    "veggie": "vegetable", "veg": "vegetable", "choc": "chocolate", "flavored": "flavoured", "cookies": "cookie",
    "jello": "jelly", "stirfry": "stir fry", "stirfried": "stir fry", "spag": "spaghetti", "bol": "bolognese",
}  # fmt: skip
FILLERS = frozenset({
    "a", "an", "the", "some", "my", "his", "her", "our", "of", "fresh", "hot", "cold", "warm", "big", "nice",
    "homemade", "home", "made", "plain", "leftover", "leftovers", "organic", "chopped", "sliced", "grated", "diced",
    "whole", "just", "about", "maybe", "i", "had", "ate", "eat", "eaten", "have", "having", "me", "him", "cooked",
    "steamed", "boiled", "little", "bit", "delicious", "good", "usual", "normal", "regular", "for", "breakfast",
    "lunch", "dinner", "tea-time", "snack", "today", "yesterday", "please", "raw", "tasty",
})  # fmt: skip
"""Words that say nothing of which food it is, unless the table's own name has them."""
SWAPPED = 0.85
"""The likeness of a word whose letters changed places."""
CHANGING = frozenset(
    {"diet", "zero", "sugarfree", "unsweetened", "lite", "light", "keto", "glutenfree", "vegan", "carbfree"}
)
"""Words that make another food of it: whoever says them means no food whose name has none of them."""
CLOSE = 0.8
"""From which likeness on a word may be another one misspelt (Ratcliff-Obershelp)."""


def together(text: str) -> str:
    """Return *text* in small letters, with what changes a food as one word: sugar-free, no added sugar, low carb."""
    text = re.sub(
        r"\b(?:no|zero|without|0)(?: added)?[ -]sugar\b|\bsugar[ -](?:free|less)\b|\bsugarless\b",
        "sugarfree",
        text.lower(),
    )
    text = re.sub(r"\bgluten[ -]free\b", "glutenfree", text)
    return re.sub(r"\b(?:low|no|zero)[ -]carbs?\b|\bcarb[ -]free\b", "carbfree", text)


def changed(asked: Collection[str], name: Collection[str]) -> bool:
    """Return whether what was asked for is changed in a way of which a name knows nothing."""
    return bool(CHANGING & set(asked)) and not CHANGING & set(name)


def words(text: str) -> tuple[str, ...]:
    """Return the words of *text* as they are compared."""
    plain = unicodedata.normalize("NFKD", together(text).replace("&", " and ").replace("'", "").replace("’", ""))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    found = (_one(word) for word in re.findall(r"[a-z0-9%]+", plain))
    return tuple(part for word in found for part in SPELLINGS.get(word, word).split())


def _one(word: str) -> str:
    """Return a word in the singular; what matters is that both sides are treated alike."""
    if word in SPELLINGS or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 5:
        return SPELLINGS.get(word[:-3] + "ie", word[:-3] + "ie") if word in PIES else word[:-3] + "y"
    for end in ("ches", "shes", "xes", "sses", "oes"):
        if word.endswith(end):
            return word[:-2]
    return SPELLINGS.get(word[:-1], word[:-1]) if word.endswith("s") else word


PIES = frozenset({"cookies", "brownies", "smoothies", "pies", "veggies", "wedgies"})


def telling(found: Iterable[str]) -> tuple[str, ...]:
    """Return those words that say which food it is; all, if none does."""
    kept = tuple(word for word in found if word not in FILLERS)
    return kept or tuple(found)


def likeness(word: str, other: str) -> float:
    """Return how alike two words are, 1 if equal, 0 if too far for a typo: short words must be equal, first letters too."""
    if word == other:
        return 1.0
    if len(word) < 4 or len(other) < 4 or abs(len(word) - len(other)) > 2 or word[0] != other[0]:
        return 0.0
    if sorted(word) == sorted(other):
        return SWAPPED
    match = SequenceMatcher(None, word, other)
    if match.real_quick_ratio() < CLOSE or match.quick_ratio() < CLOSE:
        return 0.0
    ratio = match.ratio()
    return ratio if ratio >= CLOSE else 0.0


def alike(word: str, known: Collection[str]) -> dict[str, float]:
    """Return those of the *known* words that *word* may be; itself alone if it is known."""
    if word in known:
        return {word: 1.0}
    found = {other: likeness(word, other) for other in known}
    return {other: value for other, value in found.items() if value > 0}
