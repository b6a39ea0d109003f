"""Answers about food: what is in it, what it would do, what to eat, and writing down what was eaten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gemel.bank.tools import local
from gemel.errors import Refused
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.sunny.glucose_answers import sport
from gemel.packs.diabetes.sunny.turn import Turn, nearest, together, too_far
from gemel.packs.diabetes.sunny.words import figure

OFTEN, APART = 3, 1.15
"""Helpings from which on it is said how quickly a meal comes in, and the ratio to the usual that is worth a word: judgements."""

DAY_MIN = 24 * 60.0
"""How many minutes ago food may have been eaten that is written down."""


def food(turn: Turn) -> str:
    """Return the carbohydrate of what was named, with its span."""
    named = _named(turn)
    if not named:
        turn.wait("food")
        return turn.say("food.ask")
    found = turn.asking("food", text=named)
    if not found["items"]:
        return _unknown(turn, found) or turn.say("food.none_known")
    turn.then["food"] = named
    items = "; ".join(_item(turn, one) for one in found["items"]) + "."
    carbs = found["totals"]["carbohydrate"]
    span = {"low": figure(round(carbs["low"])), "high": figure(round(carbs["high"]))}
    whole = turn.say("food.total", carbs=figure(round(carbs["value"])), **span) if len(found["items"]) > 1 else turn.say(
        "food.range", **span
    )  # fmt: skip
    return together(items, whole, _comes(turn, found["absorption"]), _beside(turn, found), _unknown(turn, found))


def _comes(turn: Turn, seen: Mapping[str, Any]) -> str:
    """Return how quickly a meal came in for this person, once that was seen often enough."""
    if seen["seen"] < OFTEN:
        return ""
    name = "quicker" if seen["speed"] > APART else "slower" if seen["speed"] < 1 / APART else "usual"
    return turn.say(f"food.{name}", times=figure(seen["seen"]))


def _item(turn: Turn, one: Mapping[str, Any]) -> str:
    carbs = one["carbohydrate"] or 0.0
    name = str(one["name"])
    return turn.say(
        "food.item", name=name[:1].upper() + name[1:], grams=figure(round(one["grams"])), carbs=figure(round(carbs))
    )


def _beside(turn: Turn, found: Mapping[str, Any]) -> str:
    asked = turn.sentence.casefold()
    if not any(word in asked for word in ("fibre", "fiber", "fat", "protein")):
        return ""
    held = {name: figure(found["totals"][name]["value"]) for name in ("fibre", "fat", "protein")}
    return turn.say("food.beside", **held)


def _unknown(turn: Turn, found: Mapping[str, Any]) -> str:
    said = [one["said"] for one in found["unknown"]]
    near = [name for one in found["unknown"] for name in one["nearest"]][:2]
    if not said:
        return ""
    return together(
        turn.say("food.unknown", said=", ".join(said)), turn.say("food.near", names=" / ".join(near)) if near else ""
    )


def _named(turn: Turn) -> str:
    """Return the food that is meant: what was named, or else the last one, in the amount that is named now."""
    last, amount = str(turn.state.get("food", "")), turn.slots.amount
    if turn.slots.food or not last or not amount:
        return turn.slots.food or last
    items = turn.asking("food", text=last)["items"]
    return f"{amount} {items[0]['name']}" if len(items) == 1 else ""


def portion(one: Mapping[str, Any]) -> str:
    """Return a food of the food tool and how much of it was counted: "banana (2 × piece, 236 g)"."""
    how, grams = re.sub(r" \([^()]*\)$", "", str(one["how"])), f"{figure(round(one['grams']))} g"
    return f"{one['name']} ({grams if how == grams else f'{how}, {grams}'})"


def what_if(turn: Turn) -> str:
    """Return what carbohydrate, insulin or both may do, beside what comes as usual; never what to take."""
    grams, units, found = turn.slots.grams, turn.slots.units, None
    if turn.slots.sport and not (grams or units or turn.slots.food or turn.slots.amount):
        return sport(turn)
    named = turn.slots.food if grams or units else _named(turn)
    if grams is None and named:
        found = turn.asking("food", text=named)
        grams = float(found["totals"]["carbohydrate"]["value"]) if found["items"] else None
        turn.then["food"] = named
    unknown = _unknown(turn, found) if found else ""
    if not grams and not units:
        turn.wait("what_if")
        return together(unknown, turn.say("what_if.ask"))
    told = too_far(turn, turn.slots.carbs_at if grams else None, turn.slots.units_at if units else None)
    return told or together(unknown, _counts(turn, found), _tried(turn, grams or 0.0, units or 0.0))


def _counts(turn: Turn, found: Mapping[str, Any] | None) -> str:
    return (
        turn.say("what_if.counted", names=", ".join(map(portion, found["items"]))) if found and found["items"] else ""
    )


def _tried(turn: Turn, grams: float, units: float) -> str:
    """Return what comes of amounts, each at its own time, unless a guard refuses the insulin."""
    carbs_in, bolus_in = (round(one.minutes) if one else 0 for one in (turn.slots.carbs_at, turn.slots.units_at))
    given = {"carbs": min(grams, 300.0), "carbs_in_min": float(carbs_in if grams else 0), "bolus": min(units, 50.0),
             "bolus_in_min": float(bolus_in if units else 0)}  # fmt: skip
    after = max(given["carbs_in_min"], given["bolus_in_min"])
    tried = turn.asking("try_out", **given, hours=max(3.0, after / 60 + 2.0))
    if tried.get("guard", {}).get("refuses"):
        turn.asking("hand_over", kind="dose")
        turn.then["handed_over"] = "dose"
        return turn.say("what_if.guard")
    left_out = turn.say("what_if.sport") if turn.slots.sport else ""
    return together(_would(turn, tried), left_out, turn.say("what_if.decide") if units else "")


def _lead(turn: Turn, asked: Mapping[str, Any]) -> str:
    """Return what is supposed: how much, and when."""
    grams, units = asked["carbs"], asked["bolus"]
    name = "both" if grams and units else "carbs" if grams else "bolus"
    when = {
        f"{one}_when": turn.say("what_if.in", minutes=figure(at)) if at else turn.say("what_if.now")
        for one, at in (("carbs", asked["carbs_in_min"]), ("units", asked["bolus_in_min"]))
    }
    return turn.say(f"what_if.{name}", grams=figure(round(grams, 1)), units=figure(units), **when)


def _would(turn: Turn, tried: Mapping[str, Any]) -> str:
    lead, supposed, (low, high) = _lead(turn, tried["asked"]), tried["supposed"], tried["band"]
    at = nearest(supposed["steps"], 60 + max(tried["asked"]["carbs_in_min"], tried["asked"]["bolus_in_min"]))
    usual = nearest(tried["usual"]["steps"], at["min"])
    told = turn.say("what_if.then", lead=lead, median=turn.glucose(at["median"]), unit=turn.unit, minutes=at["min"],
                    usual=turn.glucose(usual["median"]))  # fmt: skip
    top, bottom = supposed["highest"], supposed["lowest"]
    peak = turn.say("what_if.peak", value=turn.glucose(top["median"]), unit=turn.unit, minutes=top["min"],
                    low=turn.glucose(bottom["median"]))  # fmt: skip
    warning = "what_if.low" if bottom["median"] < low else "what_if.above" if top["median"] > high else ""
    return together(told, peak, turn.say(warning) if warning else "")


def log_food(turn: Turn) -> str:
    """Return what would be written down, and wait for a yes."""
    grams, named = turn.slots.grams, turn.slots.food
    ago = _ago(turn)
    if ago < 0 or ago > DAY_MIN:
        return turn.say("log.ahead" if ago < 0 else "log.when")
    about: dict[str, Any] = {"minutes_ago": ago, "text": named[:300]}
    if grams is not None and 0 < grams <= 300:
        return _sure(turn, {"grams": grams, **about}, "")
    if not named:
        _wait(turn, "log_what", ago)
        return turn.say("log.ask")
    return _counted(turn, named, about)


def _ago(turn: Turn) -> float:
    """Return how many minutes ago something was eaten, as it was said, or as it was before Sunny asked what it was."""
    pending = turn.state.get("pending") or {}
    if turn.slots.ago_min is not None:
        return turn.slots.ago_min
    return _since(turn, pending) if pending.get("what") == "log_what" else 0.0


def _since(turn: Turn, pending: Mapping[str, Any]) -> float:
    """Return how many minutes ago that was which was named before, by the twin's clock."""
    return min((turn.now - int(pending["eaten"])) / MINUTE, DAY_MIN)


