"""What can be done about a scanner: maintenance in a quiet hour before it fails, and help once it has failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemel.facts import DAY, HOUR, Time
from gemel.intervention import Situation
from gemel.packs.service.actions import Action
from gemel.packs.service.hospital.network import fails_within

QUIET = 1
"""Hour of the day (UTC) from which few come."""
SCANS_A_DAY = 25.0
MAINTAINS = 3 * 3600.0


def quiet_hour(now: Time) -> Time:
    """Return the next quiet hour from *now* on."""
    today = now - now % DAY + QUIET * HOUR
    return today if today >= now else today + DAY


def foreseen(
    gauges: Mapping[str, float], now: Time, planned: Mapping[str, Time], *, most: float = 0.12
) -> list[Action]:
    """Return maintenance for the next quiet hour where a scanner's planned one lies in a working day, or comes too late.

    Too late is a chance of failure until the quiet hour after next above *most*. One scanner at a time.
    """
    running = sorted(
        (name.removeprefix("wear.") for name in gauges if name.startswith("wear.")),
        key=lambda name: -gauges[f"wear.{name}"],
    )
    for name in running:
        soon = planned.get(name, now + 99 * DAY) < quiet_hour(now) + DAY
        risk = fails_within(gauges[f"wear.{name}"], 2 * SCANS_A_DAY)
        if gauges[f"up.{name}"] and (soon or risk > most):
            return [Action("maintain", "scanner", MAINTAINS, quiet_hour(now), MAINTAINS)]
    return []


def due(situation: Situation) -> list[tuple[Action, str]]:
    """Return maintenance that a scanner is due for, once: the reason tells its wear; nothing where none is foreseen."""
    gauges = {
        name: found[-1].value
        for name, found in situation.readings.items()
        if found and name.startswith(("wear.", "up."))
    }
    if not gauges or any(dose.lever == "away.scanner" and dose.at > situation.now - DAY for dose in situation.doses):
        return []
    worn = max((name for name in gauges if name.startswith("wear.")), key=lambda name: gauges[name], default="")
    risk = fails_within(gauges.get(worn, 0.0), 2 * SCANS_A_DAY)
    reason = (
        f"{worn.removeprefix('wear.')} has made {gauges.get(worn, 0.0):.0f} scans since maintenance: {risk:.0%} to fail within "
        "two days; in the small hours few come"
    )
    return [(action, reason) for action in foreseen(gauges, situation.now, {})]


def help_now(situation: Situation) -> list[tuple[Action, str]]:
    """Return what helps at once where a scanner is down, once in four hours: a technician, appointments moved, word of it."""
    gauges = {name: found[-1].value for name, found in situation.readings.items() if found}
    known = any(name.startswith("up.") for name in gauges)
    if not known or any(
        dose.lever == "arrivals.outpatient" and dose.at > situation.now - 4 * HOUR for dose in situation.doses
    ):
        return []
    return [(action, "a scanner is down") for action in failed(gauges, situation.now, ())]


def failed(gauges: Mapping[str, float], now: Time, done: Sequence[Action]) -> list[Action]:
    """Return help where a scanner is down by day: a technician, half of the next appointments a day later, and word of it."""
    if all(gauges[name] for name in gauges if name.startswith("up.")) or not 7 * HOUR <= now % DAY < 18 * HOUR:
        return []
    if any(action.kind == "reschedule" and action.until > now for action in done):
        return []
    wait = max(gauges.get("oldest.scanner", 0.0), 1800.0) + 1800.0
    return [
        Action("add", "technicians", 1.0, now, 2 * 3600.0),
        Action("reschedule", "outpatient", 0.5, now + HOUR, 4 * 3600.0, counts=5.0),
        Action("tell", "scanner", wait, now, 4 * 3600.0),
    ]
