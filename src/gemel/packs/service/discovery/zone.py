"""Zone: the local time of a service, told or found from when its clocks changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from gemel.facts import DAY, HOUR
from gemel.packs.service.discovery.evidence import Evidence

BETTER, SHOWN, NOON_OF_WORK = 30.0, 20_000, 12.75
"""Nats by which a zone must tell the hours of the day better than UTC; moments looked at; the usual middle of a day's work."""

NEARLY = 1.5
"""Hours from the usual middle that make no difference."""

KNOWN = (
    "Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "Australia/Sydney", "Pacific/Auckland", "America/Santiago",
)  # fmt: skip
"""The best known of those whose clocks are the same."""


def zone_of(evidence: Evidence) -> str:
    """Return the zone in which the day is sharpest, where that can be told; say what else it could be.

    Only a change of the clocks within the log can tell zones apart; those that changed them alike are one, and of them the
    one counts in which the middle of the work is nearest to the usual.
    """
    told = evidence.log.zone
    if told != "UTC":
        return told
    moments = _some(evidence.start)
    days = np.arange(moments.min() // DAY, moments.max() // DAY + 1)
    zones = _shapes(days)
    scores = {shape: _sharp(moments, days, shape) for shape in zones}
    flat = (0,) * len(days)
    best = max(scores, key=scores.__getitem__)
    if scores[best] - scores.get(flat, -np.inf) < BETTER:
        evidence.unknown("zone", "the log's clocks never changed to tell a local time: hours are of UTC")
        return told
    middle = _middle(moments)
    alike = sorted(
        zones[best],
        key=lambda zone: (abs(_local(middle, zone, days) - NOON_OF_WORK) // NEARLY, zone not in KNOWN, zone),
    )
    others = f" (or {len(alike) - 1} others, such as {', '.join(alike[1:4])})" if len(alike) > 1 else ""
    evidence.seen("zone", f"the hours of work move as the clocks of {alike[0]} did{others}")
    return alike[0]


def _some(moments: np.ndarray) -> np.ndarray:
    return moments[:: max(len(moments) // SHOWN, 1)]


def _shapes(days: np.ndarray) -> Mapping[tuple[int, ...], list[str]]:
    """Return zones by how their clocks were moved, in ms, on each day since the first."""
    found: dict[tuple[int, ...], list[str]] = defaultdict(list)
    weekly, groups = _offsets_at(days[::7]), defaultdict(list)
    for zone, offsets in weekly.items():
        groups[offsets].append(zone)
    for offsets, zones in groups.items():
        daily = _offset(zones[0], days) if len(set(offsets)) > 1 else (0,) * len(days)
        found[daily] += zones
    return found


def _offsets_at(days: np.ndarray) -> dict[str, tuple[int, ...]]:
    known = (
        zone for zone in sorted(available_timezones()) if "/" in zone and not zone.startswith(("Etc/", "SystemV/"))
    )
    return {zone: _offset(zone, days) for zone in (*known, "UTC")}


def _offset(zone: str, days: np.ndarray) -> tuple[int, ...]:
    """Return by how many ms the clocks at noon UTC of each day were ahead of those on the first."""
    clock = ZoneInfo(zone)
    found = [datetime.fromtimestamp(int(day) * 86400 + 43200, clock).utcoffset() for day in days]
    ahead = [round(offset.total_seconds() * 1000) if offset else 0 for offset in found]
    return tuple(one - ahead[0] for one in ahead)


def _sharp(moments: np.ndarray, days: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return the log-likelihood of the hours of the day, with one count spread over them."""
    local = moments + np.array(shape)[moments // DAY - days[0]]
    counts = np.bincount(local // HOUR % 24, minlength=24)
    return float(counts @ np.log((counts + 1 / 24) / (counts.sum() + 1)))


def _middle(moments: np.ndarray) -> float:
    """Return the circular mean hour of the day, UTC."""
    angle = np.angle(np.exp(2j * np.pi * (moments % DAY) / DAY).mean())
    return float(angle / (2 * np.pi) * 24 % 24)


def _local(hour: float, zone: str, days: np.ndarray) -> float:
    middle = datetime.fromtimestamp(int(days[len(days) // 2]) * 86400, UTC).astimezone(ZoneInfo(zone))
    offset = middle.utcoffset()
    return (hour + (offset.total_seconds() / 3600 if offset else 0.0)) % 24
