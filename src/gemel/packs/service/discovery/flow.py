"""Flow: what follows what, with ways that run at once found from work that overlaps.

Each level is a sequence of steps per passage; a step is an activity, or a block of ways that run at once, each a level of
its own. Activities whose times overlap within a case, in either order, are concurrent; groups of them that are pairwise
concurrent across ways and not within one make a block (the parallel cut of Leemans et al., 10.1007/978-3-642-38697-8_17,
with the lifecycle evidence of Leemans et al., 10.1007/978-3-319-42887-1_7).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from gemel.packs.service.discovery.evidence import Evidence

SHARES = (0.1, 0.25, 0.5, 0.75)
"""Share of the cases with both in which two activities overlap, for them to be concurrent; the first that gives blocks."""

EITHER = 0.03
FEWEST = 5
NEAR = 40

Pair = tuple[int, int]
Passage = tuple[int, tuple[int, ...]]
"""The case and the rows of one passage through a level."""


@dataclass(frozen=True)
class Step:
    """One step of a passage: an activity's name or a block's, and the rows of the log that it holds."""

    symbol: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """Passages through one part of the service: their steps, the case of each, and the blocks among the steps."""

    traces: tuple[tuple[Step, ...], ...]
    cases: tuple[int, ...]
    blocks: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)


def flow_of(evidence: Evidence) -> Level:
    """Return the flow of a whole log."""
    passages = [(int(evidence.case[rows[0]]), tuple(rows.tolist())) for rows in evidence.cases() if len(rows)]
    return _level(evidence, passages, _Namer())


@dataclass(frozen=True)
class Ready:
    """When the flow let each row begin (n,) ms, -1 for the first of a case; and after which step of its level (n,)."""

    since: np.ndarray
    after: np.ndarray


def ready(evidence: Evidence, level: Level) -> Ready:
    """Return when the flow let each row begin: at the end of what it came after."""
    walk = _Walk(evidence)
    for trace in level.traces:
        walk.walk(level, trace, -1)
    return Ready(walk.found, walk.after)


class _Namer:
    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"at once {self.count}"


def _level(evidence: Evidence, passages: Sequence[Passage], namer: _Namer) -> Level:
    groups = _groups(evidence, passages) if evidence.timed else []
    names = {code: name for ways in groups for name in [namer.next()] for way in ways for code in way}
    ways = {names[next(iter(group[0]))]: group for group in groups}
    plain = Level(
        tuple(tuple(_steps(evidence, rows, names)) for _, rows in passages), tuple(case for case, _ in passages)
    )
    return replace(plain, blocks={name: _block(evidence, plain, name, group, namer) for name, group in ways.items()})


def _steps(evidence: Evidence, rows: tuple[int, ...], names: Mapping[int, str]) -> Iterator[Step]:
    """Yield steps; rows of one block that follow one another are one step."""
    held: list[int] = []
    for row in rows:
        block = names.get(int(evidence.activity[row]))
        if held and names[int(evidence.activity[held[0]])] != block:
            yield Step(names[int(evidence.activity[held[0]])], tuple(held))
            held = []
        if block is None:
            yield Step(evidence.names[evidence.activity[row]], (row,))
        else:
            held.append(row)
    if held:
        yield Step(names[int(evidence.activity[held[0]])], tuple(held))


def _block(evidence: Evidence, level: Level, name: str, ways: list[set[int]], namer: _Namer) -> tuple[Level, ...]:
    pairs = zip(level.cases, level.traces, strict=True)
    passages = [(case, step.rows) for case, trace in pairs for step in trace if step.symbol == name]
    codes = evidence.activity.tolist()
    return tuple(
        _level(evidence, [(case, tuple(row for row in rows if codes[row] in way)) for case, rows in passages], namer)
        for way in ways
    )


def _groups(evidence: Evidence, passages: Sequence[Passage]) -> list[list[set[int]]]:
    """Return the blocks: each a list of ways, each a set of activity codes."""
    codes = {int(evidence.activity[row]) for _, rows in passages for row in rows}
    shares = _overlaps(evidence, passages)
    for least in SHARES:
        pairs = {pair for pair, share in shares.items() if share >= least}
        parts = [part for part in _components(codes, pairs) if len(part) > 1]
        if not parts:
            return []
        found = [_components(part, {p for p in combinations(sorted(part), 2) if p not in pairs}) for part in parts]
        if all(len(ways) > 1 for ways in found):
            return found
    names = ", ".join(evidence.names[code] for part in parts for code in sorted(part))
    evidence.unknown("flow", f"work overlaps but not in blocks of ways, taken as one after the other: {names}")
    return [ways for ways in found if len(ways) > 1]


def _overlaps(evidence: Evidence, passages: Sequence[Passage]) -> dict[Pair, float]:
    """Return for pairs of activities that overlap in either order the share of passages with both in which they do."""
    met: dict[Pair, int] = defaultdict(int)
    over: dict[Pair, int] = defaultdict(int)
    first: dict[Pair, int] = defaultdict(int)
    codes, begin, start, end = (
        column.tolist() for column in (evidence.activity, evidence.begin, evidence.start, evidence.end)
    )
    for _, rows in passages:
        for pair in combinations(sorted({codes[row] for row in rows}), 2):
            met[pair] += 1
        here = set()
        for i, row in enumerate(rows):
            for later in rows[i + 1 : i + 1 + NEAR]:
                a, b = codes[row], codes[later]
                if a != b and begin[later] < end[row] and begin[row] < end[later]:
                    here.add((min(a, b), max(a, b)))
                    first[(a, b) if start[row] <= start[later] else (b, a)] += 1
        for pair in here:
            over[pair] += 1
    return {
        (a, b): count / met[a, b]
        for (a, b), count in over.items()
        if count >= FEWEST and min(first[a, b], first[b, a]) >= EITHER * (first[a, b] + first[b, a])
    }


def _components(nodes: set[int], pairs: set[Pair]) -> list[set[int]]:
    near: dict[int, set[int]] = defaultdict(set)
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    left, found = set(nodes), []
    while left:
        part, edge = set(), {min(left)}
        while edge:
            part |= edge
            edge = {other for one in edge for other in near[one]} - part
        found.append(part & nodes)
        left -= part
    return found


class _Walk:
    """Walks all passages in order; the passages of a block's ways are numbered in the order in which the block comes."""

    def __init__(self, evidence: Evidence) -> None:
        self.end: list[int] = evidence.end.tolist()
        self.found = np.full(len(evidence.case), -1, np.int64)
        self.after = np.full(len(evidence.case), "", object)
        self.passed: dict[str, int] = defaultdict(int)

    def walk(self, level: Level, trace: Sequence[Step], since: int) -> int:
        """Note when each row of a trace could begin; return when the trace was over."""
        after = ""
        for step in trace:
            ways = level.blocks.get(step.symbol)
            if ways is None:
                self.found[step.rows[0]], self.after[step.rows[0]], since = since, after, self.end[step.rows[0]]
            else:
                at = self.passed[step.symbol]
                self.passed[step.symbol] += 1
                since = max(self.walk(way, way.traces[at], since) for way in ways)
            after = step.symbol
        return since
