"""Drawing: heat maps, bars and lines as plain SVG and HTML that take their colours from the page: light, dark or printed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gemel.packs.service.assess.foresight import AtStep
from gemel.packs.service.assess.rows import spoken
from gemel.packs.service.assess.stations import Station

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CELL_W, CELL_H, LEFT, TOP = 12, 15, 30, 14

STYLE = """
:root{--accent:#2563eb;--heat:#c2410c}
@media screen and (prefers-color-scheme:dark){:root{--accent:#7aa7ff;--heat:#fb7c4b}}
h3{font-size:1.05rem;margin:1.4rem 0 .3rem}
figure+details,.q{margin-bottom:1.2rem}figcaption{font-size:.92rem;margin:.2rem 0 .5rem}
svg{max-width:100%;height:auto;display:block}svg text{fill:var(--ink);font:11px system-ui,sans-serif}
.map{max-width:none}.map text{text-anchor:middle;font-size:12px;font-weight:600}
.map .s{font-weight:400;font-size:11px;fill:var(--soft)}
.map rect{fill:var(--tile);stroke:var(--rule)}.map .end rect{fill:var(--paper)}.map .end text{font-weight:400}
.way{fill:none;stroke:var(--accent);stroke-opacity:.35}.again{stroke:var(--heat);stroke-dasharray:5 4}
.map .e{font-weight:400;font-size:11px;paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.heats{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr));gap:1rem}
.heats h4{margin:0 0 .2rem;font-size:.95rem;font-weight:600}
.heats p{margin:0 0 .3rem;font-size:.85rem;color:var(--soft)}
.heat{width:100%}.heat text{font-size:9px;fill:var(--soft)}.heat rect{stroke:var(--rule);stroke-width:.5}
.heat .c{fill:var(--heat)}.heat .o{fill:none}
.bars{list-style:none;margin:.4rem 0;padding:0}
.bars li{display:grid;grid-template-columns:minmax(7rem,15rem) 1fr 6.2rem;gap:.6rem;align-items:center;margin:.3rem 0}
.bars span{overflow-wrap:anywhere;font-size:.92rem;line-height:1.25}
.bars i{display:block;height:.9rem;border-radius:.2rem;background:var(--heat);min-width:2px}
.bars i.b{background:var(--accent)}
.bars b{font-weight:500;font-size:.92rem;text-align:right;font-variant-numeric:tabular-nums}
.line{max-width:34rem;width:100%}.line text{font-size:8px;fill:var(--soft)}.line .axis{stroke:var(--rule)}
.line path{fill:none;stroke:var(--accent);stroke-width:2}
.line .band{fill:var(--accent);fill-opacity:.16;stroke:none}.line circle{fill:var(--accent)}
.q{background:var(--tile);border-radius:.5rem;padding:.7rem 1rem}.q h3{margin:0 0 .3rem}.q p,.q ul{margin:.3rem 0}
.q ul{padding-left:1.2rem}
.state{font-size:.8rem;font-weight:600;border:1px solid currentColor;border-radius:1rem;padding:.05rem .6rem;
margin-left:.4rem;white-space:nowrap}
.state.data{color:var(--ok)}.state.people{color:var(--accent)}.state.open{color:var(--high)}
.said{border-left:3px solid var(--accent);padding-left:.7rem;white-space:pre-wrap;overflow-wrap:anywhere}
.said small{color:var(--soft);display:block}
.write{display:none}.step{color:var(--soft);margin-top:-.4rem}
nav ol{display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none;padding:0;margin:.8rem 0}nav a{color:var(--accent)}
.unknown{color:var(--soft);font-style:italic}
td,th{overflow-wrap:break-word}tbody th{min-width:7.5rem}td:not(.n){min-width:5.5rem}
.long tbody th{min-width:15rem}
header dl,dl{grid-template-columns:repeat(auto-fit,minmax(min(9.5rem,45%),1fr))}
@media (max-width:600px){h1{font-size:1.5rem}.bars li{grid-template-columns:1fr 5.6rem}.bars li span{grid-column:1/-1}}
@media print{@page{size:A4;margin:14mm}nav,details:not([open]),summary{display:none}section{break-inside:auto}
h2,h3,h4,.step{break-after:avoid}
.q,.heats>div,figure,tr{break-inside:avoid}.map{max-width:100%;width:auto!important;max-height:235mm}
.scroll{overflow:visible}
.write{display:block;height:2.6rem;border-bottom:1px solid #999;margin-bottom:.4rem}
table{font-size:.82rem}thead th{white-space:normal}caption{break-after:avoid}
.q,.bars i,.heat rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
"""What the page adds to the look of a report."""


def heats(stations: Sequence[Station], measured: str) -> str:
    """Return one heat map a station: the mean by local weekday and hour, strongest where it is longest."""
    return f'<div class="heats">{"".join(_heat(one, measured) for one in stations)}</div>'


def _heat(station: Station, measured: str) -> str:
    told = [value for value in station.week if value is not None]
    top = max(told, default=0.0)
    cells = "".join(_cell(hour, value, station.came[hour], top) for hour, value in enumerate(station.week))
    days = "".join(f'<text x="0" y="{TOP + i * CELL_H + 11}">{day}</text>' for i, day in enumerate(DAYS))
    hours = "".join(f'<text x="{LEFT + h * CELL_W}" y="10">{h:02}</text>' for h in range(0, 24, 3))
    size = f"0 0 {LEFT + 24 * CELL_W + 2} {TOP + 7 * CELL_H + 2}"
    svg = f'<svg class="heat" viewBox="{size}" aria-hidden="true">{days}{hours}{cells}</svg>'
    return f"<div><h4>{escape(station.name)}</h4><p>mean {measured}, strongest colour: {spoken(top)}</p>{svg}</div>"


def _cell(hour: int, value: float | None, came: int, top: float) -> str:
    x, y = LEFT + hour % 24 * CELL_W, TOP + hour // 24 * CELL_H
    box = f'x="{x}" y="{y}" width="{CELL_W}" height="{CELL_H}"'
    if value is None:
        return f'<rect class="o" {box}/>'
    shade = 0.05 + 0.95 * (value / top if top > 0 else 0.0)
    tip = f"{DAYS[hour // 24]} {hour % 24:02}–{hour % 24 + 1:02}: {spoken(value)}, {came} came"
    return f'<rect class="c" fill-opacity="{shade:.2f}" {box}><title>{tip}</title></rect>'


def bars(rows: Sequence[tuple[str, float, str]], kind: str = "") -> str:
    """Return bars: a name, a length from 0 on, and its text."""
    top = max((length for _, length, _ in rows), default=0.0) or 1.0
    lines = (
        f'<li><span>{escape(name)}</span><i class="{kind}" style="width:{100 * length / top:.1f}%"></i><b>{escape(text)}</b></li>'
        for name, length, text in rows
    )
    return f'<ul class="bars" aria-hidden="true">{"".join(lines)}</ul>'


def by_step(steps: Sequence[AtStep]) -> str:
    """Return how well a long case is told after each step, with its interval, from .5 (a coin) to 1 (always)."""
    last = max(one.step for one in steps)
    x = {one.step: 44 + 280 * (one.step - 1) / max(last - 1, 1) for one in steps}

    def y(auc: float) -> float:
        return 12 + 150 * (1 - (max(auc, 0.4) - 0.4) / 0.6)

    grid = "".join(
        f'<line class="axis" x1="40" x2="330" y1="{y(level):.0f}" y2="{y(level):.0f}"/>'
        f'<text x="6" y="{y(level) + 4:.0f}">{level:.1f}</text>'
        for level in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    )
    band = [*((x[one.step], y(one.high)) for one in steps), *((x[one.step], y(one.low)) for one in reversed(steps))]
    area = f'<path class="band" d="M{"L".join(f"{u:.0f} {v:.0f}" for u, v in band)}Z"/>'
    line = f'<path d="M{"L".join(f"{x[one.step]:.0f} {y(one.auc):.0f}" for one in steps)}"/>'
    dots = "".join(f'<circle cx="{x[one.step]:.0f}" cy="{y(one.auc):.0f}" r="3"/>' for one in steps)
    ticks = "".join(f'<text x="{x[one.step] - 3:.0f}" y="178">{one.step}</text>' for one in steps)
    return f'<svg class="line" viewBox="0 0 340 200">{grid}{area}{line}{dots}{ticks}<text x="140" y="196">after step</text></svg>'
