"""The figures by which services are judged, each with its interval: NPS, CSAT, CES, CLV, FCR, AHT, service level.

Formulas as in Reichheld 2003 (Harvard Business Review 81(12)) for NPS, Dixon, Freeman & Toman 2010 (Harvard Business Review
88(7)) for CES, Gupta & Lehmann 2003 (10.1002/dir.10045) for CLV; the others as call centres use them
(Gans, Koole & Mandelbaum 2003, 10.1287/msom.5.2.79.16071).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.facts import DAY, SECOND
from gemel.packs.service.estimate import Estimate, clustered, distinct, mean, normal, share, told
from gemel.packs.service.log import MISSING, Log, Names

SURVEYS = ("nps", "csat", "ces")
DAYS = 10
"""With at least so many days, days are what varies: waits of one day are alike."""


def nps_of(promoters: float, detractors: float, n: int) -> Estimate:
    """Return the net promoter score, -100 to 100, from the shares of promoters and detractors among *n*."""
    net = promoters - detractors
    error = 100 * float(np.sqrt((promoters + detractors - net**2) / n))
    return normal("nps", 100 * net, error, n, "points")


def nps(scores: np.ndarray) -> Estimate:
    """Return the net promoter score of answers from 0 to 10."""
    found = _scale(scores, "nps", 0, 10)
    return nps_of(float(np.mean(found >= 9)), float(np.mean(found <= 6)), len(found))


def csat(scores: np.ndarray, satisfied: float = 4, top: float = 5) -> Estimate:
    """Return the share of answers, from 1 to *top*, that are *satisfied* or better."""
    found = _scale(scores, "csat", 1, top)
    return share("csat", float(np.sum(found >= satisfied)), len(found))


def ces(scores: np.ndarray) -> Estimate:
    """Return the mean of how easy it was, from 1 to 7; higher is easier."""
    return mean("ces", _scale(scores, "ces", 1, 7), "of 7")


def _scale(scores: np.ndarray, name: str, low: float, high: float) -> np.ndarray:
    found = np.asarray(scores, float).ravel()
    out = np.flatnonzero((found < low) | (found > high))
    if len(out):
        raise BadInput(f"{found[out[0]]:g} is not from {low:g} to {high:g}", row=int(out[0]) + 1, field=name)
    return told(found, name)


def clv_of(margin: float, retention: float, discount: float) -> float:
    """Return m r / (1 + i - r): what a customer is worth who is kept with the same chance each period, from the next on."""
    return margin * retention / (1 + discount - retention)


def clv(margins: np.ndarray, stayed: np.ndarray, discount: float) -> Estimate:
    """Return the mean lifetime value from each customer's margin (n,) of a period and whether she *stayed* (n,).

    The interval is by the delta method over customers, margins and staying taken together.
    """
    margins, kept = np.asarray(margins, float), np.asarray(stayed, float)
    if len(margins) != len(kept) or len(kept) < 2:
        raise BadInput("a margin and a yes or no are needed for each of at least two customers", field="clv")
    m, r = float(margins.mean()), float(kept.mean())
    keeps = r / (1 + discount - r)
    slope = m * (1 + discount) / (1 + discount - r) ** 2
    each = keeps * (margins - m) + slope * (kept - r)
    error = float(np.sqrt(np.sum(each**2) / (len(kept) - 1) / len(kept)))
    return replace(normal("clv", clv_of(m, r, discount), error, len(kept)), unit="per customer")


def fcr(resolved: np.ndarray) -> Estimate:
    """Return the share of contacts resolved at the first (n,) bool."""
    return share("fcr", float(np.sum(resolved)), len(resolved))


def resolved(customers: np.ndarray, at: np.ndarray, within: int = 7 * DAY, until: int | None = None) -> np.ndarray:
    """Return for contacts (n,) as 1, 0 or NaN whether the customer did not come back *within* ms.

    Repeats of an earlier contact are no first contacts, and those too near to *until*, the end of the record, are not known
    yet: both are NaN.
    """
    order = np.lexsort((at, customers))
    who, when = customers[order], at[order]
    last = int(at.max()) if until is None else until
    gap = np.diff(when)
    same = (who[1:] == who[:-1]) & (gap <= within)
    found = np.where(when + within <= last, 1.0, np.nan)
    found[:-1][same] = 0.0
    found[1:][same] = np.nan
    back = np.empty(len(at))
    back[order] = found
    return back


def aht(seconds: np.ndarray) -> Estimate:
    """Return the mean handling time of contacts (n,) s."""
    return mean("aht", seconds, "s")


def service_level(
    waits: np.ndarray, abandoned: np.ndarray, within: float = 20.0, days: np.ndarray | None = None
) -> Estimate:
    """Return the share served within so many seconds of waits (n,) s; who gave up sooner than that is not counted.

    With *days* (n,) the interval is over days, as waits of one day are alike.
    """
    counted = ~(abandoned & (waits <= within)) & np.isfinite(waits)
    hits = (waits <= within) & ~abandoned
    return _shared("service_level", hits[counted], None if days is None else days[counted])


def abandonment(abandoned: np.ndarray, days: np.ndarray | None = None) -> Estimate:
    """Return the share who gave up (n,) bool."""
    return _shared("abandonment", abandoned, days)


def _shared(name: str, hits: np.ndarray, days: np.ndarray | None) -> Estimate:
    if days is not None and len(np.unique(days)) >= DAYS:
        return clustered(name, hits, days)
    return share(name, float(np.sum(hits)), len(hits))


def experience(log: Log, surveys: Mapping[str, str], *, within: float = 20.0, margin: str | None = None,
               stayed: str | None = None, discount: float = 0.1) -> dict[str, Estimate]:  # fmt: skip
    """Return all figures that a log has the columns for: *surveys* names the column of nps, csat, ces.

    Survey columns, *margin* and *stayed* are attributes of rows or of cases; AHT, service level and abandonment come from
    times, and are left out where the log does not tell them.
    """
    for name in surveys:
        if name not in SURVEYS:
            raise unknown("survey", name, SURVEYS)
    makers = {"nps": nps, "csat": csat, "ces": ces}
    found = {name: makers[name](numbers(log, column)) for name, column in surveys.items()}
    if margin is not None and stayed is not None:
        found["clv"] = clv(numbers(log, margin), numbers(log, stayed), discount)
    return found | _from_times(log, within)


def numbers(log: Log, column: str) -> np.ndarray:
    """Return a column of numbers, of rows or of cases; raise where there is none of that name."""
    held = log.attributes.get(column, log.about.get(column))
    if held is None:
        raise unknown("column", column, [*log.attributes, *log.about])
    if isinstance(held, Names):
        raise BadInput(f"holds words, such as {held.names[0] if held.names else ''!r}, not numbers", field=column)
    return held


def _from_times(log: Log, within: float) -> dict[str, Estimate]:
    worked = (log.start != MISSING) & (log.end != MISSING) & ~log.abandoned
    found = {}
    if worked.any():
        work = np.where(worked, log.end - log.start, 0) / SECOND
        cases = distinct(log.case.codes[worked])
        found["aht"] = aht(np.bincount(log.case.codes, work)[cases])
    queued = (log.queued != MISSING) & np.where(log.abandoned, log.end != MISSING, log.start != MISSING)
    if queued.any():
        over = np.where(log.abandoned, log.end, log.start)
        waits, gone, days = (over - log.queued)[queued] / SECOND, log.abandoned[queued], log.queued[queued] // DAY
        found["service_level"] = service_level(waits, gone, within, days)
        found["abandonment"] = abandonment(gone, days)
    return found
