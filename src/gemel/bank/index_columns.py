"""Columns of the index: one number for each twin, in arrays that double when they are full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np

from gemel.dynamics import Array
from gemel.facts import Time

NEVER: Time = -(1 << 63)
"""The time of what never was."""


class Column:
    """One value for each place, *empty* where none was put."""

    def __init__(self, dtype: Any, empty: float) -> None:
        self._held, self._empty = np.full(1024, empty, dtype), empty
        self._each: Any = self._held.data  # single values come out of a memoryview three times as fast

    def __getitem__(self, place: int) -> Any:
        try:
            return self._each[place]
        except IndexError:
            return self._empty

    def __setitem__(self, place: int, value: float) -> None:
        try:
            self._each[place] = value
        except IndexError:
            self._grow(place + 1)
            self._each[place] = value

    def _grow(self, size: int) -> None:
        longer = np.full(max(size, 2 * len(self._held)), self._empty, self._held.dtype)
        longer[: len(self._held)] = self._held
        self._held, self._each = longer, longer.data

    def upto(self, size: int) -> Array:
        """Return the values of the first *size* places; a view, to be read only."""
        if size > len(self._held):
            self._grow(size)
        return self._held[:size]

    @property
    def bytes(self) -> int:
        """Return the memory it takes."""
        return int(self._held.nbytes)


class Latest:
    """The last value of one signal for each twin: of those true last, the largest, so that order of arrival is nothing."""

    def __init__(self) -> None:
        self.values, self.at = Column(np.float64, np.nan), Column(np.int64, NEVER)

    def take(self, place: int, value: float, at: Time) -> None:
        """Take a reading in."""
        held = self.at[place]
        if at > held or (at == held and value > self.values[place]):
            self.values[place], self.at[place] = value, at

    def clear(self, place: int) -> None:
        """Take the value away."""
        self.values[place], self.at[place] = np.nan, NEVER

    @property
    def bytes(self) -> int:
        """Return the memory it takes."""
        return self.values.bytes + self.at.bytes


class Ordered:
    """Places in the order of their names; new ones are merged in when the order is asked for."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._places = np.zeros(0, np.int64)
        self._new: list[tuple[str, int]] = []

    def add(self, name: str, place: int) -> None:
        """Take a new name in."""
        self._new.append((name, place))

    def drop(self, name: str) -> None:
        """Let go of a name."""
        self._merge()
        i = bisect_left(self._names, name)
        if i < len(self._names) and self._names[i] == name:
            del self._names[i]
            self._places = np.delete(self._places, i)

    def places(self, after: str | None = None) -> Array:
        """Return the places in order of name, those up to *after* left out."""
        self._merge()
        start = 0 if after is None else bisect_right(self._names, after)
        return self._places[start:]

    def _merge(self) -> None:
        if not self._new:
            return
        self._new.sort()
        at = [bisect_left(self._names, name) for name, _ in self._new]
        self._places = np.insert(self._places, at, [place for _, place in self._new])
        self._names = sorted([*self._names, *(name for name, _ in self._new)])
        self._new = []

    @property
    def bytes(self) -> int:
        """Return the memory it takes, the names themselves left out."""
        return int(self._places.nbytes) + 8 * len(self._names)
