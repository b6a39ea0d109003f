"""Agents: they read a situation and propose; guards, consent and autonomy decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemel.intervention import Intervention, Situation
from gemel.twintype import Autonomy

Advice = tuple[Intervention, str]
"""What to do, and why in one sentence."""


@dataclass(frozen=True)
class Agent:
    """An actor of its own: `advise` looks at a situation and returns what it would do.

    `autonomy` says what becomes of that: observed only, recommended, put up for approval, or done within its grant.
    """

    name: str
    advise: Callable[[Situation], Sequence[Advice]]
    autonomy: Autonomy = Autonomy.APPROVE
    purpose: str = "care"

    @property
    def actor(self) -> str:
        """Return the name under which the agent acts."""
        return f"agent:{self.name}"
