"""Features: what was known of a case, and of the whole service, at the moment of each event, as numbers for trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from gemel.facts import DAY, HOUR
from gemel.packs.service.foresee.prefix import told
from gemel.packs.service.log import Column, Log, Names

MOST_KINDS = {10_000: 60, 1 << 62: 250}
"""With fewer rows than this to learn from, so many names of a column are told apart; rarer ones are one."""

MOST_COUNTED = 20
"""How many activities are counted in each case: the most frequent ones."""

RARE = 10

LOAD = ("inside", "events.hour", "events.day", "arrivals.day")
"""Features of the whole service rather than of the case."""


@dataclass(frozen=True)
class Table:
    """Features of rows: numbers `x` (row, feature), NaN where unknown; `kinds` says which columns are codes of names."""

    names: tuple[str, ...]
    kinds: np.ndarray
    x: np.ndarray

    def without(self, dropped: tuple[str, ...]) -> Table:
        """Return the table without some columns."""
        kept = [place for place, name in enumerate(self.names) if name not in dropped]
        return Table(tuple(self.names[place] for place in kept), self.kinds[kept], self.x[:, kept])


@dataclass
class Encoder:
    """Which names are told apart, as rows to learn from have them; `left_out` says which columns are not used, and why."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    final: frozenset[str] = frozenset()
    """Activities after which a case is taken to be over, to count who is inside."""
    silence: float = float("inf")
    """Milliseconds of silence after which a case is taken to be gone, to count who is inside."""
    left_out: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def fit(log: Log, rows: np.ndarray) -> Encoder:
        """Return an encoder that knows what *rows* of a log, in order, tell."""
        columns, left_out = _columns(log), {}
        names: dict[str, tuple[str, ...]] = {}
        numbers: list[str] = []
        for name, (column, per_case) in columns.items():
            problem = _problem(log, column, len(log.cases) if per_case else len(log))
            if problem:
                left_out[name] = problem
            elif isinstance(column, Names):
                names[name] = _frequent(column, log.case.codes[rows].astype(np.int64) if per_case else rows)
            else:
                numbers.append(name)
        final, silence = _ends(log, rows)
        return Encoder(names, tuple(numbers), final, silence, left_out)

    def encode(self, log: Log) -> Table:
        """Return the features of all rows of a log in order; each row's use only what was known by then."""
        codes = self._codes(log)
        counts = _counts(log, codes["activity"], min(len(self.names["activity"]), MOST_COUNTED))
        kinds = {name: np.where(code < 0, np.nan, code) for name, code in codes.items()}
        kinds["before"] = np.where(_position(log) > 1, np.r_[np.nan, kinds["activity"][:-1]], np.nan)
        columns = _columns(log)
        numbers = {
            name: _values(log, *columns[name]) if name in columns else np.full(len(log), np.nan)
            for name in self.numbers
        }
        plain = {
            **_when(log),
            **self._load(log),
            **{f"times.{i}": column for i, column in enumerate(counts.T)},
            **numbers,
        }
        x = np.stack([*kinds.values(), *plain.values()], axis=1).astype(float)
        return Table((*kinds, *plain), np.arange(x.shape[1]) < len(kinds), x)

    def _codes(self, log: Log) -> dict[str, np.ndarray]:
        columns, found = _columns(log), {}
        for name, known in self.names.items():
            place = {kind: code for code, kind in enumerate(known)}
            column, per_case = columns.get(name, (None, False))
            if not isinstance(column, Names):
                found[name] = np.full(len(log), -1)
                continue
            recode = np.array([*(place.get(kind, -1) for kind in column.names), -1])
            codes = recode[column.codes]
            found[name] = codes[log.case.codes] if per_case else codes
        return found

    def _load(self, log: Log) -> dict[str, np.ndarray]:
        """Return how busy the service was at each row, by what could be seen then."""
        at, every = told(log), np.sort(told(log))
        begins = np.sort(at[log.bounds()[:-1]])
        goes = np.sort(self._goes(log, at))

        def since(times: np.ndarray, span: int) -> np.ndarray:
            return np.searchsorted(times, at, "right") - np.searchsorted(times, at - span, "right")

        comes = np.sort(at)
        return {
            "inside": np.searchsorted(comes, at, "right") - np.searchsorted(goes, at, "right"),
            "events.hour": since(every, HOUR), "events.day": since(every, DAY), "arrivals.day": since(begins, DAY),
        }  # fmt: skip

    def _goes(self, log: Log, at: np.ndarray) -> np.ndarray:
        """Return when each row stopped to say that its case is inside: at the next one, at a final one, or after silence."""
        later = np.r_[at[1:], at[-1:]]
        same = np.r_[log.case.codes[1:] == log.case.codes[:-1], False]
        silent = at + (self.silence if np.isfinite(self.silence) else 4e12)
        gone = np.where(same, np.minimum(later, silent), silent)
        last = np.isin(log.activity.codes, [i for i, name in enumerate(log.activity.names) if name in self.final])
        return np.where(last, at, gone)


