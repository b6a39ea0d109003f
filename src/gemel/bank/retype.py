"""Retype: a live twin becomes another version of its type, or another type; tried first on a copy, on record, undone exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemel.bank.contrast import label_of, sensible
from gemel.bank.lineage import RETYPED, Span, definition
from gemel.bank.migration import Migration, between
from gemel.bank.personal import errors
from gemel.bank.replica import Replica, bare
from gemel.bank.versions import readable
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import DAY, MINUTE, Draft, Fact, Time
from gemel.simulate import samples, summarise
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

REHEARSED = "rehearsed/1"
HORIZONS = (30, 60, 120)
DAYS = 3.0
"""How much of the past both types are scored on."""

Spread = tuple[float, float, float]
"""Low, median and high of an 80 % interval."""


@dataclass(frozen=True)
class Ahead:
    """What each type foresees of a signal from the same past; None where a type has no such signal."""

    signal: str
    label: str
    unit: str
    minutes: int
    before: Spread | None
    after: Spread | None


@dataclass(frozen=True)
class Score:
    """Forecasts of a signal an hour ahead over the last days by each type: how many met their truth, CRPS and RMSE."""

    signal: str
    label: str
    unit: str
    n: int
    crps_before: float
    crps_after: float
    rmse_before: float
    rmse_after: float

    def body(self) -> dict[str, Any]:
        """Return the score as JSON types; null where no forecast met its truth."""
        return {name: value if self.n or not isinstance(value, float) else None for name, value in vars(self).items()}


@dataclass(frozen=True)
class Rehearsal:
    """What a retyping would do, tried on a copy: what goes over, ports new and lost, forecasts and scores of both types."""

    twin: str
    at: Time
    old: TwinType
    new: TwinType
    migration: Migration
    ahead: tuple[Ahead, ...]
    scores: tuple[Score, ...]

    @property
    def ports(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the signals and levers that are new, and those that are lost."""
        before, after = ({*one.signals, *one.levers} for one in (self.old, self.new))
        return tuple(sorted(after - before)), tuple(sorted(before - after))

    def body(self) -> dict[str, Any]:
        """Return the rehearsal as JSON types."""
        come, gone = self.ports
        return {
            "at": self.at, "from": _named(self.old), "to": _named(self.new), "migration": self.migration.body(),
            "new_ports": list(come), "lost_ports": list(gone), "ahead": [vars(entry) for entry in self.ahead],
            "scores": [score.body() for score in self.scores],
        }  # fmt: skip

    def __str__(self) -> str:
        come, gone = self.ports
        rows = [
            f"{self.twin}: {self.old.name} {self.old.hash[:12]} → {self.new.name} {self.new.hash[:12]}, tried on a copy"
        ]
        rows += str(self.migration).splitlines()
        rows += [f"new signals and levers: {', '.join(come)}"] * bool(come)
        rows += [f"no longer read or given: {', '.join(gone)}"] * bool(gone)
        rows += [_ahead_line(entry) for entry in self.ahead]
        return "\n".join([*rows, *(_score_line(score) for score in self.scores)])


def _named(twin_type: TwinType) -> dict[str, str]:
    return {"name": twin_type.name, "hash": twin_type.hash}


def _ahead_line(entry: Ahead) -> str:
    before, after = (_spread_text(side) for side in (entry.before, entry.after))
    return f"{entry.label} in {entry.minutes} min: {before} → {after} {entry.unit}".rstrip()


def _spread_text(side: Spread | None) -> str:
    if side is None:
        return "not foreseen"
    low, mid, high = (sensible(value, max(side[2] - side[0], 1e-9) / 4) for value in side)
    return f"{mid} (80 %: {low} to {high})"


def _score_line(score: Score) -> str:
    if not score.n:
        return f"{score.label}: no forecast of the last days met its reading, so the two cannot be compared"
    crps = f"CRPS {score.crps_before:.3g} → {score.crps_after:.3g}"
    error = f"RMSE {score.rmse_before:.3g} → {score.rmse_after:.3g} {score.unit}".rstrip()
    better = "the new foretells better" if score.crps_after < score.crps_before else "the new foretells no better"
    return f"{score.label} an hour ahead on {score.n} past readings: {crps}, {error}: {better}"


