"""Report: one self-contained page about a twin: what is known, how it went, what is ahead, how far to trust it.

Everything is read through the twin, so the page shows what its reader may see and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape
from importlib.metadata import version
from typing import Any

import numpy as np

from gemel.bank import Tell, Twin, quiet
from gemel.errors import NotFound
from gemel.experiment import figures
from gemel.experiment.backtest import HORIZONS, SPLIT, backtest
from gemel.experiment.paper import SCRIPT, STYLE, figure, section, table
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.intervention import Forecast, Metric
from gemel.streams.check import SILENT
from gemel.streams.clock import zone as zone_named
from gemel.twintype import Lever, Signal, TwinType

SHOWN: Time = 3 * DAY
AHEAD_H = 2.0
ENOUGH: Time = 2 * DAY
"""A shorter record says nothing yet about usual days, or about how well forecasts come true."""

PERCENTILES = (5, 25, 50, 75, 95)
LONGEST = 8
"""How many of the longest gaps are listed."""


@dataclass(frozen=True)
class Course:
    """One signal on a grid of its own cadence: `at` (n,) and `values` (n,), NaN where nothing was read."""

    name: str
    port: Signal
    at: np.ndarray
    values: np.ndarray

    @property
    def present(self) -> float:
        """Return the share of the grid on which something was read."""
        return float(np.isfinite(self.values).mean())

    def since(self, moment: Time) -> Course:
        """Return the part from *moment* on."""
        rows = self.at >= moment
        return Course(self.name, self.port, self.at[rows], self.values[rows])

    def gaps(self) -> list[tuple[Time, Time]]:
        """Return when the signal was silent for long, the longest first."""
        read = self.at[np.isfinite(self.values)]
        spans = np.diff(read)
        found = [(int(read[i]), int(read[i + 1])) for i in np.flatnonzero(spans > SILENT * self.port.cadence)]
        return sorted(found, key=lambda gap: gap[0] - gap[1])


@dataclass(frozen=True)
class Subject:
    """What the page is about: a twin's courses and doses as far as its reader may see them, and the time zone."""

    twin: Twin
    courses: Sequence[Course]
    doses: dict[str, list[tuple[Time, float]]]
    zone: tzinfo
    made_at: Time

    @property
    def type(self) -> TwinType:
        """Return the twin's type."""
        return self.twin.type

    @property
    def main(self) -> Course:
        """Return the course of the signal that the twin is about."""
        return self.courses[0]

    @property
    def band(self) -> figures.Band:
        """Return the range in which the main signal is well, if the type says one."""
        return self.type.band.get(self.main.name)

    def clock(self, at: Time) -> str:
        """Return a moment for people."""
        return f"{self.local(at):%Y-%m-%d %H:%M}"

    def local(self, at: Time) -> datetime:
        """Return a moment on the wall clock of the page's zone; the figures know no other."""
        return datetime.fromtimestamp(at / 1000, self.zone).replace(tzinfo=None)

    def locals(self, at: Iterable[Time]) -> list[datetime]:
        """Return moments on the wall clock."""
        return [self.local(int(moment)) for moment in at]


def page(twin: Twin, tell: Tell = quiet, timezone: str = "UTC") -> str:
    """Return the page as HTML that needs nothing else; raise `Refused` if its reader may not read the main signal."""
    tell("reading", 0, 1)
    seen = _subject(twin, timezone)
    tell("reading", 1, 1)
    said = _forecast(seen, tell)
    tested = _tested(seen, tell)
    parts = [
        _who(seen),
        _metrics(seen),
        _last_days(seen),
        _usual_day(seen),
        _ahead(seen, said),
        _came_true(seen, tested),
    ]
    return _whole(seen, [*parts, _provenance(seen, timezone), _limits(seen)])


