"""What a sentence says beside its intent: amounts, times ahead and back, the words that name food."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from importlib.resources import files

from gemel.bank.tools import local
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.metrics import MGDL_PER_MMOL
from gemel.packs.diabetes.sunny.normal import normal

NUMBER = r"(\d+(?:[.,]\d+)?)"
GRAMS = re.compile(rf"\b{NUMBER} ?(?:g|gr|grams?|carbs?)\b(?! of (?!carb))")
UNITS = re.compile(rf"\b(?:{NUMBER} ?|(half a |an? ))(?:u|units?)\b")
GLUCOSE = re.compile(rf"\b{NUMBER} ?(mg/?dl|mmol(?:/l)?)\b")
AFTER = re.compile(rf"\bin (?:about |around )?{NUMBER} ?(minutes?|mins?|m|hours?|hrs?|h)\b")
SPAN = re.compile(rf"\b(?:next|last|past|for|coming)(?: about)? {NUMBER} ?(minutes?|mins?|hours?|hrs?|days?|weeks?)\b")
AGO = re.compile(rf"\b{NUMBER} ?(minutes?|mins?|hours?|hrs?) (?:ago|earlier)\b")
AT = re.compile(
    r"\b(?:at|by|until|till) (\d{1,2})(?:[:.](\d{2}))? ?(am|pm|o'clock)?\b"
    r"(?! ?(?:g|grams?|carbs?|u|units?|mg|mmol|minutes?|hours?))"
)
PARTS = {"breakfast": 8.0, "lunch": 12.5, "dinner": 18.0, "supper": 18.0, "bedtime": 20.5, "bed": 20.5, "noon": 12.0,
         "afternoon": 15.0, "evening": 19.0, "tonight": 23.0, "night": 23.0, "midnight": 24.0, "morning": 8.0}  # fmt: skip
"""When parts of a child's day are, as hours of the clock: judgements."""
ELSE = re.compile(
    r"\b(?:in|at|by) (?:about )?\d+(?:[:.]\d+)? ?(?:minutes?|mins?|hours?|hrs?|am|pm|o'clock|m|h)?\b(?! ?(?:g|grams?)\b)"
    r"|\b\d+(?:[.,]\d+)? ?(?:u|units?)\b|\bhalf a unit\b|\b\d+ ?(?:minutes?|hours?) ago\b"
    r"|\b\d+(?:[.,]\d+)? ?(?:carbs|g|gr|grams?)\b(?! of (?!carb))"
    r"|\b(?:write|log|note|put|add) (?:it|that|this)(?: down)?\b|\b(?:food|my) (?:diary|log|list|journal)\b|\bblood sugar\b"
)
"""Times, doses and figures, which name no food."""
_WORDS = tomllib.loads(files(__package__).joinpath("food_words.toml").read_text(encoding="utf-8"))
NOT_FOOD, JOINS, MEASURES = (frozenset(_WORDS[name].split()) for name in ("not_food", "joins", "measures"))
LONGER = 48.0
"""From so many hours on, the past is told day by day."""


@dataclass(frozen=True)
class Slots:
    """Grams and units that were named, glucose in mg/dL, minutes ahead and back, how many hours or days it is about, food."""

    grams: float | None = None
    units: float | None = None
    glucose: float | None = None
    ahead_min: float | None = None
    ago_min: float = 0.0
    hours: float | None = None
    food: str = ""


def slots(text: str, now: Time, place: tzinfo) -> Slots:
    """Return what *text* names; times of the clock are those of *place*, the next or the last such time."""
    said = normal(text)
    units = UNITS.search(said)
    return Slots(
        _value(GRAMS.search(said)),
        None if units is None else float(units[1].replace(",", ".")) if units[1] else 0.5 if "half" in units[2] else 1.0,
        _mgdl(GLUCOSE.search(said)), _ahead(said, now, place), _ago(said), _span(said), food_in(said),
    )  # fmt: skip


def _value(found: re.Match[str] | None) -> float | None:
    return None if found is None else float(found[1].replace(",", "."))


def _mgdl(found: re.Match[str] | None) -> float | None:
    value = _value(found)
    if found is None or value is None:
        return None
    return value * MGDL_PER_MMOL if found[2].startswith("mmol") else value


