"""Answers about glucose: now, ahead, how it went, why, and sport."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gemel.bank.tools import local
from gemel.packs.diabetes.sunny import reported
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.times import stretch
from gemel.packs.diabetes.sunny.turn import Turn, nearest, together, too_far
from gemel.packs.diabetes.sunny.words import figure

STEADY, FAST = 0.2, 1.3
"""mg/dL per minute: below the first it is called steady, from the second on fast, as the arrow of the page does."""
OLD_MIN = 15
FARTHEST = 6.0
"""Hours that Sunny looks ahead: further on a forecast says little."""


def fitting(answer: Callable[[Turn], str]) -> Callable[[Turn], str]:
    """Return an answer that is given only where glucose, if it was named, is what the sensor says."""
    return lambda turn: _apart(turn) or answer(turn)


def _apart(turn: Turn) -> str:
    """Return that the glucose that was named is not what the sensor says, nothing where it is or where none was named."""
    named = turn.slots.glucose
    if named is None:
        return ""
    found = turn.asking("status")
    if found["latest"] is None or found["age_min"] >= OLD_MIN:
        return turn.say("now.alone")
    if reported.apart(named, found["latest"]):
        return turn.say("now.apart", value=turn.glucose(found["latest"]), unit=turn.unit)
    return ""


def now(turn: Turn) -> str:
    """Return how glucose is, where it goes, and whether that is in range."""
    found = turn.asking("status")
    if found["latest"] is None:
        return turn.say("now.none")
    value, place = turn.glucose(found["latest"]), turn.say(f"now.{_place(found['latest'], found['band'])}")
    if found["age_min"] >= OLD_MIN:
        return turn.say("now.old", value=value, unit=turn.unit, age=found["age_min"], place=place)
    return turn.say("now.read", value=value, unit=turn.unit, trend=_trend(turn, found), place=place)


def _place(value: float, band: list[float] | None) -> str:
    low, high = band or [70.0, 180.0]
    return "below" if value < low else "above" if value > high else "in"


def _trend(turn: Turn, found: Mapping[str, Any]) -> str:
    change = found["change_per_min"]
    if change is None:
        return turn.say("now.unknown_trend")
    fast = "_fast" if abs(change) >= FAST else ""
    name = "steady" if abs(change) < STEADY else ("up" if change > 0 else "down") + fast
    return turn.say(f"now.{name}")


def ahead(turn: Turn) -> str:
    """Return the forecast at the time that was asked for, and the lowest or highest on the way."""
    wanted = turn.slots.ahead_min or (turn.slots.hours or 2.0) * 60
    hours = min(max(wanted / 60, 1.0), FARTHEST)
    found = turn.asking("forecast", hours=hours)
    at = nearest(found["steps"], wanted)
    said = turn.say(
        "ahead.at", median=turn.glucose(at["median"]), unit=turn.unit, minutes=at["min"], low=turn.glucose(at["low80"]),
        high=turn.glucose(at["high80"]),
    )  # fmt: skip
    far = turn.say("ahead.far") if wanted / 60 > FARTHEST else ""
    return together(far, said, _extreme(turn, found), turn.say("ahead.guess"))


def _extreme(turn: Turn, found: Mapping[str, Any]) -> str:
    """Return the low on the way, or else the high, where it leaves the range."""
    low, high = turn.asking("status").get("band") or [70.0, 180.0]
    for name, outside in (("lowest", found["lowest"]["median"] < low), ("highest", found["highest"]["median"] > high)):
        if outside and found[name]["min"] > 0:
            told = turn.say(
                f"ahead.{name}", value=turn.glucose(found[name]["median"]), unit=turn.unit, minutes=found[name]["min"]
            )
            return together(told, turn.say("ahead.low") if name == "lowest" else "")
    return ""


def history(turn: Turn) -> str:
    """Return how a stretch of the past went: its mean and span, or its days one by one."""
    part = stretch(turn.sentence, turn.now, turn.place)
    if part.name == "yesterday":
        return _yesterday(turn)
    if part.days:
        return _days(turn, part.days)
    found = turn.asking("history", hours=round(part.hours, 1), ended=round(part.ended, 2))
    if not found.get("readings"):
        return turn.say("history.none")
    inside = found["metrics"].get("tir")
    return together(
        turn.say(f"history.{part.name}", **_figures(turn, found)),
        turn.say("history.inside", inside=f"{inside['value']:.0f}%") if inside else "", turn.say("history.end"),
    )  # fmt: skip


def _figures(turn: Turn, found: Mapping[str, Any]) -> dict[str, str]:
    return {"unit": turn.unit, **{name: turn.glucose(found[name]) for name in ("mean", "lowest", "highest")}}


def _yesterday(turn: Turn) -> str:
    from datetime import timedelta

    day = (local(turn.now, turn.place).date() - timedelta(days=1)).isoformat()
    found = next((one for one in turn.asking("week", days=2)["days"] if one["day"] == day), None)
    if found is None:
        return turn.say("history.none")
    told = turn.say("history.yesterday", **_figures(turn, found), inside=f"{found['in_range_percent']}%")
    return together(told, turn.say("history.end"))


def _days(turn: Turn, days: int) -> str:
    found = turn.asking("week", days=days)
    whole = found["whole"]
    if not whole["readings"]:
        return turn.say("history.none")
    told = turn.say(
        "history.days", inside=f"{whole['in_range_percent']}%", mean=turn.glucose(whole["mean"]), unit=turn.unit
    )
    rows = [
        turn.say("history.day", weekday=one["weekday"], inside=f"{one['in_range_percent']}%") for one in found["days"]
    ]
    return together(told, *(rows[-7:] if len(rows) > 1 else []), turn.say("history.end"))


def why(turn: Turn) -> str:
    """Return what happened lately that moves glucose, or why the last proposal was made."""
    if re.search(
        r"\b(propos|suggest|advis|recommend|pump (do|want|change)|that change|it want)", normal(turn.sentence)
    ):
        return proposal(turn)
    found = turn.asking("recent", hours=4.0)
    change = "" if found["change"] is None else turn.say(
        "why.change", minutes=found["change_min"], change=_signed(turn, found["change"]), unit=turn.unit
    )  # fmt: skip
    meals = [turn.say("why.carbs", grams=figure(one["amount"]), ago=one["minutes_ago"]) for one in found["carbs"][-2:]]
    doses = [
        turn.say("why.bolus", units=figure(one["amount"]), ago=one["minutes_ago"]) for one in found["boluses"][-2:]
    ]
    left = turn.say("why.on_board", units=figure(found["insulin_on_board"])) if found["insulin_on_board"] >= 0.1 else ""
    nothing = "" if meals or doses else turn.say("why.nothing", hours=figure(found["hours"]))
    return together(change, *meals, *doses, left, nothing, turn.say("why.kind"))


def _signed(turn: Turn, value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + turn.glucose(abs(value))


def proposal(turn: Turn) -> str:
    """Return what was proposed last, by whom, and what became of it."""
    found = turn.asking("proposals")["proposals"]
    if not found:
        return turn.say("why.no_proposal")
    last = found[-1]
    return together(
        turn.say("why.proposal", title=last["title"], why=last["why"]).rstrip(".") + ".",
        turn.say("why.by", by=last["by"], status=last["status"]),
    )


def sport(turn: Turn) -> str:
    """Return glucose now and what sport at the time that was named would do, with what the plan says of it."""
    found = turn.asking("status")
    if found["latest"] is None:
        return together(turn.say("now.none"), turn.say("sport.fine"))
    head = turn.say("sport.now", value=turn.glucose(found["latest"]), unit=turn.unit, trend=_trend(turn, found))
    far = too_far(turn, turn.slots.ahead)
    return together(head, far, turn.say("sport.fine")) if far else together(head, _played(turn, found["band"]))


def _played(turn: Turn, band: list[float] | None) -> str:
    """Return what sport would do, and what to do before it."""
    after = float(int(turn.slots.ahead_min or 0.0))
    tried = turn.asking("what_if", scenario="sport", values={"after": after, "lasting": 45.0, "effort": 60.0},
                        hours=after / 60 + 2.0)["supposed"]  # fmt: skip
    told = turn.say(
        "sport.then" if after else "sport.now_then", median=turn.glucose(tried["steps"][-1]["median"]), unit=turn.unit,
        lowest=turn.glucose(tried["lowest"]["median"]), minutes=int(after),
    )  # fmt: skip
    low = tried["lowest"]["median"] < (band or [70.0])[0]
    return together(told, turn.say("sport.low" if low else "sport.fine"))
