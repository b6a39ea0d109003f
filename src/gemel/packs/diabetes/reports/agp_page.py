"""The AGP report as one A4 page: statistics and targets, time in ranges, the usual day, the last 14 days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from html import escape

import numpy as np

from gemel.bank import Twin
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.reports import look, svg
from gemel.packs.diabetes.reports.agp import FEWEST, RANGES, STEPS, Agp, Day, agp, in_full
from gemel.packs.diabetes.reports.look import BAND, BLUE, BOX, COLOURS, FAN, INK, MGDL, RULE, SOFT, Unit
from gemel.packs.diabetes.reports.seen import some_glucose

TOP = 400.0
"""mg/dL at the upper edge of the figures; what is higher is drawn there."""


def make(twin: Twin, since: Time, until: Time, zone: tzinfo, unit: Unit = MGDL) -> str:
    """Return the AGP report of a twin as its reader may see it; raise `Refused`, or `NotFound` where nothing was read."""
    at, glucose = some_glucose(twin, since, until)
    return page(twin.id, agp(at, glucose, since, until, zone), zone, unit)


def page(name: str, found: Agp, zone: tzinfo, unit: Unit = MGDL) -> str:
    """Return the report of *found* as HTML."""
    head = f"AGP report: {escape(name)}"
    parts = [
        f"<h1>{head}</h1><p class='soft'>{escape(_about(found, zone))}</p>",
        "" if found.sufficient else f"<p class='warn'>{escape(_too_little(found))}</p>",
        f"<table class='sides'><tbody><tr><td style='width:52%'>{statistics(found, unit)}</td>"
        f"<td>{bar(found, unit)}</td></tr></tbody></table>",
        f"<h2>Ambulatory glucose profile</h2><p class='small soft'>{escape(_how(unit))}</p>{usual_day(found, unit)}",
        f"<h2>Daily glucose profiles</h2>{last_days(found, unit)}",
        f"<p class='small soft'>{escape(_footer(found, zone))}</p>",
    ]
    return look.page(head, "".join(parts))


def _about(found: Agp, zone: tzinfo) -> str:
    return (
        f"{look.period(found.since, found.until, zone)}: {found.days:.0f} days; sensor active {100 * found.active:.1f} % "
        f"of the time; {found.readings} readings, one each {found.cadence // MINUTE} min, on {found.worn} days"
    )


def _too_little(found: Agp) -> str:
    return (
        f"Not enough data to judge by: 14 days with the sensor active 70 % of the time are needed (10.2337/dci19-0028); "
        f"here are {found.days:.0f} days with {100 * found.active:.1f} %. The figures stand for what was read, not for the usual."
    )


def _how(unit: Unit) -> str:
    return (
        f"All days as one, in {unit.name}: median, 25–75 % and 5–95 % of what was read within 45 minutes around each quarter of "
        "an hour by the wall clock, smoothed over half an hour to each side. Where fewer than "
        f"{FEWEST} days have readings, nothing is drawn."
    )


def _footer(found: Agp, zone: tzinfo) -> str:
    return (
        f"Times are of {look.zone_name(zone)}; on days when clocks change, each reading stands at the time that the clock "
        "showed. Targets are those for most adults with type 1 or 2 diabetes; older, frail and pregnant people have others "
        f"(10.2337/dci19-0028). GMI: 10.2337/dc18-1581. {look.NOTICE}"
    )


def statistics(found: Agp, unit: Unit) -> str:
    """Return the table of glucose statistics with their targets."""
    labels = {
        "mean": "Mean glucose", "gmi": "Glucose management indicator (GMI)", "cv": "Glucose variability (CV)",
        "sd": "Standard deviation", "gri": "Glycemia risk index (0–100)",
    }  # fmt: skip
    rows = [[label, look.said(name, found.values[name], unit), look.goal(name, unit)] for name, label in labels.items()]
    rows.append(["Time sensor is active", f"{100 * found.active:.1f} %", "≥70 %"])
    return look.table(["Glucose statistics", "", "target"], rows, (1, 2))


def bar(found: Agp, unit: Unit) -> str:
    """Return the stacked bar of the time in ranges, with targets and the time of a day that each is."""
    shares = in_full(found.ranges)
    frame = svg.Frame(52, 18, 34, 160, 0, 1, 0, 100)
    parts = [svg.text(0, 8, f"Time in ranges, {unit.name}", 9, fill=INK, bold=True)]
    below = 0.0
    for name, share in zip(RANGES, shares, strict=True):
        if np.isfinite(share) and share > 0:
            top = frame.y(below + share)
            parts.append(svg.rect(frame.left, top, frame.width, frame.y(below) - top, COLOURS[name]))
            below += share
    places = _apart([frame.y(sum(shares[:k]) + shares[k] / 2) if np.isfinite(below) else 0.0 for k in range(5)])
    for k, name in enumerate(RANGES):
        parts += _label(k, name, shares[k], places[k], unit)
    parts.append(svg.text(0, 200, _in_all(found, unit), 7, fill=SOFT))
    words = "; ".join(f"{unit.ranges[k]} {unit.name}: {look.number(shares[k], 1)} %" for k in range(5))
    return svg.drawing(300, 206, f"Time in ranges. {words}", parts)


def _in_all(found: Agp, unit: Unit) -> str:
    below, above = (100 * found.values[name] for name in ("time_below_range", "time_above_range"))
    low, high = (unit.say(limit, unit=False) for limit in (70.0, 180.0))
    return f"Below {low} in all {below:.1f} % (target <4 %), above {high} in all {above:.1f} % (target <25 %)"


def _label(k: int, name: str, share: float, y: float, unit: Unit) -> Iterator[str]:
    wanted = {"time_very_low": "<1 %", "time_in_range": ">70 %", "time_very_high": "<5 %"}.get(name, "")
    minutes = round(share / 100 * 24 * 60) if np.isfinite(share) else 0
    yield svg.text(48, y + 3, unit.ranges[k], 8, "end", INK)
    yield svg.text(92, y + 3, look.RANGE_NAMES[k], 8, fill=INK)
    yield svg.text(190, y + 3, f"{look.number(share, 1)} %", 8.5, "end", INK, bold=True)
    yield svg.text(197, y + 3, f"{minutes // 60} h {minutes % 60:02} min a day", 7, fill=SOFT)
    yield svg.text(300, y + 3, wanted, 7.5, "end", SOFT)


def _apart(places: list[float], gap: float = 13.0, low: float = 22.0, high: float = 174.0) -> list[float]:
    """Return places from bottom to top, moved so far apart that their words do not overlap."""
    found = [min(place, high) for place in places]
    for k in range(1, len(found)):
        found[k] = min(found[k], found[k - 1] - gap)
    found[-1] = max(found[-1], low)
    for k in range(len(found) - 2, -1, -1):
        found[k] = max(found[k], found[k + 1] + gap)
    return found


def usual_day(found: Agp, unit: Unit, across: float = 660.0) -> str:
    """Return the profile: target range, the fans of 5–95 % and 25–75 %, the median; *across* is the width of its frame."""
    frame = svg.Frame(34, 6, across, 240, 0, 1440, 0, TOP)
    x, (low5, low25, median, high75, high95) = _whole_day(found.profile.percentiles)
    parts = [*_ground(frame, unit, 8.0)]
    parts += [svg.area(frame, x, low5, high95, FAN), svg.area(frame, x, low25, high75, BOX)]
    parts += [svg.curve(frame, x, y, BLUE, 0.6, "3 2") for y in (low5, high95)]
    parts += [svg.curve(frame, x, median, BLUE, 2.2), *_limits(frame), *_hours(frame, 3 if across > 500 else 6, 8.0)]
    ends = ((low5, "5 %"), (low25, "25 %"), (median, "50 %"), (high75, "75 %"), (high95, "95 %"))
    places = _apart([frame.y(float(y[-1])) for y, _ in ends], 9.0, 10.0, 244.0) if np.isfinite(median[-1]) else []
    parts += [svg.text(across + 38, y + 2.5, word, 7.5, fill=SOFT) for y, (_, word) in zip(places, ends, strict=False)]
    if not np.isfinite(median).any():
        parts.append(svg.text(34 + across / 2, 120, f"too few days: it takes {FEWEST}", 10, "middle", SOFT))
    return svg.drawing(across + 64, 262, f"The usual day, median and percentiles, in {unit.name}", parts)


def _whole_day(percentiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of the quarters (98,) min and the percentiles there (5, 98), from midnight to midnight."""
    night = percentiles[:, [-1, 0]].mean(axis=1, keepdims=True)
    x = np.concatenate(([0.0], np.arange(STEPS) * 15.0 + 7.5, [1440.0]))
    return x, np.hstack([night, percentiles, night])


