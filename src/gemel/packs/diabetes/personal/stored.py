"""A personal twin as JSON types, to keep as a fact, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from gemel.packs.diabetes.personal.evidence import Foretold
from gemel.packs.diabetes.personal.fit import Gaussian
from gemel.packs.diabetes.personal.noise import Noise
from gemel.packs.diabetes.personal.twin import Personal

KEPT = 28
"""Foretold days that are kept: trust is learned from those."""


def body(personal: Personal) -> dict[str, Any]:
    """Return a twin as JSON types, about 5 kB for a day foretold and 60 kB for its draws; None where nothing was read."""
    return {
        "at": personal.at, "mean": _short(personal.posterior.mean, 6), "covariance": _short(_covariance(personal), 9),
        "draws": _short(personal.draws, 4), "noise": asdict(personal.noise), "told": dict(personal.told),
        "days": [
            {"at": d.at, "said": _short(d.said, 1), "read": _short(d.read, 1), "doses": _short(d.doses, 3), "hour": d.hour}
            for d in personal.days[-KEPT:]
        ],
    }  # fmt: skip


def from_body(stored: Mapping[str, Any]) -> Personal:
    """Return the twin that was kept."""
    days = tuple(map(_day, stored["days"]))
    gaussian = Gaussian(_array(stored["mean"]), np.linalg.inv(_array(stored["covariance"])))
    noise = Noise(**stored["noise"])
    return Personal(stored["at"], gaussian, _array(stored["draws"]), noise, days, dict(stored["told"]))


def _day(kept: Mapping[str, Any]) -> Foretold:
    found = Foretold(kept["at"], _array(kept["said"]), _array(kept["read"]))
    return replace(found, doses=_array(kept["doses"]), hour=float(kept["hour"])) if "doses" in kept else found


def _covariance(personal: Personal) -> np.ndarray:
    return np.linalg.inv(personal.posterior.precision)


def _short(values: np.ndarray, digits: int) -> Any:
    found = np.round(values, digits).astype(object)
    found[~np.isfinite(values)] = None
    return found.tolist()


def _array(values: Any) -> np.ndarray:
    return np.array(values, dtype=float)