def rehearse(twin: Twin, to: str | TwinType, renamed: Mapping[str, str] | None, anew: bool, days: float) -> Rehearsal:
    """Return what a retyping would do; nothing is written and nobody's belief changes."""
    readable(twin)
    twin.bank.gate.require(twin.actor, "fork", twin.id, "*", twin.purpose)
    bank, now = twin.bank, twin.bank.now() // MINUTE * MINUTE
    old, new = bank.beliefs.replica_known_by(twin.id, None), _target(twin, to)
    now = min(now, ((now if old.last is None else old.last) // MINUTE + 1) * MINUTE)  # of an old record, at its end
    migration = between(old.type, new, renamed, anew)
    made = _as(old, new, now, migration)
    pair = (old, made)
    known = old.start is not None and old.start < now
    names = [name for name in {**old.type.band, **new.band} if known]
    ahead = [one for name in names for one in _ahead(pair, name, now)]
    scores = [
        _score(old, _as(old, new, max(now - round(days * DAY), old.since), migration), name, now, days)
        for name in names if name in old.type.band and name in new.band
    ]  # fmt: skip
    return Rehearsal(twin.id, now, old.type, new, migration, tuple(ahead), tuple(scores))


def _target(twin: Twin, to: str | TwinType) -> TwinType:
    new = twin.bank.lineages.named(to) if isinstance(to, str) else to
    current = twin.bank.lineages.of(twin.id)[-1]
    if new.hash == current.hash:
        raise BadInput(f"{twin.id} is of {new.name} {new.hash[:12]} already", field="to")
    return new


def _as(old: Replica, new: TwinType, since: Time, migration: Migration) -> Replica:
    """Return the copy that becomes the new type at *since*, or, anew, was always of it."""
    if migration.anew or old.start is None or since <= old.start:
        return replace(old, type=new, former=None, shelf=bare, folded=0, _points=[])
    return replace(old.retyped(new, since, migration), shelf=bare)


def _ahead(pair: tuple[Replica, Replica], signal: str, now: Time) -> list[Ahead]:
    rows = [_quantiles(replica, signal, now) if signal in replica.type.signals else None for replica in pair]
    port = next(replica.type.signals[signal] for replica in reversed(pair) if signal in replica.type.signals)
    label = label_of(signal, [replica.type for replica in reversed(pair)])
    return [
        Ahead(signal, label, port.unit, minutes, *(None if row is None else row[i] for row in rows))
        for i, minutes in enumerate(HORIZONS)
    ]


def _quantiles(replica: Replica, signal: str, now: Time) -> list[Spread]:
    last = replica.belief(now)
    assert last is not None
    belief, port, length = replica.forward(last, now), replica.type.signals[signal], max(HORIZONS) * MINUTE
    plan = replica.expected(now, now, length)
    draws = samples(replica.type.dynamics, belief, [plan], length, replica.seed, signal, 5 * MINUTE)
    said = summarise(draws[:, 0], signal, port.unit, now, 5 * MINUTE, port.low, port.high)
    at = [minutes // 5 - 1 for minutes in HORIZONS]
    return [(float(said.at_level(0.1)[i]), float(said.at_level(0.5)[i]), float(said.at_level(0.9)[i])) for i in at]


def _score(old: Replica, shadow: Replica, signal: str, now: Time, days: float) -> Score:
    since, port = max(now - round(days * DAY), old.since), shadow.type.signals[signal]
    (n, crps, rmse), (_, crps_, rmse_) = (errors(replica, signal, since, now) for replica in (old, shadow))
    return Score(signal, label_of(signal, [shadow.type]), port.unit, n, crps, crps_, rmse, rmse_)


def retype(
    twin: Twin, to: str | TwinType, renamed: Mapping[str, str] | None, anew: bool, why: str, days: float
) -> Rehearsal | None:
    """Rehearse, put that on record, and then the retyping with the rehearsal as its cause; only a holder may.

    None where the version in use is not installed: then there is nothing to rehearse with, and only *anew* is possible.
    """
    _holder(twin)
    new, bank = _target(twin, to), twin.bank
    current = bank.lineages.of(twin.id)[-1]
    rehearsal = rehearse(twin, new, renamed, anew, days) if bank.lineages.has(current) or not anew else None
    migration = Migration(anew=True) if rehearsal is None else rehearsal.migration
    bank.register(new)
    made = definition(new, twin.id, twin.actor, bank.now())
    if made:
        bank.append(made)
        bank.lineages.note(new, twin.id)
    body = {"from": _of(current), "to": _named(new), "migration": migration.body(), "why": why}
    cause: tuple[int, ...] = ()
    if rehearsal is not None:
        told = Draft(twin.id, REHEARSED, rehearsal.body(), rehearsal.at, twin.actor, bank.evidence(twin.id))
        cause = tuple(fact.seq for fact in bank.append([told]).facts)
    _append(twin, body, current, cause)
    return rehearsal


def _of(span: Span) -> dict[str, str]:
    return {"name": span.name, "hash": span.hash}


def _append(twin: Twin, body: Mapping[str, Any], current: Span, cause: tuple[int, ...]) -> Fact:
    """Write a retyping; of two that start from the same, the second is refused."""
    last = next((fact.seq for fact in twin.bank.thread.read(twin.id, kinds=[RETYPED], reverse=True, limit=1)), 0)
    draft = Draft(twin.id, RETYPED, body, twin.bank.now(), twin.actor, cause, key=f"retyped|{last}")
    made = twin.bank.append([draft]).facts
    if not made:
        raise Refused(f"{twin.id} was retyped meanwhile, from {current.name} {current.hash[:12]}")
    twin.bank.lineages.reread(twin.id)
    twin.bank.unlearn(twin.id)
    return made[0]


def roll_back(twin: Twin, why: str) -> Span:
    """Reopen what the twin was before its last retyping, as if that had never been; return what it is now."""
    _holder(twin)
    current = twin.bank.lineages.of(twin.id)[-1]
    if current.migration is None:
        raise NotFound(
            f"{twin.id} was never retyped, or that was rolled back: it is of {current.name} {current.hash[:12]}"
        )
    body = {"from": _of(current), "rolls_back": current.seq, "why": why}
    _append(twin, body, current, (current.seq,))
    return twin.bank.lineages.of(twin.id)[-1]


def _holder(twin: Twin) -> None:
    if not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not retype {twin.id}: only who holds its keys may")
