"""Designs of a service: what is tried is what was asked, what none beats is told as such, and only to who may know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import Clock
from test_cli import Run, run
from test_service_own import visit

from gemel.bank import Bank
from gemel.bank.sentence import sentence
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, Time, time_of
from gemel.packs.service.kind import service_type
from gemel.packs.service.options import by_minute, calendar_of, crossed, hours, peak, routes, staff, stations
from gemel.packs.service.shifts import exact
from gemel.packs.service.staffing import erlang_c
from gemel.packs.service.weigh import Trial, best, priced, weighed
from gemel.process import (
    ANY,
    Arrivals,
    Calendar,
    Choice,
    Customers,
    Network,
    Pool,
    Rule,
    Station,
    Task,
    Team,
    exponential,
)
from gemel.process.calendar import Shift
from gemel.process.network_json import body_of, network_of

__all__ = ["run"]

MONDAY: Time = time_of("2026-01-05T00:00:00Z")
KEYS = list(range(8))


def office(per_hour: float = 30.0, people: int = 3) -> Network:
    """Return a shop open from 8 to 18 on weekdays, at half its people until 10: talk, and then perhaps a machine or a desk."""
    arrivals = tuple(per_hour if 8 <= hour % 24 < 18 and hour < 120 else 0.0 for hour in range(168))
    shifts = tuple(Shift(day, *span) for day in range(5) for span in ((480, 600, people - 1), (600, 1080, people)))
    return Network(
        "shop",
        (Customers("all", Arrivals(arrivals), "talk"),),
        (
            Task("talk", "counter", "next"), Choice("next", (Rule({"print": 0.3, "sign": 0.2, "end": 0.5}),)),
            Task("print", "printer"), Task("sign", "desk"),
        ),
        (
            Station("counter", {ANY: exponential(240.0)}, (Team("clerks"),), promise=300.0),
            Station("printer", {ANY: exponential(200.0)}, (Team("machines"),), promise=300.0),
            Station("desk", {ANY: exponential(300.0)}, (Team("signers"),), promise=600.0),
        ),
        (
            Pool("clerks", Calendar(shifts), cost_per_hour=30.0),
            Pool("machines", Calendar(tuple(Shift(day, 480, 1080) for day in range(5))), kind="equipment", cost_per_hour=4.0),
            Pool("signers", Calendar(tuple(Shift(day, 480, 1080) for day in range(5))), cost_per_hour=30.0),
        ),
    )  # fmt: skip


def queue(people: int = 3, per_hour: float = 24.0) -> Network:
    """Return M/M/n, day and night."""
    return Network(
        "queue", (Customers("all", Arrivals.steady(per_hour), "advice"),), (Task("advice", "counter"),),
        (Station("counter", {ANY: exponential(300.0)}, (Team("clerks"),), promise=180.0),),
        (Pool("clerks", Calendar.always(people)),),
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return the shop as a file, as `gemel discover -o` writes it."""
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(body_of(office())))
    return path


# the command


def test_the_frontier_is_the_one_that_brute_force_finds(run: Run, shop: Path) -> None:
    """All designs tried apart on the same draws, every pair compared; each costs its hours, and one is the shop as it is."""
    done = run(
        "design", shop, "--staff", "clerks=2..4", "--staff", "machines=1,2", "--days", 2, "--rounds", 1, "--json"
    )
    assert done.code == 0, done.err
    tried = {one["design"]: one for one in done.body["tried"]}
    assert len(tried) == 6 and done.body["now"] == "clerks 3, machines 1 (as it is)"
    assert done.body["aims"] == ["money a day", "let-downs per 100", "mean wait in min"]
    trial, means = Trial(office(), MONDAY, 2), {}
    keys = [int(key) for key in np.random.default_rng([0, 0]).integers(0, 2**31, 8)]
    for one in crossed(office(), [staff(office(), "clerks", (2, 3, 4)), staff(office(), "machines", (1, 2))]):
        means[one.name] = weighed(trial, one.network, keys).mean(0).tolist()
    for name, told in tried.items():
        beaten = any(all(np.less_equal(other, means[name])) and other != means[name] for other in means.values())
        assert told["mean"] == pytest.approx(means[name]) and told["on_frontier"] is not beaten
        n = told["values"]["staff.clerks"]
        early = int(n * 2 / 3 + 0.5)
        assert told["mean"][0] == 30 * (2 * early + 8 * n) + 40 * told["values"]["staff.machines"] + 300


