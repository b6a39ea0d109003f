"""Statistics of readings that were thinned: mergeable without loss, so that a day's are the same by whichever way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from gemel.facts import Fact, Time
from gemel.thread import Light

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

SUMMARISED = "summarised/1"


class Part(NamedTuple):
    """What readings were from `first_at` to `last_at`: `at` is their mean time, `sd` their spread (about the mean, by n).

    `key` is that of the reading where there is but one, so that it is the same reading to whoever folds it.
    """

    start: Time
    n: int
    mean: float
    sd: float
    low: float
    high: float
    first: float
    last: float
    first_at: Time
    last_at: Time
    at: Time
    key: str | None = None


COLUMNS = Part._fields


def part_of(fact: Fact) -> Part:
    """Return one reading as statistics of itself."""
    value, at = float(fact.body["value"]), fact.true_at
    return Part(at, 1, value, 0.0, value, value, value, value, at, at, at, str(fact.body["key"]))


def parts_in(fact: Fact | Light) -> Iterator[Part]:
    """Yield the statistics that a fact `summarised/1` holds."""
    places = [fact.body["columns"].index(name) for name in COLUMNS]
    for row in fact.body["rows"]:
        yield Part(*(row[place] for place in places))


def merged(parts: Iterable[Part], width: Time) -> list[Part]:
    """Return the statistics of spans of *width* ms, in order of time; spans begin at whole multiples in UTC."""
    spans: dict[Time, list[Part]] = {}
    for part in parts:
        spans.setdefault(part.first_at // width * width, []).append(part)
    return [_together(start, sorted(spans[start], key=lambda part: part.first_at)) for start in sorted(spans)]


def _together(start: Time, parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]._replace(start=start)
    n = sum(part.n for part in parts)
    mean = sum(part.n * part.mean for part in parts) / n
    spread = sum(part.n * (part.sd**2 + (part.mean - mean) ** 2) for part in parts)
    latest = max(parts, key=lambda part: part.last_at)
    return Part(
        start, n, mean, sqrt(spread / n), min(part.low for part in parts), max(part.high for part in parts),
        parts[0].first, latest.last, parts[0].first_at, latest.last_at,
        round(sum(part.n * part.at for part in parts) / n),
    )  # fmt: skip


def statistics(twin: Twin, signal: str, width: Time, since: Time, until: Time) -> list[Part]:
    """Return what a signal was over spans of *width* ms from *since* to *until*, thinned or not.

    Where only coarser statistics are left, a span that holds their beginning has all of it.
    """
    twin.bank.gate.require(twin.actor, "read", twin.id, signal, twin.purpose)
    found: list[Part] = []
    replica = twin.bank.replica(twin.id)
    for fact in twin.bank.thread.read(twin.id, kinds=["observed/1", SUMMARISED]):
        if fact.body.get("name") != signal:
            continue
        if fact.kind == SUMMARISED:
            found += parts_in(fact)
        elif replica.standing(str(fact.body["key"])) == fact.seq:
            found.append(part_of(fact))
    return merged((part for part in found if since <= part.first_at < until), width)
