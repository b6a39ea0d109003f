"""Wiring: what in a network cannot be, said with the name of the thing and of those that are possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gemel.errors import BadInput, unknown
from gemel.process.network import (
    ANY,
    DISCIPLINES,
    END,
    TESTS,
    Choice,
    Customers,
    Delay,
    Join,
    Network,
    Node,
    Split,
    Station,
    Task,
    Test,
)


def after(node: Node) -> tuple[str, ...]:
    """Return the nodes that a node may send a token to."""
    if isinstance(node, Choice):
        return tuple(dict.fromkeys(to for rule in node.rules for to in rule.to))
    return node.to if isinstance(node, Split) else (node.then,)


def ways(network: Network) -> Mapping[str, tuple[str, ...]]:
    """Return where one may go from each node, giving up included."""
    stations = {station.name: station for station in network.stations}
    found = {}
    for node in network.nodes:
        given_up: tuple[str, ...] = ()
        if isinstance(node, Task) and node.station in stations:
            station = stations[node.station]
            given_up = (station.gives_up_to,) if station.patience or station.balk_at is not None else ()
        found[node.name] = tuple(dict.fromkeys((*after(node), *given_up)))
    return found


def reach(of: Mapping[str, tuple[str, ...]], start: Iterable[str]) -> set[str]:
    """Return all nodes that can be come to, those of *start* included."""
    found: set[str] = set()
    open_ = list(start)
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += of.get(name, ())
    return found


def loops(network: Network) -> set[str]:
    """Return the nodes that one customer may come to more than once."""
    of = ways(network)
    again = {name for name in of if name in reach(of, of[name])}
    stations = {station.name: station for station in network.stations}
    called = {n.name for n in network.nodes if isinstance(n, Task) and stations[n.station].callback}
    split = {name for node in network.nodes if isinstance(node, Split) for name in reach(of, node.to) - {END}}
    return again | called | split


def check(network: Network) -> None:
    """Raise `BadInput` for the first thing in a network that cannot be."""
    for what, things in (
        ("class of customers", network.customers), ("node", network.nodes), ("station", network.stations),
        ("pool", network.pools),
    ):  # fmt: skip
        _once(what, [thing.name for thing in things])
    names = [node.name for node in network.nodes]
    if END in names:
        raise BadInput(f"no node may be called {END!r}: it stands for having left")
    for node in network.nodes:
        _check_node(network, node, names)
    for group in network.customers:
        _check_class(group, names)
    for station in network.stations:
        _check_station(network, station, names)
    for pool in network.pools:
        if pool.cost_per_hour < 0:
            raise BadInput(f"pool {pool.name!r} costs {pool.cost_per_hour} an hour; it may not be below 0")
    if network.promise is not None and not network.promise > 0:
        raise BadInput(f"the promise of {network.name!r} is {network.promise} s; it must be above 0")
    _check_splits(network)
    _check_circles(network)


def _once(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"two things of the kind {what} are called {twice[0]!r}")


def _known(what: str, where: str, name: str, possible: Iterable[str]) -> None:
    possible = list(possible)
    if name not in possible:
        raise unknown(f"{what} (named by {where})", name, possible)


def _check_node(network: Network, node: Node, names: list[str]) -> None:
    where = f"node {node.name!r}"
    for to in after(node):
        _known("node", where, to, [*names, END])
    if isinstance(node, Task):
        _known("station", where, node.station, [station.name for station in network.stations])
    if isinstance(node, Choice):
        _check_choice(network, node)
    if isinstance(node, Split) and len(node.to) < 2:
        raise BadInput(f"{where} splits into {len(node.to)} way; it needs two or more")


def _check_choice(network: Network, node: Choice) -> None:
    where = f"choice {node.name!r}"
    if not node.rules or node.rules[-1].when:
        raise BadInput(f"{where} must end with a rule without conditions: somebody may meet none of the others")
    for rule in node.rules:
        if not rule.to or min(rule.to.values()) < 0 or sum(rule.to.values()) <= 0:
            raise BadInput(f"a rule of {where} has weights {dict(rule.to)}; they may not be below 0, nor all 0")
        for test in rule.when:
            _check_test(network, where, test)


def _check_test(network: Network, where: str, test: Test) -> None:
    _known("test", where, test.test, TESTS)
    attributes = {name: a for group in network.customers for name, a in group.attributes.items()}
    _known("attribute", where, test.attribute, ["class", "times", *attributes])
    if test.attribute == "class":
        _known("class of customers", where, str(test.value), [group.name for group in network.customers])
    word = isinstance(test.value, str)
    if test.attribute == "times" and word:
        raise BadInput(f"{where} compares a number of times with {test.value!r}")
    if test.attribute in attributes:
        own = [group.attributes for group in network.customers if test.attribute in group.attributes]
        options = [option for of in own for option in of[test.attribute].options]
        if word and not options:
            raise BadInput(f"{where} compares the number {test.attribute!r} with the word {test.value!r}")
        if options:
            _known(f"value of {test.attribute!r}", where, str(test.value), options)
    if (word or test.attribute == "class") and test.test not in ("==", "!="):
        raise BadInput(f"{where} compares words by {test.test!r}; possible: ==, !=")


def _check_class(group: Customers, names: list[str]) -> None:
    where = f"class {group.name!r}"
    _known("node", f"{where} as its entry", group.entry, names)
    for name, attribute in group.attributes.items():
        if name in ("class", "times"):
            raise BadInput(f"{where} has an attribute {name!r}: that word has a meaning of its own in conditions")
        if bool(attribute.options) == (attribute.numbers is not None):
            raise BadInput(f"attribute {name!r} of {where} needs options or numbers, one of the two")
        if attribute.weights and (
            len(attribute.weights) != len(attribute.options)
            or min(attribute.weights) < 0
            or sum(attribute.weights) <= 0
        ):
            raise BadInput(f"attribute {name!r} of {where} needs one weight per option, none below 0, not all 0")


def _check_station(network: Network, station: Station, names: list[str]) -> None:
    where = f"station {station.name!r}"
    pools, groups = [pool.name for pool in network.pools], [group.name for group in network.customers]
    if not station.teams:
        raise BadInput(f"{where} has no team: nobody would ever be served there")
    for team in station.teams:
        members = (team.pool, *team.with_)
        for pool in members:
            _known("pool", where, pool, pools)
        if len(set(members)) < len(members) or not team.speed > 0:
            raise BadInput(
                f"a team of {where} needs pools that differ and a speed above 0; it has {members}, {team.speed}"
            )
    for group in [*station.service, *station.patience]:
        _known("class of customers", where, group, [*groups, ANY])
    missing = [group for group in groups if group not in station.service and ANY not in station.service]
    if missing:
        raise BadInput(f"{where} has no service time for class {missing[0]!r}, nor for {ANY!r}")
    _known("discipline", where, station.discipline, DISCIPLINES)
    _known("way to choose a team", where, station.choose, ("order", "random"))
    _known("node", f"{where} for who gives up", station.gives_up_to, [*names, END])
    if station.promise is not None and not station.promise > 0:
        raise BadInput(f"the promise of {where} is {station.promise} s; it must be above 0")
    if station.batch and (station.batch.size < 1 or not station.batch.most_wait >= 0):
        raise BadInput(f"the batch of {where} is {station.batch}; its size is 1 or more, its wait 0 or more")
    if not 0 <= station.balk <= 1 or (station.balk_at is not None and station.balk_at < 0):
        raise BadInput(
            f"{where}: balk is a probability, balk_at a number of people; they are {station.balk}, {station.balk_at}"
        )
    if station.callback and not 0 <= station.callback.share <= 1:
        raise BadInput(f"{where} calls a share of {station.callback.share} back; it must lie within 0 and 1")


def _check_splits(network: Network) -> None:
    of, joins = ways(network), {node.name for node in network.nodes if isinstance(node, Join)}
    named = [node.join for node in network.nodes if isinstance(node, Split)]
    for name in named:
        _known("join", "a split", name, joins)
    _once("split's join", named)
    idle = sorted(joins - set(named))
    if idle:
        raise BadInput(f"join {idle[0]!r} is the end of no split")
    for node in network.nodes:
        for to in node.to if isinstance(node, Split) else ():
            stopped = {name: () if name == node.join else tos for name, tos in of.items()}  # type: ignore[union-attr]
            met = reach(stopped, [to])
            if node.join not in met or END in met:  # type: ignore[union-attr]
                raise BadInput(f"the way {to!r} of split {node.name!r} must end at {node.join!r} for everybody")  # type: ignore[union-attr]


def _check_circles(network: Network) -> None:
    quick = {node.name: after(node) for node in network.nodes if not isinstance(node, Task | Delay)}
    for name in quick:
        if name in reach(quick, quick[name]):
            raise BadInput(f"node {name!r} leads back to itself by nodes that take no time")
