"""Posterior predictive checks: would a person like the draws have had readings like those on record?

Draws of the person live the days that were learned from once more, under the same doses and meals, with each day's own unknowns,
drift and errors drawn anew (mixed replicates: Gelman, Meng & Stern 1996). What a sensor would show of that is compared with what
it showed, by figures that the fit does not aim at. A p near 0 or 1 says that the draws are not like the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import DAY
from gemel.packs.diabetes.personal.days import CELLS, Day
from gemel.packs.diabetes.personal.double import double
from gemel.packs.diabetes.personal.equations import CELL
from gemel.packs.diabetes.personal.fit import P, Q, replays, stacked
from gemel.packs.diabetes.personal.twin import Personal, walk

LIVED, DAYS = 100, 7
"""Draws that live the last days once more, and how many days."""

SHOWS = (40.0, 400.0)
"""mg/dL that sensors show."""

UNLIKE = 0.025
"""A p nearer to 0 or 1 is said to be unlike the record."""

FIGURES: dict[str, tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = {
    "in_range": ("time in 70 to 180", "%", lambda g: 100.0 * ((g >= 70) & (g <= 180)).mean(axis=-1)),
    "lowest": ("lowest of a day", "mg/dL", lambda g: g.min(axis=-1)),
    "highest": ("highest of a day", "mg/dL", lambda g: g.max(axis=-1)),
}
"""Figures of one day's readings (…, n), by name: what they are called, and their unit."""


@double
def predictive(personal: Personal, days: Sequence[Day], seed: Seed) -> dict[str, Any]:
    """Return the share of readings within the draws' 90 %, and for each figure, in the mean over the last days, what was
    `observed`, `from` and `to` where 90 % of the draws have it, and the share `p` of draws that have more."""
    days = [day for day in days if np.isfinite(day.glucose).any()][-DAYS:]
    if not days:
        return {}
    seen = [np.isfinite(day.glucose) for day in days]
    lived = [_lived(personal, day, seed)[:, read] for day, read in zip(days, seen, strict=True)]
    read = [np.clip(day.glucose[there], *SHOWS) for day, there in zip(days, seen, strict=True)]
    return {
        "days": len(days), "draws": LIVED, "within90": round(float(np.mean(np.concatenate(list(map(_held, lived, read))))), 3),
        **{name: _compared(of, lived, read) for name, (_, _, of) in FIGURES.items()},
    }  # fmt: skip


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return the checks as lines of text."""
    if not found:
        return []
    head = f"posterior predictive checks, {found['draws']} draws living the last {found['days']} days once more:"
    each = [_line(what, unit, found[name]) for name, (what, unit, _) in FIGURES.items()]
    return ["", head, f"  {'readings within their 90 %':32}{found['within90']:.0%}", *each]


def _line(what: str, unit: str, one: Mapping[str, float]) -> str:
    apart = min(one["p"], 1.0 - one["p"]) < UNLIKE
    told = f"{one['observed']:.0f} {unit}; draws {one['from']:.0f} to {one['to']:.0f}, p {one['p']:.2f}"
    return f"  {what:32}{told}{': the draws are unlike the record' if apart else ''}"


def _lived(personal: Personal, day: Day, seed: Seed) -> np.ndarray:
    """Return what a sensor shows (draw, cell + 1) mg/dL of a day that draws of the person live."""
    rng = np.random.default_rng([seed, 6, day.at // 1000])
    gone = max(round((personal.at - day.at) / DAY), 0)
    person = _person(personal, rng) + np.sqrt(gone) * walk() * rng.standard_normal((LIVED, P))
    said = replays(person, rng.standard_normal((LIVED, Q)), stacked([day]))
    root = np.linalg.cholesky(personal.noise.covariance(CELL * np.arange(CELLS + 1)))
    return np.asarray(np.clip(said + rng.standard_normal((LIVED, CELLS + 1)) @ root.T, *SHOWS))


def _person(personal: Personal, rng: np.random.Generator) -> np.ndarray:
    """Return draws (LIVED, P) of the person on the last day; where those kept are doubted, of the Gaussian that is carried on."""
    if not personal.doubts():
        return np.asarray(personal.draws[np.linspace(0, len(personal.draws) - 1, LIVED).round().astype(int)])
    root = np.linalg.cholesky(np.linalg.inv(personal.posterior.precision))
    return np.asarray(personal.posterior.mean + rng.standard_normal((LIVED, P)) @ root.T)


def _held(lived: np.ndarray, read: np.ndarray) -> np.ndarray:
    low, high = np.percentile(lived, [5, 95], axis=0)
    return np.asarray((read >= low) & (read <= high))


def _compared(
    of: Callable[[np.ndarray], np.ndarray], lived: Sequence[np.ndarray], read: Sequence[np.ndarray]
) -> dict[str, float]:
    draws, observed = np.mean([of(day) for day in lived], axis=0), float(np.mean([of(day) for day in read]))
    low, high = np.percentile(draws, [5, 95])
    p = float((draws > observed).mean() + 0.5 * (draws == observed).mean())
    return {"observed": round(observed, 1), "from": round(float(low), 1), "to": round(float(high), 1), "p": round(p, 3)}
