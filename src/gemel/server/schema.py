"""What the server and the console say to each other; FastAPI's OpenAPI and the console's types come from here.

Times are milliseconds since 1970-01-01T00:00Z, as in `gemel.facts`; amounts are in the unit named beside them.

| endpoint                                       | takes    | answers             |
|------------------------------------------------|----------|---------------------|
| `GET /api/meta`                                |          | `Meta`              |
| `GET /api/twins`                               |          | `list[TwinSummary]` |
| `GET /api/twins/{id}/view?hours=12`            |          | `View`              |
| `WS /api/twins/{id}/live?hours=12`             |          | `Push`, again and again |
| `POST /api/twins/{id}/proposals/{seq}/decision`| `Decide` | `Proposal`          |
| `GET /api/twins/{id}/why/{seq}`                |          | `Why`               |
| `GET /api/twins/{id}/scenarios`                |          | `list[Scenario]`    |
| `POST /api/twins/{id}/suppose`                 | `Suppose`| `ForkView`          |
| `DELETE /api/twins/{id}/forks/{name}`          |          | 204                 |

Every failure, whatever its status, answers `Problem`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Instant = Annotated[int, Field(description="milliseconds since 1970-01-01T00:00Z")]
Point = tuple[Instant, float]

NOTICE = "Gemel is not a medical device. Do not use it to decide on treatment."


class Model(BaseModel):
    """What all share: unknown fields are an error, so that a misspelt one is found at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Meta(Model):
    """Who is asking, for what, and what this server is; a demonstration asks nobody who they are."""

    version: str
    notice: str = NOTICE
    actor: str
    purpose: str
    purposes: list[str] = Field(default=[], description="what else this login may be used for")
    demo: bool = Field(default=False, description="no login: whoever is on this machine is `actor`")
    others: list[str] = Field(default=[], description="as whom a demonstration may be looked at, with `?as=`")


class Doors(Model):
    """How one may log in here; `provider` is the address to send a browser to."""

    token: bool = True
    link: bool = Field(default=False, description="the program printed a link that works once")
    provider: str | None = None


class Login(Model):
    """A token, to be exchanged for a cookie."""

    token: str = Field(min_length=1, max_length=4096)


class TwinSummary(Model):
    """One line of the list of twins; `latest` is the primary signal's last reading."""

    id: str
    type: str
    label: str
    now: Instant
    latest: Point | None
    open_proposals: int = 0
    alerts: int = Field(default=0, description="active ones")


class SignalView(Model):
    """How to show one signal; `band` is the target range, `low` and `high` what the sensor can read."""

    unit: str
    label: str
    low: float
    high: float
    band: tuple[float, float] | None = None
    primary: bool = Field(default=False, description="the one on the axis; exactly one signal is")
    cadence: int = Field(default=300_000, description="milliseconds between readings; three missed make it stale")
    decimals: int = 0


class LeverView(Model):
    """How to show one lever: a lane of amounts, or (`holds`) of steps. The order of levers is the order of lanes."""

    unit: str
    label: str
    holds: bool = False


class MetricView(Model):
    """How to show one metric of a fork, and which way is good, where one is."""

    unit: str
    label: str
    better: Literal["higher", "lower"] | None = None
    decimals: int = 0
    outweighs: bool = Field(default=False, description="while it gets worse, no other metric is called better")


Level = Literal["0.025", "0.1", "0.25", "0.5", "0.75", "0.9", "0.975"]


class ForecastView(Model):
    """Quantiles of one signal at each time of `at`; `seq` is the fact's."""

    seq: int
    made_at: Instant
    signal: str
    unit: str
    at: list[Instant]
    quantiles: dict[Level, list[float]]


class ForkView(Model):
    """A copy with its own future: median and 80 % range of the primary signal, and its metrics.

    `usual` holds the same metrics of the paired run in which nothing is changed.
    """

    name: str
    at: list[Instant]
    median: list[float]
    low: list[float]
    high: list[float]
    metrics: dict[str, float] = {}
    usual: dict[str, float] = {}


