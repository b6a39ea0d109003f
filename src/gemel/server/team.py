"""Team and care plan: who is around a twin, what they agreed on, what is proposed, and reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from gemel.bank import careplan, team
from gemel.bank.catalogue import roles
from gemel.bank.consenting import ending
from gemel.server import schema as s
from gemel.server.desk import At, Seen
from gemel.server.looking import Seq

routes = APIRouter()

Word = Annotated[str, Path(min_length=1, max_length=200)]
Value = float | list[float]


class SettingView(s.Model):
    """What a plan may set: one number, or one for each hour of the day."""

    label: str
    unit: str
    low: float
    high: float
    value: Value | None
    since: int | None


class ChangeBody(s.Model):
    """A change of the plan: only what it changes."""

    settings: dict[str, Value] = Field(default={}, max_length=50)
    notes: dict[str, str] = Field(default={}, max_length=50)
    why: str = Field(default="", max_length=1000)


class ChangeView(ChangeBody):
    """A change as it stands."""

    seq: int
    by: str
    at: s.Instant
    status: Literal["open", "approved", "rejected"]
    decided_by: str
    note: str


class ReviewBody(s.Model):
    """What somebody makes of a stretch of time."""

    text: str = Field(min_length=1, max_length=careplan.LONGEST)
    since: s.Instant
    until: s.Instant


class ReviewView(ReviewBody):
    """A review, and whose."""

    seq: int
    by: str
    at: s.Instant


class PlanView(s.Model):
    """The shared care plan: what is in force, what is proposed and was decided, and reviews, newest first."""

    settings: dict[str, SettingView]
    notes: dict[str, str]
    changes: list[ChangeView]
    reviews: list[ReviewView]
    may_propose: bool
    may_decide: bool


class MemberView(s.Model):
    """One of the team, and the role whose rights they hold."""

    actor: str
    role: str
    label: str
    does: str


class RoleView(s.Model):
    """A role that may be given: what for, whether it needs hours, and whether it holds the keys."""

    name: str
    label: str
    does: str
    purpose: str
    timed: bool
    keys: bool


class HandOver(s.Model):
    """From when the subject holds the keys alone, if that is known, and who has nothing from then on unless granted anew."""

    at: s.Instant | None
    over: bool = Field(description="whether that day has come")
    ends: list[str]


class Join(s.Model):
    """Who joins, in which role, and when they are there."""

    actor: str = Field(min_length=1, max_length=200)
    role: str = Field(max_length=100)
    hours: str | None = Field(default=None, max_length=100)
    quiet: str | None = Field(default=None, max_length=100)
    until: str | None = Field(default=None, max_length=40)


@routes.get("/api/twins/{twin}/plan")
def plan(seen: Seen) -> PlanView:
    """The shared care plan."""
    found = seen.plan()
    return PlanView(
        settings={
            name: SettingView(
                label=port.label or name, unit=port.unit, low=port.low, high=port.high,
                value=_value(found.settings.get(name)), since=found.since.get(name),
            )
            for name, port in seen.type.settings.items()
        },
        notes=dict(found.notes), changes=[_change(one) for one in reversed(found.changes)],
        reviews=[ReviewView.model_validate(vars(one)) for one in reversed(found.reviews)],
        may_propose=seen.may("propose", "plan"), may_decide=seen.may("act", "plan", 0.0),
    )  # fmt: skip


@routes.post("/api/twins/{twin}/plan/changes", status_code=201)
def propose(seen: Seen, body: ChangeBody, desk: At) -> ChangeView:
    """Propose a change of the plan."""
    made = _change(seen.propose_plan(body.settings, body.notes, body.why))
    desk.changes.mark(seen.id)
    return made


@routes.post("/api/twins/{twin}/plan/changes/{seq}/decision")
def decide(seen: Seen, seq: Seq, body: s.Decide, desk: At) -> ChangeView:
    """Approve or reject a proposed change of the plan."""
    made = _change(seen.decide_plan(seq, body.decision == "approve", body.note))
    desk.changes.mark(seen.id)
    return made


@routes.post("/api/twins/{twin}/plan/reviews", status_code=201)
def review(seen: Seen, body: ReviewBody) -> ReviewView:
    """Put a review on record."""
    return ReviewView.model_validate(vars(seen.review(body.text, body.since, body.until)))


@routes.get("/api/twins/{twin}/team")
def members(seen: Seen) -> list[MemberView]:
    """Who is around the twin, by the role whose rights they hold now; for who may see all of it."""
    seen.bank.gate.require(seen.actor, "read", seen.id, "*", seen.purpose)
    offered = roles(seen.type.name)
    return [_member(who, role, offered) for who, role in team.team(seen, offered).items()]


@routes.get("/api/twins/{twin}/handover")
def handover(seen: Seen) -> HandOver:
    """When the subject takes the keys, and what ends with that; for who may see all of it."""
    seen.bank.gate.require(seen.actor, "read", seen.id, "*", seen.purpose)
    at = seen.bank.gate.rights(seen.id).handover
    return HandOver(at=at, over=at is not None and at <= seen.bank.now(), ends=list(ending(seen)))


@routes.get("/api/twins/{twin}/roles")
def given(seen: Seen) -> list[RoleView]:
    """Which roles there are around a twin of this type."""
    return [
        RoleView(
            name=name, label=role.label, does=role.does, purpose=role.purpose, timed=role.timed, keys=bool(role.keys)
        )
        for name, role in roles(seen.type.name).items()
    ]


@routes.post("/api/twins/{twin}/team", status_code=201)
def join(seen: Seen, body: Join) -> list[MemberView]:
    """Take somebody into the team: who holds the keys may."""
    team.join(seen, roles(seen.type.name), body.actor, body.role, body.hours, body.until, body.quiet)
    return members(seen)


@routes.delete("/api/twins/{twin}/team/{who}", status_code=204)
def leave(seen: Seen, who: Word) -> None:
    """Take somebody out of the team: every grant, key and rule."""
    team.leave(seen, who)


def _value(value: careplan.Setting | None) -> Value | None:
    return list(value) if isinstance(value, tuple) else value


def _change(one: careplan.Change) -> ChangeView:
    settings = {name: _value(value) for name, value in one.settings.items()}
    return ChangeView.model_validate({**vars(one), "settings": settings, "notes": dict(one.notes)})


def _member(who: str, role: str, offered: Mapping[str, team.Role]) -> MemberView:
    known = offered.get(role)
    label, does = (known.label, known.does) if known else ("Holder of the keys", "sees and decides all")
    return MemberView(actor=who, role=role, label=label, does=does)