def test_people_are_told_the_frontier_and_programs_the_same(run: Run, shop: Path, tmp_path: Path) -> None:
    """Few lines for people; a JSON file; a page that needs nothing else, reads as XML and has each figure as a table too."""
    page, told = tmp_path / "f.html", tmp_path / "f.json"
    asked = ("design", shop, "--staff", "clerks=2..4", "--days", 1, "--draws", 4, "--rounds", 2)
    done = run(*asked, "-o", page)
    assert done.code == 0 and "these none beats" in done.out and f"wrote {page}" in done.out
    assert run(*asked, "-o", told).code == 0
    kept = json.loads(told.read_text())
    assert [one["design"] for one in kept["tried"] if one["on_frontier"]] and not list(tmp_path.glob("*.part"))
    text = page.read_text()
    assert text.count("<svg") == 2 and text.count("<table") == 3 and "http" not in text and "<script" not in text
    assert all(one["design"] in text for one in kept["tried"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to design: give values to try; this service has pools (--staff, --hours): clerks 3, machines 1, signers 1"),
        (("--staff", "clark=2"), "unknown pool 'clark'; possible: clerks, machines, signers"),
        (("--staff", "clerks=2..x"), "'2..x' is neither a whole number"),
        (("--staff", "clerks"), "'clerks' is not NAME=VALUES"),
        (("--hours", "clerks=18-8"), "a day does not open from 18:00 to 8:00"),
        (("--hours", "clerks=eight-18"), "'eight-18' are no hours"),
        (("--hours", "cooks=8-18"), "unknown pool 'cooks'"),
        (("--station", "printer=0..3", "--station", "sofa=1"), "unknown station 'sofa'; possible: counter, desk, printer"),
        (("--station", "counter=0"), "counter cannot close: all enter there"),
        (("--station", "desk=2"), "desk has no equipment to have more of"),
        (("--route", "next>beach=0.1"), "unknown way 'next>beach'; possible: next>end, next>print, next>sign"),
        (("--route", "next>sign=30"), "30 is no share from 0 to 1"),
        (("--cost", "cooks=3", "--staff", "clerks=2"), "unknown pool 'cooks'"),
        (("--promise", "sofa=3", "--staff", "clerks=2"), "unknown station"),
        (("--staff", "clerks=1..70", "--staff", "signers=1..70"), "4900 designs; at the most 4000"),
        (("--staff", "clerks=2", "--from", "spring"), "'spring' is no day"),
        (("--staff", "clerks=2", "-o", "f.xlsx"), "name a file that ends in .json or .html"),
        (("--staffing", "--shifts", "4,abc"), "'abc' is no number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_is_possible(
    run: Run, shop: Path, words: tuple[str, ...], said: str
) -> None:
    """Exit code 2, nothing on standard output, no traceback."""
    done = run("design", shop, *words)
    assert (done.code, done.out) == (2, "") and said in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1]", "is no network of a service"), ("{", "is not JSON"), ('{"name": "x"}', "a network has 'customers'")],
)
def test_a_file_that_is_no_network_is_refused_by_its_name(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """So is one that is not there."""
    path = tmp_path / "n.json"
    assert run("design", path, "--staff", "a=1").code == 2
    path.write_text(text)
    done = run("design", path, "--staff", "a=1")
    assert done.code == 2 and said in done.err and "n.json" in done.err


def test_a_roster_is_exact_and_simulation_judges_it(run: Run, shop: Path) -> None:
    """For each pool that alone serves a promise; equipment has none; a higher level is never cheaper."""
    done = run("design", shop, "--staffing", "--level", 0.8, "--json")
    more = run("design", shop, "--staffing", "--level", 0.95, "--json")
    assert done.code == more.code == 0, done.err
    assert [one["pool"] for one in done.body["staffing"]] == ["clerks", "signers"] and done.body["tried"] == []
    for one, other in zip(done.body["staffing"], more.body["staffing"], strict=True):
        assert one["days"]["Sun"] == [] and one["hours"] <= other["hours"]
    clerks = done.body["staffing"][0]
    assert clerks["judged"][0]["station"] == "counter" and clerks["holds"] is (
        clerks["judged"][0]["kept"]["value"] >= 0.8
    )


def test_a_roster_needs_a_promise(run: Run, tmp_path: Path) -> None:
    """Without, the message says how to name one."""
    net = replace(office(), stations=tuple(replace(one, promise=None) for one in office().stations))
    path = tmp_path / "n.json"
    path.write_text(json.dumps(body_of(net)))
    done = run("design", path, "--staffing")
    assert done.code == 2 and "--promise STATION=MINUTES; stations: counter, printer, desk" in done.err


# a twin


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return a store with ann's twin of a desk that had customers; bea may read it, cleo read and try."""
    net = Network(
        "desk", (Customers("people", Arrivals.steady(6.0), "talk"),), (Task("talk", "desk", "pay"), Task("pay", "till")),
        (
            Station("desk", {ANY: exponential(300.0)}, (Team("clerks"),), promise=600.0),
            Station("till", {ANY: exponential(60.0)}, (Team("clerks"),)),
        ),
        (Pool("clerks", Calendar.always(2)),),
    )  # fmt: skip
    url = str(tmp_path / "store")
    with Bank.open(url, Clock(MONDAY - DAY)) as bank:
        twin = bank.create(service_type(net, {"service.desk": 0.3}, members=8), "desk", by="ann")
        bank.append([one for i in range(6) for one in visit(f"c{i}", MONDAY - DAY + i * HOUR, i * MINUTE)])
        twin.grant(to="bea", purpose="self-management", read="*")
        twin.grant(to="cleo", purpose="self-management", read="*", fork="*")
    return url


ASKED = ("design", "desk", "--staff", "clerks=1..3", "--days", 1, "--draws", 4, "--rounds", 1)


def test_a_search_of_a_twin_is_on_record_and_the_page_of_the_service_shows_it(run: Run, store: str) -> None:
    """The server reads the same designs, and the record says a sentence; the service began on the Monday after."""
    from gemel.server.service import frontier

    done = run(*ASKED, "--json")
    assert done.code == 0, done.err
    assert (done.body["twin"], done.body["since"][:10], done.body["aims"][0]) == (
        "desk",
        "2026-01-05",
        "paid hours a day",
    )
    with Bank.open(store, Clock(MONDAY)) as bank:
        twin = bank.find("desk", by="ann", purpose="self-management")
        seen, fact = frontier(twin), twin.why(done.body["recorded"])
        assert seen is not None and [one.mean for one in seen.tried] == [one["mean"] for one in done.body["tried"]]
        assert sentence(fact, twin.type).startswith("ann tried 3 designs over 1 days:")


def test_who_may_not_try_is_refused_and_who_may_not_write_leaves_no_record(run: Run, store: str) -> None:
    """Reading all is needed, trying on copies is needed; writing only for the record."""
    assert "fork" in (refused := run(*ASKED, "--as", "bea")).err and refused.code == 1
    assert run(*ASKED, "--as", "eve").code != 0
    done = run(*ASKED, "--as", "cleo", "--json")
    assert done.code == 0 and done.body["recorded"] is None
    assert done.body["notes"] == ["not put on record: cleo may not write desk"]
    with Bank.open(store, Clock(MONDAY)) as bank:
        assert list(bank.thread.read("desk", kinds=["searched/1"])) == []


def test_what_a_twin_learned_counts() -> None:
    """Services that last half as long again make longer waits in every draw; few who come make shorter ones."""
    plain = weighed(Trial(queue(), MONDAY, 1), queue(), KEYS)
    slow = weighed(Trial(queue(), MONDAY, 1, {"service.counter": np.array([1.4])}), queue(), KEYS)
    few = weighed(Trial(queue(), MONDAY, 1, {"arrivals.all": np.array([0.3])}), queue(), KEYS)
    assert (few[:, 2] < plain[:, 2]).all() and (plain[:, 2] < slow[:, 2]).all() and (plain[:, 0] == 72).all()


# what is asked for


def test_the_mean_wait_is_erlangs() -> None:
    """M/M/3 at 2 erlangs for 20 weeks in all: E[W] = C / (n μ − λ), Erlang C."""
    found = weighed(Trial(queue(), MONDAY, 14), queue(), list(range(10)))[:, 2]
    expected = erlang_c(3, 2.0) / (3 / 300 - 24 / 3600) / 60
    assert found.mean() == pytest.approx(expected, abs=4 * found.std(ddof=1) / np.sqrt(len(found)))


def test_who_still_waits_at_the_end_has_waited() -> None:
    """Nobody serves: everybody is let down but the last to come, and waits half the time on average."""
    net = crossed(queue(), [staff(queue(), "clerks", [0])])[-1].network
    found = weighed(Trial(queue(), MONDAY, 1), net, KEYS).mean(0)
    assert found[0] == 0 and found[1] > 99 and found[2] == pytest.approx(720, rel=0.05)


def test_who_stays_longer_than_the_whole_visit_was_promised_is_let_down() -> None:
    """A promise of an hour, nobody there: all but those of the last hour."""
    net = replace(crossed(queue(), [staff(queue(), "clerks", [0])])[-1].network, promise=3600.0)
    plain = tuple(replace(one, promise=None) for one in net.stations)
    found = weighed(Trial(queue(), MONDAY, 1), replace(net, stations=plain), KEYS)
    assert found[:, 1].mean() == pytest.approx(100 * 23 / 24, abs=1.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440), st.integers(1, 3)), max_size=8)
)
def test_a_calendar_by_the_minute_is_the_calendar(shifts: list[tuple[int, int, int, int]]) -> None:
    """Overlapping shifts add up, as `Calendar.steps` counts them; and back again."""
    calendar = Calendar(tuple(Shift(day, min(a, b - 1), b, n) for day, a, b, n in shifts))
    counts = by_minute(calendar)
    edges, there = calendar.steps(MONDAY, MONDAY + 7 * DAY)
    at = MONDAY + MINUTE * np.arange(7 * 1440)
    assert (counts.ravel() == there[np.searchsorted(edges, at, "right") - 1]).all()
    assert (by_minute(calendar_of(counts, calendar)) == counts).all()