class Status(StrEnum):
    """Where a proposal has come to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    REFUSED = "refused"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


class ActionView(Model):
    """An amount of one lever, at one time."""

    lever: str
    amount: float
    unit: str
    at: Instant


class Proposal(Model):
    """What an agent wants done, why, what it expects, and what became of it (`reason` says why so).

    Of an open one: whether this actor may decide on it, and which people may.
    """

    seq: int
    agent: str
    made_at: Instant
    title: str
    why: str
    action: ActionView | None
    expected: str = ""
    status: Status = Status.OPEN
    reason: str | None = None
    expires_at: Instant | None = None
    may_decide: bool = False
    deciders: list[str] = []
    advice: bool = Field(
        default=False, description="to be read: it cannot be approved, and nothing is ever sent for it"
    )


Severity = Literal["info", "warning", "urgent"]


class AlertView(Model):
    """Something a person should know; an inactive one is over; of an active one, who takes care of it."""

    seq: int
    at: Instant
    severity: Severity
    text: str
    active: bool = True
    acknowledged_by: str = ""
    note: str = ""


class Score(Model):
    """How well forecasts of one horizon came true; errors in the signal's unit, coverage from 0 to 1, MARD in %."""

    horizon_min: int
    n: int
    rmse: float
    hold_rmse: float = Field(description="of saying that the last reading stays")
    mard: float | None = None
    crps: float
    cover80: float
    cover95: float


class PastForecast(Model):
    """What was said at `made_at` about `at`, and what happened, once it is known."""

    made_at: Instant
    at: Instant
    median: float
    low80: float
    high80: float
    happened: float | None = None


Part = Literal["alerts", "proposals", "forks", "scores"]


class View(Model):
    """Past, now and future of one twin, as this actor may see it; what is `withheld` is empty for want of a right to see it."""

    twin: str
    label: str
    type: str
    eventful: bool = Field(default=False, description="a service, of which there is more under `/service`")
    now: Instant
    speed: float = Field(default=1.0, description="seconds of the twin's time per second; 0 stands still")
    signals: dict[str, SignalView]
    levers: dict[str, LeverView]
    metrics: dict[str, MetricView] = {}
    readings: dict[str, list[Point]]
    actions: dict[str, list[Point]]
    forecast: ForecastView | None = None
    forks: list[ForkView] = []
    proposals: list[Proposal] = []
    alerts: list[AlertView] = []
    scores: list[Score] = []
    past_forecasts: list[PastForecast] = []
    withheld: list[Part] = Field(default=[], description="of these, empty means: not shown to this actor")
    fallback: str | None = Field(default=None, description="what the loop does instead of forecasting, and why")


class Push(Model):
    """What the live socket sends whenever something changed."""

    view: View


class Decide(Model):
    """A person's word on a proposal."""

    decision: Literal["approve", "reject"]
    note: str = ""


class Why(Model):
    """One fact and the facts it follows from, down to readings."""

    seq: int
    kind: str
    at: Instant
    by: str
    text: str
    causes: list[Why] = []


class FieldView(Model):
    """One thing to fill in. For a time, `min`, `max` and `default` count minutes from now and the value sent is an
    `Instant`; for a number all are in `unit`; for a choice `default` is one of `choices`."""

    name: str
    label: str
    type: Literal["number", "time", "choice"]
    unit: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    default: float | str | None = None
    choices: list[str] = []
    from_now: bool = Field(default=False, description="a number of minutes from now: it says when")


class Scenario(Model):
    """Something to suppose of a fork."""

    name: str
    title: str
    fields: list[FieldView] = []


class Suppose(Model):
    """Fork the twin under `name` and suppose `scenario` of it."""

    name: str = Field(min_length=1, max_length=80)
    scenario: str
    values: dict[str, float | str] = {}


class Problem(Model):
    """The one shape of an error, RFC 9457: what was asked and what would be possible, where that helps."""

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str
    kind: str = Field(description="not_found, bad_input, refused, login, limited, conflict, changed, unavailable …")
    asked: str | None = None
    possible: list[str] | None = None


ANSWERS: tuple[type[Model], ...] = (Meta, TwinSummary, View, Push, Proposal, Why, Scenario, ForkView, Doors, Problem)
REQUESTS: tuple[type[Model], ...] = (Decide, Suppose, Login)
