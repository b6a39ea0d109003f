"""Discovery: a network that made a log is found again, and what the log cannot tell is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import bench.discovery as judged
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, SECOND
from gemel.packs.service.discovery import CUSTOMERS, Found, discover
from gemel.packs.service.discovery.fitting import censored, fitted, within
from gemel.packs.service.discovery.replay import simulated
from gemel.packs.service.distance import distances
from gemel.packs.service.log import MISSING, Log, Names
from gemel.packs.service.logs import read_log
from gemel.process import empty
from gemel.process.calendar import Arrivals, Calendar, Shift
from gemel.process.duration import Duration, exponential, fixed
from gemel.process.engine import simulate
from gemel.process.network import (
    ANY,
    END,
    Batch,
    Choice,
    Customers,
    Delay,
    Join,
    Network,
    Pool,
    Rule,
    Split,
    Station,
    Task,
    Team,
)

START = round(datetime(2026, 1, 5, 8, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
DAYTIME = tuple(6.0 if 8 <= hour < 16 and day < 5 else 0.0 for day in range(7) for hour in range(24))


def office(count: int) -> Calendar:
    """Return so many people, Mondays to Fridays from 8 to 17 in Berlin."""
    return Calendar(tuple(Shift(day, 480, 1020, count) for day in range(5)), "Europe/Berlin")


CLINIC = Network(
    "clinic",
    (Customers("case", Arrivals(DAYTIME, "Europe/Berlin"), "admit"),),
    (
        Task("admit", "admit", "both"), Split("both", ("blood", "scan"), "met"), Task("blood", "blood", "met"),
        Task("scan", "scan", "met"), Join("met", "again?"),
        Choice("again?", (Rule({"admit": 0.2, "result": 0.8}),)), Delay("result", exponential(20 * 3600), "discuss"),
        Task("discuss", "discuss"),
    ),
    (
        Station("admit", {ANY: Duration("lognormal", 500, 0.8)}, (Team("desk"),)),
        Station("blood", {ANY: Duration("gamma", 900, 0.5)}, (Team("lab"),)),
        Station("scan", {ANY: fixed(1200)}, (Team("scanner"),)),
        Station("discuss", {ANY: exponential(1800)}, (Team("doctor"),)),
    ),
    tuple(Pool(name, office(count)) for name, count in (("desk", 2), ("lab", 3), ("scanner", 4), ("doctor", 5))),
)  # fmt: skip
"""Two things at once after admission, rework, and a wait for a result that is nobody's work."""


def untold(log: Log) -> Log:
    """Return the log as most are: it does not tell when anything queued."""
    return replace(log, queued=np.full(len(log), MISSING), zone="UTC")


@lru_cache
def clinic(told: bool) -> Found:
    """Return what is found of the clinic's half year, with or without queueing times."""
    log = simulated(CLINIC, START, until=START + 40 * 7 * DAY, seed=5)
    return discover(log if told else untold(log))


def log_of(rows: list[tuple[str, str, str, int, int]], **more: object) -> Log:
    """Return a log of (case, activity, resource, start, end)."""
    cases = {case: place for place, case in enumerate(dict.fromkeys(row[0] for row in rows))}
    ordered = sorted(rows, key=lambda row: (cases[row[0]], row[3], row[4]))
    names = [_names([row[k] for row in ordered], tuple(cases) if k == 0 else ()) for k in range(3)]
    start, end = (np.array([row[k] for row in ordered], np.int64) for k in (3, 4))
    return Log(*names, np.full(len(rows), MISSING), start, end, np.zeros(len(rows), bool), **more)  # type: ignore[arg-type]


def _names(words: list[object], known: tuple[str, ...]) -> Names:
    codes = {name: code for code, name in enumerate(known or dict.fromkeys(map(str, words)))}
    return Names(np.array([codes[str(word)] for word in words], np.int32), tuple(codes))


def nodes(found: Found, kind: type) -> dict[str, object]:
    return {node.name: node for node in found.network.nodes if isinstance(node, kind)}


@pytest.mark.parametrize("told", [True, False])
def test_the_flow_of_a_known_service_is_found(told: bool) -> None:
    """What runs at once is a block, what is done again is a loop, and shares are within 3 points."""
    found = clinic(told)
    (split,) = nodes(found, Split).values()
    assert isinstance(split, Split) and set(split.to) == {"blood", "scan"}
    (choice,) = nodes(found, Choice).values()
    assert isinstance(choice, Choice)
    shares = {("admit" if to == "admit" else "on"): share for to, share in choice.rules[0].to.items()}
    assert shares == pytest.approx({"admit": 0.2, "on": 0.8}, abs=0.03)
    assert found.activity == {name: name for name in ("admit", "blood", "scan", "discuss")}


