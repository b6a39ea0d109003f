"""What a diff says, as data, as JSON and as sentences that somebody can read who does not know how twins work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gemel.dynamics import Array, Belief
from gemel.errors import NotFound
from gemel.facts import Time, iso
from gemel.twintype import TwinType

SMALL = 0.1
"""Changes of less than this part of a variable's own spread are counted and not told."""

MOST = 12
"""How many changes are told one by one."""


@dataclass(frozen=True)
class Change:
    """A state or constant: its mean before and after, its spread before, and the change in units of that spread."""

    name: str
    label: str
    unit: str
    before: float
    after: float
    sd: float

    @property
    def size(self) -> float:
        """Return the change in units of its spread; of what was certain, any change is infinite."""
        change = abs(self.after - self.before)
        return change / self.sd if self.sd > 0 else math.inf if change else 0.0

    def body(self) -> dict[str, Any]:
        """Return the change as JSON types; `spreads` is null where it was certain before."""
        return {**asdict(self), "change": self.after - self.before, "spreads": self.size if self.sd > 0 else None}

    def __str__(self) -> str:
        scale = abs(self.after - self.before)
        before, after, by = (sensible(v, scale) for v in (self.before, self.after, self.after - self.before))
        sign = "+" if self.after > self.before else ""
        how = "it was certain before" if self.sd <= 0 else f"{self.size:.1f} times its spread"
        return f"{self.label}: {before} → {after}{_of(self.unit)} ({sign}{by}; {how})"


@dataclass(frozen=True)
class Data:
    """Readings or doses of one name: how many were added and taken back, and which were corrected: (at, from, to)."""

    name: str
    label: str
    unit: str
    added: int
    taken_back: int
    corrected: tuple[tuple[Time, float, float], ...]
    first: Time
    last: Time

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        pairs = [{"at": at, "before": old, "after": new} for at, old, new in self.corrected]
        return {**asdict(self), "corrected": pairs}

    def __str__(self) -> str:
        parts = [f"{self.added} more"] * (self.added > 0) + [f"{self.taken_back} taken back"] * (self.taken_back > 0)
        fixed = [f"{_clock(at)}: {old:g} → {new:g}{_of(self.unit)}" for at, old, new in self.corrected[:3]]
        if self.corrected:
            parts.append(
                f"{len(self.corrected)} corrected ({'; '.join(fixed)}{'; …' if len(self.corrected) > 3 else ''})"
            )
        return f"{self.label}: {', '.join(parts)}, {_span(self.first, self.last)}"


@dataclass(frozen=True)
class Foreseen:
    """What was and is foreseen of one signal, so many minutes ahead: (low, median, high) of the 80 % interval."""

    signal: str
    label: str
    unit: str
    minutes: int
    before: tuple[float, float, float]
    after: tuple[float, float, float]

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        names = ("low", "median", "high")
        sides = {
            "before": dict(zip(names, self.before, strict=True)),
            "after": dict(zip(names, self.after, strict=True)),
        }
        return {"signal": self.signal, "unit": self.unit, "minutes": self.minutes, **sides}

    def __str__(self) -> str:
        scale = max(self.after[2] - self.after[0], 1e-9) / 4
        (low, mid, high), (low_, mid_, high_) = (
            [sensible(v, scale) for v in side] for side in (self.before, self.after)
        )
        return f"{self.label} in {self.minutes} min: {mid} (80 %: {low} to {high}) → {mid_}{_of(self.unit)} ({low_} to {high_})"


@dataclass(frozen=True)
class Group:
    """Facts that one side alone has, of one speaker, kind and name; `moved` is what would differ most without them."""

    by: str
    kind: str
    name: str
    label: str
    added: bool
    count: int
    first: Time
    last: Time
    facts: tuple[int, ...]
    moved: Change | None

    @property
    def size(self) -> float:
        """Return how much they moved, in units of spread; 0 where that was not computed."""
        return 0.0 if self.moved is None else self.moved.size

    def body(self) -> dict[str, Any]:
        """Return it as JSON types; `measured` is "refolded" where the record was folded without them, else "counted"."""
        own = {k: getattr(self, k) for k in ("by", "kind", "name", "added", "count", "first", "last")}
        how = "counted" if self.moved is None else "refolded"
        return {**own, "facts": list(self.facts), "measured": how, "moved": self.moved and self.moved.body()}

    def __str__(self) -> str:
        word, many = WORDS.get(self.kind, (self.kind.split("/")[0], self.kind.split("/")[0]))
        what = f"{self.count} {many}" if self.count > 1 else f"a {word}"
        of = f" of {self.label}" if self.label else ""
        known = "" if self.added else ", not known to the second"
        facts = f"fact{'s' if len(self.facts) > 1 else ''} {', '.join(map(str, self.facts))}"
        more = ", …" if self.count > len(self.facts) else ""
        return f"{self.by}: {what}{of}, {_span(self.first, self.last)}{known}{self._effect} [{facts}{more}]"

    @property
    def _effect(self) -> str:
        if self.moved is None:
            return ""
        if self.moved.size < SMALL:
            return "; hardly changed anything"
        by = self.moved.after - self.moved.before
        side = "lower" if by > 0 else "higher"
        what = f"{self.moved.label} would be {sensible(abs(by), abs(by))}{_of(self.moved.unit)} {side}"
        return f"; without {'them' if self.count > 1 else 'it'}, {what}"


