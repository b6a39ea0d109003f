"""Report: the assessment as one page that needs nothing else, for managers: read, printed, light or dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from gemel.experiment import paper
from gemel.experiment.paper import table
from gemel.facts import Time
from gemel.packs.service.assess import drawing, outlook, panels
from gemel.packs.service.assess.assessment import Assessment, Verdict
from gemel.packs.service.assess.evidence import Evidence
from gemel.packs.service.assess.panels import clock
from gemel.packs.service.assess.questions import SOURCE, STEPS
from gemel.packs.service.assess.rows import spoken

PARTS: dict[str, tuple[Callable[[Evidence], str], ...]] = {
    "Assess": panels.ASSESS,
    "Analyze": panels.ANALYZE,
    "Identify": outlook.IDENTIFY,
    "Co-design": outlook.CO_DESIGN,
    "Evaluate": outlook.EVALUATE,
}
"""What each step shows."""

STATES = {"data": "answered by the data", "people": "answered by people", "open": "open"}


def page(assessment: Assessment, made: Time) -> str:
    """Return the page as HTML."""
    steps = "".join(_step(assessment, place) for place in range(len(STEPS)))
    body = [_overview(assessment), steps, _next(assessment), _how(assessment)]
    name, when = escape(assessment.log), clock(made, assessment.evidence.overview.zone)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light'
        ' dark">'
        f"<title>Assessment of {name}</title><style>{paper.STYLE}{drawing.STYLE}</style></head><body><main>"
        f"<header><h1>Assessment of {name}</h1><p>Made {when}. All times are"
        f" {escape(assessment.evidence.overview.zone)}.</p></header>"
        f"{_contents()}{''.join(body)}</main></body></html>\n"
    )


def _contents() -> str:
    names = ["Overview", *(_title(place) for place in range(len(STEPS))), "Next steps", "How this was computed"]
    items = "".join(f'<li><a href="#{name.lower().replace(" ", "-")}">{name}</a></li>' for name in names)
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>'


def _title(place: int) -> str:
    return f"{place + 1} {STEPS[place].name}"


def _tiles(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in pairs) + "</dl>"


def _overview(assessment: Assessment) -> str:
    seen = assessment.evidence
    one = seen.overview
    waited = "not told apart from work by this log" if one.waited is None else f"{one.waited / 3600:,.0f} h"
    worked = "unknown" if one.worked is None else f"{one.worked / 3600:,.0f} h"
    tiles = [
        ("Cases", f"{one.cases:,}"),
        ("Activities", f"{one.activities:,} of {one.kinds} kinds"),
        ("Resources", f"{one.resources:,}" if one.resources else "none named"),
        ("From", clock(one.first, one.zone)),
        ("To", clock(one.last, one.zone)),
        ("A visit takes (median)", spoken(one.visit.p50)),
        ("Nine of ten within", spoken(one.visit.p90)),
        ("Waiting, all together", waited),
        ("Work, all together", worked),
        ("Questions answered", f"{sum(v.state != 'open' for v in assessment.verdicts)} of {len(assessment.verdicts)}"),
    ]
    head = [
        v.finding.said[0].removeprefix("1. ")
        for v in assessment.verdicts
        if v.question.id in ("pain", "reactive", "gain", "quality")
    ]
    short = "".join(f"<li>{escape(text)}</li>" for text in head)
    rows = [[v.question.step, v.question.text, STATES[v.state]] for v in assessment.verdicts]
    states = table("The fifteen questions", ["step", "question", "state"], rows)
    return paper.section("Overview", f"{_tiles(tiles)}<h3>In short</h3><ul>{short}</ul>{states}")


def _step(assessment: Assessment, place: int) -> str:
    step = STEPS[place]
    asked = "".join(_question(one) for one in assessment.verdicts if one.question.step == step.name)
    shown = "".join(part(assessment.evidence) for part in PARTS[step.name])
    return paper.section(_title(place), f'<p class="step">{escape(step.purpose)}</p>{asked}{shown}')


def _question(one: Verdict) -> str:
    said = "".join(f"<li>{escape(text)}</li>" for text in one.finding.said)
    answer = ""
    if one.answer is not None:
        answer = (
            f'<p class="said">{escape(one.answer.text)}<small>{escape(one.answer.by)},'
            f" {escape(one.answer.at[:10])}</small></p>"
        )
    elif one.state == "open":
        answer = (
            f'<p><strong>To be asked:</strong> {escape(one.question.ask)}</p><div class="write"></div><div'
            ' class="write"></div>'
        )
    state = f'<span class="state {one.state}">{STATES[one.state]}</span>'
    return (
        f'<div class="q" id="q-{one.question.id}"><h3>{escape(one.question.text)}'
        f" {state}</h3><ul>{said}</ul>{answer}</div>"
    )


def _next(assessment: Assessment) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in assessment.next)
    return paper.section("Next steps", f"<ol>{items}</ol>")


def _how(assessment: Assessment) -> str:
    seen = assessment.evidence
    promises = ", ".join(
        f"{'whole visit' if name == '*' else name} {spoken(value)}" for name, value in seen.promises.items()
    )
    points = [
        f"Everything was computed from {assessment.log} alone, and from the answers shown.",
        (
            f"Promises told: {promises or 'none'}. Cost of an hour of waiting:"
            f" {'not told' if seen.hour_cost is None else f'{seen.hour_cost:g}'}."
        ),
        (
            "Each activity is taken as a station of its own. A visit lasts from the first to the last time that the log"
            " tells of a case; cases still going on when the log ends count as they stand."
        ),
        (
            "A wait lasts from when a case was ready to when work began; where the log does not tell when it was ready,"
            " from the end of the last step before."
        ),
        (
            "What this log does not record, this page does not know. Patterns here are not causes: before money is"
            " spent, try the change on a twin, then on a part of the customers."
        ),
        SOURCE,
    ]
    return paper.section(
        "How this was computed", "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in points) + "</ul>"
    )
