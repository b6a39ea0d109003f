"""What the server says of a service: its map and what is foreseen of it, its days, its customers, what proposals would do.

| endpoint                                   | answers           | to whom                                             |
|--------------------------------------------|-------------------|-----------------------------------------------------|
| `GET /api/twins/{id}/service`              | `ServiceView`     | stations whose three gauges one may read            |
| `GET /api/twins/{id}/service/day?zone=UTC` | `ServiceDay`      | the same                                            |
| `GET /api/twins/{id}/service/cases`        | `ServiceCases`    | who may read `events`; else one's own cases         |
| `GET /api/twins/{id}/service/cases/{case}` | `CaseJourney`     | who may read `events` or the signal `case:CASE`     |
| `GET /api/twins/{id}/service/proposals`    | `list[ProposalForks]` | who may read all of the twin and fork it        |
| `GET /api/twins/{id}/service/frontier`     | `FrontierView`, or null | who may read all of the twin                        |
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gemel.server.schema import Instant, Level, Model

Fan = dict[Level, list[float]]
"""Quantiles at each time of `at`."""

Spread = tuple[float | None, float | None, float | None]
"""Quantiles of 10, 50 and 90 %; none where that lies beyond what is foreseen."""

Moments = tuple[Instant | None, Instant | None, Instant | None]


class Risk(Model):
    """The chance that the promise of a station is broken within the hour, and when, where it is: half are broken by `at`."""

    chance: float = Field(ge=0, le=1)
    broken: bool = Field(description="somebody waits longer than promised already")
    at: Instant | None = None


class StationView(Model):
    """A station now and ahead: how many wait and are served, the longest present wait in seconds, fans of both."""

    name: str
    activities: list[str]
    pools: list[str] = Field(description="who may serve here, by pool")
    queue: int
    busy: int
    oldest: float
    promise: float | None = None
    risk: Risk | None = None
    queue_fan: Fan
    oldest_fan: Fan


class PlaceView(Model):
    """A place on the map: where customers come in, a station, a wait for others (`delay`), the way out; who is there now."""

    id: str
    kind: Literal["in", "station", "delay", "out"]
    name: str
    here: int = 0


class WayView(Model):
    """A way between two places, and how many are expected to go there within the hour."""

    start: str
    end: str
    per_hour: float


class MoveView(Model):
    """Somebody went from one place to another: `case` only for those who may know who."""

    at: Instant
    start: str
    end: str
    case: str


class PoolView(Model):
    """People or equipment: how many serve now, how many are there, and both ahead, as means over futures."""

    name: str
    kind: str
    busy: int
    there: float
    busy_ahead: list[float]
    there_ahead: list[float]


class ServiceView(Model):
    """A service now and two hours ahead; fans and pools hold values at the times of `at`."""

    twin: str
    now: Instant
    members: int
    inside: int | None = None
    promise: float | None = Field(
        default=None, description="seconds from coming to leaving that customers were promised"
    )
    at: list[Instant]
    stations: list[StationView]
    places: list[PlaceView]
    ways: list[WayView]
    moves: list[MoveView] = Field(description="of the last quarter of an hour, oldest first")
    pools: list[PoolView]


class StationDay(Model):
    """Mean queue and the longest wait (s) at a station, by local hour of the day; none where nothing is known."""

    name: str
    queue: list[float | None]
    longest: list[float | None]
    promise: float | None = None


class PoolDay(Model):
    """How many of a pool served and were there on average, by local hour of the day.

    Where a station is served by several pools, its work is shared among them by how many of each are there.
    """

    name: str
    busy: list[float | None]
    there: list[float]


class ServiceDay(Model):
    """The last seven days by local hour of the day, 24 values each."""

    zone: str
    since: Instant
    until: Instant
    stations: list[StationDay]
    pools: list[PoolDay]


class CasePlace(Model):
    """Where a customer is: doing what, since when."""

    activity: str
    station: str | None = None
    status: Literal["waiting", "served", "elsewhere", "joining"]
    since: Instant


class CaseView(Model):
    """One customer inside: since when, where, how long she will be (s, 10, 50, 90 %), and the chance of a broken promise."""

    id: str
    customers: str
    arrived: Instant
    places: list[CasePlace]
    remaining: Spread
    breach: float | None = None


class ServiceCases(Model):
    """Who is inside, who waits longest first; `more` were left out. `own` are those that one may look at by name."""

    now: Instant
    total: int
    more: int
    cases: list[CaseView]
    own: list[str]


class CaseEvent(Model):
    """Something that happened on her way."""

    at: Instant
    phase: str
    activity: str = ""
    resource: str = ""


class NextStep(Model):
    """What may come next for her: how likely at all, when (10, 50, 90 %), and the wait there in seconds at the median."""

    activity: str
    station: str
    chance: float
    at: Moments
    wait: float


class Pathway(Model):
    """One way that her journey may go on, and how likely it is; `left` says whether it ends outside."""

    steps: list[str]
    chance: float
    left: bool


class CaseJourney(Model):
    """One customer's way so far and ahead; `case` is none once she has left. Nothing is said beyond `until`."""

    id: str
    now: Instant
    until: Instant
    case: CaseView | None = None
    past: list[CaseEvent]
    ahead: list[NextStep]
    pathways: list[Pathway]


class Course(Model):
    """A course of a gauge: median and 80 % range at each time."""

    median: list[float]
    low: list[float]
    high: list[float]


class Compared(Model):
    """A metric as usual and with the proposal, the paired difference with its 95 % interval, and how often it is better."""

    name: str
    label: str
    unit: str
    better: Literal["higher", "lower"] | None = None
    usual: float
    changed: float
    difference: float
    low: float
    high: float
    share: float


class ProposalForks(Model):
    """A proposal, tried on a copy beside a copy left alone: metrics, and the courses of the gauge that it moves most."""

    seq: int
    title: str
    status: str
    now: Instant
    at: list[Instant]
    signal: str
    unit: str
    usual: Course
    changed: Course
    metrics: list[Compared]


class TriedDesign(Model):
    """One design that a search tried: aims with their 90 % intervals, and the chance that no other beats it."""

    design: str
    mean: list[float]
    low: list[float]
    high: list[float]
    efficient: float
    on_frontier: bool


class FrontierView(Model):
    """The last search over designs on record: its aims, all of them better when smaller, and what was tried."""

    seq: int
    at: Instant
    by: str
    aims: list[str]
    tried: list[TriedDesign]


ANSWERS: tuple[type[Model], ...] = (
    ServiceView, ServiceDay, ServiceCases, CaseJourney, ProposalForks, FrontierView,
)  # fmt: skip
