"""Backtest: forecasts made for the last cases of a log with what was known when they began, beside what is simple.

Two protocols. `known`: only cases that were over when the first test case began are learned from, as a live service would.
As published (PGTNet, doi 10.1007/978-3-031-61057-8_7, and its peers): all cases that began before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gemel.errors import BadInput
from gemel.facts import DAY
from gemel.packs.service.foresee.blend import Blend, Calibration, chosen, coverage
from gemel.packs.service.foresee.learned import Learned
from gemel.packs.service.foresee.prefix import (
    MIDDLE,
    ByPrefix,
    Forecasts,
    Prefixes,
    begun_by,
    mean_by_length,
    prefixes_of,
)  # fmt: skip
from gemel.packs.service.log import Log

BASELINE = "median by length"
SIMPLE = (BASELINE, "median by length and activity")
BOOSTED = ("boosting", "boosting, case only")

MOST_BEYOND = 0.1
"""If more than this share of earlier cases took longer than there was time for later ones, the baseline is kept."""

FEWEST = 40
"""With fewer prefixes than this to choose on, the baseline is kept."""


@dataclass
class Forecaster:
    """Remaining times: the best blend of the medians by prefix and of boosting, with calibrated intervals."""

    seed: int = 0
    blend: Blend = field(default_factory=lambda: Blend({BASELINE: 1.0}))
    calibration: Calibration | None = None
    _models: dict[str, Forecasts] = field(default_factory=dict)

    def fit(self, train: Prefixes, known: bool = True, also: Mapping[str, Forecasts] | None = None) -> Forecaster:
        """Learn from prefixes whose remaining time is known: choose and calibrate on the later of them, then learn from all.

        *also* are other forecasts to choose from, as `Simulated`.
        """
        if not len(train):
            raise BadInput("no case of three events or more is over: there is nothing to learn remaining times from")
        first, later = earlier_and_later(train, known)
        unit = max(float(np.median(train.remained)), 1.0)
        simple: dict[str, Forecasts] = {name: _made(name, self.seed, unit).fit(first) for name in SIMPLE}
        boosted = (
            {name: Learned(name == BOOSTED[0], seed=self.seed, unit=unit).fit(first) for name in BOOSTED}
            if _enough(first, later, known)
            else {}
        )
        if boosted:
            simple |= {name: other.fit(first) for name, other in (also or {}).items()}
        else:
            simple = {BASELINE: simple[BASELINE]}
        points = {name: model.median(later) for name, model in {**simple, **boosted}.items()}
        self.blend = chosen(points, later.remained, later.case, BASELINE)
        used = {name: model for name, model in {**simple, **boosted}.items() if self.blend.weights.get(name)}
        for model in used.values():
            model.widen(first)
        self.calibration = (
            Calibration.fit(
                self._blended(used, later),
                later.remained,
                later.length,
                later.case,
                unit,
                unseen(later) if known else None,
            )
            if len(later)
            else None
        )
        made = {name: (also or {}).get(name) or _made(name, self.seed, unit) for name in used}
        self._models = {name: made[name].fit(train).as_wide_as(model) for name, model in used.items()}
        return self

    def quantiles(self, prefixes: Prefixes) -> np.ndarray:
        """Return the remaining time in seconds at `LEVELS` (prefix, level)."""
        found = self._blended(self._models, prefixes)
        return self.calibration.of(found, prefixes.length) if self.calibration else found

    def _blended(self, models: Mapping[str, Forecasts], prefixes: Prefixes) -> np.ndarray:
        return self.blend.of({name: model.quantiles(prefixes) for name, model in models.items()})


def _made(name: str, seed: int, unit: float) -> Forecasts:
    if name in BOOSTED:
        return Learned(name == BOOSTED[0], seed=seed, unit=unit)
    return ByPrefix(name != BASELINE)


def _enough(first: Prefixes, later: Prefixes, known: bool) -> bool:
    """Return whether the later prefixes can tell which forecast is better: there are enough, over a long enough time.

    What is known to be over within a short time took a short time: it says nothing of what takes longer.
    """
    if min(len(first), len(later)) < FEWEST or not known:
        return min(len(first), len(later)) >= FEWEST
    span = float(later.over.max() - later.at.min()) / 1000
    return bool(np.mean(first.remained > span) < MOST_BEYOND)


def train_and_test(prefixes: Prefixes, share: float, known: bool) -> tuple[Prefixes, Prefixes]:
    """Return prefixes of cases among the first *share* to begin (over by then, if *known*), and those of the rest."""
    cut = begun_by(prefixes, share)
    train = (prefixes.over <= cut) if known else (prefixes.begun < cut)
    return prefixes.only(train), prefixes.only(prefixes.begun >= cut)


def earlier_and_later(train: Prefixes, known: bool, share: float = 0.75) -> tuple[Prefixes, Prefixes]:
    """Split prefixes to choose and to calibrate on the later ones, by the same rule as the test."""
    if not known:
        cut = np.quantile(train.begun, share, method="higher")
        return train.only(train.begun < cut), train.only(train.begun >= cut)
    _, first = np.unique(train.case, return_index=True)
    cut = np.quantile(train.over[first], share, method="lower")
    return train.only(train.over <= cut), train.only((train.over > cut) & (train.at > cut))


def unseen(later: Prefixes) -> np.ndarray:
    """Return how many prefixes each one stands for (prefix,): itself, and those as long that were not over in time to be seen.

    Inverse probability of censoring (Robins and Rotnitzky 1992): one that took long is seen only if it began early enough.
    """
    room = np.sort((later.over.max() - later.at) / 1000) if len(later) else np.zeros(0)
    seen = 1.0 - np.searchsorted(room, later.remained, "left") / max(len(room), 1)
    found: np.ndarray = 1.0 / np.maximum(seen, 0.05)
    return found


@dataclass(frozen=True)
class Tested:
    """What a backtest found: mean absolute errors in days by method, the shares covered, and what was chosen."""

    errors: Mapping[str, float]
    covered: Mapping[str, float]
    blend: Blend
    trained: int
    tested: int


def backtest(log: Log, share: float = 0.8, known: bool = True, seed: int = 0) -> Tested:
    """Return how remaining times of the last cases of a log are foreseen by what was known before."""
    prefixes = prefixes_of(log)
    if not len(prefixes):
        raise BadInput(f"none of {len(log.cases)} cases has three events or more: there is nothing to forecast")
    train, test = train_and_test(prefixes, share, known)
    if not len(train) or not len(test):
        raise BadInput(
            f"{len(train)} prefixes to learn from and {len(test)} to test on, at {share:.0%} of {len(log.cases)} cases"
        )
    model = Forecaster(seed).fit(train, known)
    found = model.quantiles(test)
    points = {
        "ours": found[:, MIDDLE],
        BASELINE: ByPrefix().fit(train).median(test),
        "median by length and activity": ByPrefix(True).fit(train).median(test),
        "mean by length": mean_by_length(train, test),
    }
    errors = {name: float(np.abs(point - test.remained).mean() * 1000 / DAY) for name, point in points.items()}
    return Tested(errors, coverage(found, test.remained), model.blend, len(train), len(test))
