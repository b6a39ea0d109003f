"""The engine's promises: exact restarts, shared draws, threads that do not matter, levers that do what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from gemel.errors import BadInput
from gemel.process import (
    ANY,
    END,
    Arrivals,
    Attribute,
    Batch,
    Breakdown,
    Callback,
    Case,
    Choice,
    Customers,
    Delay,
    Duration,
    Join,
    Network,
    Pool,
    Present,
    Rule,
    Shift,
    Split,
    Station,
    Task,
    Team,
    Token,
    draws,
    empty,
    engine,
    exponential,
    fixed,
    table_of,
)
from gemel.process.calendar import Calendar
from gemel.process.engine import Control, Run, simulate
from gemel.process.network import Test as Where
from gemel.process.network_json import body_of, network_of
from gemel.process.plan import plan
from gemel.process.present import SERVED, WAITING
from gemel.process.state import case_id, case_key, pack, unpack
from gemel.process.wiring import check

MINUTE = 60_000
HOUR = 60 * MINUTE
MONDAY = 4 * 24 * HOUR
DAYTIME = Calendar(tuple(Shift(day, start, end, 2) for day in range(7) for start, end in ((480, 720), (750, 1020))))


AGE, KIND = Attribute(numbers=Duration("uniform", 50.0, 0.3)), Attribute(("knee", "hip"), (2, 1))
CHECK = Duration("lognormal", 300.0, 0.7)
LONG, STAY = (
    Duration("gamma", 600.0, 0.5),
    {"walk-in": Duration("weibull", 700.0, 0.6), ANY: table_of([400.0, 500.0, 900.0])},
)


def clinic(**desk: object) -> Network:
    """Return a service with all that a network may have."""
    return Network(
        "clinic",
        (
            Customers("walk-in", Arrivals((6.0,) * 168), "check in", 1, {"age": AGE}),
            Customers("referred", Arrivals((3.0, 5.0) * 84, cv=0.6), "check in", 0, {"kind": KIND}),
        ),
        (
            Task("check in", "desk", "which?"),
            Choice("which?", (
                Rule({"scan": 1.0}, (Where("kind", "==", "knee"),)),
                Rule({"both": 1.0, "scan": 2.0}, (Where("age", ">", 45.0), Where("class", "==", "walk-in"))),
                Rule({"both": 1.0, "visit": 1.0}),
            )),
            Split("both", ("scan too", "bloods"), "done"),
            Task("scan too", "scanner", "done"),
            Delay("bloods", exponential(1200.0), "done"),
            Join("done", "visit"),
            Task("scan", "scanner", "again?"),
            Choice("again?", (Rule({"visit": 1.0}, (Where("times", ">=", 1),)), Rule({"scan": 1.0, "visit": 2.0}))),
            Task("visit", "room"),
        ),
        (
            Station("desk", {ANY: CHECK}, (Team("clerk"), Team("nurse", (), 0.8)), **desk),  # type: ignore[arg-type]
            Station("scanner", {ANY: LONG}, (Team("nurse", ("machine",)),), "priority", batch=Batch(2, 900.0)),
            Station("room", STAY, (Team("doctor"),), promise=600.0),
        ),
        (
            Pool("clerk", Calendar.always(1), cost_per_hour=20.0),
            Pool("nurse", DAYTIME, cost_per_hour=30.0),
            Pool("doctor", DAYTIME, pauses=True, cost_per_hour=80.0),
            Pool("machine", Calendar.always(1), "equipment", breakdown=Breakdown(exponential(7200.0), exponential(1800.0))),
        ),
        promise=3600.0,
    )  # fmt: skip


DESKS = st.fixed_dictionaries({
    "discipline": st.sampled_from(["fifo", "lifo", "random", "priority", "promise"]),
    "patience": st.sampled_from([{}, {ANY: exponential(900.0)}, {"walk-in": Duration("weibull", 1200.0, 0.5)}]),
    "balk_at": st.sampled_from([None, 3]),
    "balk": st.sampled_from([0.5, 1.0]),
    "choose": st.sampled_from(["order", "random"]),
    "callback": st.sampled_from([None, Callback(0.5, exponential(1800.0))]),
    "promise": st.sampled_from([None, 120.0]),
})  # fmt: skip

LEVERS = [
    Control(MONDAY + 10 * HOUR, "staff", "doctor", 1.0), Control(MONDAY + 11 * HOUR, "arrivals", "referred", 2.0),
    Control(MONDAY + 9 * HOUR, "open", "scanner", 0.0), Control(MONDAY + 12 * HOUR, "open", "scanner", 1.0),
    Control(MONDAY + 9 * HOUR, "pace", "room", 0.7), Control(MONDAY + 13 * HOUR, "patience", "desk", 3.0),
    Control(MONDAY + 10 * HOUR, "route", "which?>visit", 5.0), Control(MONDAY + 11 * HOUR, "away", "machine", 3600.0),
]  # fmt: skip


def story(run: Run) -> dict[str, list[tuple[float, ...]]]:
    """Return what happened, in order of case and time, on the clock of the day (rounded to 0.01 ms)."""
    assert run.visits is not None and run.cases is not None
    keys = {(row["member"], row["index"]): row["key"] for row in run.cases}
    return {
        "visits": sorted(
            (int(row["member"]), int(keys[row["member"], row["case"]]), int(row["node"]), round(float(row["ended"]), 5))
            for row in run.visits[run.visits["outcome"] >= 0]
        ),
        "cases": sorted(
            (int(row["member"]), int(row["key"]), round(float(row["left"]), 5), int(row["outcome"]))
            for row in run.cases[run.cases["outcome"] >= 0]
        ),
    }  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(DESKS, st.integers(0, 1 << 30), st.integers(MINUTE, 16 * HOUR), st.lists(st.sampled_from(LEVERS), unique_by=id))
def test_to_go_on_from_a_snapshot_is_not_to_have_stopped(
    desk: dict[str, object], seed: int, stop: int, levers: list[Control]
) -> None:
    network, start, until = clinic(**desk), MONDAY + 7 * HOUR, MONDAY + 24 * HOUR
    whole = simulate(network, empty(start), until, 3, seed, levers, keep=("end",))
    half = simulate(network, empty(start), start + stop, 3, seed, levers, keep=("end",))
    rest = simulate(network, half.end, until, 3, seed, [one for one in levers if one.at >= start + stop], keep=("end",))
    assert whole.end == rest.end
    for name in ("came", "left", "served.room", "abandoned.desk", "breaches.room"):
        if not name.startswith("breaches"):  # one that waits at the stop is told of on both sides of it
            assert np.array_equal(whole.gauges[name][-1], half.gauges[name][-1] + rest.gauges[name][-1])
    assert np.allclose(whole.gauges["cost"][-1], half.gauges["cost"][-1] + rest.gauges["cost"][-1])


@settings(max_examples=15, deadline=None)
@given(DESKS, st.integers(0, 1 << 30))
def test_a_present_is_packed_without_loss(desk: dict[str, object], seed: int) -> None:
    network = clinic(**desk)
    ends = simulate(network, empty(MONDAY + 8 * HOUR), MONDAY + 15 * HOUR, 2, seed, LEVERS[:4], keep=("end",)).end
    named = [replace(ends[0], cases=(*ends[0].cases, Case("Ann", "walk-in", MONDAY, {"age": 71.5}))), ends[1]]
    assert unpack(pack(named, network), network, {case_key("Ann"): "Ann"}) == tuple(named)
    assert network_of(body_of(network)) == network


def test_threads_do_not_matter() -> None:
    asked = (clinic(), empty(MONDAY + 8 * HOUR), MONDAY + 14 * HOUR, 7, 3)
    runs = [simulate(*asked, every=HOUR, keep=("visits", "cases", "end"), threads=many) for many in (1, 3)]
    assert all(np.array_equal(runs[0].gauges[name], runs[1].gauges[name]) for name in runs[0].gauges)
    assert runs[0].end == runs[1].end
    assert story(runs[0]) == story(runs[1])
    assert all(np.isfinite(gauge).all() for gauge in runs[0].gauges.values())


def test_the_short_way_of_the_kernel_is_the_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(
        "tandem", (Customers("all", Arrivals((200.0, 300.0) * 84), "one"), Customers("few", Arrivals.steady(40.0, ), "two")),
        (Task("one", "a", "two"), Task("two", "b")),
        tuple(Station(name, {ANY: exponential(30.0), "few": fixed(20.0)}, (Team(name),), promise=9.0, cost=2.0) for name in "ab"),
        (Pool("a", DAYTIME, cost_per_hour=9.0), Pool("b", Calendar.always(2))),
    )  # fmt: skip
    levers = [Control(MONDAY + 9 * HOUR, "staff", "a", 2.0), Control(MONDAY + 10 * HOUR, "arrivals", "all", 0.7)]
    asked = (network, empty(MONDAY + 7 * HOUR), MONDAY + 18 * HOUR, 5, 4, levers)
    short = simulate(*asked, every=HOUR, keep=("end", "cases"))
    monkeypatch.setattr(engine, "LEAN", False)
    long = simulate(*asked, every=HOUR, keep=("end", "cases"))
    assert plan(network).lean
    assert all(np.array_equal(short.gauges[name], long.gauges[name]) for name in short.gauges)
    assert short.end == long.end


def test_customers_that_a_change_does_not_concern_keep_their_times() -> None:
    base = clinic()
    other = replace(base, customers=(*base.customers, Customers("rare", Arrivals.steady(0.0), "visit")),
                    pools=(Pool("guard", Calendar.always(1)), *base.pools))  # fmt: skip
    asked = (empty(MONDAY + 8 * HOUR), MONDAY + 15 * HOUR, 3, 5)
    runs = [simulate(network, *asked, keep=("visits", "cases")) for network in (base, other)]
    runs.append(simulate(base, *asked, [Control(MONDAY + 14 * HOUR, "staff", "doctor", 3.0)], keep=("visits", "cases")))
    assert story(runs[0]) == story(runs[1])
    early = [[row for row in story(run)["visits"] if row[3] < 6 * 3600] for run in runs]
    assert early[0] == early[2]
    assert story(runs[0]) != story(runs[2])


def test_work_pauses_when_its_pool_goes_home() -> None:
    network = Network(
        "office", (Customers("all", Arrivals.steady(0.0), "write"),), (Task("write", "desk"),),
        (Station("desk", {ANY: fixed(7200.0)}, (Team("clerk"),)),), (Pool("clerk", DAYTIME, pauses=True),),
    )  # fmt: skip
    came = MONDAY + 11 * HOUR
    present = Present(came, (Case("ann", "all", came),), (Token("ann", "write", WAITING, came),))
    told = simulate(network, present, MONDAY + 20 * HOUR, keep=("visits",)).visits
    assert told is not None and told["ended"].tolist() == [2.5 * 3600]  # an hour, half an hour's break, an hour
    begun = replace(present, at=came + HOUR + 45 * MINUTE, tokens=(Token("ann", "write", SERVED, came, came),))
    told = simulate(network, begun, MONDAY + 20 * HOUR, keep=("visits",)).visits
    assert told is not None and told["ended"].tolist() == [
        45 * 60.0
    ]  # what is left after an hour and a quarter of work


def test_a_batch_waits_for_its_size_or_its_time() -> None:
    network = Network(
        "bus", (Customers("all", Arrivals.steady(0.0), "ride"),), (Task("ride", "stop"),),
        (Station("stop", {ANY: fixed(100.0)}, (Team("bus"),), batch=Batch(3, 60.0)),), (Pool("bus", Calendar.always(5)),),
    )  # fmt: skip
    names = [f"p{k}" for k in range(5)]
    present = Present(
        0, tuple(Case(n, "all", 0) for n in names), tuple(Token(n, "ride", WAITING, -1000) for n in names)
    )
    told = simulate(network, present, HOUR, keep=("visits",)).visits
    assert told is not None and told["ended"].tolist() == [100.0] * 3 + [159.0] * 2


def test_levers_reach_one_customer() -> None:
    network = Network(
        "desk", (Customers("all", Arrivals.steady(0.0), "serve"),), (Task("serve", "desk"), Task("help", "other")),
        tuple(Station(n, {ANY: fixed(60.0)}, (Team(n),), "priority") for n in ("desk", "other")),
        tuple(Pool(n, Calendar.always(1)) for n in ("desk", "other")),
    )  # fmt: skip
    names = ["ann", "bob", "cyd", "dan"]
    present = Present(
        0, tuple(Case(n, "all", 0) for n in names), tuple(Token(n, "serve", WAITING, k) for k, n in enumerate(names))
    )
    levers = [Control(1000, "urgency", "dan", -1.0), Control(1000, "send", "bob", 1.0)]
    run = simulate(network, present, HOUR, controls=levers, keep=("cases",))
    assert run.cases is not None and dict(zip(names, run.cases["left"], strict=True)) == {
        "ann": 60,
        "bob": 61,
        "dan": 120,
        "cyd": 180,
    }


def test_machines_are_up_as_long_as_they_should_be() -> None:
    worn = Breakdown(Duration("weibull", 3600.0, 0.5), Duration("lognormal", 900.0, 1.0), ((100 * HOUR, 150 * HOUR),))
    network = Network(
        "plant", (Customers("all", Arrivals.steady(0.0), "make"),), (Task("make", "mill"),),
        (Station("mill", {ANY: fixed(1.0)}, (Team("mill"),)),), (Pool("mill", Calendar.always(4), breakdown=worn),),
    )  # fmt: skip
    run = simulate(network, empty(0), 1000 * HOUR, 20, 6, every=HOUR)
    here = run.gauges["here.pool.mill"].mean(axis=1)
    assert here[200:].mean() == pytest.approx(4 * 0.8, rel=0.01)
    assert here[105:149].mean() == pytest.approx(3 * 0.8, rel=0.08)


@njit
def _many(many, purpose):  # type: ignore[no-untyped-def]
    found = np.empty(many)
    for k in range(many):
        found[k] = draws.draw(draws.mix(np.uint64(k // 50)), np.uint64(99), k % 50, purpose)
    return found


def test_draws_are_uniform_and_of_different_keys_independent() -> None:
    one, other = _many(400_000, 0), _many(400_000, 1)
    assert stats.kstest(one, "uniform").pvalue > 1e-3
    table = np.histogram2d(one, other, 20, ((0, 1), (0, 1)))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-3
    table = np.histogram2d(one[:-1], one[1:], 20, ((0, 1), (0, 1)))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("name, problem", [
    ("desks", "unknown station (named by node 'check in') 'desks'; possible: desk, room, scanner"),
    ("rules", "choice 'again?' must end with a rule without conditions: somebody may meet none of the others"),
    ("split", "the way 'scan too' of split 'both' must end at 'done' for everybody"),
    ("team", "station 'room' has no team: nobody would ever be served there"),
    ("promise", "the promise of station 'room' is 0 s; it must be above 0"),
    ("circle", "node 'again?' leads back to itself by nodes that take no time"),
])  # fmt: skip
def test_what_cannot_be_is_named(name: str, problem: str) -> None:
    base = clinic()
    nodes = {node.name: node for node in base.nodes}
    room = base.stations[2]
    spoilt = {
        "desks": {"nodes": (Task("check in", "desks"), *base.nodes[1:])},
        "rules": {"nodes": tuple({**nodes, "again?": Choice("again?", (Rule({END: 1}, (Where("age", ">", 1),)),))}.values())},
        "split": {"nodes": tuple({**nodes, "scan too": Task("scan too", "scanner", "visit")}.values())},
        "team": {"stations": (*base.stations[:2], replace(room, teams=()))},
        "promise": {"stations": (*base.stations[:2], replace(room, promise=0))},
        "circle": {"nodes": tuple({**nodes, "again?": Choice("again?", (Rule({"again?": 1}),))}.values())},
    }[name]  # fmt: skip
    with pytest.raises(BadInput) as told:
        check(replace(base, **spoilt))  # type: ignore[arg-type]
    assert str(told.value) == problem


def test_ids_of_made_up_customers_hold_their_keys() -> None:
    assert case_key(case_id(123456, {})) == 123456
    assert case_id(case_key("Ann"), {case_key("Ann"): "Ann"}) == "Ann"


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(BadInput, match="unknown pool 'docter'; possible: clerk, doctor, machine, nurse"):
        simulate(clinic(), empty(0), HOUR, controls=[Control(0, "staff", "docter", 1.0)])
    with pytest.raises(BadInput, match="unknown scale"):
        simulate(clinic(), empty(0), HOUR, scales={"service.desks": np.ones(1)})
    with pytest.raises(BadInput, match="not after its start"):
        simulate(clinic(), empty(0), 0)


def test_a_change_in_any_file_that_is_compiled_compiles_anew() -> None:
    """The files whose content names the compiled engine on disk are all those that are compiled."""
    folder = Path(engine.__file__).parent
    made = {path for path in folder.rglob("*.py") if "@swift" in path.read_text() or "@njit" in path.read_text()}
    assert made <= set(engine.sources())
