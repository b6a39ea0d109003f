"""Forecasts on the error grids: how the twin's stored forecasts met what was then read, zone by zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from html import escape
from itertools import pairwise

import numpy as np

from gemel.bank import Twin
from gemel.errors import NotFound
from gemel.facts import Fact, Time
from gemel.packs.diabetes.reports import grids, look, svg
from gemel.packs.diabetes.reports.look import INK, MGDL, RULE, SOFT, Unit
from gemel.packs.diabetes.reports.seen import outcomes

WHAT = (
    "Each pair is a reading and the median of the forecast that spoke of it, as both are on record. A: no effect on what one "
    "would do; B: little or no harm; C: treatment that was not needed; D: a danger not seen; E: the contrary of what was needed. "
    "Clarke 1987 (10.2337/diacare.10.5.622); Parkes 2000 (10.2337/diacare.23.8.1143) for type 1, vertices of Pfützner 2013 "
    "(10.1177/193229681300700517). Both were made to judge blood glucose meters."
)

HORIZONS = (30, 60, 120)
GRIDS = {"Clarke": grids.clarke, "Parkes, type 1": grids.parkes}
SIDE = 400.0
DRAWN = 800
"""At most so many pairs are drawn; all are counted."""

TINTS = ("#2f7d46", "#8aa53a", "#d9a21b", "#d9662b", "#a1231f")

CLARKE_LINES = (
    ((0, 70), (175 / 3, 70)), ((175 / 3, 70), (400 / 1.2, 400)), ((70, 84), (70, 400)), ((0, 180), (70, 180)),
    ((70, 180), (290, 400)), ((70, 0), (70, 56)), ((70, 56), (400, 320)), ((180, 0), (180, 70)), ((180, 70), (400, 70)),
    ((240, 70), (240, 180)), ((240, 180), (400, 180)), ((130, 0), (180, 70)),
)  # fmt: skip
"""Clarke's lines up to 400 mg/dL."""

PARKES_LINES = (*grids.UPPER.values(), *grids.LOWER.values())

PLACES = {
    "Clarke": (("A", 30, 20), ("A", 330, 350), ("B", 370, 260), ("B", 286, 375), ("C", 150, 370), ("C", 160, 12), ("D", 370, 120),
               ("D", 25, 120), ("E", 25, 370), ("E", 370, 20)),
    "Parkes, type 1": (("A", 330, 340), ("B", 370, 250), ("B", 245, 370), ("C", 370, 140), ("C", 145, 370), ("D", 370, 40),
                       ("D", 80, 370), ("E", 15, 370)),
}  # fmt: skip


