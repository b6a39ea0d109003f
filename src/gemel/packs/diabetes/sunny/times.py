"""Times that a sentence names: how far ahead, how long ago, which stretch of the past; the clock is the person's own."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from gemel.bank.tools import local
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.sunny.normal import normal

NUMBER = r"(\d+(?:[.,]\d+)?)"
AFTER = re.compile(
    rf"\bin (?:about |around )?{NUMBER} ?(minutes?|mins?|m|hours?|hrs?|h)\b"
    rf"|\b{NUMBER} ?(minutes?|mins?|hours?|hrs?) (?:later|from now|after)\b"
)
SPAN = re.compile(rf"\b(?:next|last|past|for|coming)(?: about)? {NUMBER} ?(minutes?|mins?|hours?|hrs?|days?|weeks?)\b")
AGO = re.compile(rf"\b{NUMBER} ?(minutes?|mins?|hours?|hrs?|days?|weeks?) (?:ago|earlier)\b")
AT = re.compile(
    r"\b(?:at|by|until|till) (?:about |around )?([01]?\d|2[0-4])(?:[:.]([0-5]\d))? ?(am|pm|o'clock)?\b(?![.,]\d)"
    r"(?! ?(?:g|grams?|carbs?|u|units?|mg|mmol|minutes?|hours?))"
)
PARTS = {"breakfast": 8.0, "lunch": 12.5, "dinner": 18.0, "supper": 18.0, "bedtime": 20.5, "bed": 20.5, "noon": 12.0,
         "afternoon": 15.0, "evening": 19.0, "tonight": 23.0, "night": 23.0, "midnight": 24.0, "morning": 8.0}  # fmt: skip
"""When parts of a child's day are, as hours of the clock: judgements."""
LASTS = 3.0
"""Hours for which such a part goes on: "this afternoon" at four is now."""
PART = re.compile(rf"\b(?:until|till|by|before|at|after|this|for) (?:my )?({'|'.join(PARTS)})\b|\b(tonight)\b")
EATEN = re.compile(r"\b(breakfast|lunch|dinner|supper|noon|afternoon|evening|morning)\b")
"""Parts of the day that say when something was eaten."""
NOW = re.compile(r"\b(?:just|right now|now|straight away)\b")
BEFORE_TODAY = re.compile(r"\byesterday\b|\blast (?:night|evening|week|month)\b|\bthe other day\b")
NIGHT = 22.0, 7.0
"""When a night begins and ends, as hours of the clock: a judgement."""
LONGER = 48.0
"""From so many hours on, the past is told day by day."""


@dataclass(frozen=True)
class Ahead:
    """Minutes until what is said to come; `over` where a time of the clock is past for today and tomorrow was not said."""

    minutes: float
    over: bool = False


def clocked(said: str) -> str:
    """Return a normalised sentence with times of the clock in figures: "half past 3" as "3:30"."""
    said = re.sub(r"\bquarter to (\d{1,2})\b", lambda found: f"{(int(found[1]) - 2) % 12 + 1}:45", said)
    said = re.sub(r"\bhalf past (\d{1,2})\b", r"\1:30", said)
    return re.sub(r"\bquarter past (\d{1,2})\b", r"\1:15", said)


def ahead(said: str, now: Time, place: tzinfo) -> Ahead | None:
    """Return when what is said is to come: "in 10 minutes", "at four", "before dinner"; None where no time is named."""
    after = AFTER.search(said)
    if after is not None:
        return Ahead(_minutes(_value(after[1] or after[3]), after[2] or after[4]))
    days, clock, part = int("tomorrow" in said), AT.search(said), PART.search(said)
    if clock is not None:
        hour = _hour(int(clock[1]), clock[3] or "", local(now, place)) + int(clock[2] or 0) / 60
        return _until(hour, days, now, place)
    if part is not None:
        return _until(PARTS[part[1] or part[2]], days, now, place, LASTS)
    return _until(PARTS["morning"], 1, now, place) if days else None


def _value(figures: str) -> float:
    return float(figures.replace(",", "."))


def _minutes(value: float, unit: str) -> float:
    return value * {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}[unit[0]]


