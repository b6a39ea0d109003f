"""Wall clocks: the hour that is skipped, the hour that comes twice, and names of zones."""

# ruff: noqa: DTZ001 naive times are what is tested

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, SECOND, time_of
from gemel.streams.clock import instants, local_seconds, times_shown, zone

ZONES = ("Europe/Madrid", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Etc/GMT+3", "Africa/Casablanca")


@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)), st.sampled_from(ZONES))
def test_every_instant_is_found_from_what_the_clock_shows(when: datetime, name: str) -> None:
    """The true instant is always among those at which a clock shows this time."""
    at = round(when.replace(tzinfo=UTC, microsecond=0).timestamp()) * SECOND
    shown = datetime.fromtimestamp(at / SECOND, ZoneInfo(name)).replace(tzinfo=None)
    assert at in instants(shown, ZoneInfo(name))


def test_a_time_is_shown_never_once_or_twice() -> None:
    """Spring, an ordinary day, autumn in Madrid."""
    madrid = ZoneInfo("Europe/Madrid")
    shown = [instants(datetime(2026, month, day, 2, 30), madrid) for month, day in ((3, 29), (6, 1), (10, 25))]
    assert [len(found) for found in shown] == [0, 1, 2]
    assert shown[2][1] - shown[2][0] == HOUR


@given(st.datetimes(datetime(2019, 1, 1), datetime(2026, 1, 1)), st.sampled_from(ZONES), st.integers(0, 1439))
def test_a_schedule_changes_only_at_the_times_shown(when: datetime, name: str, minute: int) -> None:
    """Minute by minute over two days: the side of *minute* that the clock is on changes at no other time."""
    place = ZoneInfo(name)
    start = round((when.replace(second=0, microsecond=0, tzinfo=UTC)).timestamp()) * SECOND
    found = set(times_shown((0, minute * 60), place, start, start + 2 * DAY))
    sides = [local_seconds(start + n * MINUTE, place) >= minute * 60 for n in range(2 * 1440 + 1)]
    changed = {start + n * MINUTE for n in range(1, len(sides)) if sides[n] != sides[n - 1]}
    assert changed <= found


def test_names_as_apps_write_them() -> None:
    """Loop writes ETC/GMT+3."""
    assert zone("ETC/GMT+3").utcoffset(datetime(2026, 1, 1)) == timedelta(hours=-3)
    for name in ("", "Europe", "../etc/passwd", "/etc/passwd", "Mars/Base", "a\0b"):
        with pytest.raises(BadInput):
            zone(name)


def test_the_clock_of_lord_howe_jumps_by_half_an_hour() -> None:
    """02:00 becomes 02:30 there, so what is due at 02:15 is due at the jump."""
    place = ZoneInfo("Australia/Lord_Howe")
    start = time_of("2026-10-03T12:00Z")
    assert time_of("2026-10-03T15:30Z") in set(times_shown((8100,), place, start, start + DAY))
