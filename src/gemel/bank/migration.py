"""Migration: how the state of one type of twin becomes that of another, as a pure record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from gemel.dynamics import Belief, Range, Subject
from gemel.errors import BadInput, unknown
from gemel.twintype import TwinType
from gemel.units import factor, same_dimension


@dataclass(frozen=True)
class Move:
    """One variable that goes over, times *factor*, under its old name or another."""

    old: str
    new: str
    factor: float = 1.0


@dataclass(frozen=True)
class Migration:
    """What goes over, what begins `fresh` from the prior, what is `lost`; `anew` folds the whole record again instead."""

    moves: tuple[Move, ...] = ()
    fresh: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    anew: bool = False

    def body(self) -> dict[str, Any]:
        """Return the migration as JSON types."""
        moves = [{"old": move.old, "new": move.new, "factor": move.factor} for move in self.moves]
        return {"moves": moves, "fresh": list(self.fresh), "lost": list(self.lost), "anew": self.anew}

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> Migration:
        """Return the migration that `body()` described."""
        moves = tuple(Move(entry["old"], entry["new"], float(entry["factor"])) for entry in body["moves"])
        return Migration(moves, tuple(body["fresh"]), tuple(body["lost"]), bool(body["anew"]))

    @property
    def digest(self) -> str:
        """Return the hash of what the migration does."""
        return sha256(json.dumps(self.body(), sort_keys=True).encode()).hexdigest()

    def apply(self, ranges: Mapping[str, Range], belief: Belief, prior: Belief) -> Belief:
        """Return *prior* with what goes over in place; what would lie outside its range there is the prior's or the bound."""
        members = np.arange(prior.members) % belief.members
        values = dict(prior.values)
        for move in self.moves:
            held = np.asarray(belief.values[move.old])[:, members]
            moved = held if move.factor == 1.0 else (held * np.float32(move.factor)).astype(held.dtype)
            values[move.new] = _within(moved, np.asarray(values[move.new]), ranges.get(move.new))
        return Belief(prior.subjects, belief.at, values)

    def __str__(self) -> str:
        if self.anew:
            return "nothing goes over: the whole record is folded again"
        over = [
            (m.new if m.old == m.new else f"{m.old} as {m.new}") + ("" if m.factor == 1.0 else f" (times {m.factor:g})")
            for m in self.moves
        ]
        rows = (("goes over", over), ("begins anew", self.fresh), ("is lost", self.lost))
        return "\n".join(f"{what}: {', '.join(names) or 'nothing'}" for what, names in rows)


def _within(moved: np.ndarray, prior: np.ndarray, span: Range | None) -> np.ndarray:
    if span is None:
        return moved
    if not span.soft:
        return np.asarray(np.clip(moved, span.low, span.high))
    return np.where((moved > span.low) & (moved < span.high), moved, prior)


def between(old: TwinType, new: TwinType, renamed: Mapping[str, str] | None = None, anew: bool = False) -> Migration:
    """Return how *old* becomes *new*: by equal name and kind of unit, but for *renamed* (new name to old name).

    Raises `BadInput` where a signal or lever of one name is in another unit: what is on record would change its meaning.
    """
    _same_ports(old, new)
    if anew:
        return Migration(anew=True)
    before, after, renamed = variables(old), variables(new), renamed or {}
    for name, was in renamed.items():
        if name not in after or was not in before:
            raise unknown("variable", was if name in after else name, before if name in after else after)
    wanted = {name: renamed.get(name, name) for name in after}
    moves = [Move(was, name, factor(before[was], after[name]) if before[was] != after[name] else 1.0)
             for name, was in wanted.items() if was in before and _alike(before[was], after[name], name in renamed)]  # fmt: skip
    gone = set(before) - {move.old for move in moves}
    return Migration(tuple(moves), tuple(sorted(set(after) - {move.new for move in moves})), tuple(sorted(gone)))


def _alike(old: str, new: str, asked: bool) -> bool:
    if not asked and old != new and not same_dimension(old, new):
        return False
    factor(old, new)
    return True


def _same_ports(old: TwinType, new: TwinType) -> None:
    before, after = {**old.signals, **old.levers}, {**new.signals, **new.levers}
    for name in sorted(before.keys() & after.keys()):
        if before[name].unit != after[name].unit or (name in old.levers) != (name in new.levers):
            raise BadInput(
                f"{name} is in {before[name].unit} in one type and in {after[name].unit} in the other, and what is on "
                "record is in the first: give it another name",
                field=name,
            )


def variables(twin_type: TwinType) -> dict[str, str]:
    """Return the variables of a belief of that type, with their units where the dynamics tells them."""
    units = getattr(getattr(twin_type.dynamics, "wiring", None), "units", {})
    prior = twin_type.dynamics.prior([Subject("anybody", 0)], 2, 0)
    return {name: units.get(name, "") for name in sorted(prior.values)}