def _subject(twin: Twin, timezone: str) -> Subject:
    names = list(dict.fromkeys([*twin.type.band, *twin.type.signals]))
    main = next((name for name in names if twin.may("read", name)), names[0])
    found = [_course(twin, name) for name in names if name == main or twin.may("read", name)]
    courses = [course for course in found if len(course.at)]
    if not courses or courses[0].name != main:
        raise NotFound(f"{twin.id} has no reading of {main} yet: import a record or connect a stream")
    doses = {name: _doses(twin, name) for name in twin.type.levers if twin.may("read", name)}
    return Subject(twin, courses, doses, zone_named(timezone), twin.bank.now())


def _course(twin: Twin, name: str) -> Course:
    """Return the mean of what was read in each step of the signal's cadence."""
    port, readings = twin.type.signals[name], twin.readings(name)
    if not readings:
        return Course(name, port, np.zeros(0, np.int64), np.zeros(0))
    step = np.array([reading.at for reading in readings], np.int64) // port.cadence
    index = step - step[0]
    count = np.bincount(index)
    total = np.bincount(index, weights=[reading.value for reading in readings])
    values = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return Course(name, port, (step[0] + np.arange(len(count))) * port.cadence, values)


def _doses(twin: Twin, lever: str) -> list[tuple[Time, float]]:
    twin.bank.gate.require(twin.actor, "read", twin.id, lever, twin.purpose)
    return [(dose.at, float(dose.amount)) for dose in twin.bank.replica(twin.id).plan() if dose.lever == lever]


def _forecast(seen: Subject, tell: Tell) -> Forecast:
    last = int(seen.twin.readings(seen.main.name)[-1].at)
    seen.twin.bank.learn(seen.twin.id, seen.main.name, seen.twin.actor, last, tell)
    return seen.twin.forecast(seen.main.name, AHEAD_H, last)


def _tested(seen: Subject, tell: Tell) -> dict[str, Any] | None:
    if len(seen.main.at) * seen.main.port.cadence < ENOUGH:
        return None
    found = backtest([seen.twin.bank.replica(seen.twin.id)], [], seen.main.name, tell)
    return found if all(row["n"] for row in found["horizons"].values()) else None


# the sections


def _who(seen: Subject) -> str:
    main, twin = seen.main, seen.twin
    span = (main.at[-1] + main.port.cadence - main.at[0]) / DAY
    facts = [
        ("Twin", twin.id), ("Type", f"{seen.type.name} ({seen.type.asset.value}, {seen.type.scope.value})"),
        ("Period", f"{seen.clock(int(main.at[0]))} to {seen.clock(int(main.at[-1]))}, {span:.1f} days"),
        ("Read by", f"{twin.actor}, for {twin.purpose}"),
    ]  # fmt: skip
    summary = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
    head = ["signal", "readings", "of the time", "gaps", "longest gap", "first", "last"]
    quality = table("How complete the record is", head, [_quality(seen, course) for course in seen.courses])
    return section("The record", f"<dl>{summary}</dl>{quality}{_gaps(seen)}")


def _quality(seen: Subject, course: Course) -> list[str]:
    gaps = course.gaps()
    longest = f"{(gaps[0][1] - gaps[0][0]) / HOUR:.1f} h" if gaps else "none"
    count = str(int(np.isfinite(course.values).sum()))
    when = [seen.clock(int(course.at[0])), seen.clock(int(course.at[-1]))]
    return [course.port.label or course.name, count, f"{course.present:.0%}", str(len(gaps)), longest, *when]


def _gaps(seen: Subject) -> str:
    gaps = seen.main.gaps()
    silent = SILENT * seen.main.port.cadence // MINUTE
    if not gaps:
        return f"<p>{_label(seen)} was never silent for longer than {silent} min.</p>"
    rows = [[seen.clock(a), seen.clock(b), f"{(b - a) / HOUR:.1f} h"] for a, b in gaps[:LONGEST]]
    more = f"; {len(gaps) - LONGEST} shorter ones are left out" if len(gaps) > LONGEST else ""
    return table(f"Longest gaps of {_label(seen)}, over {silent} min{more}", ["from", "to", "length"], rows)


