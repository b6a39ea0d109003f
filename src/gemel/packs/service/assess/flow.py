"""Flow: the journey map as a drawing: activities in layers from coming to going, the commonest moves between them.

Layers, ordered by barycentres, with long moves led through the layers between (Sugiyama, Tagawa and Toda 1981,
doi:10.1109/TSMC.1981.4308636).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import wrap

from gemel.packs.service.assess.paths import COME, GO, Move, Paths
from gemel.packs.service.assess.rows import spoken
from gemel.packs.service.assess.stations import Station

MOST = 14
"""How many activities the map shows; a manager reads no more."""

RARE = 0.04
"""A move of a smaller share of the cases is left out, unless an activity would stand alone."""

WIDE, HIGH, APART, BELOW, THIN = 158, 54, 26, 46, 20

Point = tuple[float, float]
Via = tuple[str, str, int]
"""A place on a long move: from, to, layer."""


@dataclass(frozen=True)
class Chosen:
    """What the map shows: activities, moves onward, moves back, and of how many cases."""

    names: tuple[str, ...]
    onward: tuple[Move, ...]
    back: tuple[Move, ...]
    cases: int


def chosen_of(paths: Paths, stations: Sequence[Station], cases: int) -> Chosen:
    """Return the activities that most cases meet, and the moves between them that are not rare."""
    met = sorted(stations, key=lambda one: (-one.cases, one.name))[:MOST]
    names = {COME, GO, *(one.name for one in met)}
    moves = [move for move in paths.moves if {move.before, move.after} <= names and move.before != move.after]
    place = _places(moves, names)
    onward = [move for move in moves if place[move.before] < place[move.after]]
    kept = _needed(onward, [move for move in onward if move.cases >= RARE * cases])
    back = [move for move in moves if place[move.before] > place[move.after] and move.cases >= RARE * cases]
    shown = tuple(sorted(names, key=lambda name: place[name]))
    return Chosen(shown, tuple(kept), tuple(back), cases)


def _places(moves: Sequence[Move], names: Iterable[str]) -> Mapping[str, float]:
    """Return where each activity stands between coming (0) and going (1): how much more it is moved from than to, settled."""
    place = dict.fromkeys(names, 0.5) | {COME: 0.0, GO: 1.0}
    for _ in range(60):
        for name in sorted(place.keys() - {COME, GO}):
            near = [(place[m.before] + 0.02, m.cases) for m in moves if m.after == name]
            near += [(place[m.after] - 0.02, m.cases) for m in moves if m.before == name]
            weight = sum(cases for _, cases in near)
            place[name] = sum(at * cases for at, cases in near) / weight if weight else 0.5
    order = sorted(place, key=lambda name: (place[name], name))
    return {name: float(i) for i, name in enumerate([COME, *(n for n in order if n not in (COME, GO)), GO])}


def _needed(onward: Sequence[Move], kept: list[Move]) -> list[Move]:
    """Return the moves kept, and the commonest to and from each activity that would have none."""
    for side in ("before", "after"):
        for name in dict.fromkeys(getattr(move, side) for move in onward):
            if not any(getattr(move, side) == name for move in kept):
                kept.append(max((m for m in onward if getattr(m, side) == name), key=lambda m: m.cases))
    return kept


def layers_of(chosen: Chosen) -> list[list[str | Via]]:
    """Return which activities, and which long moves on their way, stand in each layer, ordered to cross little."""
    depth = dict.fromkeys(chosen.names, 0)
    for name in chosen.names:
        depth[name] = max((depth[move.before] + 1 for move in chosen.onward if move.after == name), default=0)
    depth[GO] = max(depth.values()) if depth[GO] == max(depth.values()) else max(depth.values()) + 1
    layers: list[list[str | Via]] = [[] for _ in range(depth[GO] + 1)]
    for name in chosen.names:
        layers[depth[name]].append(name)
    near: dict[str | Via, list[str | Via]] = {}
    for move in chosen.onward:
        way = way_of(move, depth)
        for layer, via in enumerate(way[1:-1], depth[move.before] + 1):
            layers[layer].append(via)
        for a, b in pairwise(way):
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    return _ordered(layers, near)


def way_of(move: Move, depth: Mapping[str, int]) -> list[str | Via]:
    """Return a move's way through the layers: its ends and the places between."""
    between = [(move.before, move.after, layer) for layer in range(depth[move.before] + 1, depth[move.after])]
    return [move.before, *between, move.after]


def _ordered(layers: list[list[str | Via]], near: Mapping[str | Via, list[str | Via]]) -> list[list[str | Via]]:
    for sweep in range(8):
        at = {node: _middle(layer, i) for layer in layers for i, node in enumerate(layer)}
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            layer.sort(key=lambda node: sum(at[n] for n in near.get(node, [node])) / len(near.get(node, [node])))
            at |= {node: _middle(layer, i) for i, node in enumerate(layer)}
    return layers


def _middle(layer: Sequence[str | Via], index: int) -> float:
    """Return how far a place of a layer is from the middle of the map."""
    widths = [_width(node) for node in layer]
    return sum(widths[:index]) + widths[index] / 2 - sum(widths) / 2


