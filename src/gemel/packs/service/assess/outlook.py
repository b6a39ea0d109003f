"""Outlook: what the page shows at its last three steps: what could be gained, foreseen, measured and tried."""

from __future__ import annotations

from html import escape

from gemel.experiment.paper import table
from gemel.packs.service.assess import drawing
from gemel.packs.service.assess.evidence import Evidence
from gemel.packs.service.assess.foresight import Foresight
from gemel.packs.service.assess.kpis import WEEK_S, Kpi
from gemel.packs.service.assess.panels import clock, figured, unknown
from gemel.packs.service.assess.rows import spoken

# 3 Identify


def _opportunities(seen: Evidence) -> str:
    if not seen.opportunities:
        return unknown("Opportunities", "the log shows no time that customers lose.")
    drawn = drawing.bars([(f"{one.where} ({one.kind})", one.gain, spoken(one.gain)) for one in seen.opportunities], "b")
    rows = [
        [one.where, one.kind, spoken(one.gain), f"{one.share:.1%}", "; ".join(one.levers) or "–"]
        for one in seen.opportunities
    ]
    text = (
        "By how much the mean visit could be shorter if this trouble were gone: its hours divided by all cases. An"
        " upper bound, each alone: nothing was simulated, and steps that run side by side count in full. The causes are"
        " rules of thumb from when in the week the time is lost."
    )
    return figured(
        "What could be gained",
        text,
        drawn,
        table(
            "Opportunities", ["where", "what", "at most", "of the mean visit", "what might help"], rows, numbers=(2, 3)
        ),
    )


def _foresight(seen: Evidence) -> str:
    if not isinstance(seen.foresight, Foresight):
        return unknown("How early a long visit can be told", f"{seen.foresight.why}.")
    steps = seen.foresight.steps
    if not steps:
        return unknown("How early a long visit can be told", "too few cases go on after their first step.")
    rows = [
        [
            str(one.step),
            f"{one.cases:,}",
            f"{one.long:,}",
            f"{one.auc:.2f}",
            f"{one.low:.2f} to {one.high:.2f}",
            spoken(one.left),
        ]
        for one in steps
    ]
    text = (
        f"How often, of a visit that will take over {spoken(seen.foresight.limit)} and another, the model tells which"
        " is which, after each step: 0.5 is a coin, 1 is always. The band is the 95 % interval. Learned from"
        f" {seen.foresight.learned_from:,} cases, judged on {seen.foresight.judged:,} others, only while they go on and"
        " are not late yet; known to the model: step, times, activities, resource, arrivals of the last day."
    )
    head = ["after step", "cases", "of them long", "told apart", "95 % interval", "left until late (median)"]
    return figured(
        "How early a long visit can be told",
        text,
        drawing.by_step(steps),
        table("By step", head, rows, numbers=range(1, 6)),
    )


# 4 Co-design


def _kpis(seen: Evidence) -> str:
    rows = [
        [one.name, one.means, _shown(one, one.value), f"{_shown(one, one.low)} to {_shown(one, one.high)}", one.better]
        for one in seen.kpis
    ]
    felt = (
        f"The log may tell what customers felt ({', '.join(seen.felt)})."
        if seen.felt
        else "Of what customers feel (NPS, CSAT, CES) the log tells nothing: ask them."
    )
    caption = "Figures to choose from, as they are today, with 95 % interval"
    return (
        "<h3>Proposed metrics</h3>"
        + table(caption, ["metric", "meaning", "today", "95 % interval", "better"], rows, numbers=(2, 3))
        + f"<p>{escape(felt)}</p>"
    )


def _shown(one: Kpi, value: float) -> str:
    return spoken(value) if one.unit == "s" else f"{value:.1%}" if one.unit == "share" else f"{value:,.2f}"


# 5 Evaluate


def _alarms(seen: Evidence) -> str:
    if not isinstance(seen.foresight, Foresight):
        return unknown("What alarms would cost", f"{seen.foresight.why}.")
    rows = [
        [
            f"{one.wanted:.0%}",
            f"{one.false} of {one.of_good} ({one.false / one.of_good:.0%})",
            f"{one.told} of {one.of_long} ({one.told / one.of_long:.0%})",
            spoken(one.lead),
        ]
        for one in seen.foresight.alarms
    ]
    head = ["false alarms wanted", "false alarms found", "long visits told in time", "ahead (median)"]
    return "<h3>What alarms would cost</h3>" + table(
        "The cutoff was set on the third quarter of the cases, and judged on the last", head, rows, numbers=(1, 2, 3)
    )


def _trials(seen: Evidence) -> str:
    rows = [
        [f"{one.base:.0%}", f"{one.base - one.points:.0%}", f"{one.cases:,}", spoken(one.weeks * WEEK_S)]
        for one in seen.trials
    ]
    head = ["long visits today", "to be shown", "cases in both groups", "at today's arrivals"]
    halves = [
        [
            clock(one.since * 1000, seen.overview.zone),
            clock(one.until * 1000, seen.overview.zone),
            f"{one.cases:,}",
            f"{one.weekly:,.1f}",
            spoken(one.median),
            f"{spoken(one.low)} to {spoken(one.high)}",
        ]
        for one in seen.halves
    ]
    trials = (
        table(
            "How long a fair trial takes (two equal groups by chance, 5 % error, power 80 %)",
            head,
            rows,
            numbers=(1, 2, 3),
        )
        if rows
        else ""
    )
    both = table(
        "Does the past still hold? Both halves of the cases, by arrival",
        ["from", "to", "cases", "per week", "median visit", "95 % interval"],
        halves,
        numbers=(2, 3, 4, 5),
    )
    return f"<h3>How success can be shown</h3>{trials}{both}"


IDENTIFY = (_opportunities, _foresight)
CO_DESIGN = (_kpis,)
EVALUATE = (_alarms, _trials)