@given(st.integers(1, 40))
def test_a_pool_of_another_size_keeps_its_hours(n: int) -> None:
    """So many at the busiest, in proportion before, and at least one wherever somebody was."""
    made = crossed(office(), [staff(office(), "clerks", [n])])[-1].network
    counts = by_minute(made.pool("clerks").calendar)
    assert (
        peak(made.pool("clerks").calendar) == n
        and ((counts > 0) == (by_minute(office().pool("clerks").calendar) > 0)).all()
    )
    assert abs(counts[0, 500] - n * 2 / 3) <= 0.5 + 1e-9 or counts[0, 500] == 1


def test_longer_hours_are_staffed_as_the_hours_beside_them_and_shorter_ones_turn_people_away() -> None:
    """One pool alone: who comes waits. The whole service: who would have come then is turned away."""
    early, late = (one.change(office()) for one in hours(office(), "clerks", [(420, 1200), (600, 900)]))
    counts = by_minute(early.pool("clerks").calendar)
    assert (counts[0, 420], counts[0, 1199], counts[0, 419], counts[6].max()) == (2, 3, 0, 0)
    assert late.customers == office().customers and by_minute(late.pool("clerks").calendar)[0, 600] == 3
    whole = hours(office(), "*", [(600, 900)])[0].change(office())
    assert sum(whole.customers[0].arrivals.per_hour) == sum(office().customers[0].arrivals.per_hour) / 2
    assert (
        by_minute(whole.pool("machines").calendar)[0, 500] == 1
        and by_minute(whole.pool("signers").calendar)[0, 500] == 0
    )