@pytest.mark.parametrize("told", [True, False])
def test_a_delay_outside_the_service_is_told_from_waiting_for_staff(told: bool) -> None:
    """20 h of nobody's work are found within 10 %, also where they end at night and only the next morning shows it."""
    (delay,) = nodes(clinic(told), Delay).values()
    assert isinstance(delay, Delay) and delay.then == "discuss"
    assert delay.lasts.mean == pytest.approx(20 * 3600, rel=0.1)


def test_hours_staff_and_local_time_of_a_known_service_are_found() -> None:
    """From a log in UTC over a change of clocks: a zone that keeps Berlin's, all shifts, and who does what."""
    found = clinic(False).network
    zone = found.pools[0].calendar.zone
    moments = [datetime(2026, month, 5, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)]
    assert moments == [datetime(2026, month, 5, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset() for month in (1, 7)]
    assert {pool.name: {(s.weekday, s.start, s.end) for s in pool.calendar.shifts} for pool in found.pools} == {
        pool.name: {(s.weekday, s.start, s.end) for s in pool.calendar.shifts} for pool in CLINIC.pools
    }
    assert {station.name: station.teams[0].pool for station in found.stations} == {
        station.name: station.teams[0].pool for station in CLINIC.stations
    }
    assert not any(pool.pauses for pool in found.pools)


def test_service_times_of_a_known_service_are_found() -> None:
    """Means within 5 %, spreads within a tenth, and what is always the same is fixed."""
    for station in clinic(True).network.stations:
        real = CLINIC.station(station.name).service[ANY]
        assert station.service[ANY].mean == pytest.approx(real.mean, rel=0.05)
        assert station.service[ANY].cv == pytest.approx(real.cv, abs=0.1)
    assert clinic(True).network.station("scan").service[ANY].kind == "fixed"


def test_arrivals_of_a_known_service_are_found() -> None:
    """240 a week within three posterior sds, at random, none at night."""
    found = clinic(True)
    arrivals = found.network.customers[0].arrivals
    sd = found.posterior[f"arrivals.{CUSTOMERS}"][1]
    assert sum(arrivals.per_hour) == pytest.approx(240, rel=3 * sd) and 0.005 < sd < 0.02
    assert arrivals.cv == pytest.approx(1, abs=0.05)
    assert [rate > 1 for rate in arrivals.per_hour] == [rate > 1 for rate in DAYTIME]


def test_what_is_found_behaves_as_what_was_there() -> None:
    """A second log of the real service is hardly nearer to the first than one of the service found."""
    real, again = (simulated(CLINIC, START, cases=1500, seed=seed) for seed in (1, 2))
    twin = clinic(False)
    floor = distances(again, real)
    ours = distances(simulated(twin.network, START, cases=1500, seed=3, activity=twin.activity), real)
    for name, slack in (("2-gram", 0.02), ("relative", 1.5), ("circadian", 0.2), ("cycle time", 1.5)):
        assert ours[name] < 2 * floor[name] + slack, name


def test_draws_of_the_posterior_are_spread_as_it_says() -> None:
    """`scales()` gives what `simulate(scales=)` takes: log-normal multipliers."""
    found = clinic(True)
    drawn = found.scales(4000, np.random.default_rng(1))
    for name, (mean, sd) in found.posterior.items():
        assert np.log(drawn[name]).mean() == pytest.approx(mean, abs=4 * sd / 60)
        assert np.log(drawn[name]).std() == pytest.approx(sd, rel=0.1)


def test_draws_of_a_choice_are_spread_as_its_counts_allow() -> None:
    """Each member has shares of its own: of n passages, with mean p and sd √(p(1 - p)/(n + 1)) (a Dirichlet's)."""
    found = clinic(True)
    ((choice, counts),) = found.counts.items()
    drawn = found.routes(START, 4000, np.random.default_rng(2))
    many = sum(counts.values())
    assert np.sum([one.value for one in drawn], axis=0) == pytest.approx(1)
    for one, (to, count) in zip(drawn, counts.items(), strict=True):
        p = count / many
        assert (one.at, one.kind, one.target) == (START, "route", f"{choice}>{to}")
        assert np.mean(one.value) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / many / 4000))
        assert np.std(one.value) == pytest.approx(np.sqrt(p * (1 - p) / (many + 1)), rel=0.1)