def pairs(facts: Sequence[Fact], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what was read and the median that was foretold of it, (n,) mg/dL, for forecasts *horizon* min ahead."""
    rows = [
        (float(fact.body["happened"]), float(row["median"]))
        for fact in facts for row in fact.body.get("horizons", ()) if row["horizon"] == horizon
    ]  # fmt: skip
    found = np.array(rows).reshape(-1, 2)
    return found[:, 0], np.maximum(found[:, 1], 0.0)


def make(twin: Twin, since: Time, until: Time, zone: tzinfo, unit: Unit = MGDL) -> str:
    """Return the error grids of a twin's forecasts; raise `Refused`, or `NotFound` where none has met its reading."""
    facts = outcomes(twin, since, until)
    found = {h: pairs(facts, h) for h in HORIZONS}
    if not any(len(read) for read, _ in found.values()):
        raise NotFound(
            f"no forecast of {twin.id} has met its reading in that period: forecasts are scored while the twin is live"
        )
    rows = [row for h in HORIZONS for row in _rows(h, *found[h])]
    drawn = "".join(_beside(h, *found[h], unit) for h in HORIZONS[:2] if len(found[h][0]))
    title = f"Error grids of forecasts: {twin.id}"
    when = f"{look.period(since, until, zone)}, times of {look.zone_name(zone)}"
    body = (
        f"<h1>{escape(title)}</h1><p class='soft'>{escape(when)}</p>"
        f"<p class='small'>{escape(WHAT)}</p>"
        f"{look.table(['ahead', 'grid', 'pairs', *grids.ZONES, 'A and B'], rows, range(2, 9))}{drawn}"
        f"<p class='small soft'>{escape(look.NOTICE)}</p>"
    )
    return look.page(title, body)


def _rows(horizon: int, read: np.ndarray, foretold: np.ndarray) -> Iterator[list[str]]:
    for name, judge in GRIDS.items():
        found = grids.shares(judge(read, foretold))
        cells = [f"{look.number(100 * found.zones[zone], 1)} %" for zone in grids.ZONES]
        yield [f"{horizon} min", name, str(found.pairs), *cells, f"{look.number(100 * found.acceptable, 1)} %"]


def _beside(horizon: int, read: np.ndarray, foretold: np.ndarray, unit: Unit) -> str:
    cells = "".join(f"<td><div style='width:92%'>{grid(name, read, foretold, unit)}</div></td>" for name in GRIDS)
    return f"<h2>{horizon} minutes ahead</h2><table class='sides'><tbody><tr>{cells}</tr></tbody></table>"


def grid(name: str, read: np.ndarray, foretold: np.ndarray, unit: Unit = MGDL) -> str:
    """Return one grid with its zones and the pairs, up to 400 mg/dL; what is beyond lies on the edge."""
    frame = svg.Frame(36, 14, 300, 300, 0, SIDE, 0, SIDE)
    lines = CLARKE_LINES if name == "Clarke" else PARKES_LINES
    parts = [svg.rect(36, 14, 300, 300, "#fbfcfd"), svg.text(36, 9, name, 9, fill=INK, bold=True), *_ticks(frame, unit)]
    zones, step = GRIDS[name](read, foretold), max(1, -(-len(read) // DRAWN))
    for k, tint in enumerate(TINTS):
        rows = np.flatnonzero(zones == k)[::step]
        parts.append(svg.dots(frame, np.minimum(read[rows], SIDE), foretold[rows], tint, 1.4))
    parts.append(svg.line(frame.x(0), frame.y(0), frame.x(SIDE), frame.y(SIDE), SOFT, 0.5, "2 2"))
    parts += [_bent(frame, points) for points in lines]
    parts += [svg.text(frame.x(x), frame.y(y), zone, 11, "middle", INK, True) for zone, x, y in PLACES[name]]
    said = grids.shares(zones)
    words = ", ".join(f"{zone} {look.number(100 * said.zones[zone], 1)} %" for zone in grids.ZONES)
    return svg.drawing(344, 350, f"{name} error grid of {said.pairs} pairs in {unit.name}: {words}", parts)


def _ticks(frame: svg.Frame, unit: Unit) -> Iterator[str]:
    for tick in (0, 70, 180, 250, 400):
        words = unit.say(float(tick), unit=False)
        yield svg.text(frame.x(tick), frame.y(0) + 10, words, 7.5, "middle", SOFT)
        yield svg.text(frame.left - 4, frame.y(tick) + 2.5, words, 7.5, "end", SOFT)
    yield svg.text(frame.x(SIDE / 2), frame.y(0) + 24, f"read, {unit.name}", 8, "middle", SOFT)
    yield svg.text(frame.left + frame.width, frame.top - 5, f"upwards: foretold, {unit.name}", 8, "end", SOFT)
    yield svg.line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), RULE, 0.6)
    yield svg.line(frame.left, frame.top, frame.left, frame.y(0), RULE, 0.6)


def _bent(frame: svg.Frame, points: Sequence[tuple[float, float]]) -> str:
    """Return a line of several pieces, cut where it leaves the frame."""
    found = []
    for (x1, y1), (x2, y2) in pairwise(points):
        inside = [share for share in _crossings(x1, y1, x2, y2) if 0 <= share <= 1]
        if len(inside) == 2 and inside[0] < inside[1]:
            a, b = ((x1 + s * (x2 - x1), y1 + s * (y2 - y1)) for s in inside)
            found.append(svg.line(frame.x(a[0]), frame.y(a[1]), frame.x(b[0]), frame.y(b[1]), INK, 0.7))
    return "".join(found)


def _crossings(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float]:
    """Return which part of a piece lies below 400 mg/dL on both axes, as shares of it."""
    last = 1.0
    for begin, end in ((x1, x2), (y1, y2)):
        if begin > SIDE:
            return 1.0, 0.0
        if end > SIDE:
            last = min(last, (SIDE - begin) / (end - begin))
    return 0.0, last
