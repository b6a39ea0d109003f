"""Words of care where a person is wanted; that somebody was called is said only where somebody was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemel.bank.tools import local
from gemel.errors import GemelError
from gemel.packs.diabetes.sunny.turn import Turn, together

MORNING = range(5, 12)
"""Hours of the clock at which somebody who is told after a night is told "in the morning"."""


def refused(turn: Turn, kind: str) -> str:
    """Return words of care for what must not be answered, once a person has been called."""
    when = _called(turn, kind)
    care = turn.say(f"unsafe.{kind}", emergency=turn.words.emergency)
    return together(care, turn.say(f"called.{kind}")) if when == "told" else _alone(turn, care, when)


def help_wanted(turn: Turn) -> str:
    """Call for a person."""
    return _wanted(turn, "help")


def comforted(turn: Turn) -> str:
    """Call for a person to talk with."""
    return _wanted(turn, "feelings", "comfort")


def _wanted(turn: Turn, group: str, kind: str = "") -> str:
    when = _called(turn, kind or group)
    return turn.say(f"{group}.told") if when == "told" else _alone(turn, turn.say("help.noted"), when)


def _alone(turn: Turn, care: str, when: str) -> str:
    """Return words of care for somebody whom nobody hears now: when somebody will, and the emergency number."""
    number = turn.say("unsafe.number", emergency=turn.words.emergency)
    return together(care, turn.say(f"unsafe.{when}"), "" if turn.words.emergency in care else number)


def _called(turn: Turn, kind: str) -> str:
    """Hand over, and return what can be said of it: `told`, `morning`, `later` or `nobody`."""
    try:
        found = turn.asking("hand_over", kind=kind)
    except GemelError:
        return "nobody"
    turn.then["handed_over"] = kind
    return "told" if found["told"] else _when(turn, found)


def _when(turn: Turn, found: Mapping[str, Any]) -> str:
    if found.get("later") is None:
        return "nobody"
    at, now = (local(int(one), turn.place) for one in (found["later"], turn.now))
    return "morning" if at.hour in MORNING and now.hour not in MORNING else "later"
