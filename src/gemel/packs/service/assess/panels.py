"""Panels: what the page shows at its first two steps, and the parts that all panels are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import numpy as np

from gemel.experiment import paper
from gemel.experiment.paper import table
from gemel.packs.service.assess import drawing, flow
from gemel.packs.service.assess.columns import ASSETS
from gemel.packs.service.assess.evidence import Evidence
from gemel.packs.service.assess.foresight import Foresight
from gemel.packs.service.assess.losses import BESIDE
from gemel.packs.service.assess.rows import Unknown, spoken
from gemel.packs.service.assess.stations import Spread
from gemel.packs.service.estimate import Estimate
from gemel.packs.service.pains import Pain
from gemel.packs.service.touchpoints import Touchpoint

SHOWN, HEATED, PLENTY = 10, 6, 20
"""How many pains, heat maps and table rows the page shows."""


def clock(at: float, zone: str) -> str:
    """Return a moment (ms) on the wall clock of a zone."""
    return f"{datetime.fromtimestamp(at / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def figured(title: str, text: str, drawn: str, numbers: str) -> str:
    """Return a drawing under its heading; *text* says what it shows and from what it was computed."""
    return f"<h3>{escape(title)}</h3>{paper.figure(text, drawn, numbers)}"


def unknown(title: str, why: str) -> str:
    """Return a panel that says why there is nothing in it."""
    return f'<h3>{escape(title)}</h3><p class="unknown">Not known: {escape(why)}</p>'


# 1 Assess


def _map(seen: Evidence) -> str:
    drawn = flow.drawn(seen.paths, seen.stations, seen.overview.cases)
    head = ["from", "to", "cases", "times", "between (median)"]
    rows = [
        [one.before, one.after, f"{one.cases:,}", f"{one.times:,}", spoken(one.median)] for one in seen.paths.moves[:40]
    ]
    text = (
        f"The {min(flow.MOST, len(seen.stations))} activities that most of the {seen.overview.cases:,} cases meet, and"
        f" the moves of at least {flow.RARE:.0%} of the cases. A thicker line is more cases; its number says how many;"
        " dashed lines lead back. Under each activity: cases and median time, waiting included. Counted from the order"
        " of activities in the log."
    )
    ways = [
        [" → ".join(one.activities), f"{one.cases:,}", f"{one.cases / seen.overview.cases:.1%}", spoken(one.median)]
        for one in seen.paths.common
    ]
    common = table(
        f"The commonest of {seen.paths.kinds:,} paths",
        ["path", "cases", "share", "median visit"],
        ways,
        numbers=(1, 2, 3),
        kind="long",
    )
    scrolled = f'<div class="scroll">{drawn}</div>'
    return figured("Journey map", text, scrolled, table("Moves", head, rows, numbers=(2, 3, 4))) + common


def _pains(seen: Evidence) -> str:
    if not seen.pains:
        none = unknown("Pain points", "the log shows nobody who waited longer than promised, or than is usual.")
        return none + _beside(seen)
    points = {one.name: one for one in seen.journeys.touchpoints}
    unit = seen.pains[0].score.unit
    drawn = drawing.bars(
        [(one.touchpoint, one.score.value, f"{one.score.value:,.0f} {unit}") for one in seen.pains[:SHOWN]]
    )
    head = ["where", "rank", "customers", "each (mean)", f"{_unit(seen)} in all", "95 %", "share", "counted is"]
    rows = [
        [
            one.touchpoint, _place(one), f"{one.customers.value:,.0f}", spoken(one.excess.value), f"{one.score.value:,.1f}",
            _between(one.score), f"{one.share:.0%}", _counted(points[one.touchpoint]),
        ]
        for one in seen.pains[:PLENTY]
    ]  # fmt: skip
    text = (
        f"The {min(SHOWN, len(seen.pains))} pain points that cost customers most: how many customers times how much longer"
        f" each waited than promised, or where nothing was promised than usual (the median){_priced(seen)}. In"
        " brackets: ranks in 95 % of draws;"
        f" those that overlap cannot be told apart. Computed from the times of all {seen.overview.activities:,} activities."
    )
    return (
        f"<h3>Pain points</h3>{paper.figure(text, drawn, '')}".replace(
            "<details><summary>The same in numbers</summary></details>", ""
        )
        + table("Pain points", head, rows, numbers=(1, 2, 3, 4, 5, 6))
        + _beside(seen)
    )


def _place(pain: Pain) -> str:
    return f"{pain.rank} ({pain.ranks[0]} to {pain.ranks[1]})"


def _between(score: Estimate) -> str:
    return "no interval" if np.isnan(score.low) else f"{score.low:,.1f} to {score.high:,.1f}"


def _counted(point: Touchpoint) -> str:
    than = "promised" if point.told else "usual"
    return f"{point.measured} over the {than} {spoken(point.promised)}"


def _priced(seen: Evidence) -> str:
    return f", at {seen.hour_cost:g} per hour" if seen.hour_cost else ""


def _unit(seen: Evidence) -> str:
    return "cost" if seen.hour_cost else "hours"


def _beside(seen: Evidence) -> str:
    """Return the table of what customers lose otherwise than by waiting at a touchpoint; it is not ranked with the others."""
    rows = [
        [
            one.where, one.kind, f"{one.customers:,}", f"{one.hours:,.1f}",
            "unknown" if one.cost is None else f"{one.cost:,.0f}", one.basis,
        ]
        for one in [one for one in seen.losses if one.kind in BESIDE][:PLENTY]
    ]  # fmt: skip
    head = ["where", "what", "customers", "hours in all", "cost", "counted is"]
    return table("Lost besides", head, rows, numbers=(2, 3, 4)) if rows else ""


def _touchpoints(seen: Evidence) -> str:
    ranked = {one.touchpoint: one for one in seen.journeys.pains}
    rows = []
    for one in seen.journeys.touchpoints:
        pain = ranked.get(one.name)
        felt = "; ".join(f"{name} {value.value:.1f}" for name, value in one.feelings.items())
        over = "none" if pain is None else f"{pain.score.value:,.0f} ({_between(pain.score)})"
        place = "–" if pain is None else _place(pain)
        wait = [
            spoken(one.promised) + ("" if one.told or not np.isfinite(one.promised) else ", usual"),
            spoken(one.waited[0]),
        ]
        rows.append([one.name, one.phase, f"{one.customers:,}", *wait, over, place, felt or "unknown"])
    text = (
        f"Before, during and after the moment of truth, taken to be {seen.journeys.truth}: {seen.journeys.why}. Counted is what "
        "goes beyond the promise, or where none was told, beyond what is usual there (the median). Intervals of 95 %: ranks "
        "that overlap cannot be told apart."
    )
    head = [
        "touchpoint",
        "when",
        "customers",
        "promised",
        "median",
        f"{_unit(seen)} beyond",
        "rank",
        "felt",
    ]
    return f"<h3>Touchpoints</h3><p>{escape(text)}</p>" + table("Touchpoints", head, rows, numbers=(2, 3, 4, 5, 6))


def _reactive(seen: Evidence) -> str:
    if not isinstance(seen.foresight, Foresight):
        return unknown("Foreseeable or not", f"{seen.foresight.why}.")
    alarm = seen.foresight.alarms[1]
    late = alarm.of_long - alarm.told
    share = alarm.told / alarm.of_long
    bar = (
        f'<div class="bar"><i class="within" style="width:{100 * share:.1f}%"></i><i class="below"'
        f' style="width:{100 * (1 - share):.1f}%"></i></div><ul class="keys"><li><b class="within"></b> could be told'
        f' in time: {alarm.told} ({share:.0%})</li><li><b class="below"></b> noticed only when late: {late}'
        f" ({1 - share:.0%})</li></ul>"
    )
    kind = "the promise" if seen.foresight.promised else "a time that four of five visits keep"
    which = "the last quarter of the cases" if seen.foresight.later else "every fourth case"
    taught = (
        "earlier cases"
        if seen.foresight.later
        else "others of the same time, for the record changes too much: take it as the best case"
    )
    text = (
        f"Of {which} ({seen.foresight.judged:,}), {alarm.of_long} took longer than {spoken(seen.foresight.limit)},"
        f" {kind}. Gradient boosting learned from {seen.foresight.learned_from:,} {taught}; {alarm.false} of"
        f" {alarm.of_good} others would be alarmed in vain."
    )
    numbers = table(
        "Long visits",
        ["long visits", "of them told in time", "only when late"],
        [[str(alarm.of_long), str(alarm.told), str(late)]],
        numbers=(0, 1, 2),
    )
    return figured("Foreseeable or not", text, bar, numbers)


def _costs(seen: Evidence) -> str:
    if seen.cost is None:
        return unknown("Cost", "no column of the log tells a cost.")
    rows = [[name, f"{total:,.2f}", f"{each:,.2f}"] for name, total, each in seen.cost.by_activity[:PLENTY]]
    caption = (
        f"Cost by activity, from {', '.join(seen.cost.columns)}, in the log's own money: {seen.cost.total:,.2f} in all,"
        f" {seen.cost.per_case:,.2f} per case"
    )
    return "<h3>Cost</h3>" + table(caption, ["activity", "in all", "each time"], rows, numbers=(1, 2))


# 2 Analyze


def _inventory(seen: Evidence) -> str:
    rows = []
    for asset in ASSETS:
        mine = [one for one in seen.fields if one.asset == asset]
        rows += [
            [
                asset,
                one.name,
                one.per,
                f"{one.filled:.0%}",
                "–" if one.kinds is None else f"{one.kinds:,}",
                "perhaps" if one.personal else "no",
            ]
            for one in mine
        ]
        rows += [] if mine else [[asset, "nothing in this log", "–", "–", "–", "–"]]
    head = ["asset", "column", "one per", "filled", "kinds", "personal"]
    return "<h3>Which data there are</h3>" + table(
        "Data by asset, judged by the names of columns alone", head, rows, numbers=(3, 4)
    )


def _quality(seen: Evidence) -> str:
    rows = [
        [one.what, f"{one.doubtful:,}", f"{one.of:,}", f"{one.doubtful / one.of:.1%}", one.follows]
        for one in seen.checks
    ]
    found = table("What was looked at", ["what", "found", "of", "share", "what follows"], rows, numbers=(1, 2, 3))
    if not seen.repairs:
        return f"<h3>How good they are</h3>{found}<p>Nothing had to be repaired when the log was read.</p>"
    mended = [[one.what, f"{one.count:,}", "–" if one.row is None else f"{one.row:,}"] for one in seen.repairs]
    return f"<h3>How good they are</h3>{found}" + table(
        "What was repaired when the log was read", ["repair", "times", "first in row"], mended, numbers=(1, 2)
    )


def _learned(seen: Evidence) -> str:
    title = "What a twin could learn"
    if isinstance(seen.learned, Unknown):
        return unknown(title, f"{seen.learned.why}.")
    doubts = "".join(f"<li>{escape(text)}</li>" for text in seen.learned.doubts) or "<li>nothing</li>"
    text = f"From this log, {seen.learned.stations} stations and {seen.learned.pools} pools of staff were found. In doubt stay:"
    return f"<h3>{title}</h3><p>{text}</p><ul>{doubts}</ul>"


def _heats(seen: Evidence) -> str:
    worst = [one for one in seen.stations if one.measured is not None and one.measured.total > 0][:HEATED]
    if not worst:
        return unknown(f"When customers lose time ({seen.overview.measured})", "the log tells of no wait.")
    what = seen.overview.measured
    text = (
        f"Mean {what} by local weekday and hour ({seen.overview.zone}) in which a customer became ready, at the"
        f" {len(worst)} activities where most time is lost; each map has its own scale, empty cells had no customer."
        " Computed from "
        + (
            "the times between ready and begin."
            if what == "wait"
            else "the times between the end of the step before and its own: this log does not tell when work began."
        )
    )
    numbers = "".join(_week_table(one.name, one.week, one.came) for one in worst)
    return figured("When customers wait", text, drawing.heats(worst, what), numbers)


def _week_table(name: str, week: Sequence[float | None], came: Sequence[int]) -> str:
    rows = []
    for hour in range(24):
        cells = [(week[24 * day + hour], came[24 * day + hour]) for day in range(7)]
        if any(count for _, count in cells):
            rows.append(
                [f"{hour:02}", *("" if value is None else f"{spoken(value)} ({count})" for value, count in cells)]
            )
    return table(f"{name}: mean (how many came)", ["hour", *drawing.DAYS], rows, numbers=range(1, 8))


def _stations(seen: Evidence) -> str:
    top = seen.stations[:PLENTY]
    columns = [
        ("times", [f"{one.visits:,}" for one in top]),
        ("cases", [f"{one.cases:,}" for one in top]),
        (f"{seen.overview.measured}, median", [_part(one.measured, "p50") for one in top]),
        ("nine of ten", [_part(one.measured, "p90") for one in top]),
        ("mean", [_part(one.measured, "mean") for one in top]),
    ]
    if seen.overview.worked is not None:
        columns.append(("work, median", [_part(one.work, "p50") for one in top]))
    if any(one.gave_up for one in top):
        columns.append(("gave up", [f"{one.gave_up:,}" for one in top]))
    if any(one.promise is not None for one in top):
        columns.append(("promised", ["–" if one.promise is None else spoken(one.promise) for one in top]))
        columns.append(("broken", ["–" if one.breaches is None else f"{one.breaches:,}" for one in top]))
    rows = [[one.name, *cells] for one, *cells in zip(top, *(cells for _, cells in columns), strict=True)]
    caption = f"The {len(rows)} activities where most time is lost, of {len(seen.stations)}"
    return table(caption, ["activity", *(name for name, _ in columns)], rows, numbers=range(1, 10))


def _part(spread: Spread | None, name: str) -> str:
    return "unknown" if spread is None else spoken(getattr(spread, name))


def _workload(seen: Evidence) -> str:
    if not seen.workers:
        return unknown("Workload", "the log names no resource.")
    top = seen.workers[:PLENTY]
    timed = top[0].hours is not None
    drawn = drawing.bars(
        [
            (
                (one.name, one.hours or 0.0, f"{one.hours or 0:,.0f} h")
                if timed
                else (one.name, one.activities, f"{one.activities:,}")
            )
            for one in top[:SHOWN]
        ],
        "b",
    )
    rows = [
        [
            one.name,
            f"{one.activities:,}",
            str(one.kinds),
            str(one.days),
            "unknown" if one.hours is None else f"{one.hours:,.1f}",
            "unknown" if one.busy is None else f"{one.busy:.0%}",
        ]
        for one in top
    ]
    head = ["resource", "activities", "kinds", "days seen", "hours at work", "share of the day at work"]
    what = (
        "Hours at work, activities at once counted once"
        if timed
        else "Activities done; the log does not tell how long work took"
    )
    text = (
        f"{what}: the {min(SHOWN, len(top))} busiest of {len(seen.workers)} resources. The share is of the time between"
        " the first and the last act of each local day."
    )
    return figured("Workload", text, drawn, table("Resources", head, rows, numbers=range(1, 6)))


ASSESS = (_pains, _touchpoints, _map, _reactive, _costs)
ANALYZE = (_inventory, _quality, _learned, _heats, _stations, _workload)
