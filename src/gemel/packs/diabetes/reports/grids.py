"""Error grids: what a wrong glucose value would have led to, zone by zone, from A (no effect) to E (dangerous).

Clarke et al. 1987 (10.2337/diacare.10.5.622), in the form since computed; the consensus grid of Parkes et al.
2000 (10.2337/diacare.23.8.1143) for type 1 diabetes, with the vertices of Pfützner et al. 2013 (10.1177/193229681300700517). Both
were made for blood glucose meters; forecasts are held against them by custom, not by design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gemel.errors import BadInput

ZONES = "ABCDE"

Name = Literal["clarke", "parkes"]

UPPER = {
    "B": ((0, 50), (30, 50), (140, 170), (280, 380), (430, 550)),
    "C": ((0, 60), (30, 60), (50, 80), (70, 110), (260, 550)),
    "D": ((0, 100), (25, 100), (50, 125), (80, 215), (125, 550)),
    "E": ((0, 150), (35, 155), (50, 550)),
}
"""Above each of these lines, in mg/dL of reference and test, begins the zone that it is named for (Pfützner 2013)."""

LOWER = {
    "B": ((50, 0), (50, 30), (170, 145), (385, 300), (550, 450)),
    "C": ((120, 0), (120, 30), (260, 130), (550, 250)),
    "D": ((250, 0), (250, 40), (550, 150)),
}
"""Below, or to the right of, each of these lines begins the zone that it is named for; there is no lower E."""


@dataclass(frozen=True)
class Shares:
    """How many pairs there are, and the share of them in each zone."""

    pairs: int
    zones: dict[str, float]

    @property
    def acceptable(self) -> float:
        """Return the share in A or B: no harm."""
        return self.zones["A"] + self.zones["B"]


def clarke(reference: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the zone of each pair in mg/dL as an index into `ZONES`."""
    r, t = _pairs(reference, test)
    a = (np.abs(t - r) <= 0.2 * r) | ((r < 70.0) & (t < 70.0))
    e = ((r <= 70.0) & (t >= 180.0)) | ((r >= 180.0) & (t <= 70.0))
    c = ((r >= 70.0) & (t > r + 110.0)) | ((r >= 130.0) & (r <= 180.0) & (t < 1.4 * (r - 130.0)))
    d = ((r < 70.0) | (r > 240.0)) & (t >= 70.0) & (t <= 180.0)
    return np.select([a, e, c, d], [0, 4, 2, 3], 1)


def parkes(reference: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the zone of each pair in mg/dL as an index into `ZONES`, for type 1; a boundary belongs to the better zone.

    Beyond 550 mg/dL the last pieces of the lines go on straight.
    """
    r, t = _pairs(reference, test)
    zone = np.zeros(len(r), int)
    for k, name in enumerate(ZONES[1:], 1):
        zone[t > _height(UPPER[name], r)] = k
        if name in LOWER:
            zone[t < _depth(LOWER[name], r)] = k
    return zone


def shares(zones: np.ndarray) -> Shares:
    """Return how zones are shared out; NaN where there is no pair."""
    count = np.bincount(zones, minlength=len(ZONES))[: len(ZONES)]
    parts = count / len(zones) if len(zones) else np.full(len(ZONES), np.nan)
    return Shares(len(zones), dict(zip(ZONES, map(float, parts), strict=True)))


def _pairs(reference: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r, t = np.asarray(reference, float), np.asarray(test, float)
    if r.shape != t.shape or r.ndim != 1:
        raise BadInput(f"a grid takes pairs: as many reference values as tested ones; found {r.shape} and {t.shape}")
    if not (np.isfinite(r).all() and np.isfinite(t).all()) or (r <= 0).any() or (t < 0).any():
        raise BadInput("a grid takes finite glucose: the reference above 0, the tested value not below 0")
    return r, t


def _height(points: tuple[tuple[int, int], ...], r: np.ndarray) -> np.ndarray:
    """Return how high an upper line is at *r*."""
    x, y = np.array(points, float).T
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return np.asarray(np.where(r > x[-1], y[-1] + slope * (r - x[-1]), np.interp(r, x, y)))


def _depth(points: tuple[tuple[int, int], ...], r: np.ndarray) -> np.ndarray:
    """Return how high a lower line is at *r*; to the left of its upright beginning nothing is below it."""
    x, y = np.array(points[1:], float).T
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    inside = np.where(r > x[-1], y[-1] + slope * (r - x[-1]), np.interp(r, x, y))
    return np.asarray(np.where(r > x[0], inside, -np.inf))