def _metrics(seen: Subject) -> str:
    courses = {course.name: course for course in seen.courses}
    rows = [
        _metric(name, metric, courses[metric.signal].values)
        for name, metric in seen.type.metrics.items() if metric.signal in courses
    ]  # fmt: skip
    if not rows:
        return section("Metrics", "<p>This type of twin defines none.</p>")
    head = ["metric", "meaning", "value", "target", "better"]
    shares = "" if seen.band is None else _shares(seen, seen.band)
    return section("Metrics", shares + table("Over the whole record, gaps left out", head, rows, numbers=(2, 3)))


def _metric(name: str, metric: Metric, values: np.ndarray) -> list[str]:
    value = float(metric.of(values))
    target, sign = metric.target, "≥" if metric.better == "higher" else "≤"
    wanted = "–" if target is None else f"{sign} {_number(target, metric.unit)}"
    met = target is not None and (value >= target if metric.better == "higher" else value <= target)
    mark = "" if target is None else ", met" if met else ", not met"
    return [
        name.replace("_", " "),
        metric.label,
        _number(value, metric.unit),
        wanted + mark,
        metric.better or "neither",
    ]


def _number(value: float, unit: str) -> str:
    if not np.isfinite(value):
        return "unknown"
    return f"{100 * value:.1f} %" if unit == "fraction" else f"{value:.1f} {unit}".rstrip()


def _shares(seen: Subject, band: tuple[float, float]) -> str:
    """Return one bar: how much of the time below, within and above the band."""
    values = seen.main.values[np.isfinite(seen.main.values)]
    low, high = float((values < band[0]).mean()), float((values > band[1]).mean())
    unit = seen.main.port.unit
    parts = [
        ("below", low, f"below {band[0]:g}"), ("within", 1 - low - high, f"{band[0]:g} to {band[1]:g} {unit}"),
        ("above", high, f"above {band[1]:g}"),
    ]  # fmt: skip
    bars = "".join(f'<i class="{kind}" style="width:{100 * share:.2f}%"></i>' for kind, share, _ in parts)
    keys = "".join(f'<li><b class="{kind}"></b> {text}: {share:.1%}</li>' for kind, share, text in parts)
    return f'<div class="bar" aria-hidden="true">{bars}</div><ul class="keys">{keys}</ul>'


def _last_days(seen: Subject) -> str:
    since = max(int(seen.main.at[-1]) - SHOWN, int(seen.main.at[0]))
    part, end = seen.main.since(since), int(seen.main.at[-1])
    lanes = [
        (name, seen.type.levers[name], seen.locals(at for at, _ in found), [value for _, value in found])
        for name in seen.doses if (found := _shown(seen, name, since, end))
    ]  # fmt: skip
    drawn = figures.last_days(part.name, part.port, seen.locals(part.at), part.values, seen.band, lanes)
    text = f"{_label(seen)} from {seen.clock(since)} to {seen.clock(end)}, and what was done"
    head = [
        "from",
        "mean",
        "lowest",
        "highest",
        *(f"{lane.label or name} [{_given_unit(lane)}]" for name, lane, *_ in lanes),
    ]
    hours = table(
        "Every three hours", head, _every_three_hours(seen, part, [name for name, *_ in lanes]), numbers=range(1, 9)
    )
    return section("The last days", figure(text, figures.html_of(drawn, "last-days", first=True), hours))


def _shown(seen: Subject, lever: str, since: Time, end: Time) -> list[tuple[Time, float]]:
    """Return what a lever did in the span; a held rate goes on from before it to its end."""
    doses, holds = seen.doses[lever], seen.type.levers[lever].holds
    inside = [(at, value) for at, value in doses if since <= at <= end]
    before = [value for at, value in doses if at < since]
    if not holds:
        return inside
    rate = [(since, before[-1])] if before else []
    return [*rate, *inside, (end, (rate + inside)[-1][1])] if rate or inside else []


