"""Engine: what comes of a present state, many times over, and with what levers pulled."""

from __future__ import annotations

import hashlib
import math
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.facts import Time
from gemel.process import kernel, memory
from gemel.process.compiled import compiled
from gemel.process.compiled import sources as sources
from gemel.process.control import Control as Control
from gemel.process.control import tables_of
from gemel.process.network import Network
from gemel.process.plan import Plan, capacity, plan, worked
from gemel.process.present import SERVED, Present
from gemel.process.state import ROWS, STOOD_FIELDS, Packed, ids_of, pack, unpack

KEPT = ("visits", "cases", "end")
LEAN = True
"""Whether the kernel may take its short way; tests compare both."""

OUTCOMES = ("done", "gave up", "balked", "moved")
"""How a visit or a case ended, by its code; -1 is one that has not."""


@dataclass(frozen=True)
class Run:
    """What came of it: gauges (time, member), `after` (time,) ms from the start, and what was asked to be kept.

    `visits` has fields member, case, node, station, ready, started, ended (s after the start), pool, outcome: in the order in
    which they ended, then those that have not. `cases` has arrived, left (s), key, member, customers, outcome, index; those of
    the present come first, in order, for each member.
    """

    plan: Plan
    after: np.ndarray
    gauges: Mapping[str, np.ndarray]
    visits: np.ndarray | None = None
    cases: np.ndarray | None = None
    packed: Packed | None = None
    ids: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def end(self) -> tuple[Present, ...]:
        """Return the presents at the end, one per member; going on from them equals not having stopped."""
        if self.packed is None:
            raise BadInput('the end was not kept; ask for it by keep=("end",)', field="keep")
        return unpack(self.packed, self.plan, self.ids)


def simulate(
    network: Network | Plan,
    present: Present | Sequence[Present] | Packed,
    until: Time,
    members: int | None = None,
    seed: int = 0,
    controls: Sequence[Control] = (),
    every: Time | None = None,
    scales: Mapping[str, np.ndarray] | None = None,
    keep: Sequence[str] = (),
    threads: int | None = None,
    ids: Mapping[int, str] | None = None,
) -> Run:
    """Return what comes of a present state (one for all members, or one each, or packed) until a moment, ms.

    Gauges are read *every* so many ms and at the end, or only at the end. *scales* maps "arrivals.CLASS" and "service.STATION" to
    factors (member,). The same seed and present give the same draws, whatever the controls, the scales and the threads.
    """
    own = network if isinstance(network, Plan) else planned(network)
    packed, known = _packed(present, own)
    many = members or len(packed["at"])
    _check_span(packed, until, many, keep)
    job = _Job(own, packed, int(until), many, seed, tuple(controls), every, scales or {}, frozenset(keep))
    return job.run(threads or min(os.cpu_count() or 1, 32), {**(ids or {}), **known})


_PLANS: OrderedDict[int, Plan] = OrderedDict()


def planned(network: Network) -> Plan:
    """Return the network's plan, made once as long as it is in use."""
    found = _PLANS.get(id(network))
    if found is None or found.network is not network:
        found = _PLANS[id(network)] = plan(network)
    _PLANS.move_to_end(id(network))
    while len(_PLANS) > 64:
        _PLANS.popitem(last=False)
    return found


def _packed(present: Present | Sequence[Present] | Packed, own: Plan) -> tuple[Packed, dict[int, str]]:
    if isinstance(present, Mapping):
        return present, {}
    presents = [present] if isinstance(present, Present) else list(present)
    return pack(presents, own), ids_of(presents)


def _check_span(packed: Packed, until: Time, members: int, keep: Sequence[str]) -> None:
    at = packed["at"]
    if len(at) not in (1, members):
        raise BadInput(f"there are {len(at)} present states for {members} members; give one for all, or one each")
    if (at != at[0]).any():
        raise BadInput("the present states of the members are of different moments", field="at")
    if not until > at[0]:
        raise BadInput(f"the run ends at {until} ms, which is not after its start, {int(at[0])} ms", field="until")
    for name in keep:
        if name not in KEPT:
            raise unknown("thing to keep", name, KEPT)


