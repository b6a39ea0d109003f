"""Telling a twin how its person is: ill, or under stress, from when on, and when it is over."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gemel.bank import Twin
from gemel.bank.tools import Tool
from gemel.errors import BadInput
from gemel.facts import MINUTE
from gemel.streams import Item, Place

JUST = 1.0
"""Minutes: what is so now was so a minute ago, or a copy of the twin that is made now would not know of it."""


class Condition(msgspec.Struct, forbid_unknown_fields=True):
    """What it is, by how many per cent more insulin is needed (0: it is over), and for how many minutes it has been so."""

    what: Literal["illness", "stress"]
    percent: Annotated[float, msgspec.Meta(ge=0, le=200, description="more insulin needed; 0 when it is over")]
    minutes_ago: Annotated[float, msgspec.Meta(ge=0, le=48 * 60, description="since when")] = 0.0


def tell_condition(twin: Twin, asked: Condition) -> dict[str, Any]:
    """Write that the person is ill or under stress, or no longer; it stays so until somebody says otherwise."""
    most = twin.type.levers[asked.what].high
    if asked.percent > most:
        raise BadInput(f"{asked.what} of {asked.percent:g} % is above {most:g} %", field="percent")
    at = twin.bank.now() - round(max(asked.minutes_ago, JUST) * MINUTE)
    twin.record([Item(asked.what, asked.percent, "%", at, None, Place("told"))])
    return {"what": asked.what, "percent": asked.percent, "at": at}


TOOLS = (
    Tool(
        "tell_condition",
        "Say that the person is ill or under stress, by how much more insulin is needed in per cent, or that it is over (0): "
        "forecasts and what-ifs go by it until somebody says otherwise.",
        Condition, tell_condition, changes=True,
    ),
)  # fmt: skip
