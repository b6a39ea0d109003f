"""Agents: they read a situation and propose; guards, consent and autonomy decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.bank.twin import PROPOSAL_LASTS
from gemel.facts import Time
from gemel.intervention import Intervention, Situation
from gemel.twintype import Autonomy

Advice = tuple[Intervention, str]
"""What to do, and why in one sentence."""


@dataclass(frozen=True)
class Weighed:
    """What an agent chose of what, by which chance: `choice` is the body of a fact `chosen/1`.

    Without an intervention nothing is done; that is on record all the same, so that what actions bring can be measured.
    A proposal that nobody decides on expires after `lasts` ms. `autonomy` says who decides on this kind of action, where
    that is less than the agent's own.
    """

    choice: Mapping[str, Any]
    intervention: Intervention | None = None
    why: str = ""
    lasts: Time = PROPOSAL_LASTS
    autonomy: Autonomy | None = None


@dataclass(frozen=True)
class Agent:
    """An actor of its own: `advise` looks at a situation and returns what it would do.

    `autonomy` says what becomes of that: observed only, recommended, put up for approval, or done within its grant.
    `fallback` is asked instead while a sensor is silent, and nothing else is the matter; without it, the agent pauses.
    """

    name: str
    advise: Callable[[Situation], Sequence[Advice | Weighed]]
    autonomy: Autonomy = Autonomy.APPROVE
    purpose: str = "care"
    fallback: Callable[[Situation], Sequence[Advice | Weighed]] | None = None

    @property
    def actor(self) -> str:
        """Return the name under which the agent acts."""
        return f"agent:{self.name}"
