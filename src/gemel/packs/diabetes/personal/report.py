"""Personalise one twin of the bank from its last days, or go on from where it was; keep it, and say what was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

import numpy as np

from gemel.bank import Twin
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, Draft, Time
from gemel.packs.diabetes.personal import posterior
from gemel.packs.diabetes.personal.clocks import Clock, clock_of, put_right
from gemel.packs.diabetes.personal.days import Day, days_of, ended, usual_basal
from gemel.packs.diabetes.personal.helpings import Helping, helpings
from gemel.packs.diabetes.personal.identified import Identified
from gemel.packs.diabetes.personal.predictive import predictive
from gemel.packs.diabetes.personal.stored import body, from_body
from gemel.packs.diabetes.personal.twin import Personal, Sampler, personalise, update
from gemel.packs.food.habits import ATE
from gemel.streams import clock as clocks

IDENTIFIED = "identified/1"
WEIGHT = 70.0
"""kg, where nobody has said."""

OVER = 90 * DAY
"""A record whose last reading is so long ago has ended, in the middle of its last day as it may be. A judgement."""

APART: Time = 23 * HOUR
"""What lies between the beginnings of two days at least, in spring: what is nearer was learned from by another clock."""

KEPT = 200
"""Helpings that are kept, the last ones."""

Tell = Callable[[str, int, int], object]


def identify(
    twin: Twin, days: float = 14, zone: tzinfo | None = None, seed: int = 0, anew: bool = False, quick: bool = False,
    tell: Tell = lambda what, done, whole: None,
) -> Identified:  # fmt: skip
    """Return what the last *days* say of the person, on record as `identified/1`.

    Where an earlier one is on record, only whole days since are learned from, each at its own cost, by the clock of its *zone*
    (by default that one, else UTC); *anew* begins again. *quick* draws from the Gaussian at the mode instead of chains.
    """
    for verb in ("read", "write"):
        twin.bank.gate.require(twin.actor, verb, twin.id, "*", twin.purpose)
    last = next(iter(twin.bank.thread.read(twin.id, kinds=[IDENTIFIED], reverse=True, limit=1)), None)
    weight, assumed = _weight(twin)
    known = None if last is None or anew or last.body["weight"] != weight else last.body  # every amount was per kg
    zone = _zone(zone, None if last is None else last.body.get("zone"), known is None)
    clock = _clock(twin, zone)
    found = _days(twin, days, zone, weight, None if known is None else float(known["basal"]), clock)
    personal, fresh = _learned(twin, known, found, seed, posterior.quick if quick else posterior.chains, tell)
    count, checks = (fresh, None) if known is None else (fresh + int(known["days"]), known.get("predictive"))
    if fresh or checks is None:
        checks = predictive(personal, [day for day in found if day.at <= personal.at], seed)
    tell("identifying", 1, 1)
    served = _served(twin, personal, found[len(found) - fresh :], () if known is None else known.get("helpings", ()))
    made = Identified(twin.id, personal, fresh, count, weight, assumed, clock, zone, checks, served)
    if fresh:
        _keep(twin, made, found[-1].basal)
    return made


def _served(
    twin: Twin, personal: Personal, new: Sequence[Day], known: Sequence[Mapping[str, Any]]
) -> tuple[Helping, ...]:
    """Return how quickly meals came in, of those whose foods are on record: where there are none nothing is worked out."""
    eaten = [fact.true_at for fact in twin.bank.thread.read(twin.id, kinds=[ATE])]
    days = [day for day in new if any(day.at <= at < day.at + DAY for at in eaten)]
    return (*(Helping(**one) for one in known), *helpings(personal, days))[-KEPT:]


def _keep(twin: Twin, made: Identified, basal: float) -> None:
    told = {
        "personal": body(made.personal), "weight": made.weight, "basal": basal, "days": made.days, "zone": str(made.zone),
        "predictive": dict(made.predictive), "helpings": [asdict(one) for one in made.helpings], **asdict(made.clock),
    }  # fmt: skip
    twin.bank.append([Draft(twin.id, IDENTIFIED, told, twin.bank.now(), twin.actor, twin.bank.evidence(twin.id))])


def _learned(
    twin: Twin, known: Mapping[str, Any] | None, found: Sequence[Day], seed: int, sampler: Sampler, tell: Tell
) -> tuple[Personal, int]:
    """Return the person's twin and from how many days that are new."""
    if known is None and not found:
        raise BadInput(f"{twin.id} has no day whose glucose was read to its end, and for half of it", field="days")
    if known is None:
        tell("identifying", 0, 1)
        return personalise(found, seed, sampler=sampler), len(found)
    personal = from_body(known["personal"])
    later = [day for day in found if day.at >= personal.at + APART]
    for i, day in enumerate(later):
        tell("learning from new days", i, len(later))
        personal = update(personal, day, seed, sampler)
    return personal, len(later)


def _zone(asked: tzinfo | None, kept: str | None, anew: bool) -> tzinfo:
    """Return the time zone by which days begin: that of the days learned from, unless the twin begins anew."""
    if asked is None:
        return UTC if kept is None else clocks.zone(kept)
    if kept is not None and kept != str(asked) and not anew:
        problem = f"the days that were learned from are those of {kept}, not of {asked}"
        raise BadInput(f"{problem}: name no --timezone, or begin again with --anew", field="timezone")
    return asked


def _weight(twin: Twin) -> tuple[float, bool]:
    said = twin.bank.plan(twin.id).settings.get("weight")
    return (WEIGHT, True) if said is None else (float(np.mean(said)), False)


def _clock(twin: Twin, zone: tzinfo) -> Clock:
    replica = twin.bank.replica(twin.id)
    last = replica.last or 0
    return clock_of(replica.plan(last - 90 * DAY, last + 1), last + 1, _offset(zone, last))


def _days(twin: Twin, days: float, zone: tzinfo, weight: float, basal: float | None, clock: Clock) -> list[Day]:
    replica = twin.bank.replica(twin.id)
    last = replica.last
    if last is None or not 1 <= days <= 90:
        raise BadInput(f"{days:g} is not a number of days from 1 to 90, or {twin.id} has no reading yet", field="days")
    since = last - round((days + 1) * DAY)
    doses = put_right(replica.plan(since - DAY, last + 1), clock, last + 1, _offset(zone, last))
    usual = usual_basal(doses, last, weight) if basal is None else basal
    readings = [one for one in replica.read(since, last + 1) if one.signal == "glucose"]
    found = days_of(readings, doses, weight=weight, basal=usual, offset=partial(_offset, zone))
    end = readings[-1].at if readings else last
    over = twin.bank.now() - end > OVER
    return [day for day in found if over or ended(day, end)]


def _offset(zone: tzinfo, at: Time) -> Time:
    gone = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if gone is None else round(gone.total_seconds() * 1000)
