"""The days of a service: what its gauges read over a week, by local hour of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from gemel.bank import Twin
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.process.network import Network, Pool, Station
from gemel.server import service_schema as s
from gemel.server.service_map import pools_of

DAYS = 7
STEP: Time = 5 * MINUTE


def day(seen: Twin, network: Network, stations: Sequence[Station], whole: bool, now: Time, zone: str) -> s.ServiceDay:
    """Return the last seven days of *stations* by hour of the day in *zone*; pools only of a *whole* service."""
    grid = np.arange(now // STEP * STEP - DAYS * DAY, now, STEP)
    hour = hours(grid, zone)
    kinds = ("queue", "busy", "oldest")
    read = held(seen, [f"{kind}.{one.name}" for one in stations for kind in kinds], grid)
    shown = [
        s.StationDay(
            name=one.name, queue=_by(hour, read[f"queue.{one.name}"], np.nanmean, 2),
            longest=_by(hour, read[f"oldest.{one.name}"], np.nanmax, 0), promise=one.promise,
        )
        for one in stations
    ]  # fmt: skip
    staff = _pools(network, read, grid, hour) if whole else []
    return s.ServiceDay(zone=zone, since=int(grid[0]), until=now, stations=shown, pools=staff)


def hours(grid: np.ndarray, zone: str) -> np.ndarray:
    """Return the local hour of each moment; raise `BadInput` for a zone that nobody knows."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"{zone!r} is no time zone; one is Europe/Paris", field="zone") from None
    starts = grid // (15 * MINUTE)  # a zone's offset is in quarters of an hour
    first, place = np.unique(starts, return_index=True)
    local = np.array([datetime.fromtimestamp(int(grid[i]) / 1000, known).hour for i in place])
    return np.asarray(local[np.searchsorted(first, starts)])


def held(seen: Twin, names: Sequence[str], grid: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return what each gauge showed at each moment: it holds what it read until it reads something else; NaN before.

    The loop writes a gauge down when it changes.
    """
    for name in names:
        seen.bank.gate.require(seen.actor, "read", seen.id, name, seen.purpose)
    wanted = set(names)
    found: dict[str, list[tuple[Time, float]]] = {name: [] for name in names}
    first: Time | None = None
    for reading in seen.bank.replica(seen.id).read(int(grid[0]) - HOUR, int(grid[-1]) + 1):
        if reading.signal in wanted:
            first = reading.at if first is None else first
            found[reading.signal].append((reading.at, reading.value))
    return {name: _steps(points, grid, first) for name, points in found.items()}


def _steps(points: Sequence[tuple[Time, float]], grid: np.ndarray, first: Time | None) -> np.ndarray:
    """Return a gauge on the grid; once any gauge was written down, one that was not stood at 0."""
    if first is None:
        return np.full(len(grid), np.nan)
    at = np.array([when for when, _ in points], np.int64)
    values = np.array([0.0, *(value for _, value in points)])
    shown = values[np.searchsorted(at, grid, side="right")]
    return np.where(grid >= first, shown, np.nan)


def _by(hour: np.ndarray, values: np.ndarray, of: object, decimals: int) -> list[float | None]:
    """Return one number for each hour of the day, None where nothing was read."""
    found: list[float | None] = []
    for k in range(24):
        own = values[(hour == k) & ~np.isnan(values)]
        found.append(round(float(of(own)), decimals) if len(own) else None)  # type: ignore[operator]
    return found


def _pools(
    network: Network, read: Mapping[str, np.ndarray], grid: np.ndarray, hour: np.ndarray
) -> list[s.PoolDay]:  # fmt: skip
    there = {pool.name: _there(pool, grid) for pool in network.pools}
    busy = {pool.name: np.zeros(len(grid)) for pool in network.pools}
    for one in network.stations:
        names = pools_of(one)
        leads = list(dict.fromkeys(team.pool for team in one.teams))
        whole = np.maximum(sum((there[name] for name in leads), np.zeros(len(grid))), 1e-9)
        for name in names:
            share = there[name] / whole if name in leads and len(leads) > 1 else 1.0
            busy[name] = busy[name] + read[f"busy.{one.name}"] * share
    return [
        s.PoolDay(name=name, busy=_by(hour, busy[name], np.mean, 2), there=_full(_by(hour, there[name], np.mean, 2)))
        for name in there
    ]  # fmt: skip


def _there(pool: Pool, grid: np.ndarray) -> np.ndarray:
    """Return how many the calendar says were there."""
    edges, counts = pool.calendar.steps(int(grid[0]), int(grid[-1]) + 1)
    return np.asarray(counts[np.searchsorted(edges, grid, side="right") - 1], float)


def _full(values: Sequence[float | None]) -> list[float]:
    return [value or 0.0 for value in values]
