"""Sensing: the alarms of a twin's own type; what was measured is judged even while nothing is forecast."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import replace

from gemel.bank import Bank
from gemel.bank.bank import LOOK_BACK
from gemel.dynamics import Reading
from gemel.facts import Time
from gemel.intervention import Situation
from gemel.loop.alarms import Told
from gemel.streams.check import AHEAD, SOON

log = logging.getLogger(__name__)


def judged(bank: Bank, twin: str, now: Time, found: Collection[str]) -> tuple[dict[str, Told | None], dict[str, str]]:
    """Return what each alarm of the twin's type says while alarms *found* are on, and why some could not say anything."""
    situation, told, failed = situation_of(bank, twin, now, found), dict[str, Told | None](), dict[str, str]()
    for name, alarm in bank.type_of(twin).alarms.items():
        try:
            told[name] = alarm(situation)
        except Exception as error:
            log.exception("the alarm %s failed", name)
            failed[name] = f"the alarm {name!r} failed ({type(error).__name__}) and tells nothing"
    return told, failed


def situation_of(bank: Bank, twin: str, now: Time, found: Collection[str]) -> Situation:
    """Return what alarms look at: with no forecast, state or trial where they cannot be relied on."""
    read = measured(bank, twin, now, found)
    if not found:
        return replace(bank.situation(twin, now), readings=read)
    replica = bank.replica(twin)
    on = tuple(str(fact.body["name"]) for fact in bank.alerts(twin) if fact.body["active"])
    return Situation(twin, now, read, replica.plan(now - LOOK_BACK, now + 1), {}, {}, replica.attributes, on)


def measured(bank: Bank, twin: str, now: Time, found: Collection[str]) -> Mapping[str, list[Reading]]:
    """Return the readings of the last hours by signal, none of a silent sensor.

    They are in order of time, those of a clock that is a little fast among them; in order of arrival while this machine's
    clock stands behind.
    """
    replica, ahead = bank.replica(twin), AHEAD if "clock" in found else SOON
    first, last = (bisect_left(replica.readings, (at,)) for at in (now - LOOK_BACK, now + ahead + 1))
    entries = replica.readings[first:last]
    if "clock" in found:
        entries = sorted(entries, key=lambda entry: replica.sources[entry[3]])
    heard = [name for name in bank.type_of(twin).signals if f"stale:{name}" not in found]
    return {name: [Reading(name, value, at) for at, signal, value, _ in entries if signal == name] for name in heard}
