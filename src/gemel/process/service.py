"""Service: a network of stations as dynamics: its events say exactly who is where, ensembles say what comes next."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from scipy import special

from gemel.dynamics import Array, Belief, Dose, Event, Expected, Info, Plan, Range, Seed, Subject, Trajectory
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.process.control import LEVERS
from gemel.process.engine import Control, Run, simulate
from gemel.process.fold import Fold
from gemel.process.gauges import gauges_of, names_of
from gemel.process.network import Network
from gemel.process.network_json import body_of
from gemel.process.present import Present, empty
from gemel.process.ways import Ways

PRESENT = "present"
LEVEL = "level."
"""Which quantile of a multiplier each member holds, `level.arrivals.CLASS`, in (0, 1)."""

HELD = "held."
"""Values of levers that hold, `held.staff.POOL`."""

SEEN = "seen."
"""What was due and what came, `seen.arrivals.CLASS.due` and `….came`, as far as it is remembered."""

HERE = "here."
"""How many people of a pool are there, `here.POOL`, where events tell who comes (`up`) and goes (`down`)."""

HALF_LIFE: Time = 2 * DAY
"""How long what was seen counts: half of it is forgotten by then, so that the twin follows a drift."""


@dataclass(frozen=True)
class Gauge:
    """A sensor that shows a variable as it is."""

    variable: str


@dataclass(frozen=True)
class Later:
    """The present of one member at the end of a run, made when it is asked for."""

    run: Run
    member: int

    @property
    def present(self) -> Present:
        """Return it."""
        return self.run.end[self.member]


@dataclass(frozen=True)
class Service:
    """The dynamics of one network; `spread` is the prior standard deviation of the log of each multiplier.

    `lost` is the share of events that never come: who would have to wait or be served impossibly long is taken to be gone.

    A multiplier scales the arrivals of a class (`arrivals.CLASS`) or the service times of a station (`service.STATION`).
    What is known of it is a gamma distribution that counts of arrivals and sums of services update, half forgotten after
    two days; every member holds one quantile of it.
    """

    network: Network
    spread: Mapping[str, float] = field(default_factory=dict)
    lost: float = 0.003

    @cached_property
    def multipliers(self) -> tuple[str, ...]:
        """Return the names of all uncertain multipliers."""
        arrivals = tuple(f"arrivals.{group.name}" for group in self.network.customers)
        return arrivals + tuple(f"service.{station.name}" for station in self.network.stations)

    @property
    def ranges(self) -> Mapping[str, Range]:
        """Return nothing: what is uncertain is learned from events, not from readings."""
        return {}

    @cached_property
    def ways(self) -> Ways:
        """Return the network as a map, for following events."""
        return Ways(self.network)

    @cached_property
    def sensors(self) -> Mapping[str, Gauge]:
        """Return what can be read of the service at any moment."""
        return {name: Gauge(name) for name in names_of(self.network)}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return no input beside the levers of the type."""
        return ()

    def describe(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"service": body_of(self.network), "spread": dict(sorted(self.spread.items())), "lost": self.lost}

    # what is believed

    def prior(self, subjects: Sequence[Subject], members: int, seed: Seed) -> Belief:
        """Return services with nobody in them, and multipliers as uncertain as the prior says."""
        at = np.array([subject.born for subject in subjects], np.int64)
        seen = {
            f"{SEEN}{name}.{what}": np.zeros((len(subjects), 1))
            for name in self.multipliers
            for what in ("due", "came")
        }
        values: dict[str, Array] = {**seen, PRESENT: _objects([empty(int(moment)) for moment in at])}
        levels = {
            f"{LEVEL}{name}": np.stack([_uniform(seed, subject.id, name, members) for subject in subjects])
            for name in self.multipliers
        }
        return Belief(tuple(subjects), at, {**levels, **values})

    def scales(self, belief: Belief) -> Mapping[str, np.ndarray]:
        """Return each multiplier (twin, member): the quantiles, at each member's level, of what is known of it."""
        return {name: self._scale(belief, name) for name in self.multipliers}

    def _scale(self, belief: Belief, name: str) -> np.ndarray:
        prior = 1.0 / max(self.spread.get(name, 0.1), 1e-3) ** 2
        due, came = (np.asarray(belief.values[f"{SEEN}{name}.{what}"], float) for what in ("due", "came"))
        level = np.asarray(belief.values[f"{LEVEL}{name}"])
        if name.startswith("arrivals."):
            return np.asarray(special.gammaincinv(prior + came, level) / (prior + due))
        return np.asarray((prior + came) / special.gammaincinv(prior + due, 1.0 - level))

    def frozen(self, belief: Belief) -> Mapping[str, Array]:
        """Return the values as plain arrays: the present as the bytes of its MessagePack."""
        told = [_of(value) for value in belief.values[PRESENT][:, 0]]
        packed = np.frombuffer(msgspec.msgpack.encode(told), np.uint8)[None, None, :]
        return {name: np.asarray(value) for name, value in belief.values.items() if name != PRESENT} | {PRESENT: packed}

    def thawed(self, belief: Belief) -> Belief:
        """Return the belief whose values `frozen` gave."""
        told = msgspec.msgpack.decode(np.asarray(belief.values[PRESENT]).tobytes(), type=list[Present])
        return belief.with_values(**{PRESENT: _objects(told)})

    # what happened

    def condition(
        self, belief: Belief, events: Sequence[Event], plans: Sequence[Plan], until: np.ndarray, seed: Seed
    ) -> tuple[Belief, Info]:
        """Return the belief once *events* are folded in; `info` counts those that had to be made sense of."""
        if any(isinstance(value, Later) for value in belief.values[PRESENT][:, 0]):
            raise ValueError("a supposed future is not conditioned on what happened")
        followed = [
            self._followed(belief, row, events, plans[row], int(until[row])) for row in range(len(belief.subjects))
        ]
        values = {name: np.stack([one[name] for one, _ in followed]) for name in followed[0][0] if name != PRESENT}
        presents = _objects([one[PRESENT] for one, _ in followed])
        moved = Belief(belief.subjects, np.asarray(until, np.int64), {**belief.values, **values, PRESENT: presents})
        return moved, {"mended": np.array([mended for _, mended in followed], float)}

    def _followed(
        self, belief: Belief, row: int, events: Sequence[Event], plan: Plan, until: Time
    ) -> tuple[dict[str, Any], int]:
        """Return one row's values at *until*, and how many events did not fit.

        A cycle is named by its whole minute, and what is told in it may come up to a minute later: so may the present.
        """
        present = _of(belief.values[PRESENT][row, 0])
        fold = Fold(self.network, present, self.lost, ways=self.ways)
        for event in events:
            fold.take(event)
        moment = max([until, present.at, *(event.at for event in events[-1:])])
        seen = self._remembered(belief, row, until)
        for name, due, came in [*self._due(int(belief.at[row]), until), *_done(self.network, fold)]:
            seen[f"{SEEN}{name}.due"] = seen[f"{SEEN}{name}.due"] + due
            seen[f"{SEEN}{name}.came"] = seen[f"{SEEN}{name}.came"] + came
        held = {f"{HELD}{dose.lever}": np.array([float(np.mean(dose.amount))]) for dose in plan}
        return {**seen, **held, **self._here(belief, row, events), PRESENT: fold.present(moment)}, fold.mended

    def _here(self, belief: Belief, row: int, events: Sequence[Event]) -> dict[str, np.ndarray]:
        """Return how many of each pool are there: a `down` of who never came `up` tells of a pool that nothing is known of."""
        here = {
            name: float(np.asarray(value)[row, 0]) for name, value in belief.values.items() if name.startswith(HERE)
        }
        pools = {pool.name for pool in self.network.pools if pool.kind == "people"}
        for event in events:
            pool = f"{HERE}{event.attributes.get('pool', '')}"
            if event.phase in ("up", "down") and pool.removeprefix(HERE) in pools:
                here[pool] = max(here.get(pool, 0.0) + (1.0 if event.phase == "up" else -1.0), 0.0)
        return {name: np.array([count]) for name, count in here.items()}

    def _remembered(self, belief: Belief, row: int, until: Time) -> dict[str, np.ndarray]:
        kept = 0.5 ** (max(until - int(belief.at[row]), 0) / HALF_LIFE)
        names = [name for name in belief.values if name.startswith(SEEN)]
        return {name: np.asarray(belief.values[name])[row] * kept for name in names}

    def _due(self, since: Time, until: Time) -> list[tuple[str, float, float]]:
        """Return how many of each class were to come between two moments."""
        return [
            (f"arrivals.{group.name}", _integral(group.arrivals, since, until), 0.0) for group in self.network.customers
        ]

    # what comes

    def advance(
        self, belief: Belief, plans: Sequence[Plan], until: np.ndarray, seed: Seed, *, record: Sequence[str] = (),
        every: Time = 5 * MINUTE,
    ) -> tuple[Belief, Trajectory]:  # fmt: skip
        """Return the belief at *until* and gauges on the way, from an ensemble that starts where everyone is now."""
        runs = [self.run(belief, row, plans[row], int(until[row]), seed, every) for row in range(len(belief.subjects))]
        values = {name: np.stack([run.gauges[name] for run in runs], axis=1) for name in record}
        ends = np.empty((len(runs), belief.members), object)
        for row, run in enumerate(runs):
            ends[row] = [Later(run, member) for member in range(belief.members)]
        held = {
            f"{HELD}{dose.lever}": np.full((len(runs), 1), float(np.mean(dose.amount)))
            for plan in plans for dose in plan
        }  # fmt: skip
        after = every * np.arange(1, int(runs[0].after.shape[0]) + 1) if runs else np.zeros(0)
        moved = Belief(belief.subjects, np.asarray(until, np.int64), {**belief.values, **held, PRESENT: ends})
        return moved, Trajectory(after, values)

    def run(
        self, belief: Belief, row: int, plan: Plan, until: Time, seed: Seed, every: Time, keep: Sequence[str] = ("end",)
    ) -> Run:
        """Return the engine's run of one row's ensemble, with all its gauges and what it is to *keep*."""
        at, subject = int(belief.at[row]), belief.subjects[row]
        found = belief.values[PRESENT][row]
        presents = [one.moved(max(at, one.at)) for one in map(_of, found)]
        scales = {name: value[row] for name, value in self.scales(belief).items()}
        return simulate(
            self.network, presents[0] if len(presents) == 1 else presents, until, members=belief.members,
            seed=_key(seed, subject.id), controls=self.controls(belief, row, plan), every=every,
            scales=scales, keep=keep,
        )  # fmt: skip

    def controls(self, belief: Belief, row: int, plan: Plan) -> list[Control]:
        """Return what the engine is told: levers as they stand, people as they are there, then what *plan* turns.

        What sets a unit aside does so once. Levers that the engine does not know, such as gifts to customers, change no queue.
        """
        at, turned = int(belief.at[row]), held(belief, row)
        standing = {lever: value for lever, value in turned.items() if not lever.startswith("away.")}
        beyond = {}
        for pool, here in _values(belief, row, HERE).items():
            scheduled = float(self.network.pool(pool).calendar.steps(at, at + 1)[1][0])
            beyond[f"staff.{pool}"] = here - scheduled - standing.get(f"staff.{pool}", 0.0)
        doses = [
            Dose(lever, amount, at) for lever, amount in sorted({**dict.fromkeys(beyond, 0.0), **standing}.items())
        ]
        known = [dose for dose in [*doses, *plan] if dose.lever.partition(".")[0] in LEVERS]
        return [_control(dose, at, beyond.get(dose.lever, 0.0)) for dose in known]

    def observe(self, belief: Belief) -> Mapping[str, Expected]:
        """Return what each gauge shows now."""
        rows = [gauges_of(self.network, _of(value)) for value in belief.values[PRESENT][:, 0]]
        nothing = np.zeros((len(rows), 1))
        return {name: Expected(np.array([[row[name]] for row in rows]), nothing) for name in self.sensors}

    def complete(self, belief: Belief) -> Mapping[str, Array]:
        """Return gauges and multipliers: all that agents may look at as numbers."""
        scales = {f"scale.{name}": value for name, value in self.scales(belief).items()}
        return {**{name: expected.mean for name, expected in self.observe(belief).items()}, **scales}


