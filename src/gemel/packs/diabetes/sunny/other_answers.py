"""Answers about alerts, the plan, play and lessons, about feelings, and small talk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.safety import unsaid
from gemel.packs.diabetes.sunny.turn import Turn, together
from gemel.packs.diabetes.sunny.words import figure

LETTERS = "abcdef"


def alerts(turn: Turn) -> str:
    """Return what is the matter now, and who takes care of it."""
    found = turn.asking("alerts")["alerts"]
    if not found:
        return turn.say("alerts.none")
    said = [turn.say("alerts.one", text=str(one["text"]).rstrip(".")) for one in found[-3:]]
    taken = [turn.say("alerts.taken", by=one["taken_care_of_by"]) for one in found[-3:] if one["taken_care_of_by"]]
    return together(*said, *(taken or [turn.say("alerts.open")]))


def plan(turn: Turn) -> str:
    """Return what the care team has agreed on; of many settings, those that were asked about."""
    found = turn.asking("plan")
    asked = normal(turn.sentence)
    settings = {n: s for n, s in found["settings"].items() if n in asked or str(s["label"]).casefold() in asked}
    rows = turn.agreed = [_setting(turn, one) for one in (settings or found["settings"]).values()]
    notes = {n: t for n, t in found["notes"].items() if n.casefold() in asked}
    told = [
        turn.say("plan.note", section=n, text=str(t).rstrip(".") + ".") for n, t in (notes or found["notes"]).items()
    ]
    said = [one for one in told if not unsaid(one)]
    more = turn.say("plan.more") if said != told else ""
    return together(turn.say("plan.lead"), *rows, *said, more) if rows or told else turn.say("plan.none")


def _setting(turn: Turn, one: Mapping[str, Any]) -> str:
    if isinstance(one["value"], (list, tuple)):
        return turn.say("plan.hourly", label=one["label"]) + "."
    value, unit = figure(one["value"]), str(one["unit"])
    if unit.startswith("mg/dL") and turn.unit == "mmol/L":
        value, unit = turn.glucose(one["value"]), unit.replace("mg/dL", "mmol/L")
    return turn.say("plan.setting", label=one["label"], value=value, unit=unit) + "."


def settings(turn: Turn) -> str:
    """Return how a holder wants Sunny to be."""
    found = turn.asking("companion")
    away = found["large_model"] and found["large_model_named"]
    return together(
        turn.say("settings.told", unit=found["unit"], timezone=found["timezone"], emergency=found["emergency"]),
        turn.say("settings.kept" if found["keep_words"] else "settings.not_kept"),
        turn.say("settings.away" if away else "settings.here"),
        turn.say("settings.change"),
    )


def play(turn: Turn) -> str:
    """Return points, days in a row and badges."""
    found = turn.asking("play")
    if not found["on"]:
        return turn.say("play.off")
    names = ", ".join(str(one["label"]) for one in found["badges"])
    score = turn.say("play.score", points=found["points"], today=found["today"], days=found["days_in_a_row"])
    return together(score, turn.say("play.badges", names=names) if names else "", turn.say("play.more"))


def learn(turn: Turn) -> str:
    """Return a lesson, about what was named if there is one, and wait for the answer to its question."""
    listed = turn.asking("learn")["lessons"]
    asked = normal(turn.sentence)
    last = str(turn.state.get("lesson", ""))
    names = [one["name"] for one in listed]
    about = next((n for one in listed if (n := str(one["name"])) in asked or n.rstrip("s") in asked), None)
    after = names[(names.index(last) + 1) % len(names)] if last in names else names[0]
    found = turn.asking("learn", lesson=about or after)
    turn.then["lesson"] = found["name"]
    turn.wait("lesson", lesson=found["name"], answers=list(found["answers"]))
    text = turn.say("learn.lesson", title=found["title"], text=found["text"], question=found["question"])
    answers = [turn.say("learn.answer", letter=LETTERS[i], text=one) for i, one in enumerate(found["answers"])]
    return together(text, *answers)


def answered(turn: Turn, pending: Mapping[str, Any]) -> str | None:
    """Return what comes of an answer to a lesson's question, or None if the sentence is none."""
    said, answers = normal(turn.sentence).strip(" .!)("), [str(one) for one in pending["answers"]]
    chosen = next(
        (i for i, one in enumerate(answers) if said in (LETTERS[i], f"answer {LETTERS[i]}", one.casefold())), None
    )
    if chosen is None:
        within = [
            i for i, one in enumerate(answers) if len(said) > 2 and (one.casefold() in said or said in one.casefold())
        ]
        chosen = within[0] if len(within) == 1 else None
    if chosen is None:
        return None
    found = turn.asking("learn", lesson=pending["lesson"], answer=chosen)
    if found["right"]:
        return turn.say("learn.right")
    turn.wait("lesson", lesson=pending["lesson"], answers=answers)
    return turn.say("learn.wrong", question=found["question"])


def feelings(turn: Turn) -> str:
    """Return comfort, and offer a person to talk with."""
    turn.wait("comfort")
    return turn.say("feelings.comfort")


def small(turn: Turn) -> str:
    """Return what needs no tool."""
    return turn.say(f"say.{turn.intent}")
