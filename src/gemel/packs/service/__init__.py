"""Services: customer journeys, queues and staff, from an event log to a live forecast that prevents the failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gemel.intervention import Situation
from gemel.loop.agents import Agent, Weighed
from gemel.twintype import Autonomy, TwinType


def make(spec: Mapping[str, Any]) -> TwinType:
    """Return the type of a service that a spec describes."""
    from gemel.packs.service.kind import (
        make as made,
    )  # the engine is compiled code: who has no service need not load it

    return made(spec)


def think(situation: Situation) -> Sequence[Weighed]:
    """Return what the planner of a service would do."""
    from gemel.packs.service.planner import plan

    return plan(situation)


def mend(situation: Situation) -> Sequence[Weighed]:
    """Return what would be given to those whom a service lets down for certain."""
    from gemel.packs.service.planner import amend

    return amend(situation)


TYPES: tuple[TwinType, ...] = ()
"""Types of services are made from data: `gemel discover` makes one from a log."""

MAKERS = {"service": make}
AGENTS = {"service": (Agent("planner", think, Autonomy.ACT, "service"), Agent("amends", mend, Autonomy.ACT, "service"))}
"""They act by themselves only where the kind of action allows it (`actions.KINDS`) and their grants do."""
