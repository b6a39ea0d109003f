"""Sections of the letter about glucose: targets and changes, lows and highs by time of day."""

from __future__ import annotations

from collections.abc import Sequence

from gemel.packs.diabetes.reports import look
from gemel.packs.diabetes.reports.case import Case, listed, said
from gemel.packs.diabetes.reports.changes import COMPARED, DRAWS, FEWEST, Change
from gemel.packs.diabetes.reports.look import Unit
from gemel.packs.diabetes.reports.patterns import HIGH, LOW, Part, parts

LABELS = {
    "time_in_range": "In range", "time_below_range": "Below range", "time_very_low": "Very low",
    "time_above_range": "Above range", "time_very_high": "Very high", "mean": "Mean glucose", "gmi": "GMI",
    "cv": "Variability (CV)",
}  # fmt: skip

LIMITS = {
    "time_in_range": "{70}–{180}", "time_below_range": "under {70}", "time_very_low": "under {54}",
    "time_above_range": "over {180}", "time_very_high": "over {250}",
}  # fmt: skip

RULE = (
    "A low or high is 15 minutes or more beyond the limit, counted where it begins. A part of the day is called a pattern where "
    "it is below range for more than 4 % or above it for more than 25 % of its time, on two days or more."
)


def targets(case: Case, found: Sequence[Change]) -> str:
    """Return the section that holds figures against targets and against the period before."""
    by_name = {change.name: change for change in found}
    rows = [_target(name, case, by_name.get(name)) for name in COMPARED]
    head = ["", "this period", "target", "kept", "period before", "change (95 % interval)"]
    title = "Against targets, and against the period before"
    return f"<h2>{title}</h2>{look.table(head, rows, (1, 2, 4, 5))}{said(_spoken(case, found), 'small')}"


def _target(name: str, case: Case, change: Change | None) -> list[str]:
    kept = {True: "yes", False: "no", None: ""}[look.met(name, case.found.values[name])]
    row = [_label(name, case.unit), case.say(name), look.goal(name, case.unit), kept]
    if change is None:
        return [*row, "–", "–"]
    return [*row, look.said(name, change.before, case.unit), _interval(change, case.unit)]


def _label(name: str, unit: Unit) -> str:
    if name not in LIMITS:
        return LABELS[name]
    limits = LIMITS[name]
    for limit in (54, 70, 180, 250):
        limits = limits.replace(f"{{{limit}}}", unit.say(float(limit), unit=False))
    return f"{LABELS[name]} ({limits} {unit.name})"


def _interval(change: Change, unit: Unit) -> str:
    kinds = {"mean": (1.0 / unit.mgdl, unit.digits, f" {unit.name}"), "gmi": (1.0, 2, " %"), "cv": (1.0, 1, " %")}
    scale, digits, word = kinds.get(change.name, (100.0, 1, " points"))
    values = [f"{scale * value:+.{digits}f}" for value in (change.difference, change.low, change.high)]
    return f"{values[0]}{word} ({values[1]} to {values[2]})".replace("-", "−")


def _spoken(case: Case, found: Sequence[Change]) -> str:
    span = case.found.until - case.found.since
    before = look.period(case.found.since - span, case.found.since, case.zone)
    if not found:
        return f"No change is stated: it takes {FEWEST} days with readings in this period and in the one before ({before})."
    how = (
        f"Intervals come from drawing whole days again, {DRAWS} times. {len(found)} figures are looked at, so one may seem to "
        "change by chance."
    )
    clear = [LABELS[change.name].lower() for change in found if change.clear]
    if not clear:
        return f"Against {before}, nothing changed by more than days differ anyway. {how}"
    return f"Against {before}, more changed than days differ anyway: {', '.join(clear)}. {how}"


def patterns(case: Case) -> str:
    """Return the section on lows and highs by time of day."""
    found = parts(*case.now, case.found.cadence, case.zone)
    low, high = (case.unit.say(limit) for limit in (LOW, HIGH))
    head = ["part of the day", "days read", f"below {low}", "days with a low", f"above {high}", "days with a high"]
    shown = look.table(head, [_part(one) for one in found], range(1, 6))
    return f"<h2>Lows and highs by time of day</h2>{listed(spoken(found))}{shown}{said(RULE, 'small soft')}"


def _part(one: Part) -> list[str]:
    below, above = (f"{look.number(100 * share, 1)} %" for share in (one.below, one.above))
    return [
        f"{one.name}, {one.begins}–{one.ends} h",
        str(one.days),
        below,
        str(one.days_low),
        above,
        str(one.days_high),
    ]


def spoken(found: Sequence[Part]) -> list[str]:
    """Return the patterns in words."""
    lows = [_pattern("Lows", one, one.days_low, one.below) for one in found if one.low]
    highs = [_pattern("Highs", one, one.days_high, one.above) for one in found if one.high]
    return [*lows, *highs] or ["No part of the day stands out."]


def _pattern(what: str, one: Part, days: int, share: float) -> str:
    return f"{what} in the {one.name.lower()}: on {days} of {one.days} days, {100 * share:.1f} % of that time."
