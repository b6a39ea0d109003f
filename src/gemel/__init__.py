"""Gemel: live digital twins of people and of the services around them. One door: the nouns and verbs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemel import streams as streams
    from gemel.bank import Bank as Bank
    from gemel.bank import Fork as Fork
    from gemel.bank import Proposal as Proposal
    from gemel.bank import Twin as Twin
    from gemel.consent import Grant as Grant
    from gemel.dynamics import Belief as Belief
    from gemel.dynamics import Dose as Dose
    from gemel.dynamics import Reading as Reading
    from gemel.errors import BadInput as BadInput
    from gemel.errors import GemelError as GemelError
    from gemel.errors import Refused as Refused
    from gemel.experiment import Comparison as Comparison
    from gemel.experiment import backtest as backtest
    from gemel.experiment import compare as compare
    from gemel.facts import Fact as Fact
    from gemel.intervention import Forecast as Forecast
    from gemel.intervention import Intervention as Intervention
    from gemel.intervention import Scenario as Scenario
    from gemel.loop import Agent as Agent
    from gemel.loop import live as live
    from gemel.twintype import TwinType as TwinType

_ROOMS = {
    "bank": ("Bank", "Fork", "Proposal", "Twin"),
    "consent": ("Grant",),
    "dynamics": ("Belief", "Dose", "Reading"),
    "errors": ("BadInput", "GemelError", "Refused"),
    "experiment": ("Comparison", "backtest", "compare"),
    "facts": ("Fact",),
    "intervention": ("Forecast", "Intervention", "Scenario"),
    "loop": ("Agent", "live"),
    "twintype": ("TwinType",),
}
"""Where each name comes from. It is fetched when first asked for: the numerics take a second, `gemel --help` none."""

_WHERE = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = ["streams", *_WHERE]


def __getattr__(name: str) -> Any:
    if name == "streams":
        return import_module("gemel.streams")
    if name not in _WHERE:
        raise AttributeError(f"module 'gemel' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"gemel.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
