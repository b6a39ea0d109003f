"""Cohorts: many twins asked together, paid from the asker's own budget; single twins are not told here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from gemel.bank import Question
from gemel.bank.cohort import MINIMUM
from gemel.facts import iso
from gemel.server import schema as s
from gemel.server.desk import At, By

Name = Annotated[str, Field(min_length=1, max_length=200)]
When = Annotated[s.Instant | None, Field(ge=-(2**53), le=2**53)]
routes = APIRouter()


class CohortQuestion(s.Model):
    """A statistic of one number per twin: the mean of a signal, or a metric of the type, over `since <= at < until`."""

    query: str = Field(max_length=2000, description="a type, or a type in a relation: person part_of ward")
    of: Name = Field(description="a signal or a metric of the type")
    statistic: Literal["count", "mean", "share", "quantiles", "histogram"] = "mean"
    twins: list[Name] | None = Field(default=None, max_length=1000, description="only these")
    since: When = None
    until: When = None
    above: float | None = Field(default=None, description="for a share")
    levels: list[float] = Field(default=[], max_length=20, description="for quantiles, between 0 and 1")
    edges: list[float] = Field(default=[], max_length=200, description="for a histogram, increasing")
    bounds: tuple[float, float] | None = Field(default=None, description="where a twin's number is taken to lie")
    epsilon: float = Field(default=0.5, description="what to spend: less is more noise")
    minimum: int = Field(default=MINIMUM, le=2**31, description="held back below so many members")

    def question(self) -> Question:
        """Return it as the bank asks it."""
        return Question(
            self.statistic, self.of, self.since, self.until, self.above, tuple(self.levels), tuple(self.edges),
            self.bounds, self.epsilon,
        )  # fmt: skip


class CohortAnswer(s.Model):
    """What came out; no value: it was held back, for the reason. `mechanism` says which noise was added."""

    statistic: str
    unit: str
    value: Any = Field(description="a number; quantiles by level; edges and counts of a histogram")
    reason: str
    epsilon: float
    mechanism: str
    left: float


class Asked(s.Model):
    """A question that was paid for."""

    at: str
    epsilon: float
    purpose: str
    cohort: str
    question: dict[str, Any]


class CohortBudget(s.Model):
    """What the asker may spend in all, what is spent and left, and on what; in epsilon."""

    asker: str
    total: float
    spent: float
    left: float
    asked: list[Asked]


@routes.post("/api/cohorts/ask")
def ask(body: CohortQuestion, desk: At, asker: By) -> CohortAnswer:
    """An aggregate with noise of twins whose grants allow study; it costs its epsilon, whatever comes out."""
    names = None if body.twins is None else tuple(body.twins)
    cohort = desk.bank.cohort(body.query, by=asker.actor, purpose=asker.purpose, names=names, minimum=body.minimum)
    return CohortAnswer(**cohort.ask(body.question()).body())


@routes.get("/api/cohorts/budget")
def budget(desk: At, asker: By) -> CohortBudget:
    """The asker's own budget, and what was asked."""
    held = desk.bank.budgets.of(asker.actor)
    told = [
        Asked(at=iso(fact.true_at), **{name: fact.body[name] for name in ("epsilon", "purpose", "cohort", "question")})
        for fact in held.asked
    ]
    return CohortBudget(asker=asker.actor, total=held.total, spent=held.spent, left=held.left, asked=told)