@dataclass(frozen=True)
class _Job:
    plan: Plan
    packed: Packed
    until: Time
    members: int
    seed: int
    controls: tuple[Control, ...]
    every: Time | None
    scales: Mapping[str, np.ndarray]
    keep: frozenset[str]

    @property
    def at(self) -> Time:
        return int(self.packed["at"][0])

    @cached_property
    def after(self) -> np.ndarray:
        """Return when gauges are read, ms from the start."""
        whole = self.until - self.at
        ticks = np.arange(self.every, whole, self.every, dtype=np.int64) if self.every else np.zeros(0, np.int64)
        return np.append(ticks, whole)

    def run(self, threads: int, ids: Mapping[int, str]) -> Run:
        """Run all members, some on each thread, and put together what they did."""
        tables = self._tables()
        parts = max(min(threads, self.members), 1)
        bounds = np.linspace(0, self.members, parts + 1).astype(int).tolist()
        worlds = [_World(self, tables, a, b) for a, b in pairwise(bounds)]
        if parts == 1:
            worlds[0].run()
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(_World.run, worlds))
        return self._told(tables, worlds, ids)

    def _told(self, tables: dict[str, np.ndarray], worlds: Sequence[_World], ids: Mapping[int, str]) -> Run:
        width = len(gauge_names(self.plan))
        gauges = np.moveaxis(tables["gauges"].reshape(self.members, len(self.after), width), 0, 1)
        return Run(
            self.plan, self.after, {name: gauges[:, :, k] for k, name in enumerate(gauge_names(self.plan))},
            np.concatenate([w.filled("visits") for w in worlds]) if "visits" in self.keep else None,
            np.concatenate([w.filled("rows") for w in worlds]) if "cases" in self.keep else None,
            self._ended(tables, worlds) if "end" in self.keep else None, ids,
        )  # fmt: skip

    def _ended(self, tables: dict[str, np.ndarray], worlds: Sequence[_World]) -> Packed:
        own = self.plan
        packed: dict[str, np.ndarray] = {"at": np.full(self.members, float(self.until))}
        parts = {"cases": "held", "tokens": "stood", "times": "tallies", "away": "end_aways"}
        for name, (_, fields) in ROWS.items():
            rows = np.concatenate([world.filled(parts[name]) for world in worlds])
            packed[name] = _padded(rows["member"], [rows[one] for one in fields], self.members)
            if name == "cases":
                about = np.concatenate([world.about() for world in worlds])
                packed["about"] = _padded(rows["member"], list(about.T), self.members)
        packed["arrivals"] = tables["end_arrivals"].reshape(self.members, -1, 4)
        packed["failures"] = tables["end_failures"].reshape(self.members, -1)
        packed["change"] = tables["end_change"].reshape(self.members, max(own.width, 1))
        return packed

    def _tables(self) -> dict[str, np.ndarray]:
        own = self.plan
        network, tables = own.network, dict(own.tables)
        tables["classes"], tables["pools"] = tables["classes"].copy(), tables["pools"].copy()
        tables |= self._steps(tables) | self._first() | tables_of(self.controls, own, self.members)
        tables["scales"] = self._scales()
        tables["ticks"] = (self.at + self.after).astype(float)
        size = self.members * len(self.after) * len(gauge_names(own))
        tables["gauges"] = np.zeros(size)
        ends = self.members if "end" in self.keep else 1
        tables["end_arrivals"] = np.zeros(ends * max(len(network.customers), 1) * 4)
        tables["end_failures"] = np.zeros(ends * max(len(network.pools), 1))
        tables["end_change"] = np.full(ends * max(own.width, 1), np.nan)
        return tables

    def _steps(self, tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make calendars and rates concrete for the span."""
        found: list[tuple[float, float]] = []
        anchors = self.packed["arrivals"][:, :, 1]
        for place, group in enumerate(self.plan.network.customers):
            known = anchors[:, place][~np.isnan(anchors[:, place])]
            since = math.floor(min([self.at, *([known.min()] if len(known) else [])]))
            edges, rates = group.arrivals.steps(since, self.until)
            tables["classes"]["step0"][place], tables["classes"]["steps"][place] = len(found), len(edges)
            found += list(zip(edges.tolist(), (rates / 3_600_000).tolist(), strict=True))
        for place, pool in enumerate(self.plan.network.pools):
            edges, counts = capacity(pool, self.at, self.until)
            tables["pools"]["step0"][place], tables["pools"]["steps"][place] = len(found), len(edges)
            found += list(zip(edges.tolist(), counts.tolist(), strict=True))
        return {"steps": np.array(found or [(0.0, 0.0)], memory.STEP)}

    def _first(self) -> dict[str, np.ndarray]:
        """Return the present states as rows, with where those of each begin."""
        packed, names, many = self.packed, ("cases", "tokens", "times", "away"), len(self.packed["at"])
        told = {name: ~np.isnan(packed[name][:, :, 0]) for name in names}
        starts = np.zeros((many + 1, 5), np.int64)
        tables: dict[str, np.ndarray] = {}
        targets = dict(zip(names, ("first_held", "first_stood", "first_tallies", "first_aways"), strict=True))
        for column, name in enumerate(names):
            starts[1:, column] = np.cumsum(told[name].sum(axis=1))
            dtype, fields = ROWS[name]
            rows = np.zeros(max(int(starts[-1, column]), 1), dtype)
            for k, one in enumerate(fields):
                rows[one][: int(starts[-1, column])] = packed[name][:, :, k][told[name]]
            tables[targets[name]] = rows
        about = packed["about"][told["cases"]].ravel()
        tables["first_about"] = about if about.size else np.zeros(1)
        tables |= {"starts": starts.ravel(), "first_arrivals": np.ascontiguousarray(packed["arrivals"]).ravel()}
        tables |= {"first_change": np.ascontiguousarray(packed["change"]).ravel()}
        tables |= {"failures": np.ascontiguousarray(packed["failures"]).ravel()}
        return tables | {"elapsed": self._elapsed(tables["first_stood"], bool(starts[-1, 1]))}

    def _elapsed(self, rows: np.ndarray, some: bool) -> np.ndarray:
        """Return for how many ms each service has been worked on whose end is not known."""
        found = np.zeros(len(rows))
        unknown_end = (rows["status"] == SERVED) & np.isnan(rows["due"]) & np.isnan(rows["left"])
        for row in np.flatnonzero(unknown_end & some):
            task = self.plan.network.nodes[int(rows["node"][row])]
            station = self.plan.network.stations[self.plan.stations[task.station]]  # type: ignore[union-attr]
            team = station.teams[max(int(rows["team"][row]), 0)]
            pool = self.plan.network.pools[self.plan.pools[team.pool]]
            since = rows["started"][row] if not np.isnan(rows["started"][row]) else rows["since"][row]
            found[row] = worked(pool, station, float(since), float(self.at))
        return found

    def _scales(self) -> np.ndarray:
        own = self.plan
        names = [f"arrivals.{name}" for name in own.classes] + [f"service.{name}" for name in own.stations]
        for name in self.scales:
            if name not in names:
                raise unknown("scale", name, names)
        found = np.ones((self.members if self.scales else 1, max(len(names), 1)))
        for name, values in self.scales.items():
            found[:, names.index(name)] = values
        return found.ravel()


def _padded(member: np.ndarray, columns: Sequence[np.ndarray], members: int) -> np.ndarray:
    """Return rows of members, in order, as (member, rows, column), padded with NaN."""
    counts = np.bincount(member, minlength=members)
    starts = np.concatenate([[0], np.cumsum(counts)])
    found = np.full((members, max(int(counts.max(initial=0)), 1), len(columns)), np.nan)
    place = np.arange(len(member)) - starts[member]
    for k, column in enumerate(columns):
        found[member, place, k] = column
    return found


def gauge_names(own: Plan) -> list[str]:
    """Return what gauges there are, in the order in which the kernel writes them."""
    names = [f"{what}.{station}" for station in own.stations for what in kernel.STATION_GAUGES]
    names += [f"{what}.pool.{pool}" for pool in own.pools for what in kernel.POOL_GAUGES]
    return [*names, *kernel.WHOLE_GAUGES]


class _World:
    """The tables that one thread works on, for members *first* to *last*; those that fill up grow."""

    def __init__(self, job: _Job, tables: Mapping[str, np.ndarray], first: int, last: int) -> None:
        self.job, self.last = job, last
        own = dict(tables)
        for name in ("stations", "pools", "classes", "weights"):
            own[name] = own[name].copy()
        self.tables = own
        self._globe(first)
        self._room()
        self.addresses = np.zeros(len(memory.TABLES), np.int64)

    def _globe(self, first: int) -> None:
        job, plan_ = self.job, self.job.plan
        network = plan_.network
        g = self.tables["globe"] = np.zeros(1, memory.GLOBE)
        facts = {
            "t0": float(job.at), "until": float(job.until), "root": _root(job.seed), "member": first, "column": first,
            "most": math.inf if network.promise is None else network.promise * 1000.0,
            "ticks_many": len(job.after), "width": len(gauge_names(plan_)), "stations": len(network.stations),
            "pools": len(network.pools), "classes": len(network.customers), "nodes": len(network.nodes),
            "attributes": len(plan_.attributes), "joins": plan_.joins, "looped": plan_.looped,
            "keep_visits": "visits" in job.keep, "keep_cases": "cases" in job.keep, "keep_end": "end" in job.keep,
            "one": len(job.packed["at"]) == 1, "lean": plan_.lean and "visits" not in job.keep and LEAN,
            "controls": sum(not math.isnan(at) for at in self.tables["controls"]["at"]),
            "control_columns": len(self.tables["settings"]) // len(self.tables["controls"]),
            "scale_rows": 1 + bool(job.scales), "levers": plan_.width, "ways": plan_.ways_many, "margin": plan_.margin,
        }  # fmt: skip
        for name, value in facts.items():
            g[name] = value

    def _room(self) -> None:
        """Make the tables that fill up, large enough for any member's start."""
        job, tables = self.job, self.tables
        inside = int((~np.isnan(job.packed["cases"][:, :, 0])).sum(axis=1).max(initial=0))
        stood = int((~np.isnan(job.packed["tokens"][:, :, 0])).sum(axis=1).max(initial=0))
        away = job.packed["away"].shape[1] + int(tables["pools"]["units"].sum())
        margin = job.plan.margin
        lasting = away + len(tables["controls"]) + len(tables["pools"]) + len(tables["classes"])
        self.caps = {
            "token_cap": 2 * stood + 4 * margin, "case_cap": 2 * inside + 64, "visit_cap": 1024 + 4 * (stood + margin),
            "row_cap": 1024 + 2 * inside, "end_cap": 1024 + stood, "held_cap": 1024 + inside,
            "times_cap": 1024, "away_cap": 1024, "heap_cap": 8 * (stood + margin) + lasting + 64,
        }  # fmt: skip
        tables["todo"] = np.zeros(64 + 16 * margin, memory.TODO)
        for cap, count in self.caps.items():
            self._resize(cap, count)

    def _resize(self, cap: str, count: int) -> None:
        job = self.job
        nodes, attributes, joins = len(job.plan.network.nodes), max(len(job.plan.attributes), 1), max(job.plan.joins, 1)
        sized: dict[str, dict[str, tuple[np.dtype[Any], int]]] = {
            "token_cap": {"tokens": (memory.TOKEN, 1)}, "heap_cap": {"heap": (memory.EVENT, 1)},
            "case_cap": {
                "cases": (memory.CASE, 1), "times": (memory.I4, nodes if job.plan.looped else 1),
                "about": (memory.F8, attributes), "joined": (memory.I4, 2 * joins), "ordering": (memory.I8, 1),
            },
            "visit_cap": {"visits": (memory.VISIT, 1)}, "row_cap": {"rows": (memory.ROW, 1)},
            "end_cap": {"stood": (memory.STOOD, 1)}, "held_cap": {"held": (memory.HELD, 1), "end_about": (memory.F8, attributes)},
            "times_cap": {"tallies": (memory.TALLY, 1)}, "away_cap": {"end_aways": (memory.AWAY, 1)},
        }  # fmt: skip
        for name, (dtype, width) in sized[cap].items():
            larger = np.zeros(count * width, dtype)
            if name in self.tables:
                larger[: len(self.tables[name])] = self.tables[name]
            self.tables[name] = larger
        self.caps[cap] = count
        self.tables["globe"][cap] = count

    def run(self) -> None:
        """Run the members."""
        run = compiled()
        while True:
            for name, place in memory.PLACES.items():
                self.addresses[place] = self.tables[name].ctypes.data
            if run(self.addresses.ctypes.data, self.last) == kernel.OK:
                return
            self._grow()

    def _grow(self) -> None:
        """Double what is nearly full."""
        g = self.tables["globe"][0]
        many = int(g["token_used"] + g["margin"])
        inside, nodes = int(g["inside"]), int(g["nodes"])
        held = self.job.packed["cases"].shape[1]
        full = {
            "token_cap": many, "case_cap": int(g["case_used"]) + 1, "heap_cap": int(g["heap_n"]) + many,
            "visit_cap": int(g["visit_n"]) + many, "row_cap": int(g["row_n"]) + held + 1,
            "end_cap": int(g["end_n"] + g["token_used"]), "held_cap": int(g["held_n"]) + inside,
            "times_cap": int(g["times_n"]) + inside * nodes, "away_cap": int(g["away_n"] + g["heap_n"]),
        }  # fmt: skip
        for cap, needed in full.items():
            if needed >= self.caps[cap]:
                self._resize(cap, 2 * max(needed, self.caps[cap]))

    def filled(self, name: str) -> np.ndarray:
        """Return the rows that were written."""
        counts = {
            "visits": "visit_n", "rows": "row_n", "held": "held_n", "stood": "end_n", "tallies": "times_n",
            "end_aways": "away_n",
        }  # fmt: skip
        return self.tables[name][: int(self.tables["globe"][0][counts[name]])]

    def about(self) -> np.ndarray:
        """Return the attributes of those written down at the end (cases, attribute)."""
        width = max(len(self.job.plan.attributes), 1)
        many = int(self.tables["globe"][0]["held_n"])
        found = self.tables["end_about"].reshape(-1, width)[:many]
        return found if self.job.plan.attributes else np.full((many, 1), np.nan)


def _root(seed: int) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "little"))


assert tuple(memory.STOOD.names or ())[: len(STOOD_FIELDS)] == STOOD_FIELDS
