"""The engine against closed forms: each estimate lies within five standard errors of theory, and those are small.

Replications are members; a mean's standard error is theirs. Theory is named in each test.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from gemel.process import (
    END,
    Arrivals,
    Case,
    Choice,
    Customers,
    Duration,
    Network,
    Pool,
    Present,
    Rule,
    Station,
    Task,
    Team,
    Token,
    empty,
    exponential,
    fixed,
)
from gemel.process.calendar import Calendar
from gemel.process.engine import Run, simulate
from gemel.process.present import SERVED, WAITING

SECOND = 1000
HOUR = 3600 * SECOND


def queue(rate: float, service: Duration, crew: int, **station: object) -> Network:
    """Return one station: arrivals per second, service, so many who serve."""
    return Network(
        "queue",
        (Customers("all", Arrivals.steady(rate * 3600), "serve"),),
        (Task("serve", "desk"),),
        (Station("desk", {"*": service}, (Team("crew"),), **station),),  # type: ignore[arg-type]
        (Pool("crew", Calendar.always(crew)),),
    )


def late(run: Run, name: str) -> np.ndarray:
    """Return by how much a gauge grew after the first half: that half is warming up."""
    gauge = run.gauges[name]
    return np.asarray(gauge[-1] - gauge[gauge.shape[0] // 2 - 1])


def near(values: np.ndarray, theory: float, within: float) -> None:
    """Say whether a mean of replications is theory, to five standard errors that are below *within* of it."""
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert 5 * error < within * theory
    assert abs(values.mean() - theory) < 5 * error


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return each replication's linearised part in a ratio of means."""
    whole = above.mean() / below.mean()
    return np.asarray(whole + (above - whole * below) / below.mean())