@given(st.floats(0, 1))
def test_a_share_of_a_way_leaves_the_rest_as_they_went(share: float) -> None:
    """The others keep their proportion, and all of them are still everybody."""
    node = routes(office(), "next>print", [share])[0].change(office()).nodes[1]
    assert isinstance(node, Choice)
    to = node.rules[0].to
    assert (
        to["print"] == share and sum(to.values()) == pytest.approx(1) and to["sign"] * 5 == pytest.approx(to["end"] * 2)
    )


def test_a_closed_station_sees_nobody_and_costs_nothing() -> None:
    """Who printed goes elsewhere; three times the equipment is three machines."""
    closed, thrice = (one.change(office()) for one in stations(office(), "printer", [0, 3]))
    assert closed.pool("machines").calendar.shifts == () and peak(thrice.pool("machines").calendar) == 3
    node = closed.nodes[1]
    assert isinstance(node, Choice) and node.rules[0].to["print"] == 0
    assert (
        weighed(Trial(office(), MONDAY, 1), closed, KEYS)[0, 0]
        == weighed(Trial(office(), MONDAY, 1), office(), KEYS)[0, 0] - 40
    )
    assert network_of(body_of(closed)) == closed


def test_the_service_as_it_is_is_always_tried_and_nothing_twice() -> None:
    """Under its own name where no combination is it."""
    names = [one.name for one in crossed(office(), [staff(office(), "clerks", (2, 3, 3))])]
    assert names == ["clerks 3 (as it is)", "clerks 2"]
    assert [one.name for one in crossed(office(), [staff(office(), "clerks", (5,))])] == ["as it is", "clerks 5"]


