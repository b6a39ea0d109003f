"""Times as logs tell them: with an offset, or as a wall clock showed them; what is no time of a service is untold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from gemel.errors import BadInput
from gemel.facts import MINUTE, Time
from gemel.packs.service.log import MISSING
from gemel.packs.service.logs.repairs import Repairs

FIRST_YEAR, END_YEAR = 1950, 2200
"""Years of which a log may speak; 0001, 1900 and 9999 stand for "none" in many systems."""

EARLIEST, LATEST = (round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (FIRST_YEAR, END_YEAR))
NAIVE = 32767
"""In place of an offset in minutes: the time was told without one."""
UNREAD: Time = MISSING - 1
"""In place of a time: the text is none."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 naive times are counted from a naive epoch
_UNTOLD = {"", "na", "nan", "nat", "null", "none", "-", "n/a"}
_COMMON = (
    "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip
_TAIL = re.compile(r"\s*(UTC|GMT)$")


def zone_of(name: str) -> ZoneInfo:
    """Return the IANA time zone of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"unknown time zone {name[:60]!r}; name one like 'Europe/Madrid'", field="zone") from None


def moment(text: str) -> tuple[Time, int]:
    """Return the ms that *text* (ISO 8601, or ms since 1970) tells, and its offset in minutes or `NAIVE`.

    Naive times are ms since 1970 on the wall clock. `MISSING` stands for no text, `UNREAD` for one that is no time.
    """
    plain = text.strip()
    try:
        when = datetime.fromisoformat(plain)
    except ValueError:
        return _other(plain)
    offset = when.utcoffset()
    since = (when.replace(tzinfo=None) - _EPOCH) // timedelta(milliseconds=1)
    if offset is None:
        return since, NAIVE
    minutes = round(offset.total_seconds() / 60)
    return since - minutes * MINUTE, minutes


def _other(plain: str) -> tuple[Time, int]:
    if plain.lower() in _UNTOLD:
        return MISSING, NAIVE
    if plain.isdecimal() and 11 <= len(plain) <= 14:
        return int(plain), 0
    shorter = _TAIL.sub("", plain)
    if shorter != plain:
        since, offset = moment(shorter)
        return (since, 0) if offset == NAIVE and since != MISSING else (UNREAD, 0)
    for form in ("%Y/%m/%d %H:%M:%S.%f", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M"):
        try:
            return (datetime.strptime(plain, form) - _EPOCH) // timedelta(milliseconds=1), NAIVE  # noqa: DTZ007
        except ValueError:
            continue
    return UNREAD, 0


def settle(
    at: np.ndarray, offset: np.ndarray, line: np.ndarray, zone: str | None, repairs: Repairs, field: str
) -> np.ndarray:
    """Return the times (n,) as ms UTC: naive ones read in *zone*, those of absurd years untold; all told in *repairs*."""
    told = at > UNREAD + 1
    unread = np.flatnonzero(at == UNREAD)
    if len(unread):
        problem = "is no time; write ISO 8601, such as 2026-11-20T08:00:00+01:00"
        raise BadInput(problem, file=repairs.file, row=int(line[unread[0]]), field=field)
    naive = told & (offset == NAIVE)
    if zone is None and naive.any() and not naive[told].all():
        first = int(line[np.flatnonzero(naive)[0]])
        problem = "has a time without a zone among others with one; say zone='Europe/Madrid' or the like"
        raise BadInput(problem, file=repairs.file, row=first, field=field)
    absurd = told & ((at < EARLIEST) | (at >= LATEST))
    if absurd.any():
        text = f"a time outside the years {FIRST_YEAR} to {END_YEAR - 1} in {field!r}: taken as untold"
        repairs.note(text, int(absurd.sum()), int(line[np.flatnonzero(absurd)[0]]))
    naive &= ~absurd
    done = np.where(absurd, MISSING, at)
    if naive.any() and zone is None:
        repairs.note("times without a zone: read as UTC", int(naive.sum()), int(line[np.flatnonzero(naive)[0]]))
    elif naive.any() and zone is not None:
        done[naive] = _local(at[naive], line[naive], zone_of(zone), repairs)
    return done


def _local(shown: np.ndarray, line: np.ndarray, zone: ZoneInfo, repairs: Repairs) -> np.ndarray:
    """Return what wall clocks in *zone* showed as ms UTC; worked out once per hour shown, as offsets last that long.

    An hour that comes twice is taken as the first; a time that the clocks skipped is read by the offset before.
    """
    quarters, place = np.unique(shown // (15 * MINUTE), return_inverse=True)
    before, after = (np.empty(len(quarters), np.int64) for _ in range(2))
    for i, quarter in enumerate(quarters.tolist()):
        local = _EPOCH + timedelta(minutes=15 * quarter)
        first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
        before[i], after[i] = first / timedelta(milliseconds=1), second / timedelta(milliseconds=1)
    for which, text in ((before < after, "skipped"), (before > after, "showed twice")):
        hit = np.flatnonzero(which[place])
        if len(hit):
            how = "moved on by the gap" if text == "skipped" else "taken as the first"
            repairs.note(f"a local time that the clocks {text}: {how}", len(hit), int(line[hit[0]]))
    found: np.ndarray = shown - before[place]
    return found


def zone_found(at: np.ndarray, offset: np.ndarray) -> str:
    """Return the local time that offsets (n,) minutes at times (n,) betray, UTC where they do not."""
    told = np.flatnonzero((at != MISSING) & (offset != NAIVE))
    if not len(told):
        return "UTC"
    some = told[np.linspace(0, len(told) - 1, min(len(told), 2000)).astype(np.int64)]
    pairs = set(zip((at[some] // (15 * MINUTE)).tolist(), offset[some].tolist(), strict=True))
    if len({minutes for _, minutes in pairs}) == 1:
        return _fixed(next(iter(pairs))[1])
    for name in _COMMON:
        if all(_offset(quarter, name) == minutes for quarter, minutes in pairs):
            return name
    return "UTC"


def _fixed(minutes: int) -> str:
    """Return the zone that never changes its clocks; its names count westwards."""
    return "UTC" if minutes == 0 or minutes % 60 else f"Etc/GMT{-minutes // 60:+d}"


def _offset(quarter: int, name: str) -> int:
    when = datetime.fromtimestamp(quarter * 900, ZoneInfo(name)).utcoffset() or timedelta()
    return round(when.total_seconds() / 60)
