"""Treated: how a service treated its customers, group by group, from the record of its twin.

Customers count as independent of each other; a group that comes when it is crowded waits longer, and that is told as a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.bank import Twin
from gemel.consent import ALL
from gemel.dynamics import Event
from gemel.errors import BadInput, unknown
from gemel.facts import SECOND, Time
from gemel.packs.service import fairness
from gemel.packs.service.fairness import Audit, Cases, Gap
from gemel.packs.service.history import LONGEST, History, foreseen, helped
from gemel.packs.service.own import promised
from gemel.process.network import Network

MOMENTS, MEMBERS = 60, 64
"""When forecasts are made again, and by how many runs each."""

MOST = 20
"""So many groups are compared at the most."""

CLASS = "class"
"""What `--by` may call the attribute by which a service's classes of customers are told, if there is none of that name."""


_FORECASTS = "no forecasts: of fewer than two groups a customer was there at a moment whose end is known"
COLUMNS: Mapping[str, str] = {
    "said": _FORECASTS,
    "truth": _FORECASTS,
    "covered": _FORECASTS,
    "wait": "no waits: the record does not tell of two groups when they waited and when work began",
    "breach": "no broken promises: nothing is promised where two groups waited",
    "acted": "no help: no lever that helps those who wait was turned",
    "delay": "nothing on how soon help came: of fewer than two groups anybody was helped",
}
"""What is said where a column is not known."""


@dataclass(frozen=True)
class Treated:
    """An audit of one service by the attribute `by`: the customers of each group, and those `without` one; `notes` say what of
    it could not be told; `beyond` are the measures whose gap is surely wider than its bound."""

    by: str
    groups: Mapping[str, int]
    without: int
    audit: Audit
    bounds: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def beyond(self) -> tuple[Gap, ...]:
        """Return the gaps that are wider than their bounds, by the lower end of their intervals."""
        return tuple(gap for gap in self.audit.gaps if gap.gap.low > self.bounds.get(gap.measure, 0.0))

    @property
    def verdict(self) -> str:
        """Return the answer in one sentence."""
        if not self.beyond:
            return f"no gap between groups by {self.by} is surely beyond its bound"
        return f"groups by {self.by} are not treated alike: {'; '.join(gap.text for gap in self.beyond)}"

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "by": self.by, "groups": dict(self.groups), "without_group": self.without, **self.audit.body(),
            "bounds": {gap.measure: self.bounds.get(gap.measure, 0.0) for gap in self.audit.gaps},
            "beyond": [gap.measure for gap in self.beyond], "notes": list(self.notes), "verdict": self.verdict,
        }  # fmt: skip


def treated(
    seen: Twin, by: str, bounds: Mapping[str, float] | None = None, since: Time | None = None, *,
    moments: int = MOMENTS, members: int = MEMBERS, seed: int = 0,
) -> Treated:  # fmt: skip
    """Return how the customers of a service who came from *since* on were treated, by the groups that an attribute makes.

    Reading all of the twin is asked of the gate. *bounds* are the widest gaps that are accepted, by measure, 0 by default.
    """
    limits = _checked(bounds or {})
    seen.bank.gate.require(seen.actor, "read", seen.id, ALL, seen.purpose)
    network = _network(seen)
    fairness.fairlearn()
    replica = seen.bank.replica(seen.id)
    events = [one for one in replica.happened(None, seen.bank.now() + 1) if one.case]
    told, groups = _grouped(events, by)
    history = History.of(events, network, promised(seen).waits)
    who = [case for case in history.log.cases if case in groups and history.begun[case] >= (since or 0)]
    columns = history.waits(who) | helped(history, who, replica.plan(), network)
    columns |= foreseen(history, network, who, moments, members, seed) if moments else {}
    of = np.array([groups[case] for case in who], str)
    many = Counter(of.tolist())
    if not 2 <= len(many) <= MOST:
        raise BadInput(f"{len(many)} groups of customers by {told!r}; an audit compares 2 to {MOST}", field="by")
    kept, notes = _known(columns, of)
    without = sum(history.begun[case] >= (since or 0) for case in history.log.cases) - len(who)
    return Treated(told, dict(sorted(many.items())), without, fairness.audit(Cases(of, **kept)), limits, notes)


def _checked(bounds: Mapping[str, float]) -> dict[str, float]:
    for name, value in bounds.items():
        if name not in fairness.MEASURES:
            raise unknown("measure", name, fairness.MEASURES)
        share = fairness.MEASURES[name][1] == "share"
        if not 0 <= value <= (1 if share else LONGEST / SECOND):
            raise BadInput(f"{value:g} is no {'share from 0 to 1' if share else 'number of seconds'}", field=name)
    return dict(bounds)


def _network(seen: Twin) -> Network:
    network = getattr(seen.type.dynamics, "network", None)
    if not isinstance(network, Network):
        raise BadInput(f"{seen.id} is a {seen.type.name}, not a service; only services have customers to compare")
    return network


def _grouped(events: Sequence[Event], by: str) -> tuple[str, dict[str, str]]:
    """Return the attribute that is meant, and of each case what it said of it first."""
    names = {name for event in events for name in event.attributes}
    name = "customers" if by == CLASS and by not in names else by
    if name not in names:
        raise unknown("attribute of customers", by, names)
    found: dict[str, str] = {}
    for event in events:
        if name in event.attributes and event.attributes[name] != "":
            found.setdefault(event.case, str(event.attributes[name]))
    return name, found


def _known(columns: Mapping[str, np.ndarray], group: np.ndarray) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return what is known of two groups at least, and a note on what is not."""
    kept = {name: one for name, one in columns.items() if len(np.unique(group[np.isfinite(one)])) > 1}
    if not kept:
        raise BadInput("neither waits, forecasts nor help are on record of two groups", field="by")
    return kept, tuple(dict.fromkeys(note for name, note in COLUMNS.items() if name not in kept))
