"""Clock: seconds of open time between moments, for times that stand still while nobody is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import Time
from gemel.process.calendar import Calendar


@dataclass(frozen=True)
class OpenTime:
    """When a calendar changes (n,) ms, to how many (n,), and how many ms were open before each change (n,)."""

    edges: np.ndarray
    counts: np.ndarray
    before: np.ndarray

    @staticmethod
    def of(calendar: Calendar, since: Time, until: Time) -> OpenTime:
        """Return the open time of a calendar within a span."""
        edges, counts = calendar.steps(since, until)
        open_ = (counts[:-1] > 0) * np.diff(edges)
        return OpenTime(edges, counts, np.concatenate([[0], np.cumsum(open_)]))

    def units(self, at: np.ndarray) -> np.ndarray:
        """Return how many are there at moments (m,)."""
        found: np.ndarray = self.counts[self._place(at)]
        return found

    def passed(self, at: np.ndarray) -> np.ndarray:
        """Return how many ms were open until moments (m,)."""
        place = self._place(at)
        found: np.ndarray = self.before[place] + (self.counts[place] > 0) * (at - self.edges[place])
        return found

    def closures(self, at: np.ndarray) -> np.ndarray:
        """Return how many times it had closed until moments (m,)."""
        shut = np.cumsum((self.counts == 0) & (np.concatenate([[1], self.counts[:-1]]) > 0))
        found: np.ndarray = shut[self._place(at)]
        return found

    def _place(self, at: np.ndarray) -> np.ndarray:
        return np.maximum(np.searchsorted(self.edges, at, "right") - 1, 0)
