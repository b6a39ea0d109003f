"""What can be done about a scanner: maintenance in a quiet hour before it fails, and help once it has failed.

A rule on its gauges says when to look; forks say what is worth doing. Forks know each scanner's wear, whether it is down, and
when its maintenance is planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gemel.facts import DAY, HOUR, SECOND, Time
from gemel.packs.service.actions import Action
from gemel.packs.service.advise import Felt, View
from gemel.packs.service.hospital.network import REPAIR, SCALE, SCANS, SHAPE, fails_within, promised
from gemel.packs.service.machines import Machines
from gemel.packs.service.means import Acts, Here, Look, Means
from gemel.packs.service.remedy import Remedy

QUIET = 1
"""Hour of the day (UTC) from which few come."""
SCANS_A_DAY = 25.0
MAINTAINS = 3 * 3600.0
PER_SECOND = 0.01
"""Money for a second of maintenance: a technician's."""

CALLED = 3 * 3600.0
"""Seconds in which a technician who is called has a scanner run again."""

BILL = 1800.0
"""Money for the repair of a scanner that failed."""

RISK = 0.12
"""From this chance on to fail within two days, forks are asked in the evening."""

NEVER: Time = 99 * DAY


def quiet_hour(now: Time) -> Time:
    """Return the next quiet hour from *now* on."""
    today = now - now % DAY + QUIET * HOUR
    return today if today >= now else today + DAY


def _of(here: Here, what: str) -> dict[str, float]:
    return {name.partition(".")[2]: value for name, value in here.gauges.items() if name.startswith(f"{what}.")}


# what gauges tell of the scanners


def sharpen(view: View, here: Here) -> View:
    """Return the view with what is known of the scanners: which are down, when each may fail by its wear, what is planned."""
    up, wear = _of(here, "up"), _of(here, "wear")
    if not up:
        return view
    rng = np.random.default_rng([view.seed, 3])
    runs = [name for name in sorted(up) if up[name]]
    luck = rng.random((len(up), view.members))
    fails = [_fails(view, wear.get(name, 0.0), len(up), u) for name, u in zip(runs, luck, strict=False)]
    back = [here.now + REPAIR.quantile(u) * SECOND for u in luck[len(runs) :]]
    planned = tuple((at, MAINTAINS) for at in sorted(_planned(here).values()))
    away, due = (np.array(found).reshape(-1, view.members) for found in (back, fails))
    extra = tuple(one for one in view.extra if one[:2] != ("staff", "scanner"))
    return replace(view, extra=extra, machines=Machines("scanner", away, due, planned, "technicians", CALLED, BILL))


def _planned(here: Here) -> dict[str, Time]:
    """Return when the maintenance of each scanner is planned, where it is."""
    return {name: here.now + round(hours * HOUR) for name, hours in _of(here, "planned").items() if hours > 0}


def _fails(view: View, worn: float, scanners: int, u: np.ndarray) -> np.ndarray:
    """Return when a scanner fails (member,) ms that ran until now: by scans, as many as are expected to come."""
    more = SCALE * ((worn / SCALE) ** SHAPE - np.log(u)) ** (1 / SHAPE) - worn
    at, made = _scans(view, scanners)
    return np.where(more < made[-1], np.interp(more, made, at), float(view.now + NEVER))


def _scans(view: View, scanners: int) -> tuple[np.ndarray, np.ndarray]:
    """Return moments of the next days (ms) and how many scans each scanner will have made by then."""
    until, hours = view.now + AHEAD + DAY, np.arange(view.now, view.now + AHEAD + DAY, HOUR)
    made = np.zeros(len(hours))
    for group in view.network.customers:
        edges, rates = group.arrivals.steps(view.now, until)
        made += SCANS[group.name] / scanners * rates[np.searchsorted(edges, hours, "right") - 1]
    return np.append(hours, hours[-1] + HOUR), np.append(0.0, np.cumsum(made))


# before it fails

AHEAD: Time = 2 * DAY
"""How far forks go that compare hours for maintenance."""


def worn(here: Here) -> bool:
    """Return whether to ask about maintenance: all run, and one is likely to fail, or to be maintained among the patients."""
    up = _of(here, "up")
    asked = here.since("away.scanner") < DAY
    soon = any(at < quiet_hour(here.now) + DAY for at in _planned(here).values())
    evening = quiet_hour(here.now) - here.now <= 6 * HOUR
    return bool(up) and all(up.values()) and not asked and (soon or (evening and _risk(here)[1] > RISK))


def _risk(here: Here) -> tuple[str, float]:
    wear: Mapping[str, float] = _of(here, "wear") or {"": 0.0}
    name = max(wear, key=lambda name: wear[name])
    return name, fails_within(wear[name], 2 * SCANS_A_DAY)


def hours_for(view: View, usual: Felt, here: Here) -> list[Acts]:
    """Return maintenance now, and in the quiet hours of the next two nights."""
    night = quiet_hour(here.now)
    return [
        (Action("maintain", "scanner", MAINTAINS, at, MAINTAINS, price=PER_SECOND),) for at in (here.now, night, night + DAY)
    ]  # fmt: skip


def its_wear(here: Here) -> str:
    """Return what the most worn scanner tells, and when maintenance is planned."""
    name, risk = _risk(here)
    made, planned = _of(here, "wear").get(name, 0.0), _planned(here)
    due = min(planned.values()) - here.now if planned else 0
    when = f", maintenance is planned in {due / HOUR:.0f} h" if planned else ""
    return f"{name} has made {made:.0f} scans since maintenance, {risk:.0%} to fail within two days{when}; "


# once one is down


def down(here: Here) -> bool:
    """Return whether a scanner is down and nothing was done about it for four hours."""
    up = _of(here, "up")
    helped = min(here.since("staff.technicians"), here.since("arrivals.outpatient"))
    return bool(up) and not all(up.values()) and helped > 4 * HOUR


def help_for(view: View, usual: Felt, here: Here) -> list[Acts]:
    """Return a technician, a part of the next appointments moved by four hours, and both."""
    call = Action("add", "technicians", 1.0, here.now, 2 * 3600.0)
    moved = [_moved(view, share) for share in (0.25, 0.5)]
    return [(call,), *((move,) for move in moved), *((call, move) for move in moved)]


def _moved(view: View, share: float) -> Action:
    """Return appointments moved from the four hours after next to the four after those; how many that is is foreseen."""
    start, hold = view.now + HOUR, 4 * HOUR
    arrivals = next(group for group in view.network.customers if group.name == "outpatient").arrivals
    edges, rates = arrivals.steps(start, start + hold)
    count = float(np.sum(rates * np.diff(np.append(edges, start + hold))) / HOUR)
    return Action("reschedule", "outpatient", share, start, hold / SECOND, counts=count)


def is_down(here: Here) -> str:
    """Return which scanner is down."""
    return f"{', '.join(name for name, runs in sorted(_of(here, 'up').items()) if not runs)} is down; "


GIFT = Remedy(20.0, 90.0, (800, 1000), (860, 1000))
"""What outpatients are given who wait beyond their appointment. Margin and counts are made up, as the hospital is."""

MEANS = Means(
    (
        Look("scanner down", help_for, 9 * HOUR, down, is_down),
        Look("maintenance", hours_for, AHEAD, worn, its_wear),
    ),
    promised, remedies={"outpatient": GIFT}, sharpen=sharpen, worth=40.0,
)  # fmt: skip