def test_members_go_the_ways_that_their_draws_say() -> None:
    """Where only five passages each way tell the shares, members differ far more in how many they admit than by chance alone."""
    found = replace(clinic(True), counts={choice: dict.fromkeys(to, 5) for choice, to in clinic(True).counts.items()})
    until, fates = START + 8 * 7 * DAY, np.random.default_rng(3)
    told, alone = (
        simulate(found.network, empty(START), until, members=40, seed=4, controls=controls).gauges["served.admit"][-1]
        for controls in (found.routes(START, 40, fates), ())
    )
    assert told.std() > 3 * alone.std()


def test_the_bench_asks_of_the_twin_what_it_asks_of_the_office(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes after the weeks that are judged: hours and waits are the same however long is left to empty it."""
    monkeypatch.setattr(judged, "MEMBERS", 4)
    first = judged.cycles(clinic(True).network, 3, clinic(True), 1)
    monkeypatch.setattr(judged, "EMPTYING", judged.EMPTYING + 10)
    assert [part.tolist() for part in judged.cycles(clinic(True).network, 3, clinic(True), 1)] == [
        part.tolist() for part in first
    ]


def test_the_service_that_made_the_loan_applications_is_found(data: Path) -> None:
    """Simod's LoanApp: its BPMN model has these three at once, these timers of an hour and these fixed times."""
    found = discover(read_log(data / "services/simod_LoanApp_simplified_train.csv.gz")[0])
    (split,) = nodes(found, Split).values()
    assert isinstance(split, Split) and set(split.to) == {"Appraise property", "Check credit history", "AML check"}
    delays = [delay for delay in nodes(found, Delay).values() if isinstance(delay, Delay)]
    assert {delay.then for delay in delays} == {"Reject application", "Cancel application", "Approve application"}
    assert all(delay.lasts == fixed(3600.0) for delay in delays)
    arrivals = found.network.customers[0].arrivals
    assert arrivals.cv == 0 and sum(rate > 0 for rate in arrivals.per_hour) == 40
    assert max(arrivals.per_hour) == pytest.approx(2, rel=1e-3)
    for name, seconds in (("Assess loan risk", 1200), ("Approve loan offer", 1200), ("Applicant completes form", 3600)):
        assert found.network.station(name).service[ANY] == fixed(float(seconds))
    assert {pool.name: pool.calendar.shifts[0].count for pool in found.network.pools}["Clerk"] == 8
    assert all(pool.pauses and len(pool.calendar.shifts) == 5 for pool in found.network.pools)


def test_the_twin_of_loan_app_is_nearer_than_simods_and_within_twice_the_floor(data: Path) -> None:
    """Three runs against the test log; Simod's figures are those of services.md 3.2 (ten runs are in bench.discovery)."""
    train, test = (read_log(data / f"services/simod_LoanApp_simplified_{p}.csv.gz")[0] for p in ("train", "test"))
    found = discover(train)
    runs = [
        distances(simulated(found.network, int(test.first.min()), cases=1000, seed=s, activity=found.activity), test)
        for s in range(3)
    ]
    mean = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    simod = {"2-gram": 0.0756, "3-gram": 0.1207, "relative": 5.40, "circadian": 0.494, "cycle time": 12.91}
    floor = {"2-gram": 0.0206, "3-gram": 0.0283, "relative": 0.146, "circadian": 0.056, "cycle time": 0.596}
    assert all(mean[name] < simod[name] for name in simod) and mean["arrivals"] < 1.0
    assert all(mean[name] < 2 * floor[name] for name in floor)


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("teleclaims.xes.gz", "capacity taken as the most seen"),
        ("simod_PurchasingExample.csv.gz", ""),
        ("eventdataR_patients.csv.gz", "capacity taken as the most seen"),
        ("receipt.xes.gz", "work cannot be told from waiting"),
        ("bpic2013_incidents.xes.gz", "work cannot be told from waiting"),
    ],
)
def test_every_real_log_gives_a_network_that_runs_and_says_what_it_does_not_know(
    data: Path, name: str, unknown: str
) -> None:
    """The network passes `wiring.check` and makes cases of the activities of the log; what is unknown is said."""
    log = read_log(data / "services" / name)[0]
    found = discover(log)
    again = simulated(found.network, int(log.first.min()), cases=30, activity=found.activity)
    assert len(again.cases) == 30 and set(again.activity.names) <= set(log.activity.names)
    assert unknown in " ".join(map(str, found.unknown))


