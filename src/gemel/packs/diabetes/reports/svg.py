"""Drawing: a few SVG elements, and a frame that turns data into places on the paper; no script, so that any printer can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np


@dataclass(frozen=True)
class Frame:
    """A rectangle on the paper, and the ranges of x and y that it shows; y grows upwards."""

    left: float
    top: float
    width: float
    height: float
    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        """Return where *value* lies across."""
        return self.left + self.width * (value - self.x0) / (self.x1 - self.x0)

    def y(self, value: float) -> float:
        """Return where *value* lies down; what is off the scale lies on its edge."""
        share = (value - self.y0) / (self.y1 - self.y0)
        return self.top + self.height * (1.0 - min(max(share, 0.0), 1.0))


def drawing(width: float, height: float, says: str, parts: Iterable[str], kind: str = "") -> str:
    """Return an image of *parts*; *says* is its text for those who do not see it."""
    named = escape(says, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" class="{kind}" role="img" '
        f'aria-label="{named}"><title>{escape(says)}</title>{"".join(parts)}</svg>'
    )


def rect(x: float, y: float, width: float, height: float, fill: str, extra: str = "") -> str:
    """Return a filled rectangle."""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}" {extra}/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 0.5, dash: str = "") -> str:
    """Return a straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{stroke}" stroke-width="{width:g}"{dashed}/>'


def text(
    x: float, y: float, words: str, size: float = 8, anchor: str = "start", fill: str = "#333", bold: bool = False
) -> str:
    """Return words; *anchor* is start, middle or end."""
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}"{weight}'
    return f"<text {place}>{escape(words)}</text>"


def curve(frame: Frame, x: np.ndarray, y: np.ndarray, stroke: str, width: float = 1.0, dash: str = "") -> str:
    """Return lines through all points that are there; a NaN in *y* interrupts them."""
    paths = [_path(frame, x[a:b], y[a:b]) for a, b in runs(np.isfinite(y)) if b - a > 1]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return "".join(
        f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}" stroke-linejoin="round"{dashed}/>'
        for path in paths
    )


def area(frame: Frame, x: np.ndarray, low: np.ndarray, high: np.ndarray, fill: str) -> str:
    """Return the area between two curves, with a hole where either is missing."""
    found = []
    for a, b in runs(np.isfinite(low) & np.isfinite(high)):
        there = _path(frame, x[a:b], low[a:b])
        back = _path(frame, x[a:b][::-1], high[a:b][::-1]).replace("M", "L", 1)
        found.append(f'<path d="{there}{back}Z" fill="{fill}"/>')
    return "".join(found)


def polygon(frame: Frame, corners: Sequence[tuple[float, float]], fill: str) -> str:
    """Return a filled polygon of data points."""
    places = " ".join(f"{frame.x(x):.2f},{frame.y(y):.2f}" for x, y in corners)
    return f'<polygon points="{places}" fill="{fill}"/>'


def dots(frame: Frame, x: np.ndarray, y: np.ndarray, fill: str, radius: float = 1.0) -> str:
    """Return one dot for each point."""
    return "".join(
        f'<circle cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="{radius:g}" fill="{fill}"/>'
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    )


def runs(there: np.ndarray) -> list[tuple[int, int]]:
    """Return the stretches `[a, b)` of a boolean array in which it is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], there.astype(int), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _path(frame: Frame, x: np.ndarray, y: np.ndarray) -> str:
    places = [f"{frame.x(a):.2f} {frame.y(b):.2f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return "M" + "L".join(places)