def test_prices_rule_what_a_design_costs() -> None:
    """`*` is for those not named; a single draw gives no interval and is refused."""
    told = priced(office(), {"*": 10.0, "clerks": 20.0})
    assert [pool.cost_per_hour for pool in told.pools] == [20.0, 10.0, 10.0]
    with pytest.raises(BadInput, match="no interval"):
        best(Trial(office(), MONDAY, 1), crossed(office(), []), draws=1)


def test_a_roster_covers_what_erlang_asks_for() -> None:
    """In every interval of every day; and simulation finds the level of a queue in steady state kept."""
    found = exact(queue(2, 40.0), "clerks", MONDAY, level=0.8, members=6)
    assert all(day is not None and (day.cover >= day.need).all() for day in found.days)
    assert found.holds and found.judged[0][2].value < 0.8 <= found.judged[0][1].value
    assert found.hours == sum(by_minute(found.calendar).ravel()) / 60


def test_a_service_that_could_be_better_is_told_so(run: Run, shop: Path) -> None:
    """Nobody needs more than to talk: that costs no more and lets fewer down, so the shop as it is is beaten."""
    done = run("design", shop, "--route", "next>end=1", "--cost", "*=0", "--days", 1, "--draws", 4, "--rounds", 1)
    assert (
        done.code == 0 and "beaten: the service as it is, paid hours a day" in done.out and "next>end 100%" in done.out
    )
