"""Page of a search over designs: the frontier drawn and in numbers, what was tried, and rosters; it needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gemel.experiment import paper
from gemel.experiment.search import Found, Frontier, efficient
from gemel.facts import Time
from gemel.packs.service.shifts import DAYS, Rostered

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 330, 62, 14, 14, 40
LISTED = 300
"""So many designs are listed at the most; of more, those that come nearest to being efficient."""

STYLE = """
figure{margin-bottom:.4rem}svg{max-width:100%;height:auto;display:block}svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.grid{stroke:var(--rule)}.span{stroke:var(--soft);stroke-opacity:.55}.front{fill:none;stroke:var(--ok);stroke-width:2}
.other{fill:var(--soft)}.best{fill:var(--ok);stroke:var(--paper)}.now{fill:none;stroke:var(--low);stroke-width:2.5}
figcaption{margin-bottom:.4rem}section p,section li{max-width:48rem}
@media print{details>*{display:block}table{font-size:.8rem}svg *{print-color-adjust:exact}}
"""


def page(
    name: str, found: Frontier, now: str | None, days: int, since: Time, zone: str, rosters: Sequence[Rostered]
) -> str:
    """Return the page as HTML; *now* is the design that the service is."""
    parts = [] if not found.tried else [_frontier(found, now), _tried(found, now)]
    parts += [_rosters(rosters)] if rosters else []
    when = f"{datetime.fromtimestamp(since / 1000, ZoneInfo(zone)):%A %Y-%m-%d}"
    title = f"Designs of {escape(name)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{paper.STYLE}{STYLE}</style></head><body><main>"
        f"<header><h1>{title}</h1><p>{days} days simulated from {when} ({escape(zone)}).</p></header>"
        f"{''.join(parts)}{_limits()}</main></body></html>\n"
    )


def _frontier(found: Frontier, now: str | None) -> str:
    drawn = "".join(_figure(found, up, now) for up in range(1, len(found.aims)))
    keys = (
        '<ul class="keys"><li><b class="within"></b> nothing tried is as good in all aims and better in one</li>'
        '<li><b style="background:var(--soft)"></b> something tried is better</li>'
        '<li><b style="border:2px solid var(--low)"></b> the service as it is</li></ul>'
    )
    return paper.section("Cost against experience", drawn + keys)


def _figure(found: Frontier, up: int, now: str | None) -> str:
    across, upwards = found.aims[0], found.aims[up]
    text = f"{upwards.capitalize()} against {across}, of {len(found.tried)} designs; bars are intervals of 90 %"
    rows = [[one.design.name, said(one, 0), said(one, up)] for one in found.efficient]
    return paper.figure(
        text, _drawing(found, up, now), paper.table(text, ["design", across, upwards], rows, numbers=(1, 2))
    )


def _drawing(found: Frontier, up: int, now: str | None) -> str:
    x, y = (Scale.of(found, k, *span) for k, span in ((0, (LEFT, WIDTH - RIGHT)), (up, (HEIGHT - BOTTOM, TOP))))
    parts = [_grid(x, y), _labels(found.aims[0], found.aims[up]), _line(found, up, x, y)]
    parts += [_point(one, up, x, y, one.design.name == now) for one in found.tried]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'


@dataclass(frozen=True)
class Scale:
    """From numbers of an aim, `low` to `high`, to a length of the drawing, `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    @staticmethod
    def of(found: Frontier, aim: int, start: float, end: float) -> Scale:
        """Return the scale that holds all intervals of an aim, with some air."""
        low, high = min(float(one.low[aim]) for one in found.tried), max(float(one.high[aim]) for one in found.tried)
        air = 0.05 * (high - low) or 0.5
        return Scale(max(low - air, 0.0) if low >= 0 else low - air, high + air, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return about five round numbers."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** np.floor(np.log10(rough))
        step = power * next(k for k in (1, 2, 5, 10) if k * power >= rough)
        return [float(v) for v in np.arange(np.ceil(self.low / step), self.high / step + 1e-9) * step]


def _grid(x: Scale, y: Scale) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    downs = "".join(
        f'<line class="grid" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{TOP}" y2="{bottom}"/>'
        f'<text x="{x(v):.1f}" y="{bottom + 16}" text-anchor="middle">{v:g}</text>' for v in x.ticks()
    )  # fmt: skip
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>' for v in y.ticks()
    )  # fmt: skip
    return downs + rows


def _labels(across: str, upwards: str) -> str:
    return (
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(across)}, less is better</text>'
        f'<text x="{LEFT + 6}" y="{TOP + 12}">{escape(upwards)}, less is better</text>'
    )


def _line(found: Frontier, up: int, x: Scale, y: Scale) -> str:
    """Return a line through those that none beats in the two aims that are drawn."""
    means = np.array([[one.mean[0], one.mean[up]] for one in found.efficient])
    front = sorted(means[efficient(means)].tolist()) if len(means) else []
    return f'<polyline class="front" points="{" ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in front)}"/>'


def _point(one: Found, up: int, x: Scale, y: Scale, now: bool) -> str:
    cx, cy = x(one.mean[0]), y(one.mean[up])
    bars = (
        f'<path class="span" d="M{x(one.low[0]):.1f} {cy:.1f}H{x(one.high[0]):.1f}M{cx:.1f} {y(one.low[up]):.1f}'
        f'V{y(one.high[up]):.1f}"/>'
    )
    mark = (
        f'<circle class="best" cx="{cx:.1f}" cy="{cy:.1f}" r="5.5"/>' if one.on_frontier
        else f'<rect class="other" x="{cx - 3:.1f}" y="{cy - 3:.1f}" width="6" height="6"/>'
    )  # fmt: skip
    ring = f'<circle class="now" cx="{cx:.1f}" cy="{cy:.1f}" r="9"/>' if now else ""
    return f"<g><title>{escape(one.design.name)}</title>{bars}{mark}{ring}</g>"


def said(one: Found, aim: int) -> str:
    """Return one aim of a design with its interval, for people."""
    low, mean, high = (f"{side[aim]:.4g}" for side in (one.low, one.mean, one.high))
    return mean if low == high else f"{mean} ({low} to {high})"


def _tried(found: Frontier, now: str | None) -> str:
    order = sorted(found.tried, key=lambda one: -one.efficient)[:LISTED]
    kept = [one for one in found.tried if one in order]
    rows = [
        [one.design.name + (" – as it is" if one.design.name == now and "as it is" not in now else "")]
        + [said(one, k) for k in range(len(found.aims))]
        + [f"{one.efficient:.0%}", str(one.draws)]
        for one in kept
    ]
    heads = ["design", *found.aims, "chance that none beats it", "draws"]
    less = "" if len(kept) == len(found.tried) else f"; of {len(found.tried)}, the {len(kept)} that come nearest"
    table = paper.table(f"Designs with intervals of 90 %{less}", heads, rows, numbers=range(1, len(heads)))
    return paper.section("All that was tried", table)


def _rosters(rosters: Sequence[Rostered]) -> str:
    return paper.section("Exact rosters", "".join(_roster(one) for one in rosters))


def _roster(one: Rostered) -> str:
    told: Mapping[str, Any] = one.body()["days"]
    rows = [[d, ", ".join(f"{s['from']}–{s['to']} × {s['people']}" for s in told[d]) or "nobody"] for d in DAYS]
    head = f"{one.pool}: {one.level:.0%} within {one.within_s / 60:g} min; {one.hours:g} paid hours a week, now {one.hours_now:g}"
    judged = [
        [name, *(f"{s.value:.1%} ({s.low:.1%} to {s.high:.1%})" for s in (found, now))]
        for name, found, now in one.judged
    ]
    heads = ["station", "in time with this roster", "in time as it is"]
    word = "simulation agrees" if one.holds else "simulation says that it is not enough"
    return paper.table(head, ["day", "shifts × people"], rows, kind="wrap") + paper.table(
        f"How simulation judges it: {word} (intervals of 95 %)", heads, judged, numbers=(1, 2)
    )


def _limits() -> str:
    points = (
        "All designs meet the same arrivals and the same luck, so that differences are due to the design; what is surely beaten"
        " is dropped early, and the rest is tried on more draws.",
        "A customer is let down by each wait longer than promised, by giving up where nothing was promised, by a visit longer"
        " than promised as a whole, and by coming while it is closed; so one may be let down more than once.",
        "The wait is that of everybody who comes, those who give up and those who still wait at the end included.",
        "Simulated from an empty service. Customers come as they did: that better service brings more of them is not foreseen.",
        "A design that does well here is a proposal: try it on a part of the service before all of it is changed.",
    )
    return paper.section("How to read this", "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in points) + "</ul>")