def _columns(log: Log) -> dict[str, tuple[Column, bool]]:
    """Return all columns by name, and whether they have a row per case."""
    rows: dict[str, tuple[Column, bool]] = {"activity": (log.activity, False), "resource": (log.resource, False)}
    rows |= {f"event.{name}": (column, False) for name, column in sorted(log.attributes.items())}
    return rows | {f"case.{name}": (column, True) for name, column in sorted(log.about.items())}


def _problem(log: Log, column: Column, rows: int) -> str:
    """Return why a column is of no use or says what was not known yet, empty if neither."""
    if isinstance(column, Names):
        several = len(column.names) > 1 or column is log.activity
        if not several:
            return "always the same"
        return "nearly unique" if rows >= 50 and len(column.names) > rows / 4 else ""
    values = column[np.isfinite(column)]
    if not len(values):
        return "empty"
    first, last = float(told(log).min()), float(told(log).max())
    year = 366.0 * DAY
    between = (values > first - year) & (values < last + year)
    return "a time, perhaps of what was still to come" if between.mean() > 0.5 else ""


def _frequent(column: Names, rows: np.ndarray) -> tuple[str, ...]:
    counts = np.bincount(column.codes[rows][column.codes[rows] >= 0], minlength=len(column.names))
    most = next(most for bound, most in MOST_KINDS.items() if len(rows) < bound)
    order = np.argsort(-counts, kind="stable")[:most]
    least = min(RARE, max(int(counts.max(initial=0)) // 2, 1))
    return tuple(column.names[code] for code in order.tolist() if counts[code] >= least)


def _ends(log: Log, rows: np.ndarray) -> tuple[frozenset[str], float]:
    """Return the activities that mostly end cases, and the 99th percentile (ms) of the time between events."""
    last = np.r_[log.case.codes[1:] != log.case.codes[:-1], True][rows]
    codes = log.activity.codes[rows]
    final = [
        name
        for code, name in enumerate(log.activity.names)
        if (codes == code).any() and last[codes == code].mean() > 0.5
    ]
    at = told(log)
    gaps = np.r_[np.diff(at), 0][rows][~last]
    return frozenset(final), float(np.quantile(gaps, 0.99)) if len(gaps) else float("inf")


def _position(log: Log) -> np.ndarray:
    found: np.ndarray = np.arange(len(log)) - log.bounds()[log.case.codes] + 1
    return found


def _counts(log: Log, codes: np.ndarray, kinds: int) -> np.ndarray:
    """Return how often each known activity was done in the case by each row (row, kind)."""
    done = np.zeros((len(log) + 1, kinds), np.int32)
    known = np.flatnonzero((codes >= 0) & (codes < kinds))
    done[known + 1, codes[known]] = 1
    total = np.cumsum(done, axis=0)
    found: np.ndarray = total[1:] - total[log.bounds()[log.case.codes]]
    return found


def _when(log: Log) -> dict[str, np.ndarray]:
    at, first = told(log), log.bounds()[log.case.codes]
    position = _position(log)
    gap = np.where(position > 1, np.r_[0, np.diff(at)], 0)
    local = _local(at, log.zone)
    return {
        "length": position, "elapsed": (at - at[first]) / 1000, "gap": gap / 1000,
        "hour": local / HOUR % 24, "weekday": (local // DAY + 3) % 7,
    }  # fmt: skip


def _local(at: np.ndarray, zone: str) -> np.ndarray:
    """Return local times: the offset is looked up once per day."""
    from datetime import datetime

    days, place = np.unique(at // DAY, return_inverse=True)
    offsets = [datetime.fromtimestamp(day * DAY / 1000, ZoneInfo(zone)).utcoffset() for day in days.tolist()]
    shift = np.array([offset.total_seconds() * 1000 if offset else 0.0 for offset in offsets])
    return np.asarray(at + shift[place.ravel()], float)


def _values(log: Log, column: Column, per_case: bool) -> np.ndarray:
    if isinstance(column, Names):
        return np.full(len(log), np.nan)
    return column[log.case.codes] if per_case else column
