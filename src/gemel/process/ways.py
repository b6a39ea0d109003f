"""Ways: how a token may get from one node of a network to another, and what it must pass on the way."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gemel.process.network import END, Choice, Delay, Join, Network, Node, Split, Station, Task, Test

PASSING = {Choice: 0.0, Split: 0.1, Delay: 0.1, Join: 0.2, Task: 1.0}
"""How unlikely it is that a token passed a node unseen: a task leaves events behind, a choice leaves none."""


@dataclass
class Ways:
    """A network as a map: nodes by name, tasks and delays by what events call them, the cheapest ways found so far."""

    network: Network
    nodes: Mapping[str, Node] = field(init=False)
    stations: Mapping[str, Station] = field(init=False)
    parts: Mapping[str, int] = field(init=False)
    """How many tokens each join waits for."""
    _named: Mapping[str, tuple[str, ...]] = field(init=False)
    _found: dict[str, Mapping[str, tuple[float, tuple[str, ...]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = {node.name: node for node in self.network.nodes}
        self.stations = {station.name: station for station in self.network.stations}
        self.parts = {node.join: len(node.to) for node in self.network.nodes if isinstance(node, Split)}
        named: dict[str, list[str]] = {}
        for node in self.network.nodes:
            if isinstance(node, Task | Delay):
                for name in {node.name, node.name.partition("#")[0]}:
                    named.setdefault(name, []).append(node.name)
        self._named = {name: tuple(nodes) for name, nodes in named.items()}

    def called(self, activity: str) -> tuple[str, ...]:
        """Return the nodes that events call *activity*: of that name, or of that name with a suffix `#2`."""
        return self._named.get(activity, ())

    def after(self, name: str) -> str:
        """Return where a token goes on from a node that is done (from a choice: the choice itself)."""
        node = self.nodes[name]
        return node.then if isinstance(node, Task | Delay | Join) else name

    def way(self, start: str, to: str) -> tuple[float, tuple[str, ...]] | None:
        """Return the cheapest way from entering *start* to entering *to*, both named, and its cost; None if there is none."""
        if start not in self._found:
            self._found[start] = self._search(start)
        return self._found[start].get(to)

    def _search(self, start: str) -> Mapping[str, tuple[float, tuple[str, ...]]]:
        best: dict[str, tuple[float, tuple[str, ...]]] = {}
        heap: list[tuple[float, tuple[str, ...]]] = [(0.0, (start,))]
        while heap:
            cost, path = heapq.heappop(heap)
            if path[-1] not in best:
                best[path[-1]] = (cost, path)
                for then in self._next(path[-1]):
                    heapq.heappush(heap, (cost + PASSING[type(self.nodes[path[-1]])], (*path, then)))
        return best

    def _next(self, name: str) -> Iterator[str]:
        node = self.nodes.get(name)
        if isinstance(node, Choice):
            yield from {to for rule in node.rules for to, weight in rule.to.items() if weight > 0}
        elif isinstance(node, Split):
            yield from node.to
        elif node is not None:
            yield node.then

    def only(self, choice: Choice, about: Mapping[str, str | float]) -> str | None:
        """Return the one way that a case *about* which this is known can take, or None if several are open."""
        for rule in choice.rules:
            verdicts = [holds(test, about) for test in rule.when]
            if None in verdicts:
                return None
            if all(verdicts):
                open_ = [to for to, weight in rule.to.items() if weight > 0]
                return open_[0] if len(open_) == 1 else None
        return END


def holds(test: Test, about: Mapping[str, str | float]) -> bool | None:
    """Return whether a condition holds of a case, None if what it asks for is not known."""
    if test.attribute not in about:
        return None
    found, asked = about[test.attribute], test.value
    if isinstance(found, str) or isinstance(asked, str):
        return {"==": str(found) == str(asked), "!=": str(found) != str(asked)}.get(test.test, False)
    compared = {
        "==": found == asked, "!=": found != asked, "<": found < asked, "<=": found <= asked, ">": found > asked,
        ">=": found >= asked,
    }  # fmt: skip
    return compared[test.test]