def _ground(frame: svg.Frame, unit: Unit, size: float) -> Iterator[str]:
    yield svg.rect(frame.left, frame.y(180), frame.width, frame.y(70) - frame.y(180), BAND)
    for tick in unit.ticks:
        words = unit.say(tick, unit=False)
        yield svg.line(frame.left, frame.y(tick), frame.left + frame.width, frame.y(tick), RULE, 0.4)
        yield svg.text(
            frame.left - 4,
            frame.y(tick) + 2.8,
            words,
            size,
            "end",
            INK if tick in (70, 180) else SOFT,
            tick in (70, 180),
        )


def _limits(frame: svg.Frame) -> Iterator[str]:
    right = frame.left + frame.width
    yield from (svg.line(frame.left, frame.y(y), right, frame.y(y), COLOURS["time_in_range"], 1.0) for y in (70, 180))
    yield svg.line(frame.left, frame.top + frame.height, right, frame.top + frame.height, SOFT, 0.6)


def _hours(frame: svg.Frame, every: int, size: float) -> Iterator[str]:
    for hour in range(0, 25, every):
        x = frame.x(hour * 60)
        yield svg.line(x, frame.top, x, frame.top + frame.height, RULE, 0.4)
        yield svg.text(x, frame.top + frame.height + 10, f"{hour:02}:00", size, "middle", SOFT)