def test_groups_under_one_name_are_sized_by_the_hour(data: Path) -> None:
    """Teleclaims: Brisbane has 10 agents in the first two hours, then 30, then 40; the log names only the centre."""
    found = discover(read_log(data / "services/teleclaims.xes.gz")[0]).network
    brisbane = [s for s in found.pool("Call Centre Agent Brisbane").calendar.shifts if s.weekday == 3]
    assert [(shift.end - shift.start, shift.count) for shift in brisbane] == [(120, 10), (120, 30), (240, 40)]


def test_what_came_before_decides_where_it_has_to() -> None:
    """a b c and d b e: b has a node for each way, and neither a c nor an e is misled."""
    rng = np.random.default_rng(2)
    rows = []
    for case in range(400):
        at = START + case * HOUR
        for k, what in enumerate("abc" if rng.random() < 0.5 else "dbe"):
            rows.append((str(case), what, "ann", at + k * MINUTE, at + k * MINUTE + 30 * SECOND))
    found = discover(log_of(rows))
    log = simulated(found.network, START, cases=200, activity=found.activity)
    traces = {"".join(log.activity.names[code] for code in trace) for trace in log.traces()}
    assert traces == {"abc", "dbe"}


def test_a_choice_follows_an_attribute_where_it_does() -> None:
    """Large claims go to the expert nine times of ten, small ones one of ten: found as a rule on the attribute."""
    rng = np.random.default_rng(3)
    amount, rows = rng.uniform(0, 1000, 600), []
    for case in range(600):
        large = rng.random() < (0.9 if amount[case] > 700 else 0.1)
        at = START + case * HOUR
        rows += [(str(case), "open", "ann", at, at + MINUTE)]
        rows += [(str(case), "expert" if large else "clerk", "bob", at + MINUTE, at + 5 * MINUTE)]
    found = discover(log_of(rows, about={"amount": amount}))
    (choice,) = nodes(found, Choice).values()
    assert isinstance(choice, Choice)
    (test,) = choice.rules[0].when
    assert test.attribute == "amount" and test.value == pytest.approx(700, abs=15)
    assert choice.rules[0].to["expert"] == pytest.approx(0.1, abs=0.05)
    assert choice.rules[-1].to["expert"] == pytest.approx(0.9, abs=0.05)
    assert "amount" in found.network.customers[0].attributes


def test_an_attribute_that_tells_nothing_makes_no_rule() -> None:
    """Noise is not taken for a reason."""
    rng = np.random.default_rng(4)
    rows = []
    for case in range(600):
        at = START + case * HOUR
        rows += [(str(case), "open", "ann", at, at + MINUTE)]
        rows += [(str(case), str(rng.choice(["x", "y"])), "bob", at + MINUTE, at + 2 * MINUTE)]
    found = discover(log_of(rows, about={"noise": rng.uniform(0, 1, 600)}))
    assert not found.network.customers[0].attributes


def test_batches_are_found() -> None:
    """Four at a time in one oven, or fewer when the first has waited an hour."""
    oven = Network(
        "bakery", (Customers("case", Arrivals.steady(6), "mix"),), (Task("mix", "mix", "bake"), Task("bake", "bake")),
        (Station("mix", {ANY: exponential(300)}, (Team("baker"),)),
         Station("bake", {ANY: fixed(1200)}, (Team("oven"),), batch=Batch(4, 3600))),
        (Pool("baker", Calendar.always(2)), Pool("oven", Calendar.always(1))),
    )  # fmt: skip
    found = discover(simulated(oven, START, cases=1200, seed=1)).network.station("bake")
    assert found.batch is not None and found.batch.size == 4
    assert found.batch.most_wait == pytest.approx(3600, rel=0.1)
    assert found.service[ANY] == fixed(1200.0)


def test_patience_is_found_behind_the_waits_that_it_ended() -> None:
    """Callers who hang up: an exponential patience of 120 s within 15 %, although most were served first."""
    centre = Network(
        "centre", (Customers("case", Arrivals.steady(50), "talk"),), (Task("talk", "talk"),),
        (Station("talk", {ANY: exponential(240)}, (Team("agents"),), patience={ANY: exponential(120)}),),
        (Pool("agents", Calendar.always(3)),),
    )  # fmt: skip
    found = discover(simulated(centre, START, cases=4000, seed=1)).network.station("talk")
    assert found.patience[ANY].mean == pytest.approx(120, rel=0.15)
    assert found.service[ANY].mean == pytest.approx(240, rel=0.06)


