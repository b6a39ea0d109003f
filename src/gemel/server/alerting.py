"""Alerting: who is told of what, what one was told oneself, and that one takes care of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field, TypeAdapter

from gemel.bank import Twin
from gemel.bank.alerting import Notice, Rule, acknowledge, alert_to, change, heard, stop
from gemel.facts import MINUTE
from gemel.server import schema as s
from gemel.server.desk import At, By, Seen
from gemel.server.looking import Seq
from gemel.server.view import alert_views

NOTICES = 100
"""How many of the latest notices are shown."""

routes = APIRouter()
_SEVERITY: TypeAdapter[s.Severity] = TypeAdapter(s.Severity)


class NoticeView(s.Model):
    """What one was told of an alert: the `nth` time, or that it is `over`."""

    seq: int
    twin: str
    at: s.Instant
    alert: int
    name: str
    severity: s.Severity
    text: str
    nth: int
    over: bool
    acknowledged_by: str
    note: str


class RuleBody(s.Model):
    """Who is told of alerts: how severe, called what, after how long nobody took care, at which hours; times in minutes."""

    to: str = Field(min_length=1, max_length=200)
    severity: s.Severity = "warning"
    names: list[str] = Field(default=["*"], min_length=1, max_length=20)
    after_min: int = Field(default=0, ge=0, le=10_080)
    hours: str | None = Field(default=None, max_length=100)
    quiet: str | None = Field(default=None, max_length=100)
    again_min: int | None = Field(default=None, ge=1, le=10_080)
    purpose: str = Field(default="care", max_length=200)


class RuleView(RuleBody):
    """A rule in force, by its id; who said so last, and when."""

    id: str
    said_by: str
    said_at: s.Instant
    heard: bool = Field(default=True, description="if not, whom it names may not read alerts any more: it tells nobody")


class Acknowledge(s.Model):
    """What one says when taking care of an alert."""

    note: str = Field(default="", max_length=500)


@routes.get("/api/notices")
def notices(desk: At, asker: By) -> list[NoticeView]:
    """What the asker was told of the alerts of all twins that are open to them now, newest first."""
    seen = [desk.bank.find(twin, by=asker.actor, purpose=asker.purpose) for twin in desk.visible(asker)]
    found = sorted((one for twin in seen for one in twin.notices()), key=lambda one: -one.seq)
    return [_notice(one) for one in found[:NOTICES]]


Id = Annotated[str, Path(max_length=40)]


@routes.get("/api/twins/{twin}/alerting")
def rules(seen: Seen) -> list[RuleView]:
    """Who is told of this twin's alerts, and when."""
    return [_view(seen, rule) for rule in seen.alert_rules()]


@routes.post("/api/twins/{twin}/alerting", status_code=201)
def add(seen: Seen, body: RuleBody) -> RuleView:
    """Let somebody be told; who holds the keys may say so, of whoever may read alerts."""
    return _view(seen, alert_to(seen, _rule(body)))


@routes.put("/api/twins/{twin}/alerting/{rule}")
def edit(seen: Seen, rule: Id, body: RuleBody) -> RuleView:
    """Change a rule; it has a new id then, and the old one stays on record."""
    return _view(seen, change(seen, rule, _rule(body)))


@routes.delete("/api/twins/{twin}/alerting/{rule}", status_code=204)
def remove(seen: Seen, rule: Id) -> None:
    """Take a rule out of force."""
    stop(seen, rule)


@routes.post("/api/twins/{twin}/alerts/{seq}/acknowledgement", status_code=201)
def take_care(seen: Seen, seq: Seq, body: Acknowledge, desk: At) -> s.AlertView:
    """Take care of an alert: nobody else is told of it, until it grows worse or comes again."""
    acknowledge(seen, seq, body.note)
    desk.changes.mark(seen.id)
    return next(alert for alert in alert_views(seen) if alert.seq == seq)


def _rule(body: RuleBody) -> Rule:
    again = None if body.again_min is None else body.again_min * MINUTE
    return Rule(
        body.to, body.severity, tuple(body.names), body.after_min * MINUTE, body.hours, body.quiet, again, body.purpose
    )


def _view(seen: Twin, rule: Rule) -> RuleView:
    said = seen.bank.told(seen.id).said[rule.id]
    return RuleView(
        id=rule.id, to=rule.to, severity=_SEVERITY.validate_python(rule.severity), names=list(rule.names),
        after_min=rule.after // MINUTE, hours=rule.hours, quiet=rule.quiet,
        again_min=None if rule.again is None else rule.again // MINUTE, purpose=rule.purpose,
        said_by=said.by, said_at=said.true_at, heard=heard(seen, rule),
    )  # fmt: skip


def _notice(one: Notice) -> NoticeView:
    return NoticeView.model_validate({name: getattr(one, name) for name in NoticeView.model_fields})
