"""Findings: what the evidence says to each question, in sentences, and whether that is the whole answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gemel.packs.service.assess.columns import ASSETS
from gemel.packs.service.assess.evidence import Evidence
from gemel.packs.service.assess.kpis import WEEK_S
from gemel.packs.service.assess.losses import BESIDE
from gemel.packs.service.assess.rows import Unknown, spoken


@dataclass(frozen=True)
class Finding:
    """What the data say to a question, one sentence each; `enough` if nobody need be asked."""

    said: tuple[str, ...]
    enough: bool


def counted(number: int, name: str) -> str:
    """Return a number of things, as one says it."""
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def findings_of(evidence: Evidence) -> dict[str, Finding]:
    """Return what the data say to each question, by its id."""
    return {
        name: Finding(tuple(said(evidence)), name in ENOUGH and _known(name, evidence)) for name, said in SAYS.items()
    }


ENOUGH = ("pain", "reactive", "cost", "quality", "gain", "foresee")
"""Questions that data can answer; the others are always asked."""


def _known(name: str, evidence: Evidence) -> bool:
    if name == "cost":
        return evidence.hour_cost is not None or evidence.cost is not None
    if name in ("reactive", "foresee"):
        return not isinstance(evidence.foresight, Unknown)
    return bool({"pain": evidence.pains, "gain": evidence.opportunities}.get(name, True))


def _pain(evidence: Evidence) -> Iterator[str]:
    for one in evidence.pains[:3]:
        yield f"{one.rank}. {one.text}."
    if not evidence.pains:
        yield "The log shows nobody who waited longer than promised, or than is usual."
    for loss in [one for one in evidence.losses if one.kind in BESIDE][:3]:
        yield f"Besides, {loss.where} ({loss.kind}): {counted(loss.customers, 'customer')}, {loss.hours:,.0f} h in all."
    if not evidence.promises:
        yield "No promise was told, so what goes beyond the usual counts; --promise STATION=MINUTES tells one."
    if not evidence.felt:
        yield "The log holds no scores or complaints: what customers felt is not known."


def _reactive(evidence: Evidence) -> Iterator[str]:
    seen = evidence.foresight
    if isinstance(seen, Unknown):
        yield f"This could not be computed: {seen.why}."
        return
    alarm = seen.alarms[1]
    yield (
        f"Of {alarm.of_long} visits over {spoken(seen.limit)}, {alarm.told} could have been told before they were late "
        f"({alarm.told / alarm.of_long:.0%}), with false alarms for {alarm.false} of {alarm.of_good} others "
        f"({alarm.false / alarm.of_good:.0%})."
    )
    if not seen.later:
        yield "The record changes so much that this was learned from cases of the same time: take it as the best case."
    yield f"The other {alarm.of_long - alarm.told} would be noticed only once customers have felt it."
    yield (
        "This is what the log would have allowed, not what anybody did: the log does not tell how trouble was noticed."
    )


def _cost(evidence: Evidence) -> Iterator[str]:
    if evidence.cost is not None:
        yield (
            f"By {', '.join(evidence.cost.columns)}: {evidence.cost.total:,.0f} in all, {evidence.cost.per_case:,.2f}"
            " per case, in the log's own money."
        )
    else:
        yield "The log tells no cost."
    if evidence.hour_cost is not None:
        lost = sum(one.score.value for one in evidence.pains)
        yield (
            f"At {evidence.hour_cost:g} per hour, the waiting beyond what is promised, or usual where nothing is, costs"
            f" customers {lost:,.0f}."
        )
    else:
        yield "What an hour of waiting costs is not known; --hour-cost tells it."


def _assets(evidence: Evidence) -> Iterator[str]:
    for asset in ASSETS:
        names = [one.name for one in evidence.fields if one.asset == asset and one.filled > 0]
        yield f"{asset.capitalize()}: {', '.join(names)}." if names else f"{asset.capitalize()}: nothing in this log."
    yield "Columns were sorted by their names alone; correct them where they are wrong."


def _quality(evidence: Evidence) -> Iterator[str]:
    repaired = sum(one.count for one in evidence.repairs)
    if not repaired:
        yield "Nothing had to be repaired when the log was read."
    else:
        worst = max(evidence.repairs, key=lambda one: one.count)
        yield f"Reading the log needed {counted(repaired, 'repair')}, most of them: {worst.what} ({worst.count:,})."
    doubtful = [one for one in evidence.checks if one.doubtful]
    for one in sorted(doubtful, key=lambda one: -one.doubtful / one.of)[:3]:
        yield f"{one.what.capitalize()}: {one.doubtful:,} of {one.of:,} ({one.doubtful / one.of:.0%}); {one.follows}."
    if not doubtful:
        yield "None of the checks below found anything in doubt."


def missing_of(evidence: Evidence) -> tuple[str, ...]:
    """Return what the log does not tell, each with what it would give."""
    filled = {one.name: one.filled for one in evidence.fields}
    absent = [asset for asset in ASSETS if not any(one.asset == asset and one.filled > 0 for one in evidence.fields)]
    known = (
        ("when work begins: waiting and work could be told apart", filled["begin of work"] < 0.5),
        ("when a case is ready for a step: waits would be exact", filled["ready since"] < 0.5),
        ("who does the work: workload could be told", filled["resource"] < 0.5),
        ("what customers felt (scores, complaints): pain could be weighed by them", not evidence.felt),
        ("what things cost: troubles could be ranked by money", evidence.cost is None and evidence.hour_cost is None),
        ("which customers gave up: lost customers could be counted", not any(one.gave_up for one in evidence.stations)),
        ("what was promised: broken promises could be counted", not evidence.promises),
        *((f"anything of {asset}", True) for asset in absent),
    )
    return tuple(text for text, is_missing in known if is_missing)


def _missing(evidence: Evidence) -> Iterator[str]:
    gaps = missing_of(evidence)
    if isinstance(evidence.learned, Unknown):
        yield f"No twin could be made from this log: {evidence.learned.why}."
    else:
        yield (
            f"A twin could be made from this log, with {counted(evidence.learned.stations, 'station')} and "
            f"{counted(evidence.learned.pools, 'pool')} of staff; in doubt stay {counted(len(evidence.learned.doubts), 'thing')}."
        )
    yield f"Missing: {'; '.join(gaps)}." if gaps else "Nothing that this assessment needs is missing."


def _gain(evidence: Evidence) -> Iterator[str]:
    for one in evidence.opportunities[:3]:
        yield (
            f"{one.where} ({one.kind}): the mean visit could be shorter by up to {spoken(one.gain)} ({one.share:.0%});"
            f" {one.levers[0] if one.levers else 'cause unknown'}."
        )
    if not evidence.opportunities:
        yield "The log shows no time that customers lose."
    else:
        yield (
            "These are upper bounds, one at a time: who no longer waits here may wait elsewhere. A twin of the service"
            " can try it."
        )


def _foresee(evidence: Evidence) -> Iterator[str]:
    seen = evidence.foresight
    if isinstance(seen, Unknown):
        yield f"This could not be computed: {seen.why}."
        return
    good = next((one for one in seen.steps if one.low > 0.7), None)
    if good is None:
        yield (
            f"No step up to the {seen.steps[-1].step}th tells long visits clearly from others."
            if seen.steps
            else "Too few cases go on to judge single steps."
        )
    else:
        yield (
            f"After step {good.step} a long visit is told from another in {good.auc:.0%} of pairs ({good.low:.0%} to"
            f" {good.high:.0%}); {spoken(good.left)} are then left until it is late."
        )
    alarm = seen.alarms[1]
    if alarm.told:
        yield f"Alarms that are right come {spoken(alarm.lead)} before the visit is late (median)."


def _interventions(evidence: Evidence) -> Iterator[str]:
    for one in evidence.opportunities[:4]:
        yield f"{one.where} ({one.kind}): {'; '.join(one.levers)}."
    if not evidence.opportunities:
        yield "The log suggests none."
    if evidence.workers and evidence.workers[0].busy is not None:
        calm = sum(1 for one in evidence.workers if one.busy is not None and one.busy < 0.5)
        yield (
            f"{calm} of {len(evidence.workers)} resources are at work for less than half of the time between their"
            " first and last act of a day."
        )
    yield "Whether it may be done, and by whom, no log tells."


def _table(evidence: Evidence) -> Iterator[str]:
    count = evidence.overview.resources
    yield (
        f"{count} resources act in this log; those who did most: {', '.join(one.name for one in evidence.workers[:5])}."
        if count
        else "The log names nobody who acts."
    )
    where = [one.where for one in evidence.opportunities[:3]]
    if where:
        yield f"At the least those who work at {', '.join(dict.fromkeys(where))}, and customers who waited there."


def _metrics(evidence: Evidence) -> Iterator[str]:
    yield (
        f"The log gives {counted(len(evidence.kpis), 'figure')} to choose from:"
        f" {', '.join(one.name for one in evidence.kpis)}."
    )
    yield "Choose and weigh them with customers and staff; no log knows what matters to them."


def _consent(evidence: Evidence) -> Iterator[str]:
    named = [one.name for one in evidence.fields if one.personal and one.filled > 0]
    yield f"By their names, these columns may tell of single people: {', '.join(named)}."
    yield "This page names resources and no customers; give it only to those who may see that."


def _success(evidence: Evidence) -> Iterator[str]:
    for one in evidence.trials[:2]:
        yield (
            f"To show that long visits fell from {one.base:.0%} to {one.base - one.points:.0%}, {one.cases:,} cases in"
            f" two equal groups are needed, about {spoken(one.weeks * WEEK_S)} at today's arrivals."
        )
    if not evidence.trials:
        yield "The log is too short to say how long a trial must take."


def _alarms(evidence: Evidence) -> Iterator[str]:
    seen = evidence.foresight
    if isinstance(seen, Unknown):
        yield f"What alarms would cost could not be computed: {seen.why}."
        return
    for one in seen.alarms:
        yield (
            f"At {one.false / one.of_good:.0%} false alarms, {one.told / one.of_long:.0%} of the long visits are told"
            f" in time, {spoken(one.lead)} ahead."
        )


def _learning(evidence: Evidence) -> Iterator[str]:
    if len(evidence.halves) == 2:
        a, b = evidence.halves
        apart = a.high < b.low or b.high < a.low
        yield (
            f"The median visit was {spoken(a.median)} in the first half of the cases and {spoken(b.median)} in the"
            " second: "
            + ("it changed, so what is learned must be renewed." if apart else "no change that the data can show.")
        )
    yield "Keep a small share of cases, chosen by chance, without intervention: only so is it known what the twin does."


SAYS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "pain": _pain,
    "reactive": _reactive,
    "cost": _cost,
    "assets": _assets,
    "quality": _quality,
    "missing": _missing,
    "gain": _gain,
    "foresee": _foresee,
    "interventions": _interventions,
    "table": _table,
    "metrics": _metrics,
    "consent": _consent,
    "success": _success,
    "alarms": _alarms,
    "learning": _learning,
}
"""What is said to each question."""
