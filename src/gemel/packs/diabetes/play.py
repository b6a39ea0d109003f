"""Play: points, badges and streaks for logging, checking and learning. Never for glucose: nobody is punished for biology.

Everything is counted from facts that are there anyway, so nothing can be lost, and a parent's change of the rules counts for
the past too.
What earns points is data (`DEEDS`, `BADGES`); parents turn deeds up, down or off, or all of it, by a fact `play/1`.
Days are those of the calendar where the child is: by the time zone that a holder set for the companion (`companion/1`). A deed
stays on the day on which it was done when the zone is changed later; what was done before any was set counts by the first.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from gemel.bank import Twin
from gemel.bank.companion import COMPANION
from gemel.bank.consenting import holder_only
from gemel.bank.tools import Tool, local
from gemel.errors import BadInput, unknown
from gemel.facts import HOUR, Draft, Fact, Time
from gemel.streams.clock import zone

PLAY, LEARNED = "play/1", "learned/1"

MOST = 100
"""Points that one deed can be worth at the most."""


@dataclass(frozen=True)
class Deed:
    """Something worth points: so many each time, at most `daily` times on one day."""

    name: str
    label: str
    points: int
    daily: int


DEEDS = {
    "log": Deed("log", "wrote down what was eaten", 10, 6),
    "check": Deed("check", "had a look at how it is going", 5, 6),
    "learn": Deed("learn", "finished a lesson", 20, 3),
}


@dataclass(frozen=True)
class Badge:
    """Something to keep: for so many deeds of a kind, or so many days in a row on which there was any."""

    name: str
    label: str
    deed: str | None
    count: int


BADGES = (
    Badge("first-log", "First meal written down", "log", 1),
    Badge("food-reporter", "Fifty meals written down", "log", 50),
    Badge("look-out", "Twenty looks ahead", "check", 20),
    Badge("curious", "First lesson", "learn", 1),
    Badge("bookworm", "Ten lessons", "learn", 10),
    Badge("streak-3", "Three days in a row", None, 3),
    Badge("streak-7", "A whole week", None, 7),
    Badge("streak-30", "Thirty days in a row", None, 30),
)


@dataclass(frozen=True)
class Rules:
    """What parents have set: whether there is any play, and what each deed is worth."""

    on: bool = True
    points: Mapping[str, int] = field(default_factory=lambda: {name: deed.points for name, deed in DEEDS.items()})


@dataclass(frozen=True)
class Score:
    """How it stands: points of all days and of today, days in a row, the badges, and how often each deed was done."""

    on: bool
    points: int = 0
    today: int = 0
    streak: int = 0
    badges: tuple[Badge, ...] = ()
    deeds: Mapping[str, int] = field(default_factory=dict)


def rules(facts: Iterable[Fact]) -> Rules:
    """Return the rules in force, as the last fact `play/1` of a holder says."""
    last = next((fact for fact in reversed(list(facts)) if fact.kind == PLAY), None)
    if last is None:
        return Rules()
    return Rules(bool(last.body["on"]), {**Rules().points, **last.body["points"]})


def deed_of(fact: Fact, child: str) -> str | None:
    """Return which deed of *child* a fact stands for, if any; what sensors say is none."""
    if fact.by != child:
        return None
    if fact.kind == "acted/1" and fact.body["name"] == "carbs":
        return "log"
    if fact.kind == "accessed/1" and fact.body["allowed"] and fact.body["verb"] == "read":
        return "check"
    return "learn" if fact.kind == LEARNED else None


def days_of(facts: Iterable[Fact], otherwise: tzinfo = UTC) -> Callable[[Time], int]:
    """Return what tells the day of a moment, as a number, by the zones that were set; *otherwise* where none ever was."""
    said = [
        (fact.known_at, zone(str(fact.body["timezone"])))
        for fact in facts
        if fact.kind == COMPANION and "timezone" in fact.body
    ]
    first = said[0][1] if said else otherwise

    def day(at: Time) -> int:
        place = next((found for since, found in reversed(said) if since <= at), first)
        return local(at, place).toordinal()

    return day


def score(facts: Sequence[Fact], child: str, now: Time, otherwise: tzinfo = UTC) -> Score:
    """Return how *child* stands at *now*; days are as `days_of` says."""
    set_by = rules(facts)
    if not set_by.on:
        return Score(False)
    day = days_of(facts, otherwise)
    done = Counter((day(at), deed) for at, deed in _done(facts, child, now))
    counted = {(day, deed): min(count, DEEDS[deed].daily) for (day, deed), count in done.items() if set_by.points[deed]}
    today = day(now)
    totals: Counter[str] = Counter()
    for (_, deed), count in counted.items():
        totals[deed] += count
    days = {day for day, _ in counted}
    points = {day_deed: count * set_by.points[day_deed[1]] for day_deed, count in counted.items()}
    longest = _longest(days)
    badges = tuple(b for b in BADGES if (longest if b.deed is None else totals[b.deed]) >= b.count)
    now_points = sum(value for (day, _), value in points.items() if day == today)
    return Score(True, sum(points.values()), now_points, _running(days, today), badges, dict(totals))


def _done(facts: Iterable[Fact], child: str, now: Time) -> Iterable[tuple[Time, str]]:
    """Yield (time, deed): looks once an hour, each lesson once, all else as often as it was done."""
    seen: set[tuple[str, object]] = set()
    for fact in facts:
        deed = deed_of(fact, child)
        if deed is None or fact.known_at > now:
            continue
        once = {"check": fact.known_at // HOUR, "learn": fact.body.get("lesson")}.get(deed)
        if once is None or (deed, once) not in seen:
            seen.add((deed, once))
            yield fact.known_at, deed


def _running(days: set[int], today: int) -> int:
    """Return how many days in a row there are up to today, or up to yesterday where today is still young."""
    last = today if today in days else today - 1
    count = 0
    while last - count in days:
        count += 1
    return count


def _longest(days: set[int]) -> int:
    """Return the longest run of days ever: a badge is not taken away."""
    return max((_running(days, day) for day in days), default=0)


# lessons


@dataclass(frozen=True)
class Lesson:
    """A short thing to learn, with a question; words for a child of about nine."""

    name: str
    title: str
    text: str
    question: str
    answers: tuple[str, ...]
    right: int


LESSONS = tuple(
    Lesson(**{**told, "text": " ".join(told["text"].split()), "answers": tuple(told["answers"])})
    for told in tomllib.loads(files(__package__).joinpath("lessons.toml").read_text(encoding="utf-8"))["lesson"]
)


class Looked(msgspec.Struct, forbid_unknown_fields=True):
    """In which time zone days begin, where no holder has set one."""

    timezone: Annotated[str, msgspec.Meta(max_length=60)] = "UTC"


class Learnt(msgspec.Struct, forbid_unknown_fields=True):
    """An answer to the question of a lesson; without one, the lesson."""

    lesson: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    answer: Annotated[int, msgspec.Meta(ge=0, le=5)] | None = None


class Tuned(msgspec.Struct, forbid_unknown_fields=True):
    """Whether there is any play, and what deeds are worth."""

    on: bool = True
    points: dict[str, int] = {}


def play(twin: Twin, child: str, otherwise: tzinfo = UTC) -> Score:
    """Return how *child* stands; who reads all of the twin may see it, and the child."""
    twin.bank.gate.require(twin.actor, "read", twin.id, "*", twin.purpose)
    kinds = [PLAY, LEARNED, COMPANION, "acted/1", "accessed/1"]
    return score(list(twin.bank.thread.read(twin.id, kinds=kinds)), child, twin.bank.now(), otherwise)


def tune(twin: Twin, on: bool = True, points: Mapping[str, int] | None = None) -> Rules:
    """Turn play on or off, or say what deeds are worth; who holds the keys may."""
    holder_only(twin, "set the rules of play")
    for name, worth in (points or {}).items():
        if name not in DEEDS:
            raise unknown("deed", name, DEEDS)
        if not 0 <= worth <= MOST:
            raise BadInput(f"a deed is worth 0 to {MOST} points, not {worth}", field=name)
    now = twin.bank.now()
    twin.bank.append([Draft(twin.id, PLAY, {"on": on, "points": dict(points or {})}, now, twin.actor)])
    return rules(twin.bank.thread.read(twin.id, kinds=[PLAY]))


def body(found: Score) -> dict[str, Any]:
    """Return a score as JSON types."""
    badges = [{"name": badge.name, "label": badge.label} for badge in found.badges]
    return {"on": found.on, "points": found.points, "today": found.today, "days_in_a_row": found.streak, "badges": badges,
            "deeds": {name: {"times": count, "label": DEEDS[name].label} for name, count in found.deeds.items()}}  # fmt: skip


def _play(twin: Twin, asked: Looked) -> dict[str, Any]:
    told = body(play(twin, twin.id, zone(asked.timezone)))
    return {**told, "worth": dict(rules(twin.bank.thread.read(twin.id, kinds=[PLAY])).points)}


def _learn(twin: Twin, asked: Learnt) -> dict[str, Any]:
    lessons = {lesson.name: lesson for lesson in LESSONS}
    if asked.lesson is None:
        return {"lessons": [{"name": lesson.name, "title": lesson.title} for lesson in LESSONS]}
    if asked.lesson not in lessons:
        raise unknown("lesson", asked.lesson, lessons)
    lesson = lessons[asked.lesson]
    told = {
        "name": lesson.name,
        "title": lesson.title,
        "text": lesson.text,
        "question": lesson.question,
        "answers": list(lesson.answers),
    }
    if asked.answer is None:
        return told
    right = asked.answer == lesson.right
    if right:
        twin.bank.gate.require(twin.actor, "write", twin.id, "carbs", twin.purpose)
        draft = Draft(
            twin.id,
            LEARNED,
            {"lesson": lesson.name},
            twin.bank.now(),
            twin.actor,
            key=f"learned|{twin.actor}|{lesson.name}",
        )
        twin.bank.append([draft])
    return {**told, "right": right}


def _tune(twin: Twin, asked: Tuned) -> dict[str, Any]:
    found = tune(twin, asked.on, asked.points)
    return {"on": found.on, "points": dict(found.points)}


TOOLS = (
    Tool("play", "Points, badges and days in a row, for logging, checking and learning.", Looked, _play),
    Tool("learn", "Short lessons with a question each; the right answer earns points.", Learnt, _learn, changes=True),
    Tool(
        "tune_play",
        "Turn play on or off, or say what deeds are worth; for who holds the keys.",
        Tuned,
        _tune,
        changes=True,
        by_hand=True,
    ),
)