def _wait(turn: Turn, what: str, ago: float, **about: Any) -> None:
    turn.wait(what, eaten=turn.now - round(ago * MINUTE), **about)


def _counted(turn: Turn, named: str, about: Mapping[str, Any]) -> str:
    """Return what would be written down of food that was named."""
    found = turn.asking("food", text=named)
    if not found["items"]:
        _wait(turn, "log_what", about["minutes_ago"])
        return _unknown(turn, found) or turn.say("food.none_known")
    carbs = found["totals"]["carbohydrate"]["value"]
    if carbs < 0.5:
        return turn.say("log.nothing")
    turn.then["food"] = named
    names = ", ".join(map(portion, found["items"]))
    return together(_sure(turn, {"grams": float(round(carbs)), **about}, names), _unknown(turn, found))


def _sure(turn: Turn, given: Mapping[str, Any], names: str) -> str:
    """Return what would be written and for when, as the tool says it, and wait for a yes."""
    try:
        would = turn.asking("log_food", **given)
    except Refused:
        return turn.say("log.may_not")
    _wait(turn, "log_food", given["minutes_ago"], grams=given["grams"], text=given["text"])
    said = {"grams": figure(would["grams"]), "names": names, "when": _when(turn, would["at"])}
    return turn.say("log.sure" if names else "log.sure_grams", **said)


def _when(turn: Turn, at: Time) -> str:
    if at == turn.now:
        return turn.say("log.now")
    same = local(at, turn.place).date() == local(turn.now, turn.place).date()
    return turn.say("log.at" if same else "log.yesterday", clock=turn.words.clock(at))


def logged(turn: Turn, pending: Mapping[str, Any]) -> str:
    """Write down what was agreed on, at the time that was said when it was asked."""
    about = {"minutes_ago": _since(turn, pending), "text": pending["text"]}
    try:
        done = turn.asking("log_food", grams=pending["grams"], **about, sure=True)
    except Refused:
        return turn.say("log.may_not")
    return turn.say("log.done", grams=figure(done["grams"]))


def suggest_food(turn: Turn) -> str:
    """Return one or two things to eat, with the forecast behind each."""
    big = any(word in turn.sentence.casefold() for word in ("dinner", "lunch", "supper", "cook", "tonight"))
    found = turn.asking("suggest_food", most=2, small=not big)
    if not found["suggestions"]:
        return turn.say("suggest.none")
    rows = [
        turn.say("suggest.item", food=str(one["food"])[:1].upper() + str(one["food"])[1:], carbs=figure(one["carbohydrate"]),
                 low=turn.glucose(one["low80"]), high=turn.glucose(one["high80"]), unit=turn.unit,
                 inside=f"{one['in_range_percent']}%", hours=figure(found["hours"]))
        for one in found["suggestions"]
    ]  # fmt: skip
    return together(turn.say("suggest.lead"), *rows, turn.say("suggest.plan"))
