"""Remembering: past situations like this one, and the account of what was done on somebody's behalf."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gemel.bank.account import accounts
from gemel.loop.memory import remember
from gemel.server import schema as s
from gemel.server.desk import Seen

Proposed = Annotated[int | None, Query(ge=1, le=2**62, description="a proposal; by default, how it is now")]
Most = Annotated[int, Query(ge=1, le=100)]
Word = Annotated[str | None, Query(max_length=200)]

routes = APIRouter()


class PastDecision(s.Model):
    """A past situation, what was chosen then, and what came of it; a gain above 0 is for the better."""

    seq: int
    at: s.Instant
    title: str
    why: str
    by: str
    decided_by: str
    status: str
    gain: float | None
    gain_80: tuple[float, float] | None
    outcome: str
    situation: dict[str, float]
    distance: float


class ActionGain(s.Model):
    """What an action brought on average in those situations, of how many whose outcome is known."""

    title: str
    n: int
    gain: float


class MemoryView(s.Model):
    """What a situation brings to mind, best outcome first."""

    situation: dict[str, float]
    looked_at: int
    alike: list[PastDecision]
    actions: list[ActionGain]


class AccountView(s.Model):
    """One intervention: state, forecast, alternatives, choice, actors, outcome, in sentences."""

    seq: int
    at: s.Instant
    title: str
    status: str
    by: str
    decided_by: str
    purpose: str
    why: str
    state: list[str]
    forecast: list[str]
    alternatives: list[str]
    chance: float | None
    history: list[str]
    outcome: str
    cases: list[str]
    software: list[str]


@routes.get("/api/twins/{twin}/memory")
def memory(seen: Seen, proposal: Proposed = None, most: Most = 5) -> MemoryView:
    """Past situations like that of a proposal, or like now, and what came of what was done."""
    return MemoryView.model_validate(remember(seen, proposal, most).body())


@routes.get("/api/twins/{twin}/account")
def account(seen: Seen, case: Word = None, actor: Word = None) -> list[AccountView]:
    """What was done on somebody's behalf: by whom, on what grounds, with what result."""
    return [AccountView.model_validate(one.body()) for one in accounts(seen, case=case, actor=actor)]