def _given_unit(lever: Lever) -> str:
    return f"last {lever.unit}" if lever.holds else lever.unit


def _every_three_hours(seen: Subject, part: Course, levers: Sequence[str]) -> list[list[str]]:
    rows = []
    for start in range(int(part.at[0]) // (3 * HOUR) * 3 * HOUR, int(part.at[-1]) + 1, 3 * HOUR):
        inside = part.values[(part.at >= start) & (part.at < start + 3 * HOUR)]
        there = inside[np.isfinite(inside)]
        read = [f"{f(there):.0f}" for f in (np.mean, np.min, np.max)] if len(there) else ["–"] * 3
        rows.append([seen.clock(start), *read, *(_given(seen, lever, start) for lever in levers)])
    return rows


def _given(seen: Subject, lever: str, start: Time) -> str:
    inside = [value for at, value in seen.doses[lever] if start <= at < start + 3 * HOUR]
    if seen.type.levers[lever].holds:
        held = [value for at, value in seen.doses[lever] if at < start + 3 * HOUR]
        return f"{held[-1]:g}" if held else "–"
    return f"{sum(inside):g}" if inside else "–"


def _usual_day(seen: Subject) -> str:
    main = seen.main
    if main.at[-1] - main.at[0] < ENOUGH:
        return section("The usual day", "<p>It takes two days of readings to say what is usual.</p>")
    found = _percentiles(seen)
    drawn = figures.usual_day(main.name, main.port, found, seen.band)
    hours = range(0, figures.QUARTERS, 4)
    rows = [[f"{i // 4:02}:00", *(_whole_number(found[p][i]) for p in PERCENTILES)] for i in hours]
    numbers = table("At each full hour", ["time", *(f"{p} %" for p in PERCENTILES)], rows, numbers=range(1, 6))
    text = f"{_label(seen)} over the time of day: median, and the middle 50 % and 90 % of all days"
    return section("The usual day", figure(text, figures.html_of(drawn, "usual-day", first=False), numbers))


def _percentiles(seen: Subject) -> dict[int, np.ndarray]:
    """Return percentiles over all days per quarter of an hour, from what was read in it and the ones beside it."""
    local = seen.locals(seen.main.at)
    quarter = np.array([moment.hour * 4 + moment.minute // 15 for moment in local])
    found = {p: np.full(figures.QUARTERS, np.nan) for p in PERCENTILES}
    for i in range(figures.QUARTERS):
        near = np.isin(quarter, [(i - 1) % figures.QUARTERS, i, (i + 1) % figures.QUARTERS])
        values = seen.main.values[near & np.isfinite(seen.main.values)]
        if len(values):
            for p, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True):
                found[p][i] = value
    return found


def _whole_number(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "–"


def _ahead(seen: Subject, said: Forecast) -> str:
    past = seen.main.since(said.made_at - 3 * HOUR)
    at = seen.locals(said.at)
    drawn = figures.ahead(past.name, past.port, seen.locals(past.at), past.values, said, at, seen.band)
    rows = [
        [seen.clock(said.at[i]), *(_whole_number(said.at_level(level)[i]) for level in (0.025, 0.1, 0.5, 0.9, 0.975))]
        for i in range(2, len(said.at), 3)
    ]  # fmt: skip
    head = ["time", "2.5 %", "10 %", "median", "90 %", "97.5 %"]
    numbers = table("Every quarter of an hour", head, rows, numbers=range(1, 6))
    text = f"{_label(seen)} from the last reading, {seen.clock(said.made_at)}, if nothing else is done"
    note = f"<p>{escape(said.note)}</p>" if said.note else ""
    return section("What is ahead", figure(text, figures.html_of(drawn, "ahead", first=False), numbers) + note)


def _came_true(seen: Subject, tested: dict[str, Any] | None) -> str:
    title = "How well forecasts came true"
    if tested is None:
        return section(title, "<p>Not known yet: the record is too short. It takes two days without long gaps.</p>")
    head = ["ahead", "forecasts", "typical error", "last value held", "ridge on last readings", "MARD", "CRPS"]
    head += ["within 80 %", "within 95 %"]
    rows = [_row(f"{h} min", tested["horizons"][str(h)]) for h in HORIZONS]
    text = (
        f"The twin walked through its own record again and foresaw each moment from what was known before it. Scored "
        f"is the last {1 - SPLIT:.0%}. The typical error is the root mean square in {tested['unit']}; two simple rules "
        f"stand beside it. Intervals are honest if about 80 % and 95 % of what came lies within them."
    )
    scores = table(f"{_label(seen)} as foreseen and as read", head, rows, numbers=range(1, 9))
    return section(title, f"<p>{escape(text)}</p>{scores}")


def _row(ahead: str, row: dict[str, Any]) -> list[str]:
    base = row["baselines"]
    errors = [f"{value:.1f}" for value in (row["rmse"], base["hold"], base["ridge_ar"])]
    return [ahead, str(row["n"]), *errors, f"{row['mard']:.1f} %", f"{row['crps']:.1f}",
            f"{row['cover80']:.0%}", f"{row['cover95']:.0%}"]  # fmt: skip


def _provenance(seen: Subject, timezone: str) -> str:
    twin, bank = seen.twin, seen.twin.bank
    made, point = bank.created(twin.id), bank.thread.checkpoint(seen.made_at)
    changed = "" if made.body["hash"] == seen.type.hash else f"; the twin was made under {made.body['hash']}"
    rows = [
        ["page made", f"{seen.clock(seen.made_at)} ({timezone}), by Gemel {version('gemel')}"],
        ["for", f"{twin.actor}, for {twin.purpose}; the twin's keys are held by {', '.join(bank.holders(twin.id))}"],
        ["signals shown", ", ".join([*(course.name for course in seen.courses), *seen.doses])],
        ["facts of this twin", _facts(twin)], ["type", f"{seen.type.name}, content hash {seen.type.hash}{changed}"],
        ["store", f"{point.size} facts, root {point.root}"],
        ["signature", f"{point.signature} by key {bank.thread.public_key}"],
    ]  # fmt: skip
    return section("Where this comes from", table("Provenance", ["what", "value"], rows, kind="wrap"))


def _facts(twin: Twin) -> str:
    if not twin.may("read", "*"):
        return "not shown: a grant to read all signals is needed"
    counts: dict[str, int] = {}
    for fact in twin.bank.thread.read(twin.id):
        counts[fact.kind] = counts.get(fact.kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _limits(seen: Subject) -> str:
    points = [
        "Gemel is not a medical device. Nothing here is advice on treatment; decide with those who are qualified to.",
        "Forecasts come from a model with uncertain parameters and a residual learned from this record. They were not"
        " validated in a prospective study, and not on groups of people other than those they were tested on.",
        "They suppose that nothing is done which is not on record; what nobody wrote down, the twin does not know.",
        f"Readings are taken as the sensor gave them, in steps of {seen.main.port.cadence // MINUTE} min; gaps are left"
        " out of every figure and not filled. Less than two weeks may not stand for the usual.",
        "The backtest above is of this one record. A past that was foreseen well promises nothing about a change.",
    ]
    return section("Limits", "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in points) + "</ul>")


def _label(seen: Subject) -> str:
    return seen.main.port.label or seen.main.name


def _whole(seen: Subject, parts: Sequence[str]) -> str:
    title = f"{seen.twin.id}: {seen.type.name}"
    zone = getattr(seen.zone, "key", "UTC")
    made = f"Made {seen.clock(seen.made_at)}. All times are {zone}, wherever this is read. Not a medical device."
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>{escape(seen.twin.id)}</h1><p>{escape(seen.type.name)} · {escape(made)}</p></header>"
        f"{''.join(parts)}</main><script>{SCRIPT}</script></body></html>\n"
    )
