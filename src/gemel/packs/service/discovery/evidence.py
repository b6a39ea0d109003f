"""Evidence: a log in the form that discovery reads: per row what, who, when ready, begun and over; and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gemel.errors import BadInput
from gemel.packs.service.log import MISSING, Log

UNSEEN = "unseen"
"""The pool of whoever serves where the log names nobody."""

SEEN, UNKNOWN = "seen", "unknown"
LONG, MOST = 0.9, 0.5
"""Quantile of how long cases last; one that was active so shortly before the log ends may be
under way, unless that were more than half of all: then the log is too short to tell."""


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
    under_way: np.ndarray
    """(cases,) bool: the log ends before the case does, as far as can be seen."""

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
        """Return when each case came (cases with any time,) ms: the first moment that is told of it."""
        never = np.iinfo(np.int64).max
        found = np.full(len(self.log.cases), never)
        told = self.log.case.codes >= 0
        np.minimum.at(found, self.log.case.codes[told], self.log.first[told])
        known: np.ndarray = found[found != never]
        return known


def evidence_of(log: Log) -> Evidence:
    """Return a log as evidence; rows that tell no time at all are left out, and that is said."""
    timed = log.timed
    begun = _unfinished(log) if timed else np.zeros(len(log), bool)
    start, end = (np.where(a == MISSING, b, a) for a, b in ((log.start, log.end), (log.end, log.start)))
    start = np.where(log.abandoned | (np.logical_not(timed)), end, start)
    told = (start != MISSING) & (end != MISSING)
    usable = told & ~begun & (log.activity.codes >= 0) & (log.case.codes >= 0)
    if not usable.any():
        raise BadInput("the log has no row with an activity and a time: there is nothing to discover")
    rows = np.flatnonzero(usable)
    rows = rows[np.lexsort((end[rows], start[rows], log.case.codes[rows]))]
    found = Evidence(
        log, log.case.codes[rows], log.activity.codes[rows], log.resource.codes[rows], log.queued[rows], start[rows],
        np.maximum(end, start)[rows], log.abandoned[rows], timed, _under_way(log, begun, end),
    )  # fmt: skip
    if lost := int(np.sum(~usable & ~begun)):
        found.unknown("log", f"{lost} of {len(log)} rows tell no time or no activity: left out")
    if begun.any():
        found.seen("log", f"{int(begun.sum())} rows had not ended when the log did: their cases are under way")
    if (end < start)[usable].any():
        found.unknown("log", f"{int((end < start)[usable].sum())} rows end before they start: taken as instant")
    if not timed:
        found.unknown(
            "work", "the log tells only when things were over: work cannot be told from waiting, nor staff sized"
        )
    return found


def _unfinished(log: Log) -> np.ndarray:
    """Return the rows that had not ended, or not begun, when the log did: of activities whose ends are told elsewhere."""
    untold = (log.end == MISSING) & ((log.start != MISSING) | (log.queued != MISSING)) & (log.activity.codes >= 0)
    ends = np.bincount(log.activity.codes[log.end != MISSING].clip(0), minlength=len(log.activity.names) or 1)
    found: np.ndarray = untold & (ends[log.activity.codes] > 0)
    return found


def _under_way(log: Log, begun: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the cases with unfinished rows, and those of which nothing was heard for no longer than others were silent."""
    found = np.zeros(len(log.cases), bool)
    found[log.case.codes[begun]] = True
    last = np.full(len(log.cases), MISSING)
    np.maximum.at(last, log.case.codes, end)
    first = np.full(len(log.cases), np.iinfo(np.int64).max)
    np.minimum.at(first, log.case.codes, log.first)
    lasted = np.quantile((last - first)[last != MISSING], LONG)
    near = (last != MISSING) & (last > last.max() - lasted)
    return found | near if near.mean() < MOST else found
