"""Log: what was done for whom, by whom, when: one row per activity performed, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from gemel.dynamics import Event
from gemel.facts import Time

INSTANCE = "concept:instance"
"""The attribute of an event that says which of several alike it belongs to."""

ZONE = "gemel:zone"
"""The attribute of a whole log that tells its local time."""

MISSING: Time = -(1 << 62)
"""A time that was not told."""


@dataclass(frozen=True)
class Names:
    """A column of names: `codes` (n,) int32 into `names`, -1 where there is none."""

    codes: np.ndarray
    names: tuple[str, ...]

    def at(self, row: int) -> str:
        """Return the name in one row, empty where there is none."""
        code = int(self.codes[row])
        return self.names[code] if code >= 0 else ""

    def take(self, rows: np.ndarray) -> Names:
        """Return the column of some rows."""
        return replace(self, codes=self.codes[rows])

    @staticmethod
    def of(words: Iterable[str]) -> Names:
        """Return the column of words, empty where there is none."""
        known: dict[str, int] = {}
        codes = [known.setdefault(word, len(known)) if word else -1 for word in words]
        return Names(np.array(codes, np.int32), tuple(known))

    def words(self) -> list[str]:
        """Return the name in each row, empty where there is none."""
        names = [*self.names, ""]
        return [names[code] for code in self.codes.tolist()]


Column = Names | np.ndarray
"""Attributes: names, or numbers (n,) float64 with NaN where there is none."""


@dataclass(frozen=True)
class Log:
    """Activities performed, ordered by case (in order of first event) and start; times (n,) int64 ms, `MISSING` where untold.

    `queued` is when the case became ready for it, `start` when work began, `end` when it was over. A log that only tells
    ends has `start` MISSING throughout: `timed` says whether work can be told from waiting. `attributes` are per row,
    `about` per case (index as in `cases.names`). `zone` is the local time of the service, if it was told or found.
    """

    case: Names
    activity: Names
    resource: Names
    queued: np.ndarray
    start: np.ndarray
    end: np.ndarray
    abandoned: np.ndarray
    """(n,) bool: the customer gave up waiting for it at `end`."""
    attributes: Mapping[str, Column] = field(default_factory=dict)
    about: Mapping[str, Column] = field(default_factory=dict)
    zone: str = "UTC"

    def __len__(self) -> int:
        return len(self.start)

    @property
    def cases(self) -> tuple[str, ...]:
        """Return the ids of all cases."""
        return self.case.names

    @property
    def timed(self) -> bool:
        """Return whether most rows tell when work began."""
        return bool(len(self) and np.mean(self.start != MISSING) > 0.5)

    @property
    def first(self) -> np.ndarray:
        """Return for each row the earliest time that it tells (n,)."""
        told = np.stack([self.queued, self.start, self.end])
        found: np.ndarray = np.where(told == MISSING, np.iinfo(np.int64).max, told).min(axis=0)
        return found

    def bounds(self) -> np.ndarray:
        """Return where the rows of each case begin (cases + 1,)."""
        return np.searchsorted(self.case.codes, np.arange(len(self.cases) + 1))

    def traces(self) -> Iterator[np.ndarray]:
        """Yield the activity codes of each case, in order."""
        for first, last in pairwise(self.bounds()):
            yield self.activity.codes[first:last]

    def events(self) -> Iterator[Event]:
        """Yield what happened, in order of time: what is known of a case when it begins; rows queued, started, then over.

        A row's attributes go with the last that it tells. `concept:instance` numbers the rows of a case, so that each
        event finds its own; `Log.from_events` gives the same log again.
        """
        cases, activities, resources = self.case.words(), self.activity.words(), self.resource.words()
        number = (np.arange(len(self)) - self.bounds()[self.case.codes]).tolist()
        about, said = rows_of(self.about, len(self.cases)), rows_of(self.attributes, len(self))
        known = set[str]()
        for at, row, phase, last in _moments(self):
            if cases[row] not in known:
                known.add(cases[row])
                if about[self.case.codes[row]]:
                    yield Event(cases[row], "noted", at, attributes=about[self.case.codes[row]])
            attributes = {INSTANCE: str(number[row]), **(said[row] if last else {})}
            yield Event(cases[row], phase, at, activities[row], resources[row], attributes)

    @staticmethod
    def from_events(events: Iterable[Event], zone: str = "UTC") -> Log:
        """Return the log of events in any order; those that name no activity say what is known of their case."""
        from gemel.packs.service.logs.events import from_events  # builds on this module

        return from_events(events, zone)

    def only(self, chosen: np.ndarray) -> Log:
        """Return the log of some cases: *chosen* (cases,) bool."""
        rows = np.flatnonzero(chosen[self.case.codes])
        place = np.cumsum(chosen) - 1
        kept = tuple(name for name, keep in zip(self.cases, chosen.tolist(), strict=True) if keep)
        return replace(
            self, case=Names(place[self.case.codes[rows]].astype(np.int32), kept), activity=self.activity.take(rows),
            resource=self.resource.take(rows), queued=self.queued[rows], start=self.start[rows], end=self.end[rows],
            abandoned=self.abandoned[rows], attributes={name: _taken(col, rows) for name, col in self.attributes.items()},
            about={name: _taken(col, np.flatnonzero(chosen)) for name, col in self.about.items()},
        )  # fmt: skip


def _taken(column: Column, rows: np.ndarray) -> Column:
    return column.take(rows) if isinstance(column, Names) else column[rows]


def rows_of(columns: Mapping[str, Column], rows: int) -> list[dict[str, str | float]]:
    """Return what columns tell, row by row, without what is not told."""
    told: list[dict[str, str | float]] = [{} for _ in range(rows)]
    for name, column in columns.items():
        values = column.words() if isinstance(column, Names) else column.tolist()
        for into, value in zip(told, values, strict=True):
            if value != "" and value == value:  # NaN is not itself
                into[name] = value
    return told


def _moments(log: Log) -> Iterator[tuple[Time, int, str, bool]]:
    """Yield time, row and phase of all that rows tell, in order, and whether it is the last that the row tells."""
    times = np.stack([log.queued, log.start, log.end])
    kind, row = np.nonzero(times != MISSING)
    at, last = times[kind, row], 2 - np.argmax((times != MISSING)[::-1], axis=0)
    for i in np.lexsort((kind, row, at)).tolist():
        one, which = int(row[i]), int(kind[i])
        over = "abandoned" if log.abandoned[one] else "completed"
        yield int(at[i]), one, ("queued", "started", over)[which], which == last[one]
