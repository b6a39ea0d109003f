"""Decision memory: past situations, what was chosen then, by whom, and what came of it; the most alike come first to mind.

All of it is in the thread: `proposed/1`, `decided/1`, `outcome/1`, the readings and forecasts before them. A situation is a
vector of gauges: the last reading of each signal, how it moved in half an hour, and where its forecast ended.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.bank import Proposal, Replica, Twin
from gemel.bank.account import CHOSEN
from gemel.bank.sentence import sentence
from gemel.errors import BadInput
from gemel.facts import HOUR, MINUTE, Fact, Time, iso
from gemel.twintype import TwinType

MOST, LATEST = 5, 500
"""How many past situations are shown; how many of the latest are looked through."""

FRESH: Time = HOUR
"""How old a reading or a forecast may be to be part of a situation."""

MOVED: Time = 30 * MINUTE


@dataclass(frozen=True)
class Past:
    """A past decision: `gain` is what came of it, better above 0, in the signal's unit, None where it is not known.

    `distance` is the root mean square difference of the gauges both situations have, in standard deviations.
    """

    seq: int
    at: Time
    title: str
    why: str
    by: str
    decided_by: str
    status: str
    gain: float | None
    gain_80: tuple[float, float] | None
    outcome: str
    situation: Mapping[str, float]
    distance: float = 0.0

    def body(self) -> dict[str, Any]:
        """Return the decision as JSON types."""
        span = None if self.gain_80 is None else list(self.gain_80)
        return {**vars(self), "situation": dict(self.situation), "gain_80": span}

    def __str__(self) -> str:
        decided = f", {self.status} by {self.decided_by}" if self.decided_by else f", {self.status}"
        gain = "" if self.gain is None else f" (better by {self.gain:+.3g})"
        what = f"{self.seq:>6}  {iso(self.at)}  {self.title}, proposed by {self.by}{decided}"
        return f"{what}; {self.distance:.2f} away\n        {self.outcome}{gain}"


@dataclass(frozen=True)
class Memory:
    """What a situation brings to mind: the most alike, best outcome first, and what each action brought on average."""

    situation: Mapping[str, float]
    alike: tuple[Past, ...]
    looked_at: int

    @property
    def by_action(self) -> dict[str, tuple[int, float]]:
        """Return for each action that was done how often its outcome is known, and the mean gain; best first."""
        gains: dict[str, list[float]] = {}
        for past in self.alike:
            if past.gain is not None:
                gains.setdefault(past.title, []).append(past.gain)
        ranked = sorted(gains.items(), key=lambda one: -float(np.mean(one[1])))
        return {title: (len(found), float(np.mean(found))) for title, found in ranked}

    def body(self) -> dict[str, Any]:
        """Return the memory as JSON types."""
        actions = [{"title": title, "n": n, "gain": gain} for title, (n, gain) in self.by_action.items()]
        return {
            "situation": dict(self.situation), "looked_at": self.looked_at,
            "alike": [past.body() for past in self.alike], "actions": actions,
        }  # fmt: skip

    def __str__(self) -> str:
        gauges = ", ".join(f"{name} {value:.3g}" for name, value in self.situation.items()) or "nothing is known of it"
        lines = [f"situation: {gauges}", *map(str, self.alike)]
        if not self.alike:
            return f"{lines[0]}\nno like situation is on record"
        means = (f"{title}: {gain:+.3g} on average of {n}" for title, (n, gain) in self.by_action.items())
        return "\n".join([*lines, *means])


def remember(seen: Twin, proposal: int | None = None, most: int = MOST) -> Memory:
    """Return what the situation of a *proposal*, or that of now, brings to mind; only what was before it counts."""
    if most < 1:
        raise BadInput(f"{most} is not a number of situations to show", field="most")
    known = seen.proposals()
    now = seen.bank.now()
    if proposal is None:
        here = _state(seen, now) or situation_of(seen, now)
    else:
        this = seen.bank.proposal(seen.id, proposal)
        now, here = this.made_at, situation_of(seen, this.made_at, this.cause)
        known = [one for one in known if one.seq < proposal]
    outcomes = _outcomes(seen, now)
    pasts = [_past(seen, one, outcomes.get(one.seq)) for one in known[-LATEST:]]
    return Memory(here, ranked(here, pasts, most), len(pasts))


def ranked(here: Mapping[str, float], pasts: Sequence[Past], most: int = MOST) -> tuple[Past, ...]:
    """Return of *pasts* the most alike, best outcome first, those whose outcome is not known last."""
    scales = _scales([here, *(past.situation for past in pasts)])
    placed = [(distance(here, past.situation, scales), past) for past in pasts]
    near = sorted((one for one in placed if np.isfinite(one[0])), key=lambda one: (one[0], -one[1].seq))[:most]
    found = [Past(**{**vars(past), "distance": far}) for far, past in near]
    return tuple(sorted(found, key=lambda past: (past.gain is None, -(past.gain or 0.0), past.distance)))


def distance(a: Mapping[str, float], b: Mapping[str, float], scales: Mapping[str, float]) -> float:
    """Return the root mean square difference in standard deviations; a gauge that one lacks counts as one deviation.

    Situations that share no gauge are infinitely far apart.
    """
    if not a.keys() & b.keys():
        return float("inf")
    gaps = [(a[name] - b[name]) / scales[name] if name in a and name in b else 1.0 for name in a.keys() | b.keys()]
    return float(np.sqrt(np.mean(np.square(gaps))))


def _scales(situations: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by how much each gauge varies; one that never did is counted in its own unit."""
    names = {name for one in situations for name in one}
    spread = {name: float(np.std([one[name] for one in situations if name in one])) for name in names}
    return {name: value or 1.0 for name, value in spread.items()}