def _minutes(value: float, unit: str) -> float:
    return value * {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}[unit[0]]


def _ahead(said: str, now: Time, place: tzinfo) -> float | None:
    """Return minutes until what is said to come: "in 10 minutes", "at four", "before dinner"."""
    after = AFTER.search(said)
    if after is not None:
        return _minutes(float(after[1].replace(",", ".")), after[2])
    clock = AT.search(said)
    if clock is not None:
        return _until(_hour(int(clock[1]), clock[3] or "", local(now, place)) + int(clock[2] or 0) / 60, now, place)
    part = re.search(rf"\b(?:until|till|by|before|at|after|this|for) (?:my )?({'|'.join(PARTS)})\b|\b(tonight)\b", said)
    return None if part is None else _until(PARTS[part[1] or part[2]], now, place)


def _hour(hour: int, half: str, now: datetime) -> float:
    """Return the hour of the clock that is meant: "at four" comes next, at four or at sixteen."""
    if half == "pm" and hour < 12:
        return hour + 12.0
    if half == "am" or hour > 12:
        return float(hour % 24)
    return float(hour + 12 if hour < 12 and now.hour + now.minute / 60 >= hour else hour)


def _until(hour: float, now: Time, place: tzinfo) -> float:
    here = local(now, place)
    there = datetime.combine(here.date(), time(), place) + timedelta(hours=hour)
    ahead = (there.timestamp() * 1000 - now) / MINUTE
    return ahead if ahead > 0 else ahead + 24 * 60


def _ago(said: str) -> float:
    found = AGO.search(said)
    return 0.0 if found is None else _minutes(float(found[1].replace(",", ".")), found[2])


def _span(said: str) -> float | None:
    """Return how many hours something is about, where the sentence says so."""
    found = SPAN.search(said)
    return None if found is None else _minutes(float(found[1].replace(",", ".")), found[2]) / 60


@dataclass(frozen=True)
class Stretch:
    """A stretch of the past: hours back from now, or whole days one by one; `name` is how it is called in strings."""

    name: str
    hours: float = 24.0
    days: int = 0


def stretch(text: str, now: Time, place: tzinfo) -> Stretch:
    """Return which part of the past a sentence is about; by default since midnight."""
    said, here = normal(text), local(now, place)
    since_midnight = max(here.hour + here.minute / 60, 1.0)
    span = SPAN.search(said)
    if span is not None:
        hours = _minutes(float(span[1]), span[2]) / 60
        return Stretch("days", days=min(max(round(hours / 24), 1), 31)) if hours > LONGER else Stretch("hours", hours)
    if re.search(r"\b(week|days)\b", said):
        return Stretch("days", days=7)
    if re.search(r"\bmonth\b", said):
        return Stretch("days", days=30)
    if re.search(r"\byesterday\b", said):
        return Stretch("yesterday", since_midnight, 2)
    if re.search(r"\b(last night|the night|my night|sleep|sleeping|slept|overnight)\b", said):
        return Stretch("night", max(since_midnight, 8.0) if here.hour < 20 else 10.0)
    since = re.search(r"\bsince (breakfast|lunch|dinner|noon|midnight)\b", said)
    if since is not None:
        return Stretch("since", max((since_midnight - PARTS[since[1]] % 24) % 24, 0.5))
    return Stretch("today", since_midnight)


def food_in(said: str) -> str:
    """Return the words of a normalised sentence that may name food: the longest run of words that can be nothing else."""
    runs: list[list[str]] = [[]]
    for word in re.findall(r"[\w'%-]+|[,;.?!]", ELSE.sub(" , ", said)):
        if word in NOT_FOOD or not re.match(r"\w", word):
            runs.append([])
        else:
            runs[-1].append(word)
    named = [" ".join(run) for run in map(_trimmed, runs) if run]
    return ", ".join(named)


def _trimmed(run: list[str]) -> list[str]:
    """Return a run without joining words at its ends; nothing if it names no food."""
    words = list(run)
    while words and words[0] in JOINS:
        words.pop(0)
    while words and (words[-1] in JOINS or words[-1] in MEASURES):
        words.pop()
    return words if any(not _only_measures(word) for word in words) else []


def _only_measures(word: str) -> bool:
    return word in MEASURES or word in JOINS or bool(re.fullmatch(r"[\d.,/]+", word))
