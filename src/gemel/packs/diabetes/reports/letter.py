"""A letter to the clinic: how the time since the last visit went, in plain words; every number is read from the twin.

What the reader may not see is said to be not shown, with the reason; glucose itself must be readable, or there is no letter.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

import numpy as np

from gemel.bank import Twin
from gemel.errors import Refused
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.reports import letter_care, letter_glucose, look
from gemel.packs.diabetes.reports.agp import agp
from gemel.packs.diabetes.reports.agp_page import bar, usual_day
from gemel.packs.diabetes.reports.case import Case, listed, said
from gemel.packs.diabetes.reports.changes import changes
from gemel.packs.diabetes.reports.look import MGDL, Unit
from gemel.packs.diabetes.reports.seen import glucose, some_glucose

SECTIONS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("Insulin and carbohydrate", letter_care.treatment),
    ("The plan", letter_care.plan),
    ("Open questions", letter_care.questions),
    ("How far the twin's forecasts held", letter_care.forecasts),
)


def make(twin: Twin, since: Time, until: Time, zone: tzinfo, unit: Unit = MGDL) -> str:
    """Return the letter about a period, beside the period of the same length before it; raise `Refused` or `NotFound`."""
    now = some_glucose(twin, since, until)
    before = glucose(twin, 2 * since - until, since)
    case = Case(twin, zone, unit, agp(*now, since, until, zone), now, before)
    rng = np.random.default_rng([*twin.id.encode(), since % 2**62, until % 2**62])
    parts = [_head(case), _short(case), letter_glucose.targets(case, changes(before, now, zone, rng))]
    parts += [letter_glucose.patterns(case), *(f"<h2>{title}</h2>{_allowed(case, say)}" for title, say in SECTIONS)]
    return look.page(f"Letter to the clinic: {twin.id}", "".join([*parts, _nature(case)]))


def _allowed(case: Case, say: Callable[[Case], str]) -> str:
    """Return a section, or why its reader may not see it."""
    try:
        return say(case)
    except Refused as refusal:
        return said(f"Not shown: {refusal}.")


def _head(case: Case) -> str:
    twin, found, zone = case.twin, case.found, case.zone
    made = look.moment(twin.bank.now(), zone)
    by = f"Written {made} by Gemel for {twin.actor}, whose purpose is {twin.purpose}; times of {look.zone_name(zone)}."
    about = f"About {twin.id}, {look.period(found.since, found.until, zone)}"
    return f"<h1>Letter to the clinic</h1>{said(about)}{said(by, 'soft small')}{said(look.NOTICE, 'soft small')}"


def _short(case: Case) -> str:
    found, say = case.found, case.say
    short = (
        f"Glucose was in range for {say('time_in_range')} of the time that was read, below it for {say('time_below_range')} and "
        f"above it for {say('time_above_range')}. The mean was {say('mean')}, which corresponds to a GMI of {say('gmi')}. The "
        f"sensor was active {100 * found.active:.1f} % of {found.days:.0f} days."
    )
    few = "That is less than the 14 days with 70 % that are needed to judge by: take the figures with caution."
    left = f"<td style='width:42%'>{bar(found, case.unit)}</td>"
    day = f"<table class='sides'><tbody><tr>{left}<td>{usual_day(found, case.unit, 380.0)}</td></tr></tbody></table>"
    return f"<h2>In short</h2>{said(short)}{'' if found.sufficient else said(few, 'warn')}{day}"


def _nature(case: Case) -> str:
    points = [
        look.NOTICE,
        "It was put together by a program from what devices and people wrote down; nobody has read it before you. What nobody "
        "wrote down, it does not know.",
        "Targets are those for most adults with type 1 or 2 diabetes (10.2337/dci19-0028); children, older, frail and pregnant "
        "people may have others.",
        f"The sensor reads each {case.found.cadence // MINUTE} min; gaps are left out of every figure and not filled.",
    ]
    return f"<h2>What this letter is</h2>{listed(points)}"