CORRECTED = "corrected"
"""The kind of a group of records that were taken back and said anew."""

WORDS = {
    CORRECTED: ("correction", "corrections"),
    "observed/1": ("reading", "readings"),
    "acted/1": ("dose", "doses"),
    "happened/1": ("event", "events"),
    "retracted/1": ("record taken back", "records taken back"),
    "personalised/1": ("fit of the constants", "fits of the constants"),
    "retyped/1": ("change of type", "changes of type"),
}
"""What facts of a kind are called: one, several."""


@dataclass(frozen=True)
class Difference:
    """What changed from one view of a twin to another, largest first, and why."""

    twin: str
    labels: tuple[str, str]
    moments: tuple[Time, Time]
    types: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    only_after: tuple[str, ...]
    only_before: tuple[str, ...]
    data: tuple[Data, ...]
    foreseen: tuple[Foreseen, ...]
    groups: tuple[Group, ...]

    def body(self) -> dict[str, Any]:
        """Return the difference as JSON types."""
        sides = [
            {"label": label, "at": at, "type": name, "type_hash": hash_}
            for label, at, (name, hash_) in zip(self.labels, self.moments, self.types, strict=True)
        ]
        return {
            "twin": self.twin, "before": sides[0], "after": sides[1],
            "data": [entry.body() for entry in self.data], "changes": [change.body() for change in self.changes],
            "only_before": list(self.only_before), "only_after": list(self.only_after),
            "foreseen": [entry.body() for entry in self.foreseen], "why": [group.body() for group in self.groups],
        }  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        (a, b), (at_a, at_b) = self.labels, self.moments
        yield f"{self.twin}: from {a} (about {_clock(at_a)}) to {b} (about {_clock(at_b)})"
        if self.types[0] != self.types[1]:
            (was, old), (is_, new) = self.types
            yield f"The type changed: {was} {old[:12]} → {is_} {new[:12]}"
        yield from _section("Readings and doses", self.data, "the same")
        yield from _section("What is believed, largest change first", self._told, "nothing changed")
        for word, names in (("No longer believed", self.only_before), ("Believed only since", self.only_after)):
            if names:
                yield f"  {word}: {', '.join(names)}"
        yield from _section("What is foreseen, each from its own moment", self.foreseen, "nothing")
        yield from _section("Why, largest first", self.groups, "the same facts: only the moment is another")

    @property
    def _told(self) -> list[object]:
        large = [change for change in self.changes if change.size >= SMALL]
        rest = len(self.changes) - len(large[:MOST])
        return [*large[:MOST], *([f"{rest} other{'s' if rest > 1 else ''} changed less"] if rest else [])]


def _section(title: str, entries: Sequence[object], nothing: str) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"  {entry}" for entry in entries or [nothing])


def variables(twin_type: TwinType, belief: Belief) -> Mapping[str, Array]:
    """Return what can be compared of a belief: its values, or, where events fix the state, gauges and multipliers."""
    complete = getattr(twin_type.dynamics, "complete", None)
    return belief.values if complete is None or not twin_type.eventful else dict(complete(belief))


def changed(name: str, before: Array, after: Array, types: Sequence[TwinType]) -> Change:
    """Return how one variable of a belief changed."""
    old, new = (np.asarray(values, np.float64) for values in (before, after))
    sd = float(old.std()) if old.min() < old.max() else 0.0
    return Change(
        name, label_of(name, types), units_of(types[-1]).get(name, ""), float(old.mean()), float(new.mean()), sd
    )


def units_of(twin_type: TwinType) -> dict[str, str]:
    """Return the units of the variables of a type's dynamics, where it tells them."""
    return dict(getattr(getattr(twin_type.dynamics, "wiring", None), "units", {}))


def label_of(name: str, types: Sequence[TwinType]) -> str:
    """Return what to call a signal, a lever or a variable: the label of what reads it, or its name in words."""
    for twin_type in types:
        sensors = getattr(twin_type.dynamics, "sensors", {})
        read = next((signal for signal, sensor in sensors.items() if getattr(sensor, "variable", "") == name), name)
        try:
            return twin_type.port(read).label or read
        except NotFound:
            continue
    return name.replace(".", " ").replace("_", " ")


def sensible(value: float, scale: float) -> str:
    """Return *value* with as many digits as a change of *scale* needs to show in two."""
    if scale <= 0 or not math.isfinite(scale):
        return f"{value:.3g}"
    digits = 1 - math.floor(math.log10(scale))
    return f"{round(value, digits):.{max(digits, 0)}f}"


def _of(unit: str) -> str:
    return f" {unit}" if unit else ""


def _clock(at: Time) -> str:
    return iso(at)[:16].replace("T", " ")


def _span(first: Time, last: Time) -> str:
    if first == last:
        return _clock(first)
    same_day = iso(first)[:10] == iso(last)[:10]
    return f"{_clock(first)} to {_clock(last)[11 if same_day else 0 :]}"
