"""Sections of the letter about what was given, what the team has agreed on, what is open, and the twin's forecasts."""

from __future__ import annotations

import numpy as np

from gemel.bank.careplan import Change, Plan, Review
from gemel.facts import DAY
from gemel.loop.outcomes import summary
from gemel.packs.diabetes.reports import grids, look, words
from gemel.packs.diabetes.reports.case import Case, listed, said
from gemel.packs.diabetes.reports.given import Given, given
from gemel.packs.diabetes.reports.grids_page import pairs
from gemel.packs.diabetes.reports.look import Unit
from gemel.packs.diabetes.reports.seen import outcomes

PRESENT = 0.9
"""A sensor active for less than this is asked about; a judgement."""

MISSING = 0.75
"""Days of a period without a dose on record from which on it is said; parts of days lie at its ends. A judgement."""

HEAD = (
    "ahead",
    "forecasts",
    "typical error",
    "if the last reading were held",
    "within 80 % interval",
    "Parkes A and B",
)


def treatment(case: Case) -> str:
    """Return what was given a day; raise `Refused` where doses may not be read."""
    found = given(case.twin, case.found.since, case.found.until, case.zone)
    if not found.days:
        return said("Nothing that was given is on record in this period.")
    return listed([*_known(found.days, case.found.days), *_doses(found)])


def _known(days: float, whole: float) -> list[str]:
    """Return that doses are on record for a part of the period only, where that is so."""
    told = (
        f"Doses are on record for {days:.0f} of {whole:.0f} days; what follows is the average day of these {days:.0f}."
    )
    return [told] if whole - days > MISSING else []


def _doses(found: Given) -> list[str]:
    bolus = f"Bolus insulin: {found.bolus:.1f} U a day in {found.boluses:.1f} boluses a day."
    carbs = f"Carbohydrate as written down: {found.carbs:.0f} g a day in {found.meals:.1f} entries a day."
    if found.basal is None:
        return [bolus, "Basal insulin: no rate is on record.", carbs]
    whole = found.basal + found.bolus
    share = f", {100 * found.basal / whole:.0f} % of all insulin ({whole:.1f} U a day)" if whole > 0 else ""
    return [bolus, f"Basal insulin: {found.basal:.1f} U a day{share}.", carbs]


def plan(case: Case) -> str:
    """Return the shared care plan: in force, proposed in the period, reviews; raise `Refused`."""
    found = case.twin.plan()
    changes = [_change(case, one) for one in found.changes if case.within(one.at)]
    reviews = [_review(case, one) for one in found.reviews if case.within(one.at)]
    proposed = (
        said("Changes proposed in this period:") + listed(changes) if changes else said("No change was proposed.")
    )
    reviewed = said("Reviews:") + listed(reviews) if reviews else said("No review was written in this period.")
    return _in_force(case, found) + proposed + reviewed


def _in_force(case: Case, found: Plan) -> str:
    by, ports = {change.seq: change for change in found.changes}, case.twin.type.settings
    rows = []
    for name, value in found.settings.items():
        one = by[found.since[name]]
        agreed = f"proposed {look.day(one.at, case.zone)}, approved by {one.decided_by}"
        rows.append([ports[name].label or name, f"{words.setting(value)} {ports[name].unit}", agreed])
    shown = look.table(["in force", "value", "agreed"], rows) if rows else said("No settings are in force.")
    notes = [f"{section}: {text}" for section, text in found.notes.items()]
    return shown + (listed(notes) if notes else "")


def _change(case: Case, one: Change) -> str:
    what = words.change(case.twin.type.settings, one.settings, one.notes)
    why = f" ({one.why})" if one.why else ""
    end = f"{one.status} by {one.decided_by}" if one.decided_by else one.status
    note = f", {one.note}" if one.note else ""
    return f"{look.day(one.at, case.zone)}, {one.by} proposed {what}{why}: {end}{note}."


def _review(case: Case, one: Review) -> str:
    return f"{look.day(one.at, case.zone)}, {one.by} on {look.period(one.since, one.until, case.zone)}: {one.text}"


def questions(case: Case) -> str:
    """Return what waits for somebody: changes and proposals to decide, alerts that nobody takes care of, missing days."""
    twin, ports = case.twin, case.twin.type.settings
    taken = twin.bank.told(twin.id).acknowledged
    lines = [
        *(f"Change {one.seq} of the plan waits for a decision: {words.change(ports, one.settings, one.notes)}."
          for one in twin.plan().open),
        *(f"An alert is on and nobody takes care of it: {fact.body['text']}"
          for fact in twin.alerts() if fact.body["active"] and fact.seq not in taken),
        *(f"Proposal {one.seq} by {one.by} waits for a decision: {one.intervention.title}."
          for one in twin.proposals() if one.status == "open"),
    ]  # fmt: skip
    silent = (1.0 - case.found.active) * (case.found.until - case.found.since) / DAY
    if case.found.active < PRESENT:
        lines.append(f"For {silent:.1f} days in all nothing was read: why, and were these days like the others?")
    return listed(lines or ["None is on record."])


def forecasts(case: Case) -> str:
    """Return how the stored forecasts of the period met what was read."""
    facts = outcomes(case.twin, case.found.since, case.found.until)
    at, values = case.now
    rows = [
        _quality(row, *pairs(facts, int(row["horizon_min"])), case.unit)
        for row in summary(facts, dict(zip(at.tolist(), values.tolist(), strict=True)))
    ]
    if not rows:
        return said("No forecast met its reading in this period, so nothing is said about how far to trust them.")
    note = "The typical error is the root mean square; intervals are honest if about 80 % of what came lies within."
    return look.table(HEAD, rows, range(1, 6)) + said(note, "small soft")


def _quality(row: dict[str, float], read: np.ndarray, foretold: np.ndarray, unit: Unit) -> list[str]:
    judged = grids.shares(grids.parkes(read, foretold))
    return [
        f"{row['horizon_min']:.0f} min", f"{row['n']:.0f}", unit.say(row["rmse"]), unit.say(row["hold_rmse"]),
        f"{100 * row['cover80']:.0f} %", f"{look.number(100 * judged.acceptable, 1)} %",
    ]  # fmt: skip