def last_days(found: Agp, unit: Unit) -> str:
    """Return two weeks of small figures, one for each day, with the time on a common scale."""
    parts: list[str] = []
    for k, day in enumerate(found.thumbnails):
        frame = svg.Frame(24 + (k % 7) * 100, 16 + (k // 7) * 112, 96, 86, 0, 1440, 0, TOP)
        parts += _day(frame, day, k % 7 == 0, unit)
    return svg.drawing(724, 226, f"Glucose on each of the last {len(found.thumbnails)} days, in {unit.name}", parts)


def _day(frame: svg.Frame, day: Day, first: bool, unit: Unit) -> Iterator[str]:
    yield svg.rect(frame.left, frame.top, frame.width, frame.height, "#f7f8fa")
    yield svg.rect(frame.left, frame.y(180), frame.width, frame.y(70) - frame.y(180), BAND)
    yield svg.text(frame.left, frame.top - 3, f"{day.on:%a %-d %b}", 7.5, fill=INK, bold=True)
    yield svg.line(frame.x(720), frame.top, frame.x(720), frame.top + frame.height, RULE, 0.4)
    yield svg.text(frame.x(720), frame.top + frame.height + 8, "12:00", 6, "middle", SOFT)
    if first:
        yield from (
            svg.text(frame.left - 3, frame.y(y) + 2, unit.say(y, unit=False), 6.5, "end", SOFT) for y in (70, 180)
        )
    if np.isfinite(day.glucose).any():
        yield svg.curve(frame, day.minute, day.glucose, BLUE, 1.0)
        for limit, name, out in ((70.0, "time_low", -1), (180.0, "time_very_high", 1)):
            beyond = np.where(out * np.floor(day.glucose + 0.5) > out * limit, day.glucose, np.nan)
            yield svg.curve(frame, day.minute, beyond, COLOURS[name], 1.4)
    else:
        yield svg.text(frame.x(720), frame.y(120), "no readings", 7, "middle", SOFT)
