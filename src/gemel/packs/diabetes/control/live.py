"""MPC and its advice on a live twin: what a `Situation` says becomes a `Moment`. Not a medical device; no real pump is driven.

The agent doses by the model of the closed-loop benchmark, which follows the twin's last hours anew; the adviser shows the twin's
own forecast, as the page does. The agent changes basal alone. What it does on people has not been measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from gemel.bank import Twin
from gemel.bank.tools import Tool
from gemel.dynamics import Dose
from gemel.errors import Unavailable
from gemel.facts import MINUTE, Time
from gemel.intervention import Intervention, Situation
from gemel.loop.agents import Weighed
from gemel.packs.diabetes.control import advice
from gemel.packs.diabetes.control.before_sport import planned_sport
from gemel.packs.diabetes.control.caution import caution_of
from gemel.packs.diabetes.control.fallback import Guards, judge
from gemel.packs.diabetes.control.following import followed
from gemel.packs.diabetes.control.foresee import of_trial
from gemel.packs.diabetes.control.mpc import Settings, mpc
from gemel.packs.diabetes.control.profile import profile
from gemel.packs.diabetes.control.seam import SEGMENT_MIN, Moment, Order
from gemel.packs.diabetes.control.sport import sporting
from gemel.packs.diabetes.usual import daily
from gemel.twintype import Autonomy

LIVE = Settings(boluses=False)
LEAST_CHANGE = 0.15
"""The part of the usual basal by which a proposed rate must differ from what runs."""


def moment_of(situation: Situation) -> Moment:
    """Return the moment of a situation: the care plan's settings, and rules of thumb for what they leave open.

    Insulin that was sent and is not reported yet counts as given.
    """
    usual, day = situation.state["habit.basal"] * 60, daily(situation)
    own = profile({"basal": usual, **situation.settings}, day, situation.offset)
    glucose = situation.readings.get("glucose", ())
    unseen = [dose for dose in situation.underway if dose.lever in ("bolus", "basal") and dose.at <= situation.now]
    ahead = None if situation.trial is None else of_trial(situation.trial, situation.now)
    raised = 1.0 - situation.state.get("strain.loss", 0.0)
    doses = sorted([*situation.doses, *unseen], key=lambda dose: dose.at)
    return Moment(situation.now, own, glucose, doses, ahead, raised, day, caution_of(glucose))


def propose(situation: Situation) -> Sequence[Weighed]:
    """Return a basal segment where MPC asks for another rate than what runs, behind the guard: done if the grant allows it."""

    def controller(moment: Moment) -> Order:
        return mpc(moment, LIVE)

    moment = moment_of(replace(situation, trial=None))
    moment = replace(moment, foreseen=followed(moment))
    order = judge(sporting(controller, planned_sport(situation.planned)), Guards(), moment).order
    until = situation.now + SEGMENT_MIN * MINUTE
    (usual, after), most = (_usual(moment, at) for at in (situation.now, until)), moment.profile.basal_max
    rate = usual if order.basal is None else min(round(order.basal / 0.05) * 0.05, most)
    if abs(rate - situation.state["pump.basal"] * 60) < max(0.05, LEAST_CHANGE * usual):
        return []
    doses = (Dose("basal", round(rate, 3), situation.now), Dose("basal", round(after, 2), until))
    title = f"basal {rate:.2f} U/h for {SEGMENT_MIN} min"
    choice = {"chosen": title, "options": [title, "usual basal"], "propensity": 1.0, "held_out": False}
    what = Intervention(title, doses, "less risk of lows and highs")
    return [Weighed(choice, what, order.why, autonomy=Autonomy.ACT)]


def _usual(moment: Moment, at: Time) -> float:
    """Return the profile's rate at a time, as far as the plan's largest allows it."""
    own = moment.profile
    return min(own.basal[own.hour(at)], own.basal_max)


class Meal(msgspec.Struct, forbid_unknown_fields=True):
    """What is about to be eaten, and in how many minutes."""

    carbs: Annotated[float, msgspec.Meta(ge=0, le=300, description="grams of carbohydrate")] = 0.0
    in_min: Annotated[float, msgspec.Meta(ge=0, le=240, description="minutes from now")] = 0.0


def _advise(twin: Twin, asked: Meal) -> dict[str, Any]:
    situation = twin.situation()
    moment = moment_of(situation)
    if moment.foreseen is None or not moment.glucose:
        raise Unavailable("there are no readings of the last hours to advise on")
    found = advice.advise(moment, asked.carbs, situation.now + round(asked.in_min) * MINUTE)
    return {"options": [body(one) for one in found], "note": advice.NOTE, "made_at": situation.now}


def body(option: advice.Option) -> dict[str, Any]:
    """Return an option as JSON types."""
    doses = [{"lever": d.lever, "amount": round(float(d.amount), 3), "at": d.at} for d in option.doses]
    told = {
        name: [round(x, 1) for x in value] if isinstance(value, tuple) else round(value, 3)
        for name, value in option.metrics.items()
    }
    return {"title": option.title, "doses": doses, "metrics": told, "reasons": list(option.reasons),
            "guard": list(option.guard)}  # fmt: skip


TOOLS = (
    Tool(
        "advise_bolus",
        "Options for a meal or for now, least risk first and those too likely to end low last, with reasons in numbers and what "
        "the guard says of each; "
        f"{advice.NOTE}.",
        Meal, _advise,
    ),
)  # fmt: skip
