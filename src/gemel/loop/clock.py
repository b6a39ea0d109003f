"""Clocks: the machine's own, or one that runs faster; the loop and what is above it are the only places with one."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gemel.facts import MINUTE, Time


@dataclass
class SpeedClock:
    """A clock that shows `shown` until it is let go, and then moves `speed` seconds in each second."""

    shown: Time
    speed: float = 1.0
    since: float | None = None

    def go(self) -> None:
        """Let time pass from now on."""
        self.since = time.monotonic()

    def __call__(self) -> Time:
        passed = 0.0 if self.since is None else time.monotonic() - self.since
        return self.shown + round(passed * self.speed * 1000)


def this_morning(hour: int = 11) -> Time:
    """Return the last time it was *hour* o'clock where this machine is."""
    now = datetime.now().astimezone()
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return round((today if today <= now else today - timedelta(days=1)).timestamp() * 1000)


def zone_here() -> str:
    """Return the name of this machine's time zone, UTC where it has none."""
    for name in (os.environ.get("TZ", ""), os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]):
        with contextlib.suppress(ValueError, KeyError, OSError):
            return ZoneInfo(name).key
    return "UTC"


def local_offset(at: Time) -> Time:
    """Return by how much this machine's time of day is ahead of UTC."""
    shift = datetime.fromtimestamp(at / 1000).astimezone().utcoffset() or timedelta()
    return round(shift / timedelta(minutes=1)) * MINUTE