def test_a_log_of_ends_alone_gives_delays_and_no_staff() -> None:
    """What is unknown is said, and the time between events is kept."""
    rng = np.random.default_rng(6)
    rows, at = [], START
    for case in range(300):
        at += int(rng.exponential(HOUR))
        rows += [(str(case), "came", "ann", MISSING, at)]
        rows += [(str(case), "left", "bob", MISSING, at + int(rng.exponential(3 * HOUR)))]
    found = discover(log_of(rows))
    (delay,) = nodes(found, Delay).values()
    assert isinstance(delay, Delay) and delay.lasts.mean == pytest.approx(3 * 3600, rel=0.15)
    assert [pool.name for pool in found.network.pools] == ["unseen"]
    assert any("work cannot be told from waiting" in note.text for note in found.unknown)


def test_an_empty_log_is_refused() -> None:
    """There is nothing to discover, and that is said."""
    with pytest.raises(BadInput, match="nothing to discover"):
        discover(log_of([("1", "a", "x", MISSING, MISSING)]))


@settings(max_examples=25)
@given(
    st.sampled_from(["exponential", "gamma", "lognormal", "weibull", "uniform"]),
    st.floats(10, 1e5),
    st.floats(0.2, 1.2),
)
def test_a_fitted_duration_is_as_long_as_what_it_was_fitted_to(kind: str, mean: float, cv: float) -> None:
    """Whatever the family: the mean within 6 %, the median within a tenth of the mean."""
    cv = {"exponential": 1.0, "uniform": min(cv, 0.5)}.get(kind, cv)
    values = Duration(kind, mean, cv).quantile((np.random.default_rng(1).permutation(800) + 0.5) / 800)
    found = fitted(values, np.random.default_rng(2))
    drawn = found.quantile((np.arange(1000) + 0.5) / 1000)
    assert drawn.mean() == pytest.approx(values.mean(), rel=0.06)
    assert np.median(drawn) == pytest.approx(np.median(values), abs=0.1 * mean)


def test_times_known_to_lie_within_bounds_are_estimated_as_kaplan_and_meier_would() -> None:
    """Where the upper bound is open the estimate is the product-limit one: SciPy's `ecdf` of right-censored data."""
    rng = np.random.default_rng(7)
    times, limit = rng.exponential(100, 1500), rng.exponential(150, 1500)
    seen = times <= limit
    known = np.minimum(times, limit)
    sample = within(known, np.where(seen, known, 1e6), rounds=400)
    theirs = stats.ecdf(stats.CensoredData(uncensored=known[seen], right=known[~seen])).cdf
    for level in (50.0, 100.0, 200.0):
        assert np.mean(sample <= level) == pytest.approx(float(theirs.evaluate(level)), abs=0.03)


def test_patience_that_ages_is_found() -> None:
    """A Weibull of shape 2 is not taken for an exponential: its cv comes out within 0.1."""
    rng = np.random.default_rng(8)
    patience, wait = 100 * rng.weibull(2, 3000), rng.exponential(60, 3000)
    found = censored(np.minimum(patience, wait), patience < wait)
    assert found is not None and found.kind == "weibull"
    assert found.mean == pytest.approx(patience.mean(), rel=0.05)
    assert found.cv == pytest.approx(patience.std() / patience.mean(), abs=0.1)


def test_a_simulated_log_says_how_many_or_until_when() -> None:
    """Both or neither is a mistake."""
    with pytest.raises(BadInput, match="how many cases"):
        simulated(CLINIC, START)


def test_the_end_of_a_network_is_no_activity() -> None:
    """An activity called as the way out is given another name for its node, and keeps its own in logs."""
    rows = []
    for case in range(50):
        at = START + case * HOUR
        rows += [(str(case), "begin", "ann", at, at + MINUTE), (str(case), END, "ann", at + MINUTE, at + 2 * MINUTE)]
    found = discover(log_of(rows))
    assert END not in {node.name for node in found.network.nodes}
    log = simulated(found.network, START, cases=5, activity=found.activity)
    assert set(log.activity.names) == {"begin", END}
