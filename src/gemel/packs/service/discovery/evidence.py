"""Evidence: a log in the form that discovery reads: per row what, who, when ready, begun and over; and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gemel.errors import BadInput
from gemel.packs.service.log import MISSING, Log

UNSEEN = "unseen"
"""The pool of whoever serves where the log names nobody."""

SEEN, UNKNOWN = "seen", "unknown"


@dataclass(frozen=True)
class Note:
    """Something that the reader of a discovered network should know: `kind` is `seen` or `unknown` (not identified)."""

    kind: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"


@dataclass(frozen=True)
class Evidence:
    """Rows of a log by case and start: codes (n,), times (n,) ms; `told` says whether queueing is told (n,) bool.

    `begin` is when a row is known to occupy its case: queued where told, else started, else over.
    """

    log: Log
    case: np.ndarray
    activity: np.ndarray
    resource: np.ndarray
    queued: np.ndarray
    start: np.ndarray
    end: np.ndarray
    gave_up: np.ndarray
    timed: bool
    notes: list[Note] = field(default_factory=list, compare=False)

    @property
    def told(self) -> np.ndarray:
        """Return which rows tell when they queued (n,) bool."""
        found: np.ndarray = self.queued != MISSING
        return found

    @property
    def begin(self) -> np.ndarray:
        """Return when each row is known to occupy its case (n,) ms."""
        return np.where(self.told, np.minimum(self.queued, self.start), self.start)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of activities."""
        return self.log.activity.names

    def seen(self, about: str, text: str) -> None:
        """Say what was found."""
        self.notes.append(Note(SEEN, about, text))

    def unknown(self, about: str, text: str) -> None:
        """Say what could not be identified, and why."""
        self.notes.append(Note(UNKNOWN, about, text))

    def several_at_once(self, rows: np.ndarray) -> bool:
        """Return whether the names in *rows* are of groups, not of people: one name does different activities at once.

        Then rows that begin and end together tell of no batch.
        """
        others = np.flatnonzero(np.isin(self.resource, np.unique(self.resource[rows])) & ~self.gave_up)
        order = others[np.lexsort((self.start[others], self.resource[others]))]
        same = self.resource[order][1:] == self.resource[order][:-1]
        over = same & (self.start[order][1:] < self.end[order][:-1])
        apart = over & (
            (self.start[order][1:] != self.start[order][:-1]) | (self.end[order][1:] != self.end[order][:-1])
        )
        return bool(same.any() and apart.sum() > 0.1 * same.sum())

    def cases(self) -> list[np.ndarray]:
        """Return the rows of each case."""
        return np.split(np.arange(len(self.case)), np.searchsorted(self.case, np.arange(1, len(self.log.cases))))

    def arrived(self) -> np.ndarray:
        """Return when each case came (cases,) ms: the first moment that is told of it."""
        found = np.full(len(self.log.cases), np.iinfo(np.int64).max)
        np.minimum.at(found, self.case, self.begin)
        return found


def evidence_of(log: Log) -> Evidence:
    """Return a log as evidence; rows that tell no time at all are left out, and that is said."""
    timed = log.timed
    start, end = (np.where(a == MISSING, b, a) for a, b in ((log.start, log.end), (log.end, log.start)))
    start = np.where(log.abandoned | (np.logical_not(timed)), end, start)
    usable = (start != MISSING) & (end != MISSING) & (log.activity.codes >= 0) & (log.case.codes >= 0)
    if not usable.any():
        raise BadInput("the log has no row with an activity and a time: there is nothing to discover")
    rows = np.flatnonzero(usable)
    rows = rows[np.lexsort((end[rows], start[rows], log.case.codes[rows]))]
    found = Evidence(
        log, log.case.codes[rows], log.activity.codes[rows], log.resource.codes[rows], log.queued[rows], start[rows],
        np.maximum(end, start)[rows], log.abandoned[rows], timed,
    )  # fmt: skip
    if len(rows) < len(log):
        found.unknown("log", f"{len(log) - len(rows)} of {len(log)} rows tell no time or no activity: left out")
    if (end < start)[usable].any():
        found.unknown("log", f"{int((end < start)[usable].sum())} rows end before they start: taken as instant")
    if not timed:
        found.unknown(
            "work", "the log tells only when things were over: work cannot be told from waiting, nor staff sized"
        )
    return found


def share(text: Mapping[str, float]) -> str:
    """Return shares in words, largest first."""
    total = sum(text.values()) or 1.0
    return ", ".join(f"{name} {value / total:.0%}" for name, value in sorted(text.items(), key=lambda pair: -pair[1]))
