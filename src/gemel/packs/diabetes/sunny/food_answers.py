"""Answers about food: what is in it, what it would do, what to eat, and writing down what was eaten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemel.errors import Refused
from gemel.packs.diabetes.sunny.turn import Turn, nearest, together
from gemel.packs.diabetes.sunny.words import figure


def food(turn: Turn) -> str:
    """Return the carbohydrate of what was named, with its span."""
    named = turn.slots.food or str(turn.state.get("food", ""))
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
    return together(items, whole, _beside(turn, found), _unknown(turn, found))


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


def what_if(turn: Turn) -> str:
    """Return what carbohydrate, insulin or both may do, beside what comes as usual; never what to take."""
    grams, units, unknown = turn.slots.grams, turn.slots.units, ""
    named = turn.slots.food or ("" if grams or units else str(turn.state.get("food", "")))
    if grams is None and named:
        found = turn.asking("food", text=named)
        unknown = _unknown(turn, found)
        grams = float(found["totals"]["carbohydrate"]["value"]) if found["items"] else None
        turn.then["food"] = named
    if not grams and not units:
        turn.wait("what_if")
        return together(unknown, turn.say("what_if.ask"))
    after = min(turn.slots.ahead_min or 0.0, 240.0)
    given = {"carbs": min(grams or 0.0, 300.0), "carbs_in_min": after if grams else 0.0, "bolus": min(units or 0.0, 50.0),
             "bolus_in_min": after if units else 0.0, "hours": max(3.0, after / 60 + 2.0)}  # fmt: skip
    tried = turn.asking("try_out", **given)
    if tried.get("guard", {}).get("refuses"):
        turn.asking("hand_over", kind="dose")
        turn.then["handed_over"] = "dose"
        return turn.say("what_if.guard")
    return together(unknown, _would(turn, tried), turn.say("what_if.decide") if units else "")


def _would(turn: Turn, tried: Mapping[str, Any]) -> str:
    grams, units = tried["asked"]["carbs"], tried["asked"]["bolus"]
    name = "both" if grams and units else "carbs" if grams else "bolus"
    lead = turn.say(f"what_if.{name}", grams=figure(round(grams, 1)), units=figure(units))
    supposed, (low, high) = tried["supposed"], tried["band"]
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
    about: dict[str, Any] = {"minutes_ago": min(turn.slots.ago_min, 24 * 60.0), "text": named[:300]}
    if grams is not None and 0 < grams <= 300:
        return _sure(turn, {"grams": grams, **about}, "")
    if not named:
        turn.wait("log_what")
        return turn.say("log.ask")
    found = turn.asking("food", text=named)
    carbs = found["totals"]["carbohydrate"]["value"]
    if not found["items"]:
        turn.wait("log_what")
        return _unknown(turn, found) or turn.say("food.none_known")
    if carbs < 0.5:
        return turn.say("log.nothing")
    turn.then["food"] = named
    names = ", ".join(str(one["name"]) for one in found["items"])
    return together(_sure(turn, {"grams": float(round(carbs)), **about}, names), _unknown(turn, found))


def _sure(turn: Turn, given: Mapping[str, Any], names: str) -> str:
    """Return what would be written, as the tool says it, and wait for a yes."""
    try:
        would = turn.asking("log_food", **given)
    except Refused:
        return turn.say("log.may_not")
    turn.wait("log_food", **given)
    return turn.say("log.sure" if names else "log.sure_grams", grams=figure(would["grams"]), names=names)


def logged(turn: Turn, pending: Mapping[str, Any]) -> str:
    """Write down what was agreed on."""
    try:
        done = turn.asking("log_food", grams=pending["grams"], minutes_ago=pending["minutes_ago"], text=pending["text"],
                           sure=True)  # fmt: skip
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
