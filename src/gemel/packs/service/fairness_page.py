"""Page of an audit by groups: the verdict, each measure by group with its interval, and how to read it; it needs nothing else."""

from __future__ import annotations

from html import escape

from gemel.experiment import paper
from gemel.facts import Time, iso
from gemel.packs.service.estimate import Estimate
from gemel.packs.service.fairness import FEW, MEASURES, Gap, spoken
from gemel.packs.service.treated import Treated


def page(name: str, found: Treated, made: Time) -> str:
    """Return the page as HTML."""
    title = f"Fairness of {escape(name)} by {escape(found.by)}"
    many = ", ".join(f"{group} {count}" for group, count in found.groups.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{paper.STYLE}</style></head><body><main>"
        f"<header><h1>{title}</h1><p>Customers: {escape(many)}; {found.without} without a group. Made {iso(made)}.</p></header>"
        f"{paper.section('Verdict', _verdict(found))}{paper.section('By group', _table(found))}{_limits(found)}"
        "</main></body></html>\n"
    )


def rows(found: Treated) -> list[list[str]]:
    """Return each measure by group as cells: what, group, figure, interval of 95 %, customers."""
    return [
        [f"{MEASURES[gap.measure][0]}" if place == 0 else "", group, figure(one, one.value), span(one), str(one.n)]
        for gap in found.audit.gaps for place, (group, one) in enumerate(gap.groups.items())
    ]  # fmt: skip


def figure(one: Estimate, value: float) -> str:
    """Return a number of an estimate as people read it."""
    return spoken(value, one.unit)


def span(one: Estimate) -> str:
    """Return an interval."""
    return "–" if one.low != one.low else f"{figure(one, one.low)} to {figure(one, one.high)}"


HEADS = ("measure", "group", "figure", "95 % interval", "customers")


def _verdict(found: Treated) -> str:
    told = [
        found.verdict,
        *found.notes,
        *(f"of {name} there are fewer than {FEW} customers" for name in found.audit.few),
    ]
    return "".join(f"<p>{escape(text)}</p>" for text in told)


def _table(found: Treated) -> str:
    gaps = [[MEASURES[gap.measure][0], *_gap(gap, found.bounds.get(gap.measure, 0.0))] for gap in found.audit.gaps]
    return paper.table("Measures by group, with intervals of 95 %", HEADS, rows(found), numbers=(2, 3, 4)) + paper.table(
        "The widest gap of each measure, its interval corrected for all that was compared",
        ("measure", "highest", "lowest", "gap", "interval", "bound", "beyond it"), gaps, numbers=(3, 4, 5),
    )  # fmt: skip


def _gap(gap: Gap, bound: float) -> list[str]:
    one = gap.gap
    beyond = "yes" if one.low > bound else "no"
    return [gap.highest, gap.lowest, figure(one, one.value), span(one), figure(one, bound), beyond]


def _limits(found: Treated) -> str:
    points = (
        "A gap is beyond its bound where the whole of its interval is; one that is not shown here may still be there.",
        "Forecasts were made again at moments of the record, from what was known then, of how long each customer would stay yet.",
        "Who still waits at the end of the record has waited until then.",
        "Help is people added where a customer waits, or word of how long it will be, while she waits.",
        "Why groups differ is not told: one that comes when it is crowded waits longer.",
    )
    return paper.section("How to read this", "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in points) + "</ul>")
