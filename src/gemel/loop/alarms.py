"""Alarms that any twin has: a silent sensor, a lost filter, a clock that went back, an asset that cannot be reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gemel.bank import Replica
from gemel.facts import MINUTE, Time
from gemel.streams.check import AHEAD

Told = tuple[str, str]
"""Severity (info, warning or urgent) and what is the matter."""

STALE_AFTER = 3.2
"""A sensor is stale after this many of its own cadences without a reading."""

DIVERGED = 3.0
"""The filter has diverged when the root mean square of the last hour's standardised innovations exceeds this."""

SURPRISES = 12
"""How many innovations that is judged on: an hour of readings every five minutes."""

BEHIND: Time = 2 * MINUTE
"""How far a clock may stand behind what is known already: clocks are set by a little now and then."""

PAUSING = ("stale:", "diverged", "clock", "loop")
"""While an alert of these names is active, nothing is forecast and agents pause."""

OWN = ("stale:", "diverged", "clock", "sink", "unreported:", "silent:")
"""Alerts of these names are the loop's own, and of any twin; it ends them when their cause is gone."""


def silent(replica: Replica, now: Time, known_at: Time) -> dict[str, Told]:
    """Return an alarm for each banded signal whose sensor was heard before and is not any more.

    A reading dated further ahead than a clock may be off says nothing of now, unless it is this clock that stands behind.
    """
    found, latest = dict[str, Told](), now + (AHEAD if behind(known_at, now) else BEHIND)
    for signal in replica.type.band:
        port = replica.type.signals[signal]
        last = _heard(replica, signal, latest)
        if last is not None and now - last > STALE_AFTER * port.cadence:
            quiet = f"no {port.label.lower() or signal} reading for {(now - last) // MINUTE} min"
            then = "agents pause or fall back, and the asset's own settings go on"
            found[f"stale:{signal}"] = ("warning", f"{quiet}; {then}")
    return found


def _heard(replica: Replica, signal: str, latest: Time) -> Time | None:
    """Return when *signal* was last read, *latest* at the latest."""
    return next((at for at, name, _, _ in reversed(replica.readings) if name == signal and at <= latest), None)


def diverged(surprises: Sequence[float]) -> dict[str, Told]:
    """Return an alarm where the last readings were not what the twin expected, or it expects no number at all."""
    if len(surprises) < SURPRISES and np.all(np.isfinite(surprises)):
        return {}
    if float(np.sqrt(np.mean(np.square(surprises)))) <= DIVERGED:
        return {}
    return {"diverged": ("warning", "the twin no longer follows its readings; agents pause until it does")}


def behind(known_at: Time, now: Time) -> dict[str, Told]:
    """Return an alarm where the clock stands well before the last fact: it went back, or ran ahead before."""
    if known_at - now <= BEHIND:
        return {}
    late = f"this machine's clock stands {(known_at - now) // MINUTE} min before what is known already"
    return {"clock": ("warning", f"{late}; agents pause until it has caught up")}


def blind(found: Collection[str]) -> bool:
    """Return whether a silent sensor is all that is the matter."""
    return bool(found) and all(name.startswith("stale:") for name in found)


def fallback(found: Mapping[str, str]) -> str | None:
    """Return what the loop does instead of forecasting, and why, from the texts of the active alerts by name."""
    reasons = [text for name, text in found.items() if name.startswith(PAUSING)]
    return f"Nothing is forecast: {'; '.join(reasons)}." if reasons else None
