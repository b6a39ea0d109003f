"""The look of the papers: A4, units, numbers, tables; set so that WeasyPrint and a browser print the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape

import numpy as np

from gemel.bank.tools import local
from gemel.errors import unknown
from gemel.facts import Time
from gemel.packs.diabetes.metrics import METRICS, MGDL_PER_MMOL

COLOURS = {
    "time_very_low": "#a1231f", "time_low": "#e0533d", "time_in_range": "#4f9d5d", "time_high": "#f2c14e",
    "time_very_high": "#e8913a",
}  # fmt: skip
INK, SOFT, RULE, BLUE, FAN, BOX, BAND = "#1b1f24", "#5b6470", "#c9d0d7", "#1f4e9c", "#cfdcf0", "#93b0dc", "#e4f1e6"

STYLE = """
@page{size:A4;margin:12mm 12mm 14mm}
*{box-sizing:border-box}
body{margin:0 auto;max-width:186mm;color:#1b1f24;font:9.5pt/1.35 "DejaVu Sans",system-ui,sans-serif;background:#fff}
h1{margin:0;font-size:15pt}
h2{margin:4mm 0 1.5mm;font-size:11pt;border-bottom:.3mm solid #c9d0d7;padding-bottom:.6mm;break-after:avoid}
p{margin:0 0 1.6mm}.soft,caption{color:#5b6470}.small{font-size:7.6pt}
table{border-collapse:collapse;width:100%;font-size:8.6pt;margin:0 0 2mm}caption{text-align:left;padding-bottom:.8mm}
th,td{text-align:left;vertical-align:top;padding:.7mm 2mm .7mm 0;border-bottom:.2mm solid #d8dde3}
thead th{font-weight:600}tbody th{font-weight:500}tr{break-inside:avoid}
.n{text-align:right;white-space:nowrap}
.sides{table-layout:fixed;margin:0}.sides>tbody>tr>td{border:0;padding:0 4mm 0 0}.sides>tbody>tr>td:last-child{padding:0}
.warn{border:.4mm solid #b45309;background:#fff7e6;padding:1.2mm 2mm;margin:1.2mm 0}
@media screen{main{padding:8mm}}
svg{display:block;width:100%}ul{margin:0 0 2mm;padding-left:5mm}li{margin:0 0 .6mm}
"""

NOTICE = (
    "Gemel is research software and not a medical device. Nothing here is advice on treatment; decide with those who are "
    "qualified to."
)


@dataclass(frozen=True)
class Unit:
    """A unit of glucose: mg/dL in one of it, decimals, and how the consensus names its five ranges."""

    name: str
    mgdl: float
    digits: int
    ranges: tuple[str, str, str, str, str]
    ticks: tuple[float, ...]

    def of(self, mgdl: np.ndarray) -> np.ndarray:
        """Return glucose in this unit."""
        return np.asarray(mgdl, float) / self.mgdl

    def say(self, mgdl: float, unit: bool = True) -> str:
        """Return a value in words."""
        return number(mgdl / self.mgdl, self.digits) + (f" {self.name}" if unit else "")


MGDL = Unit("mg/dL", 1.0, 0, ("<54", "54–69", "70–180", "181–250", ">250"), (54, 70, 180, 250, 350))
MMOL = Unit("mmol/L", MGDL_PER_MMOL, 1, ("<3.0", "3.0–3.8", "3.9–10.0", "10.1–13.9", ">13.9"), (54, 70, 180, 250, 350))
UNITS = {unit.name: unit for unit in (MGDL, MMOL)}

RANGE_NAMES = ("Very low", "Low", "Target range", "High", "Very high")

GMI_GOAL = 7.0
MEAN_GOAL = (GMI_GOAL - 3.31) / 0.02392
"""Goals of the AGP report that `METRICS` has no target for (10.2337/dci19-0028): a GMI below 7 %, a mean
below the 154 mg/dL that it stands for."""


def unit_of(name: str) -> Unit:
    """Return a unit of glucose by its name."""
    if name not in UNITS:
        raise unknown("unit of glucose", name, UNITS)
    return UNITS[name]


def number(value: float, digits: int = 0) -> str:
    """Return a number for people; what is not known is said so."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "unknown"


def said(name: str, value: float, unit: Unit) -> str:
    """Return a metric's value for people, in *unit* where it is a concentration."""
    kind = METRICS[name].unit
    if kind == "mg/dL":
        return unit.say(value)
    if kind == "fraction":
        return f"{number(100 * value, 1)} %"
    return f"{number(value, 1)} {kind}".strip()


def goal(name: str, unit: Unit) -> str:
    """Return the target for most adults, or nothing where the consensus has none."""
    metric = METRICS[name]
    if name == "mean":
        return f"<{unit.say(MEAN_GOAL)}"
    if metric.target is None:
        return f"<{GMI_GOAL:g} %" if name == "gmi" else ""
    if name == "cv":
        return f"≤{metric.target:g} %"
    return f"{'>' if metric.better == 'higher' else '<'}{100 * metric.target:g} %"


def met(name: str, value: float) -> bool | None:
    """Return whether a value keeps its target, None where there is none."""
    target = {"mean": MEAN_GOAL, "gmi": GMI_GOAL}.get(name, METRICS[name].target)
    if target is None or not np.isfinite(value):
        return None
    if name == "cv":
        return value <= target
    return value > target if METRICS[name].better == "higher" else value < target


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), caption: str = "") -> str:
    """Return a table; the first cell of each row is its heading, columns in *numbers* are set to the right."""
    mark = [' class="n"' if i in numbers else "" for i in range(len(head))]
    heads = "".join(f'<th scope="col"{mark[i]}>{escape(cell)}</th>' for i, cell in enumerate(head))
    body = "".join(f"<tr>{_row(row, mark)}</tr>" for row in rows)
    named = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{named}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _row(row: Sequence[str], mark: Sequence[str]) -> str:
    cells = "".join(f"<td{mark[i]}>{escape(cell)}</td>" for i, cell in enumerate(row[1:], 1))
    return f'<th scope="row">{escape(row[0])}</th>{cells}'


def page(title: str, body: str) -> str:
    """Return a whole page: nothing in it comes from elsewhere."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def day(at: Time, zone: tzinfo) -> str:
    """Return a date for people."""
    return f"{local(at, zone):%-d %B %Y}"


def moment(at: Time, zone: tzinfo) -> str:
    """Return a date and time for people."""
    return f"{local(at, zone):%-d %B %Y, %H:%M}"


def period(since: Time, until: Time, zone: tzinfo) -> str:
    """Return from when until when, in days; the last is the day that holds the moment before *until*."""
    return f"{day(since, zone)} to {day(until - 1, zone)}"


def zone_name(zone: tzinfo) -> str:
    """Return how a zone is called."""
    return str(getattr(zone, "key", zone))