def _width(node: str | Via) -> float:
    return (WIDE if isinstance(node, str) else THIN) + APART


def drawn(paths: Paths, stations: Sequence[Station], cases: int) -> str:
    """Return the journey map as SVG."""
    chosen = chosen_of(paths, stations, cases)
    layers = layers_of(chosen)
    middle = max(sum(_width(node) for node in layer) for layer in layers) / 2
    at = {
        node: (middle + _middle(layer, i), 8 + HIGH / 2 + depth * (HIGH + BELOW))
        for depth, layer in enumerate(layers)
        for i, node in enumerate(layer)
    }
    depth = {node: i for i, layer in enumerate(layers) for node in layer if isinstance(node, str)}
    edges = "".join(_edge(move, [at[node] for node in way_of(move, depth)], cases) for move in chosen.onward)
    loops = "".join(_loop(move, at[move.before], at[move.after], cases) for move in chosen.back)
    by_name = {one.name: one for one in stations}
    again = {move.before: move for move in paths.moves if move.before == move.after}
    nodes = "".join(_node(name, at[name], by_name.get(name), again.get(name)) for name in chosen.names)
    far = max((_out(at[move.before], at[move.after]) for move in chosen.back), default=0.0)
    wide, high = max(2 * middle, far + 16), len(layers) * (HIGH + BELOW) - BELOW + 16
    return (
        f'<svg class="map" viewBox="0 0 {wide:.0f} {high:.0f}" style="width:{wide:.0f}px">{edges}{loops}{nodes}</svg>'
    )


def _thick(move: Move, cases: int) -> float:
    return 1.0 + 9.0 * move.cases / max(cases, 1)


def _tip(move: Move) -> str:
    return (
        f"<title>{escape(move.before)} → {escape(move.after)}: {move.cases} cases, {move.times} times,"
        f" {spoken(move.median)} between (median)</title>"
    )


def _edge(move: Move, points: Sequence[Point], cases: int) -> str:
    line, half = [], HIGH / 2
    for i, ((x, y), (u, v)) in enumerate(pairwise(points)):
        top, bottom = y + half, v - half
        line.append(
            f"{'M' if i == 0 else 'L'}{x:.0f} {top:.0f}C{x:.0f} {(top + bottom) / 2:.0f} {u:.0f}"
            f" {(top + bottom) / 2:.0f} {u:.0f} {bottom:.0f}"
        )
    (x, y), (u, v) = points[0], points[1]
    t = 0.62
    text = (
        f'<text class="e" x="{x + (u - x) * t * t * (3 - 2 * t):.0f}"'
        f' y="{y + half + (v - y - HIGH) * t + 4:.0f}">{move.cases:,}</text>'
    )
    return f'<path class="way" stroke-width="{_thick(move, cases):.1f}" d="{"".join(line)}">{_tip(move)}</path>{text}'


def _out(a: Point, b: Point) -> float:
    """Return how far to the right a move back bends."""
    return max(a[0], b[0]) + WIDE / 2 + 34 + 0.04 * abs(a[1] - b[1])


def _loop(move: Move, a: Point, b: Point, cases: int) -> str:
    (x, y), (u, v) = (a[0] + WIDE / 2, a[1]), (b[0] + WIDE / 2, b[1])
    out = _out(a, b)
    path = (
        f'<path class="way again" stroke-width="{_thick(move, cases):.1f}" d="M{x:.0f} {y:.0f}C{out:.0f} {y:.0f}'
        f' {out:.0f} {v:.0f} {u:.0f} {v:.0f}">{_tip(move)}</path>'
    )
    return path + f'<text class="e" x="{0.125 * (x + u) + 0.75 * out:.0f}" y="{(y + v) / 2:.0f}">{move.cases:,}</text>'


def _node(name: str, at: Point, station: Station | None, again: Move | None) -> str:
    x, y = at[0] - WIDE / 2, at[1] - HIGH / 2
    if station is None:
        return (
            f'<g class="end"><rect x="{x + 39:.0f}" y="{y + 12:.0f}" width="80" height="30" rx="15"/><text'
            f' x="{at[0]:.0f}" y="{at[1] + 4:.0f}">{name}</text></g>'
        )
    lines = wrap(name, 22) or [name]
    lines = lines if len(lines) < 3 else [lines[0], f"{lines[1][:21]}…"]
    lost = "" if station.took is None else f" · {spoken(station.took.p50)}"
    texts = [
        f'<tspan x="{at[0]:.0f}" dy="{0 if i == 0 else 13}">{escape(line)}</tspan>' for i, line in enumerate(lines)
    ]
    repeat = f" · again {again.cases:,}" if again else ""
    foot = f'<text class="s" x="{at[0]:.0f}" y="{at[1] + 21:.0f}">{station.cases:,} cases{lost}</text>'
    head = f'<text x="{at[0]:.0f}" y="{at[1] - 10 if len(lines) == 2 else at[1] - 3:.0f}">{"".join(texts)}</text>'
    return (
        f"<g><title>{escape(name)}: {station.visits:,} times in {station.cases:,} cases{repeat}</title><rect"
        f' x="{x:.0f}" y="{y:.0f}" width="{WIDE}" height="{HIGH}" rx="8"/>{head}{foot}</g>'
    )