def _hour(hour: int, half: str, now: datetime) -> float:
    """Return the hour of the clock that is meant: "at four" comes next, at four or at sixteen."""
    if half == "pm" and hour < 12:
        return hour + 12.0
    if half == "am" or hour > 12:
        return float(hour % 24)
    return float(hour + 12 if hour < 12 and now.hour + now.minute / 60 >= hour else hour)


def _until(hour: float, days: int, now: Time, place: tzinfo, lasts: float = 0.0) -> Ahead:
    """Return the time until *hour* of a day that is so many days ahead; what began and still lasts is now."""
    away = (_at(hour, days, now, place) - now) / MINUTE
    if away > 0:
        return Ahead(away)
    return Ahead(0.0) if away > -60 * lasts else Ahead(away + 24 * 60, over=True)


def _at(hour: float, days: int, now: Time, place: tzinfo) -> Time:
    day = datetime.combine(local(now, place).date(), time(), place) + timedelta(days=days, hours=hour)
    return round(day.timestamp() * 1000)


def ago(said: str, now: Time, place: tzinfo) -> float | None:
    """Return how many minutes ago what is told was, None where no time is named.

    Negative is a time of today that is to come; infinite an earlier day without a time of the clock.
    """
    found = AGO.search(said)
    if found is not None:
        return _minutes(_value(found[1]), found[2])
    days, clock, part = int("yesterday" in said), AT.search(said), EATEN.search(said)
    if clock is not None:
        return _since(int(clock[1]), int(clock[2] or 0), clock[3] or "", days, now, place)
    if part is not None and (days or not NOW.search(said)):
        return _meal(PARTS[part[1]], days, now, place)
    return math.inf if BEFORE_TODAY.search(said) else None


def _since(hour: int, minute: int, half: str, days: int, now: Time, place: tzinfo) -> float:
    """Return minutes since a time of the clock: "at four" was last, at four or at sixteen."""
    plain = half not in ("am", "pm") and hour <= 12
    hours = (hour % 12, hour % 12 + 12) if plain else (int(_hour(hour, half, local(now, place))),)
    back = [(now - _at(one + minute / 60, -days, now, place)) / MINUTE for one in hours]
    past = [one for one in back if one >= 0]
    return min(past) if past else max(back) + (24 * 60 if plain else 0)


def _meal(hour: float, days: int, now: Time, place: tzinfo) -> float:
    """Return minutes since a meal or part of the day: of today, or of yesterday where that was within 12 hours; else now."""
    back = (now - _at(hour, -days, now, place)) / MINUTE
    return back if back >= 0 else back + 24 * 60 if back < -12 * 60 else 0.0


def span(said: str) -> float | None:
    """Return how many hours something is about, where the sentence says so."""
    found = SPAN.search(said)
    return None if found is None else _minutes(_value(found[1]), found[2]) / 60


@dataclass(frozen=True)
class Stretch:
    """A stretch of the past: hours back from `ended` hours ago, or whole days one by one; `name` is its name in strings."""

    name: str
    hours: float = 24.0
    days: int = 0
    ended: float = 0.0


def stretch(text: str, now: Time, place: tzinfo) -> Stretch:
    """Return which part of the past a sentence is about; by default since midnight."""
    said, here = normal(text), local(now, place)
    since_midnight = max(here.hour + here.minute / 60, 1.0)
    hours = span(said)
    if hours is not None:
        return Stretch("days", days=min(max(round(hours / 24), 1), 31)) if hours > LONGER else Stretch("hours", hours)
    if re.search(r"\b(week|days)\b", said):
        return Stretch("days", days=7)
    if re.search(r"\bmonth\b", said):
        return Stretch("days", days=30)
    if re.search(r"\byesterday\b", said):
        return Stretch("yesterday", since_midnight, 2)
    if re.search(r"\b(last night|the night|my night|sleep|sleeping|slept|overnight)\b", said):
        return _night(here.hour + here.minute / 60)
    since = re.search(r"\bsince (breakfast|lunch|dinner|noon|midnight)\b", said)
    if since is not None:
        return Stretch("since", max((since_midnight - PARTS[since[1]] % 24) % 24, 0.5))
    return Stretch("today", since_midnight)


def _night(hour: float) -> Stretch:
    """Return the last night, as far as it is over."""
    begun, over = NIGHT
    ended = max(round(hour - over, 2), 0.0)
    return Stretch("night", round(min(hour, over) + 24 - begun, 2), ended=ended)
