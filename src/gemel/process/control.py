"""Control: a lever that is pulled at a moment, and the tables in which the kernel finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.facts import Time
from gemel.process import memory
from gemel.process.plan import Plan
from gemel.process.state import case_key

LEVERS = ("staff", "open", "arrivals", "pace", "patience", "route", "away", "urgency", "send")


@dataclass(frozen=True)
class Control:
    """A lever pulled `at` a moment (ms): what it is set to (one value, or one per member) holds from then on.

    "staff" (pool): units added; "open" (station): 0 or 1; "arrivals" (class), "pace", "patience" (station): a factor on rate,
    service time, patience; "route" ("choice>node"): weight; "away" (pool): seconds that one unit is away; "urgency" (case): her
    priority; "send" (case): the place among the nodes that her waiting token goes to, -1 out.
    """

    at: Time
    kind: str
    target: str
    value: float | np.ndarray


def tables_of(controls: Sequence[Control], own: Plan, members: int) -> dict[str, np.ndarray]:
    """Return the levers pulled, one row for each thing that one is about, and what each is set to for each member."""
    columns = max([np.size(control.value) for control in controls] + [1])
    if columns not in (1, members):
        raise BadInput(f"a control has {columns} values for {members} members; give one, or one each")
    rows, values = [], []
    for control in controls:
        for key, target in _targets(control, own):
            rows.append((float(control.at), key, LEVERS.index(control.kind), target))
            values.append(np.broadcast_to(np.asarray(control.value, float), columns))
    none = np.zeros(1, memory.CONTROL)
    none["at"] = np.nan
    return {
        "controls": np.array(rows, memory.CONTROL) if rows else none,
        "settings": np.concatenate(values) if values else np.zeros(columns),
    }  # fmt: skip


def _targets(control: Control, own: Plan) -> list[tuple[int, int]]:
    """Return key and place of all that a control is about."""
    kind = control.kind
    if kind not in LEVERS:
        raise unknown("control", kind, LEVERS)
    if kind in ("urgency", "send"):
        return [(case_key(control.target), -1)]
    if kind in ("pace", "patience") and not np.all(np.asarray(control.value) > 0):
        raise BadInput(f"a factor on {kind} must be above 0; it is {control.value}", field="value")
    places: dict[str, Mapping[str, Any]] = {
        "staff": own.pools, "away": own.pools, "arrivals": own.classes, "route": own.ways
    }  # fmt: skip
    names = places.get(kind, own.stations)
    if control.target not in names:
        what = {"staff": "pool", "away": "pool", "arrivals": "class of customers", "route": "way"}.get(kind, "station")
        raise unknown(what, control.target, names)
    found = names[control.target]
    return [(0, place) for place in (found if isinstance(found, tuple) else (found,))]
