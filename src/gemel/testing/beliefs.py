"""Beliefs compared to the last bit."""

from __future__ import annotations

import numpy as np

from gemel.dynamics import Belief


def same(a: Belief, b: Belief) -> bool:
    """Return whether two beliefs are about the same subjects at the same times and hold the same bits."""
    return (
        a.values.keys() == b.values.keys()
        and a.subjects == b.subjects
        and np.array_equal(a.at, b.at)
        and all(np.asarray(a.values[n]).tobytes() == np.asarray(b.values[n]).tobytes() for n in a.values)
    )