def erlang_c(load: float, servers: int) -> float:
    """Return the probability to wait (Erlang 1917)."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


def test_waits_at_five_servers_are_erlangs() -> None:
    run = simulate(queue(4.5, exponential(1.0), 5), empty(0), 8000 * SECOND, 400, 1, every=1000 * SECOND)
    wait = erlang_c(4.5, 5) / (5 - 4.5)
    near(ratio(late(run, "waited.desk"), late(run, "served.desk")), wait, 0.06)
    near(late(run, "worked.pool.crew") / 4000, 4.5, 0.01)


def test_those_who_give_up_are_erlang_a() -> None:
    rate, servers, patience = 5.0, 5, 2.0
    run = simulate(
        queue(rate, exponential(1.0), servers, patience={"*": exponential(patience)}), empty(0), 4000 * SECOND, 100, 2,
        every=1000 * SECOND,
    )  # fmt: skip
    birth, death = (
        np.full(300, rate),
        np.array([min(n, servers) + max(n - servers, 0) / patience for n in range(1, 301)]),
    )
    weights = np.concatenate([[1.0], np.cumprod(birth / death)])
    share = weights / weights.sum()
    queued = sum(p * max(n - servers, 0) for n, p in enumerate(share))
    near(late(run, "abandoned.desk") / late(run, "came"), queued / patience / rate, 0.05)


@pytest.mark.parametrize(
    "kind, cv", [("fixed", 0.0), ("gamma", 0.5), ("lognormal", 1.5), ("weibull", 1.2), ("uniform", 0.4)]
)
def test_the_spread_of_service_costs_what_pollaczek_and_khinchine_say(kind: str, cv: float) -> None:
    run = simulate(queue(0.7, Duration(kind, 1.0, cv), 1), empty(0), 8000 * SECOND, 300, 3, every=1000 * SECOND)
    wait = 0.7 * (1 + cv**2) / 2 / (1 - 0.7)
    near(ratio(late(run, "waited.desk"), late(run, "served.desk")), wait, 0.12)


def test_priorities_wait_as_cobham_says() -> None:
    rates = {"urgent": 0.3, "usual": 0.5}
    network = Network(
        "two",
        tuple(
            Customers(name, Arrivals.steady(r * 3600), f"serve {name}", k) for k, (name, r) in enumerate(rates.items())
        ),
        tuple(Task(f"serve {name}", "desk") for name in rates),
        (Station("desk", {"*": exponential(1.0)}, (Team("crew"),), "priority"),),
        (Pool("crew", Calendar.always(1)),),
    )
    run = simulate(network, empty(0), 5000 * SECOND, 100, 4, keep=("visits",))
    assert run.visits is not None
    rest = 0.3 + 0.5  # λ E[S²] / 2, with E[S²] = 2
    for node, theory in ((0, rest / (1 - 0.3)), (1, rest / (1 - 0.3) / (1 - 0.8))):
        seen = run.visits[(run.visits["node"] == node) & (run.visits["ready"] > 1000) & (run.visits["outcome"] == 0)]
        sums = np.bincount(seen["member"], seen["started"] - seen["ready"], 100)
        near(ratio(sums, np.bincount(seen["member"], minlength=100).astype(float)), theory, 0.12)


def jackson() -> Network:
    """Return two stations, from the second of which a third goes back to the first."""
    return Network(
        "jackson",
        (Customers("all", Arrivals.steady(3600.0), "first"),),
        (
            Task("first", "one", "second"),
            Task("second", "two", "back?"),
            Choice("back?", (Rule({"first": 1.0, END: 2.0}),)),
        ),
        tuple(Station(s, {"*": exponential(m)}, (Team(f"crew {s}"),)) for s, m in (("one", 0.5), ("two", 1.0))),
        (Pool("crew one", Calendar.always(1)), Pool("crew two", Calendar.always(2))),
    )


def test_a_network_is_a_product_of_queues_as_jackson_says() -> None:
    run = simulate(jackson(), empty(0), 4000 * SECOND, 200, 5, every=100 * SECOND)
    one, two = 0.75 / 0.25, erlang_c(1.5, 2) * 1.5 / 0.5 + 1.5
    for name, theory in (("one", one), ("two", two)):
        inside = (run.gauges[f"queue.{name}"] + run.gauges[f"busy.{name}"])[10:].mean(axis=0)
        near(inside, theory, 0.1)


def test_number_inside_is_rate_times_time_as_little_says() -> None:
    run = simulate(jackson(), empty(0), 20_000 * SECOND, 1, 6, every=SECOND, keep=("cases",))
    assert run.cases is not None
    stay = np.where(np.isnan(run.cases["left"]), 20_000, run.cases["left"]) - run.cases["arrived"]
    assert run.gauges["inside"].mean() == pytest.approx(stay.sum() / 20_000, rel=0.005)


def test_arrivals_follow_the_hours_of_the_week() -> None:
    rates = tuple(20.0 + 15 * math.sin(hour / 24 * 2 * math.pi) + (30 if hour == 40 else 0) for hour in range(168))
    network = Network(
        "open", (Customers("all", Arrivals(rates), "serve"),), (Task("serve", "desk"),),
        (Station("desk", {"*": fixed(1.0)}, (Team("crew"),)),), (Pool("crew", Calendar.always(999)),),
    )  # fmt: skip
    monday = 4 * 24 * HOUR
    run = simulate(network, empty(monday), monday + 168 * HOUR, 50, 7, every=HOUR)
    counts = np.diff(run.gauges["came"], axis=0, prepend=0.0)
    z = (counts.sum(axis=1) - 50 * np.array(rates)) / np.sqrt(50 * np.array(rates))
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert counts.var() == pytest.approx(np.mean(rates) + np.var(rates), rel=0.05)


def test_gaps_of_a_given_spread_have_it() -> None:
    regular = Arrivals((3600.0,) * 168, cv=0.5)
    network = Network(
        "regular", (Customers("all", regular, "serve"),), (Task("serve", "desk"),),
        (Station("desk", {"*": fixed(0.0)}, (Team("crew"),)),), (Pool("crew", Calendar.always(1)),),
    )  # fmt: skip
    run = simulate(network, empty(0), 200 * SECOND, 400, 8, every=100 * SECOND, keep=("cases",))
    assert run.cases is not None
    gaps = np.diff(run.cases["arrived"])[np.diff(run.cases["member"]) == 0]
    assert stats.kstest(gaps[::7], stats.gamma(4, scale=0.25).cdf).pvalue > 1e-3
    near(run.gauges["came"][0], 100.0, 0.02)  # begun in the middle of a gap: no arrival is due, nor overdue


@pytest.mark.parametrize("kind", ["lognormal", "gamma", "weibull", "exponential", "uniform", "table"])
def test_what_is_left_of_a_service_depends_on_what_was_done(kind: str) -> None:
    table = tuple(np.linspace(0, 900, 129).tolist()) if kind == "table" else ()
    service = Duration(kind, 450.0 if table else 300.0, 0.57 if kind in ("uniform", "table") else 0.8, table)
    present = Present(0, (Case("ann", "all", -400_000),), (Token("ann", "serve", SERVED, -400_000, -400_000),))
    run = simulate(queue(1e-9, service, 1), present, HOUR * 1000, 4000, 9, keep=("visits",))
    assert run.visits is not None
    ended = run.visits["ended"][run.visits["case"] == 0]
    before = float(service.cdf(np.array([400.0]))[0])

    def left(seconds: np.ndarray) -> np.ndarray:
        return np.asarray((service.cdf(seconds + 400.0) - before) / (1 - before))

    assert stats.kstest(ended, left).pvalue > 1e-3
    mean = integrate.quad(lambda s: 1 - left(np.array([s]))[0], 0, 6000, limit=400)[0]
    near(ended, mean, 0.12)


def test_patience_that_has_lasted_goes_on_as_it_would() -> None:
    patience = Duration("weibull", 100.0, 0.5)
    network = queue(1e-9, exponential(1e9), 1, patience={"*": patience})
    cases = (Case("bob", "all", -500_000), Case("ann", "all", -80_000))
    tokens = (Token("bob", "serve", SERVED, -500_000, -500_000), Token("ann", "serve", WAITING, -80_000))
    run = simulate(network, Present(0, cases, tokens), HOUR, 3000, 10, keep=("visits",))
    assert run.visits is not None
    gone = run.visits["ended"][(run.visits["case"] == 1) & (run.visits["outcome"] == 1)]
    before = float(patience.cdf(np.array([80.0]))[0])
    assert len(gone) == 3000
    assert stats.kstest(gone, lambda s: (patience.cdf(s + 80) - before) / (1 - before)).pvalue > 1e-3
