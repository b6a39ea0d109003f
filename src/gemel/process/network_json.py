"""A network as JSON and back, exactly; every node says which kind it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from gemel.errors import BadInput, unknown
from gemel.process.network import Choice, Customers, Delay, Join, Network, Node, Pool, Split, Station, Task
from gemel.process.wiring import check

KINDS: Mapping[str, type] = {"task": Task, "choice": Choice, "split": Split, "join": Join, "delay": Delay}
_NAMES = {kind: name for name, kind in KINDS.items()}


def body_of(network: Network) -> dict[str, Any]:
    """Return the network as JSON types."""
    body: dict[str, Any] = msgspec.to_builtins(network)
    nodes = zip(network.nodes, body["nodes"], strict=True)
    return body | {"nodes": [{"kind": _NAMES[type(node)], **told} for node, told in nodes]}


def network_of(body: Mapping[str, Any]) -> Network:
    """Return the network that `body_of` described, checked; raise `BadInput` naming what cannot be."""
    parts = {"customers": Customers, "stations": Station, "pools": Pool}
    try:
        made = {
            name: tuple(_part(f"{name}[{i}]", one, kind) for i, one in enumerate(body[name]))
            for name, kind in parts.items()
        }
        nodes = tuple(_node(i, one) for i, one in enumerate(body["nodes"]))
        promise = body.get("promise")
        network = Network(str(body["name"]), made["customers"], nodes, made["stations"], made["pools"], promise)
    except KeyError as missing:
        raise BadInput(f"a network has {missing.args[0]!r}; this has {', '.join(map(str, body))}") from None
    check(network)
    return network


def hash_of(network: Network) -> str:
    """Return the content hash of a network, 64 hex digits."""
    return hashlib.sha256(json.dumps(body_of(network), sort_keys=True).encode()).hexdigest()


def _node(place: int, body: Mapping[str, Any]) -> Node:
    name = str(body.get("kind"))
    if name not in KINDS:
        raise unknown(f"kind of nodes[{place}]", name, KINDS)
    found: Node = _part(f"nodes[{place}]", {key: value for key, value in body.items() if key != "kind"}, KINDS[name])
    return found


def _part(where: str, body: Any, kind: type) -> Any:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadInput(str(error), field=where) from None
