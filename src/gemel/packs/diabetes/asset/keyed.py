"""Random numbers keyed by (seed, who, purpose, when): asking again, in any order, gives the same draw."""

from __future__ import annotations

import zlib

import numpy as np

from gemel.dynamics import Seed


def keyed(seed: Seed, who: str, purpose: str, when: int = 0) -> np.random.Generator:
    """Return the generator of that key."""
    return np.random.default_rng([seed, zlib.crc32(who.encode()), zlib.crc32(purpose.encode()), when & 0xFFFF_FFFF])
