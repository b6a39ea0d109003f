"""The words of a sentence that name food and how much of it, as the food tool reads them, and carbohydrate that is counted."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from gemel.packs.food import everyday
from gemel.packs.food.spelling import together

_WORDS = tomllib.loads(files(__package__).joinpath("food_words.toml").read_text(encoding="utf-8"))
NOT_FOOD, FILLERS, JOINS, MEASURES, SPORTS, NEGATIONS = (
    frozenset(_WORDS[name].split()) for name in ("not_food", "fillers", "joins", "measures", "sports", "negations")
)
ARTICLES = frozenset({"a", "an", "some"})
NUMBER = r"\d+(?:[.,]\d+)?"
WEIGHT = re.compile(
    rf"\b({NUMBER}) ?(?:(carbs?)|(?:g|gr|grams?)\b(?:(?: of)? (carbs?|carbohydrates?)\b)?(?:(?= (of\b)? ?([a-z][\w']*)))?)\b"
)
"""An amount: of carbohydrate, where "carbs" is said or no food comes after it; else of that food."""
ELSE = re.compile(
    r"\bin (?:about |around )?\d+(?:[.,]\d+)? ?(?:minutes?|mins?|hours?|hrs?|m|h)\b"
    r"|\b\d+ ?(?:minutes?|mins?|hours?|hrs?) (?:later|from now|after)\b"
    r"|\b(?:at|by|until|till) (?:about |around )?\d+(?:[:.]\d+)? ?(?:am|pm|o'clock)?\b(?! ?(?:g|grams?)\b)"
    rf"|\b(?:next|last|past|for|coming)(?: about)? {NUMBER} ?(?:minutes?|mins?|hours?|hrs?|days?|weeks?)\b"
    r"|\b(?:half a|an?|\d+(?:[.,]\d+)?) ?(?:u|units?)\b|\b\d+ ?(?:minutes?|mins?|hours?|hrs?|days?|weeks?) (?:ago|earlier)\b"
    r"|\b(?:write|log|note|put|add) (?:it|that|this)(?: down)?\b|\b(?:food|my) (?:diary|log|list|journal)\b|\bblood sugar\b"
)
"""Times and doses, which name no food."""
NOT_EATEN = re.compile(
    r"\b(?:didn't|did not|haven't|have not|hadn't|had not|hasn't|never|don't|do not|doesn't|won't|couldn't|wouldn't)(?: \w+)?"
    r" (?:eat|eaten|eating|ate|have|had|drink|drunk|drank|finish|finished|touch|touched|want|like|get|got)\b"
    r"|\b(?:skip(?:ped)?|instead of|left out|leave out)\b"
)
NOTHING = "\x01"
"""Stands for what says that the food after it was not eaten: nobody can type it, as `normal` drops it."""
AFRESH = frozenset({"but", "what", "if", "how", "should", "can"})
"""Words after which it may be eaten again: "I don't want to go low, what if I eat a banana"."""
TOKEN = re.compile(rf"\d+(?:[.,/-]\d+)*%?|[^\W\d][\w'-]*|[{NOTHING},;.?!()]")


def carbs_in(said: str) -> float | None:
    """Return grams of carbohydrate that a normalised sentence counts, or None: "200 g pasta" weighs a food."""
    return next((float(one[1].replace(",", ".")) for one in WEIGHT.finditer(said) if _counted(one)), None)


def _counted(found: re.Match[str]) -> bool:
    of, word = found[4], found[5]
    if found[2] or found[3] or word is None:
        return True
    return not of and (word in NOT_FOOD or word in FILLERS or word in JOINS or word in SPORTS or word in NEGATIONS)


def food_in(said: str) -> str:
    """Return what of a normalised sentence names food and its amounts, as text for the food tool; empty if nothing does."""
    named = [""]
    for run, listed in _runs(said):
        if not _only_measures(run):
            named.append(" ".join(_trimmed(run)))
        elif listed and named[-1] and set(run) & (MEASURES - ARTICLES):
            named.append(" ".join(run))  # "stir fry with rice, small bowl"
    return ", ".join(one for one in named if one)


def amount_in(said: str) -> str:
    """Return an amount that stands without a food, as in "and if I eat two", or nothing."""
    runs = [run for run, _ in _runs(said) if run]
    sizes = [" ".join(run) for run in runs if set(run) - ARTICLES - JOINS]
    return sizes[0] if sizes and all(map(_only_measures, runs)) else ""


def sport_in(said: str) -> bool:
    """Return whether a normalised sentence names sport."""
    return bool(set(re.findall(r"\w+", said)) & SPORTS)


def _runs(said: str) -> list[tuple[list[str], bool]]:
    """Return the words that may name food, run by run, and whether only a comma stands before each."""
    runs: list[tuple[list[str], bool]] = [([], False)]
    absent = ""
    for word in TOKEN.findall(_plain(said)):
        if word == NOTHING or word in NEGATIONS:
            absent = "all" if word == NOTHING else absent or "one"
        elif word in ",;.?!()" or word in AFRESH:
            absent, runs = "", [*runs, ([], word in ",(")]
        elif absent == "all" or (absent and word not in NOT_FOOD and word not in JOINS - {"of"}):
            continue
        elif word in NOT_FOOD or word in SPORTS:
            absent, runs = "", [*runs, ([], False)]
        elif word not in FILLERS:
            absent = ""
            runs[-1][0].append(word)
    return runs


def _plain(said: str) -> str:
    """Return a sentence without times, doses and counted carbohydrate; foods whose names have words of talk stay whole."""
    said = _named().sub(lambda found: found[0].replace(" ", "_"), together(said).replace("\u2044", "/"))
    said = NOT_EATEN.sub(f" {NOTHING} ", _measured(said))
    said = re.sub(
        rf"{NOTHING}([^{NOTHING},.;?!]*?) and (?=(?:i|we|then|had|have|ate|eat|drank)\b)", rf"{NOTHING}\1 , ", said
    )
    said = ELSE.sub(" ; ", re.sub(r" ?[&+] ?", " and ", said))
    return WEIGHT.sub(lambda found: " ; " if _counted(found) else found[0], said)


def _measured(said: str) -> str:
    """Return a sentence with measures that are also other words as the food tool reads them."""
    return re.sub(r"\b(?:the|my|this|that|our) whole\b", "a whole", re.sub(r"\bcan of\b", "tin of", said))


@cache
def _named() -> re.Pattern[str]:
    """Return names of foods that hold a word that else names none: "sports drink", "glucose tablets", "low fat milk"."""
    names = {name.casefold() for food in everyday() for name in (food.name, *food.aliases) if " " in name}
    mixed = sorted((one for one in names if (NOT_FOOD | SPORTS | FILLERS) & set(one.split())), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, mixed))})s?\b")


def _trimmed(run: list[str]) -> list[str]:
    """Return a run without joining words and articles at its ends."""
    words = [part for word in run for part in word.split("_")]
    while words and words[0] in JOINS:
        words.pop(0)
    while words and (words[-1] in JOINS or words[-1] in ARTICLES):
        words.pop()
    return words


def _only_measures(run: list[str]) -> bool:
    return all(word in MEASURES or word in JOINS or word[0].isdigit() for word in run)
