"""State: presents as arrays of floats, one row per member, padded with NaN; there and back without loss.

A case is its 48-bit key. The key of a customer that a run made up is in her id; that of any other is a hash of it, so that the
way back to ids needs to be told them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.process.memory import AWAY, HELD, STOOD, TALLY
from gemel.process.network import Network, Task
from gemel.process.plan import Plan, code, plan
from gemel.process.present import WAITING, Case, Present, Token

Packed = Mapping[str, np.ndarray]

HELD_FIELDS = ("key", "customers", "arrived", "urgency")
STOOD_FIELDS = ("case", "node", "status", "since", "started", "team", "due", "patient", "left", "group")
TALLY_FIELDS = ("case", "node", "count")
AWAY_FIELDS = ("pool", "until", "fails")
ROWS = {
    "cases": (HELD, HELD_FIELDS), "tokens": (STOOD, STOOD_FIELDS), "times": (TALLY, TALLY_FIELDS), "away": (AWAY, AWAY_FIELDS)
}  # fmt: skip
"""What is packed as (member, rows, fields)."""


def case_key(id: str) -> int:
    """Return the 48 bits that stand for a case, and key its draws."""
    if id.startswith("~"):
        return int(id[1:], 16)
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=6).digest(), "little")


def case_id(key: int, ids: Mapping[int, str]) -> str:
    """Return the id of a case by its key, made up if it is none of *ids*."""
    return ids.get(key, f"~{key:012x}")


def ids_of(presents: Sequence[Present]) -> dict[int, str]:
    """Return the ids of all cases by key."""
    return {case_key(case.id): case.id for present in presents for case in present.cases}


def pack(presents: Sequence[Present], network: Network | Plan) -> dict[str, np.ndarray]:
    """Return presents as arrays of float64, leading axis member; raises `BadInput` for names that the network has not."""
    own = network if isinstance(network, Plan) else plan(network)
    rows = [_rows(present, own) for present in presents]
    packed = {"at": np.array([present.at for present in presents], float)}
    for name, (_, fields) in ROWS.items():
        many = max([len(row[name]) for row in rows] + [1])
        packed[name] = np.full((len(rows), many, len(fields)), np.nan)
        for member, row in enumerate(rows):
            if row[name]:
                packed[name][member, : len(row[name])] = row[name]
    width = max(len(own.attributes), 1)
    packed["about"] = np.full((len(rows), packed["cases"].shape[1], width), np.nan)
    for member, row in enumerate(rows):
        if row["about"]:
            packed["about"][member, : len(row["about"])] = row["about"]
    for name in ("arrivals", "failures", "change"):
        packed[name] = np.array([row[name] for row in rows], float)
    return packed


def _rows(present: Present, own: Plan) -> dict[str, list[Any]]:
    places = {case.id: place for place, case in enumerate(present.cases)}
    _check(present, own, places)
    return {
        "cases": [[case_key(c.id), own.classes[c.customers], c.arrived, _number(c.urgency)] for c in present.cases],
        "about": [
            [code(own.options[name], c.attributes[name]) if name in c.attributes else math.nan for name in own.attributes]
            or [math.nan]
            for c in present.cases
        ],
        "tokens": [_token(token, own, places) for token in present.tokens],
        "times": [
            [place, own.nodes[node], count] for place, c in enumerate(present.cases) for node, count in c.times.items()
        ],
        "away": [
            *([own.pools[pool], _number(until), 0.0] for pool, until in present.away),
            *([own.pools[pool], at, 1.0] for pool, at in present.fails),
        ],
        "arrivals": [
            (
                present.next_arrival.get(name, math.nan),
                *present.since_arrival.get(name, (math.nan, math.nan)),
                present.came.get(name, 0),
            )
            for name in own.classes
        ] or [(math.nan,) * 4],
        "failures": [present.failures.get(name, 0) for name in own.pools] or [0],
        "change": _change(present, own),
    }  # fmt: skip


def _token(token: Token, own: Plan, places: Mapping[str, int]) -> list[float]:
    return [
        places[token.case], own.nodes[token.node], token.status, token.since, _number(token.started), token.team,
        _number(token.due), _number(token.patient_until), _number(token.left), token.group,
    ]  # fmt: skip


def _change(present: Present, own: Plan) -> list[float]:
    found = [math.nan] * max(own.width, 1)
    for name, value in present.change.items():
        for place in own.levers[name]:
            found[place] = value
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _check(present: Present, own: Plan, places: Mapping[str, int]) -> None:
    if len(places) < len(present.cases):
        raise BadInput("two cases in the present have one id", field="cases")
    for case in present.cases:
        _possible("class of customers", case.customers, own.classes)
        for node in case.times:
            _possible("node", node, own.nodes)
    for token in present.tokens:
        _possible("case of a token", token.case, places)
        _possible("node", token.node, own.nodes)
        place = own.network.nodes[own.nodes[token.node]]
        fits = (Task, Task, None, None)[token.status]
        if fits and not isinstance(place, fits):
            doing = "waits" if token.status == WAITING else "is served"
            raise BadInput(f"case {token.case!r} {doing} at {token.node!r}, which is no task", field="tokens")
        if isinstance(place, Task) and token.team >= len(own.network.station(place.station).teams):
            raise BadInput(f"case {token.case!r} is served by team {token.team}, which {place.station!r} has not")
    for pool in [*(p for p, _ in present.away), *(p for p, _ in present.fails), *present.failures]:
        _possible("pool", pool, own.pools)
    for name in [*present.next_arrival, *present.came, *present.since_arrival]:
        _possible("class of customers", name, own.classes)
    for name in present.change:
        _possible("lever", name, own.levers)


def _possible(what: str, name: str, names: Mapping[str, Any]) -> None:
    if name not in names or name == "end":
        raise unknown(what, name, [one for one in names if one != "end"])


def unpack(packed: Packed, network: Network | Plan, ids: Mapping[int, str] | None = None) -> tuple[Present, ...]:
    """Return the presents that were packed, cases named by *ids* (key → id) where they are known to it."""
    own = network if isinstance(network, Plan) else plan(network)
    return tuple(_present(packed, member, own, ids or {}) for member in range(len(packed["at"])))


def _present(packed: Packed, member: int, own: Plan, ids: Mapping[int, str]) -> Present:
    names = {what: tuple(getattr(own, what)) for what in ("nodes", "pools", "classes")}
    held, stood, tallies, away = (_told(packed[name][member]) for name in ROWS)
    times: list[dict[str, int]] = [{} for _ in held]
    for case, node, count in tallies:
        times[int(case)][names["nodes"][int(node)]] = int(count)
    cases = tuple(
        Case(case_id(int(key), ids), names["classes"][int(group)], arrived, _about(about, own), tally, _known(urgency))
        for (key, group, arrived, urgency), about, tally in zip(
            held, packed["about"][member].tolist(), times, strict=False
        )
    )
    tokens = tuple(
        Token(
            cases[int(case)].id, names["nodes"][int(node)], int(status), since, _known(started), int(team), _known(due),
            _known(patient), _known(left), int(group),
        )
        for case, node, status, since, started, team, due, patient, left, group in stood
    )  # fmt: skip
    arrivals = dict(zip(names["classes"], packed["arrivals"][member].tolist(), strict=False))
    change = packed["change"][member]
    return Present(
        int(packed["at"][member]), cases, tokens,
        tuple((names["pools"][int(pool)], _known(until)) for pool, until, fails in away if not fails),
        {name: row[0] for name, row in arrivals.items() if not math.isnan(row[0])},
        {name: int(row[3]) for name, row in arrivals.items() if row[3]},
        {name: float(change[at[0]]) for name, at in own.levers.items() if not math.isnan(change[at[0]])},
        tuple((names["pools"][int(pool)], until) for pool, until, fails in away if fails),
        {name: int(n) for name, n in zip(names["pools"], packed["failures"][member].tolist(), strict=False) if n},
        {name: (row[1], row[2]) for name, row in arrivals.items() if not math.isnan(row[1])},
    )  # fmt: skip


def _told(rows: np.ndarray) -> list[list[float]]:
    told: list[list[float]] = rows[~np.isnan(rows[:, 0])].tolist()
    return told


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _about(row: Sequence[float], own: Plan) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    for name, value in zip(own.attributes, row, strict=False):
        options = own.options[name]
        if math.isnan(value):
            continue
        found[name] = value if not options else options[int(value)] if value >= 0 else "?"
    return found
