"""Staffing: Erlang's figures, rosters that brute force cannot better, and the engine's word on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from gemel.errors import BadInput
from gemel.packs.service.design import Setup, cost, crossed, designed, felt, frontier
from gemel.packs.service.staffing import Template, erlang_c, kept, longer, needed, roster, rostered
from gemel.process import ANY, Arrivals, Calendar, Customers, Network, Pool, Station, Task, Team, exponential

SLOTS = (
    Template("early", 0, 120, 4.0),
    Template("late", 60, 180, 4.0),
    Template("long", 0, 180, 5.5, rest=(60, 90)),
    Template("short", 90, 150, 2.5),
)


@pytest.mark.parametrize(
    ("servers", "load", "wait"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 4.0, 0.5541), (5, 4.5, 0.7625), (10, 8.0, 0.4092), (100, 95.0, 0.5063)],
)
def test_erlang_c_is_that_of_the_tables(servers: int, load: float, wait: float) -> None:
    """M/M/1, M/M/2 in closed form; .7625 = 1.5250 × (5 − 4.5), the wait that peers/services.md gives; Cooper's tables."""
    assert erlang_c(servers, load) == pytest.approx(wait, abs=2e-4)


@pytest.mark.parametrize(("servers", "load", "patience"), [(3, 4.0, 2.0), (10, 9.0, 0.5), (1, 0.6, 5.0), (6, 6.0, 1.0)])
def test_erlang_a_is_that_of_its_birth_and_death_process(servers: int, load: float, patience: float) -> None:
    """P(W > t) by the matrix exponential of what stands before a customer who finds n or more (unit service time)."""
    most, t, theta = servers + 150, 0.4, 1 / patience
    rates = np.minimum(np.arange(1, most + 1), servers) + theta * np.maximum(np.arange(1, most + 1) - servers, 0)
    stationary = np.cumprod(np.concatenate([[1.0], load / rates]))
    stationary /= stationary.sum()
    ahead = np.arange(most - servers + 1)
    down = servers + theta * ahead
    generator = np.diag(-down) + np.diag(down[1:], -1)
    stays = linalg.expm(generator * t).sum(1) * np.exp(-theta * t)
    expected = float(stationary[servers:] @ stays)
    assert longer(servers, load * 3600, 1.0, t, patience) == pytest.approx(expected, rel=1e-4)


def test_patience_without_end_is_erlang_c() -> None:
    """M/M/n+M with a patience of a year is M/M/n."""
    plain, patient = longer(8, 70, 300, 120), longer(8, 70, 300, 120, 3e7)
    assert patient == pytest.approx(plain, rel=1e-3)


def test_one_less_than_needed_does_not_keep_the_promise() -> None:
    """`needed` is the smallest number that does."""
    n = needed(80, 300, 180, level=0.9)
    assert longer(n, 80, 300, 180) <= 0.1 < longer(n - 1, 80, 300, 180)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_no_roster_by_brute_force_is_cheaper(need: list[int]) -> None:
    """Every number of people up to 6 on each of four shifts, tried one by one."""
    cover = np.array([[shift.covers(30 * k) for shift in SLOTS] for k in range(6)], int)
    tried = np.array(list(itertools.product(range(7), repeat=4)))
    good = tried[(tried @ cover.T >= np.array(need)).all(1)]
    best = (good @ np.array([shift.cost for shift in SLOTS])).min()
    found = roster(need, SLOTS)
    assert found.cost == pytest.approx(best) and (found.cover >= np.array(need)).all()


def test_a_roster_that_cannot_be_says_why() -> None:
    """Too few people, and a minute that no shift covers."""
    with pytest.raises(BadInput, match="2 people cannot cover 3"):
        roster([3, 0, 0, 0, 0, 0], SLOTS, most=2)
    with pytest.raises(BadInput, match="no shift covers minute 180"):
        roster([1] * 7, SLOTS)


def test_a_rosters_calendar_is_its_cover() -> None:
    """What the calendar counts in each half hour is what the roster says."""
    found = roster([2, 2, 3, 3, 2, 1], SLOTS)
    edges, counts = found.calendar().steps(0, 3 * 3_600_000)
    at = [counts[np.searchsorted(edges, 1_800_000 * k, "right") - 1] for k in range(6)]
    assert at == found.cover.tolist()


DAY_MS = 86_400_000


def counter(people: int, per_hour: float = 80.0) -> Network:
    """Return M/M/n with a promise of three minutes and a pool that costs 30 an hour."""
    return Network(
        "counter",
        (Customers("all", Arrivals.steady(per_hour), "advice"),),
        (Task("advice", "counter"),),
        (Station("counter", {ANY: exponential(300.0)}, (Team("clerks"),), promise=180.0),),
        (Pool("clerks", Calendar.always(people), cost_per_hour=30.0),),
    )


def test_the_engine_confirms_what_erlang_says_is_needed() -> None:
    """The share of promises kept in M/M/n, simulated for 40 days, is 1 − P(W > 180 s)."""
    n = needed(80, 300, 180, level=0.85)
    whole = roster([n] * 48, [Template("round the clock", 0, 1440, 1.0)])
    found = kept(rostered(counter(1), "clerks", whole), "counter", 0, members=40, seed=1)
    assert found.low - 0.01 <= 1 - longer(n, 80, 300, 180) <= found.high + 0.01


def test_a_design_costs_its_hours_and_lets_fewer_down_the_more_people_it_has() -> None:
    """Paired: in every draw, one more clerk lets no more customers down."""
    few, many = (felt(counter(8), Setup(people={"clerks": n / 8}), 0, DAY_MS // 4, [1] * 6) for n in (8, 10))
    assert (few[:, 0] == 8 * 24 * 30).all() and (many[:, 0] == 10 * 24 * 30).all() and (many[:, 1] <= few[:, 1]).all()


def test_who_comes_while_it_is_closed_is_let_down() -> None:
    """Open from 6 to 18 with arrivals round the clock: half are turned away, and half the hours are paid."""
    setup = Setup(hours=(360, 1080))
    found = felt(counter(20), setup, 0, DAY_MS, [3] * 8)
    assert cost(designed(counter(20), setup), 0, DAY_MS) == 20 * 12 * 30
    assert found[:, 1].mean() == pytest.approx(50.0, abs=1.0)


def test_a_design_of_what_is_not_there_names_what_is() -> None:
    """Pools, stations, ways, hours."""
    for setup, word in (
        (Setup(people={"x": 1.0}), "pool"),
        (Setup(helps={"x": "clerks"}), "station"),
        (Setup(ways={"a>b": 1.0}), "way"),
    ):
        with pytest.raises(BadInput, match=f"unknown {word}"):
            designed(counter(1), setup)
    with pytest.raises(BadInput, match="does not open"):
        designed(counter(1), Setup(hours=(900, 300)))


def test_a_frontier_of_staffing_falls_and_leaves_waste_out() -> None:
    """More money, fewer let down; a unit that stands idle at another cost is beaten."""
    people = {f"{n} clerks": Setup(people={"clerks": n / 8}) for n in (7, 8, 9, 10)}
    hours = {"always": Setup(), "days": Setup(hours=(360, 1080))}
    found = frontier(counter(8), crossed(people=people, hours=hours), 0, first=4, rounds=2)
    means = np.array([one.mean for one in found.efficient])
    assert len(found.tried) == 8 and len(means) >= 4
    assert (np.diff(means[:, 0]) > 0).all() and (np.diff(means[:, 1]) < 0).all()
