"""Evidence: all that an assessment takes from a log, in one piece, and what could not be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gemel.errors import BadInput, GemelError, unknown
from gemel.facts import Time, iso
from gemel.packs.service.assess.columns import Check, Cost, Field, checks_of, costs_of, felt_of, fields_of, scores_of
from gemel.packs.service.assess.foresight import Foresight, Tell, foresight_of
from gemel.packs.service.assess.kpis import Half, Kpi, Trial, halves_of, kpis_of, trials_of
from gemel.packs.service.assess.losses import WHOLE, Loss, Opportunity, losses_of, opportunities_of
from gemel.packs.service.assess.paths import Paths, paths_of
from gemel.packs.service.assess.rows import Rows, Unknown, rows_of
from gemel.packs.service.assess.stations import Spread, Station, Worker, spread_of, stations_of, workers_of
from gemel.packs.service.discovery import discover
from gemel.packs.service.journeys import Journeys, journeys
from gemel.packs.service.log import Log
from gemel.packs.service.logs import Repair
from gemel.packs.service.pains import Pain
from gemel.packs.service.touchpoints import Promise

STAGES = 8
MONEY = "of money"
"""The unit of costs: whose money it is, no log tells."""


@dataclass(frozen=True)
class Learned:
    """What a twin of the service could learn from the log: so many stations and pools, and what it could not, in sentences."""

    stations: int
    pools: int
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """What the log holds; `measured` says what is known of waiting: the wait, or wait and work together."""

    cases: int
    activities: int
    kinds: int
    resources: int
    first: Time
    last: Time
    visit: Spread
    waited: float | None
    worked: float | None
    measured: str
    zone: str


@dataclass(frozen=True)
class Evidence:
    """All that the log tells; `Unknown` where it does not tell, with the reason."""

    overview: Overview
    promises: Mapping[str, float]
    hour_cost: float | None
    paths: Paths
    journeys: Journeys
    learned: Learned | Unknown
    stations: tuple[Station, ...]
    workers: tuple[Worker, ...]
    losses: tuple[Loss, ...]
    opportunities: tuple[Opportunity, ...]
    foresight: Foresight | Unknown
    cost: Cost | None
    fields: tuple[Field, ...]
    checks: tuple[Check, ...]
    repairs: tuple[Repair, ...]
    felt: tuple[str, ...]
    kpis: tuple[Kpi, ...]
    trials: tuple[Trial, ...]
    halves: tuple[Half, ...]

    @property
    def pains(self) -> tuple[Pain, ...]:
        """Return the pain points, the worst first."""
        return self.journeys.pains

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        found = asdict(self)
        found["journeys"] = {**self.journeys.body(), "variants": len(self.journeys.variants)}
        found["overview"] |= {"first": iso(self.overview.first), "last": iso(self.overview.last)}
        return found


def quiet(what: str, done: int, whole: int) -> None:
    """Tell nobody how far the work is."""


def evidence_of(
    log: Log, promises: Mapping[str, float] | None = None, *, hour_cost: float | None = None, zone: str | None = None,
    repairs: Sequence[Repair] = (), tell: Tell = quiet,
) -> Evidence:  # fmt: skip
    """Return what the log tells; *promises* are seconds by activity, or `*` for the whole visit; local times are of *zone*."""
    if not len(log):
        raise BadInput("the log holds no activity: there is nothing to assess")
    told, local = _checked(log, promises or {}), zone or log.zone
    tell("reading times", 0, STAGES)
    rows = rows_of(log)
    tell("reading times", 1, STAGES)
    stations = stations_of(rows, told, local)
    tell("reading times", 2, STAGES)
    paths, workers, priced = paths_of(rows), workers_of(rows, local), costs_of(log)
    tell("reading times", 4, STAGES)
    each, cost = priced or (None, None)
    tell("reading times", 5, STAGES)
    touched, learned = _journeys(log, told, hour_cost), _learned(log, tell)
    losses = losses_of(rows, stations, told, hour_cost, each)
    tell("reading times", STAGES, STAGES)
    foresight = foresight_of(rows, told.get(WHOLE), local, tell)
    return Evidence(
        _overview(rows, local), told, hour_cost, paths, touched, learned, stations, workers, losses,
        opportunities_of(rows, losses, stations),
        foresight, cost, fields_of(log), checks_of(log), tuple(repairs), felt_of(log), kpis_of(rows, told, each, foresight),
        trials_of(rows, float(np.mean(rows.visit > _limit(rows, foresight)))), halves_of(rows),
    )  # fmt: skip


def _journeys(log: Log, promises: Mapping[str, float], hour_cost: float | None) -> Journeys:
    """Return touchpoints before, during and after the moment of truth, with what customers felt where columns of numbers tell."""
    waits = {name: value for name, value in promises.items() if name != WHOLE}
    promise = Promise(waits, dict.fromkeys(log.activity.names, hour_cost), MONEY) if hour_cost else Promise(waits)
    return journeys(log, promise, feelings=scores_of(log))


def _learned(log: Log, tell: Tell) -> Learned | Unknown:
    tell("finding stations and staff", 0, 1)
    try:
        found = discover(log)
    except GemelError as error:
        return Unknown(str(error))
    finally:
        tell("finding stations and staff", 1, 1)
    return Learned(len(found.network.stations), len(found.network.pools), tuple(str(note) for note in found.unknown))


def _checked(log: Log, promises: Mapping[str, float]) -> Mapping[str, float]:
    for name in promises:
        if name != WHOLE and name not in log.activity.names:
            raise unknown("station", name, [*log.activity.names, WHOLE])
    return promises


def _limit(rows: Rows, foresight: Foresight | Unknown) -> float:
    """Return from which length on (s) a visit is long."""
    return foresight.limit if isinstance(foresight, Foresight) else float(np.quantile(rows.visit, 0.8))


def _overview(rows: Rows, zone: str) -> Overview:
    log, visit = rows.log, spread_of(rows.visit)
    assert visit is not None, "a log with rows has visits"
    timed = log.timed
    return Overview(
        len(log.cases), len(log), len(log.activity.names), len(log.resource.names), int(log.first.min()),
        round(float(rows.left.max()) * 1000), visit, float(np.nansum(rows.wait)) if timed else None,
        float(np.nansum(rows.work)) if timed else None, rows.measure[0], zone,
    )  # fmt: skip