def situation_of(seen: Twin, at: Time, cause: Iterable[int] = ()) -> dict[str, float]:
    """Return the gauges at a time: those that a choice put on record, else readings, their moves, and forecasts."""
    bank = seen.bank
    for seq in cause:
        fact = bank.thread.get(seq)
        if fact.kind == CHOSEN and fact.body.get("situation"):
            return {str(name): float(value) for name, value in fact.body["situation"].items()}
    found = _readings(bank.replica(seen.id), seen.type, at)
    span = {"true_from": at - FRESH, "true_until": at + 1}
    for fact in bank.thread.read(seen.id, kinds=["forecast/1"], reverse=True, limit=2 * len(seen.type.signals), **span):
        found.setdefault(f"{fact.body['signal']} expected", float(fact.body["quantiles"]["0.5"][-1]))
    return found


def _state(seen: Twin, now: Time) -> dict[str, float]:
    """Return the gauges that the last choice put on record, as they are believed to be now; none where none did."""
    last = next(iter(seen.bank.thread.read(seen.id, kinds=[CHOSEN], reverse=True, limit=1)), None)
    gauges = {} if last is None else last.body.get("situation", {})
    state = seen.situation(now).state if gauges else {}
    return {str(name): float(state[name]) for name in gauges if name in state}


def _readings(replica: Replica, twin_type: TwinType, at: Time) -> dict[str, float]:
    found: dict[str, float] = {}
    entries = replica.readings[bisect_left(replica.readings, (at - FRESH,)) : bisect_left(replica.readings, (at + 1,))]
    for name in twin_type.signals:
        own = [(when, value) for when, signal, value, _ in entries if signal == name]
        if own:
            found[name] = own[-1][1]
            before = [value for when, value in own if when <= own[-1][0] - MOVED]
            if before:
                found[f"{name} moved"] = own[-1][1] - before[-1]
    return found


def _outcomes(seen: Twin, now: Time) -> dict[int, Fact]:
    """Return the outcome of each action that was known by *now*."""
    facts = seen.bank.thread.read(seen.id, kinds=["outcome/1"], known_by=now)
    return {int(fact.body["proposal"]): fact for fact in facts if "proposal" in fact.body}


def _past(seen: Twin, proposal: Proposal, outcome: Fact | None) -> Past:
    told = "what came of it is not known" if outcome is None else sentence(outcome, seen.type)
    gain, span = (None, None) if outcome is None else gained(outcome.body, seen.type)
    return Past(
        proposal.seq, proposal.made_at, proposal.intervention.title, proposal.why, proposal.by, proposal.decided_by,
        proposal.status, gain, span, told, situation_of(seen, proposal.made_at, proposal.cause),
    )  # fmt: skip


def gained(body: Mapping[str, Any], twin_type: TwinType) -> tuple[float | None, tuple[float, float] | None]:
    """Return by how much nearer to where the signal is well it came than with nothing done, and the span of 80 %.

    An outcome may say its own `gain` and `gain_80`; of a signal without a range in which it is well nothing is said.
    """
    if "gain" in body:
        span = body.get("gain_80")
        return float(body["gain"]), None if span is None else (float(span[0]), float(span[1]))
    band = twin_type.band.get(str(body["signal"]))
    if band is None:
        return None, None

    def off(value: float) -> float:
        return max(band[0] - value, value - band[1], 0.0)

    came = off(float(body["happened"]))
    low, high = (float(value) for value in body["nothing_done_80"])
    inside = 0.0 if low <= band[1] and high >= band[0] else min(off(low), off(high))
    return off(float(body["nothing_done"])) - came, (inside - came, max(off(low), off(high)) - came)
