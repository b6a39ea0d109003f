"""Log: what was done for whom, by whom, when: one row per activity performed, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from gemel.facts import Time

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
