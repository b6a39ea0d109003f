"""Figures of a report: the last days with what was done, the usual day, the forecast; one script for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io import to_html
from plotly.subplots import make_subplots

from gemel.intervention import LEVELS, Forecast
from gemel.twintype import Lever, Signal

BLUE, ORANGE, GREEN = "#3b82f6", "#e07b00", "rgba(22,163,74,0.14)"
FILLS = ("rgba(59,130,246,0.16)", "rgba(59,130,246,0.30)")
QUARTERS = 96
"""Steps of the usual day: quarters of an hour."""

Band = tuple[float, float] | None
Moments = Sequence[datetime]
Lane = tuple[str, Lever, Moments, Sequence[float]]
"""A lever's name, its port, and when it did what."""


def html_of(figure: go.Figure, name: str, *, first: bool) -> str:
    """Return the figure as a fragment of a page; the first brings the script along, so that nothing is fetched."""
    config = {"displaylogo": False, "responsive": True, "displayModeBar": "hover"}
    script = "inline" if first else False
    return str(to_html(figure, config=config, include_plotlyjs=script, full_html=False, div_id=name))


def last_days(name: str, port: Signal, at: Moments, values: np.ndarray, band: Band, lanes: Sequence[Lane]) -> go.Figure:
    """Return readings over time with the target band, and below them one lane for each lever."""
    heights = [0.7, *[0.3 / len(lanes)] * len(lanes)] if lanes else [1.0]
    figure = make_subplots(rows=1 + len(lanes), shared_xaxes=True, vertical_spacing=0.06, row_heights=heights)
    figure.add_trace(go.Scatter(x=list(at), y=_plain(values), mode="lines", name=port.label or name, line=_line(BLUE)))
    _add_band(figure, band)
    for row, (lever, lane, when, amounts) in enumerate(lanes, 2):
        figure.add_trace(_lane(lane.label or lever, lane.holds, when, amounts), row=row, col=1)
        figure.update_yaxes(rangemode="tozero", nticks=3, row=row, col=1)
        figure.add_annotation(
            text=f"{lane.label or lever} [{lane.unit}]", showarrow=False, xref="x domain", yref="y domain",
            x=0, xanchor="left", y=1, yanchor="bottom", row=row, col=1,
        )  # fmt: skip
    figure.update_yaxes(title_text=f"{port.label or name} [{port.unit}]", row=1, col=1)
    figure.update_layout(showlegend=False)
    return _dressed(figure, 340 + 100 * len(lanes))


def _lane(name: str, holds: bool, when: Moments, amounts: Sequence[float]) -> Any:
    if holds:
        line = {**_line(ORANGE), "shape": "hv"}
        return go.Scatter(x=list(when), y=list(amounts), mode="lines", fill="tozeroy", name=name, line=line)
    return go.Bar(x=list(when), y=list(amounts), width=12 * 60_000, marker_color=ORANGE, name=name)


def usual_day(name: str, port: Signal, percentiles: Mapping[int, np.ndarray], band: Band) -> go.Figure:
    """Return the 5th to 95th percentile over the time of day, each (QUARTERS,)."""
    clock = [f"2000-01-01 {15 * i // 60:02}:{15 * i % 60:02}" for i in range(QUARTERS)]
    figure = go.Figure()
    for (low, high), fill in zip(((5, 95), (25, 75)), FILLS, strict=True):
        _add_fan(figure, clock, percentiles[low], percentiles[high], f"{low}–{high} %", fill)
    figure.add_trace(go.Scatter(x=clock, y=_plain(percentiles[50]), mode="lines", name="median", line=_line(BLUE)))
    _add_band(figure, band)
    figure.update_xaxes(tickformat="%H:%M", hoverformat="%H:%M")
    figure.update_yaxes(title_text=f"{port.label or name} [{port.unit}]")
    return _dressed(figure, 340)


def ahead(
    name: str, port: Signal, past: Moments, values: np.ndarray, said: Forecast, at: Moments, band: Band
) -> go.Figure:
    """Return the last hours and the forecast as a fan of 95, 80 and 50 % intervals."""
    figure = go.Figure(go.Scatter(x=list(past), y=_plain(values), mode="lines", name="read", line=_line("#8a8f98")))
    for share, fill in ((0.95, FILLS[0]), (0.8, FILLS[0]), (0.5, FILLS[1])):
        low, high = (said.at_level(round(side, 6)) for side in ((1 - share) / 2, (1 + share) / 2))
        _add_fan(figure, at, low, high, f"{share:.0%} interval", fill)
    median = said.at_level(LEVELS[len(LEVELS) // 2])
    figure.add_trace(go.Scatter(x=list(at), y=_plain(median), mode="lines", name="median", line=_line(BLUE)))
    _add_band(figure, band)
    figure.update_yaxes(title_text=f"{port.label or name} [{port.unit}]")
    return _dressed(figure, 340)


def _add_fan(figure: go.Figure, x: Sequence[Any], low: np.ndarray, high: np.ndarray, name: str, fill: str) -> None:
    """Add the area between two lines; where there is nothing, it has a hole."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(x=list(x), y=_plain(low), showlegend=False, **edge))
    figure.add_trace(go.Scatter(x=list(x), y=_plain(high), name=name, fill="tonexty", fillcolor=fill, **edge))


def _add_band(figure: go.Figure, band: Band) -> None:
    if band is not None:
        across = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": band[0], "y1": band[1]}
        figure.add_shape(type="rect", **across, fillcolor=GREEN, line_width=0, layer="below")


def _plain(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 3) if np.isfinite(value) else None for value in values]


def _line(colour: str) -> dict[str, Any]:
    return {"color": colour, "width": 2}


def _dressed(figure: go.Figure, height: int) -> go.Figure:
    """Leave the colours of text and paper to the page, which knows whether it is light, dark or printed."""
    clear = "rgba(0,0,0,0)"
    figure.update_layout(
        height=height, margin={"l": 64, "r": 16, "t": 36, "b": 40}, paper_bgcolor=clear, plot_bgcolor=clear,
        template="none", legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}, hovermode="x unified",
        modebar={"bgcolor": clear, "color": "#8a8f98", "activecolor": BLUE},
        font={"family": "system-ui, sans-serif", "size": 13},
    )  # fmt: skip
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.22)", zeroline=False, linecolor="rgba(128,128,128,0.6)")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.22)", zeroline=False)
    return figure