def held(belief: Belief, row: int = 0) -> dict[str, float]:
    """Return the levers that were turned, as they stand."""
    return _values(belief, row, HELD)


def _of(value: Present | Later) -> Present:
    return value.present if isinstance(value, Later) else value


def _objects(found: Sequence[Present]) -> np.ndarray:
    made = np.empty((len(found), 1), object)
    made[:, 0] = found
    return made


def _key(seed: Seed, *words: str) -> int:
    return zlib.crc32("|".join([str(seed), *words]).encode())


def _uniform(seed: Seed, twin: str, name: str, members: int) -> np.ndarray:
    """Return one quantile level per member, evenly spread and shuffled by a key."""
    rng = np.random.default_rng([_key(seed, twin, name), members])
    return np.asarray((rng.permutation(members) + 0.5) / members)


def _integral(arrivals: Any, since: Time, until: Time) -> float:
    if until <= since:
        return 0.0
    edges, rates = arrivals.steps(since, until)
    return float(np.sum(np.diff(np.append(edges, until)) * rates) / HOUR)


def _done(network: Network, fold: Fold) -> Iterable[tuple[str, float, float]]:
    """Yield who came, and services that ended: one was due, and how many times as long as expected it took."""
    for group in fold.arrived:
        yield f"arrivals.{group}", 0.0, 1.0
    for group, station, team, seconds in fold.served:
        place = network.station(station)
        usual = place.service.get(group) or place.service.get("*")
        speed = place.teams[team].speed if 0 <= team < len(place.teams) else 1.0
        if usual is not None and usual.mean > 0:
            weight = 1.0 / max(usual.cv, 0.25) ** 2
            yield f"service.{station}", weight, weight * seconds * speed / usual.mean


def _values(belief: Belief, row: int, prefix: str) -> dict[str, float]:
    found = {name: value for name, value in belief.values.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): float(np.asarray(value)[row].mean()) for name, value in found.items()}


def _control(dose: Dose, at: Time, beyond: float) -> Control:
    """Return a dose as a control; of people, *beyond* are there whatever the lever says."""
    kind, _, target = dose.lever.partition(".")
    return Control(max(dose.at, at), kind, target, float(np.mean(dose.amount)) + beyond)
