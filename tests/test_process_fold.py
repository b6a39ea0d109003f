"""Who is in a service now, told from events: in any order, some missing, and the same as the engine that made them."""

import math
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.dynamics import Event
from gemel.process import (
    ANY,
    DELAYED,
    END,
    JOINED,
    SERVED,
    WAITING,
    Arrivals,
    Calendar,
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
    empty,
    exponential,
    fixed,
)  # fmt: skip
from gemel.process.engine import simulate
from gemel.process.fold import Fold, Silence

HOUR = 3_600_000


def network() -> Network:
    """Return a service with a choice, two activities of one name, a split and a delay in it."""
    nodes = (
        Task("A", "desk", "go"), Choice("go", (Rule({"B": 0.5, "both": 0.3, END: 0.2}),)), Task("B", "desk", "A#2"),
        Task("A#2", "desk", END), Split("both", ("C", "D"), "met"), Task("C", "back", "met"), Task("D", "back", "rest"),
        Delay("rest", fixed(60), "met"), Join("met", "B"),
    )  # fmt: skip
    stations = (
        Station("desk", {ANY: exponential(60)}, (Team("clerks"),)), Station("back", {ANY: exponential(90)}, (Team("others"),)),
    )  # fmt: skip
    pools = (Pool("clerks", Calendar.always(2)), Pool("others", Calendar.always(1)))
    return Network("n", (Customers("c", Arrivals.steady(30), "A"),), nodes, stations, pools)


def folded(events: list[Event], **how: object) -> Fold:
    fold = Fold(network(), **how)  # type: ignore[arg-type]
    for event in events:
        fold.take(event)
    return fold


def where(fold: Fold, at: int) -> list[tuple[str, int]]:
    return sorted((token.node, token.status) for token in fold.present(at).tokens)


def told(*rows: tuple[str, int, str]) -> list[Event]:
    return [Event("x", phase, at, activity) for phase, at, activity in rows]


WAY = told(
    ("arrived", 0, ""), ("started", 1, "A"), ("completed", 5, "A"), ("queued", 5, "C"), ("queued", 5, "D"),
    ("started", 6, "C"), ("completed", 8, "C"), ("started", 8, "D"), ("completed", 9, "D"), ("queued", 20, "B"),
    ("started", 21, "B"), ("completed", 22, "B"), ("started", 23, "A"), ("completed", 30, "A"), ("left", 30, ""),
)  # fmt: skip


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, [("A", WAITING)]), (3, [("A", SERVED)]), (5, [("C", WAITING), ("D", WAITING)]), (7, [("C", SERVED), ("D", WAITING)]),
        (8, [("D", SERVED), ("met", JOINED)]), (9, [("met", JOINED), ("rest", DELAYED)]), (20, [("B", WAITING)]),
        (22, [("A#2", WAITING)]), (23, [("A#2", SERVED)]), (30, []),
    ],
)  # fmt: skip
def test_each_event_moves_the_token_that_it_tells_of(at: int, expected: list[tuple[str, int]]) -> None:
    fold = folded(WAY)
    assert where(fold, at) == expected
    assert fold.mended == 0


@given(st.permutations(WAY), st.integers(0, 31))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_events_come_does_not_matter(events: list[Event], at: int) -> None:
    assert folded(events).present(at) == folded(WAY).present(at)


@given(st.sets(st.integers(0, len(WAY) - 2)), st.integers(0, 31))
@settings(max_examples=60, deadline=None)
def test_whatever_is_missing_nobody_is_in_two_places_and_she_leaves_in_the_end(lost: set[int], at: int) -> None:
    fold = folded([event for place, event in enumerate(WAY) if place not in lost])
    assert len(fold.present(at).tokens) <= 2
    assert fold.present(40).tokens == ()


def test_what_is_missing_is_made_up_for() -> None:
    started = folded(told(("arrived", 0, ""), ("started", 4, "A"))).present(5).tokens[0]
    assert (started.node, started.status, started.since, started.started) == ("A", SERVED, 0, 4)
    assert where(folded(told(("arrived", 0, ""), ("completed", 4, "A"))), 5) == [("go", DELAYED)]
    never_left_a = folded(told(("arrived", 0, ""), ("started", 4, "A"), ("started", 9, "B")))
    assert where(never_left_a, 9) == [("B", SERVED)]
    assert never_left_a.mended == 1
    assert where(folded(told(("started", 9, "B"))), 9) == [("B", SERVED)]
    assert where(folded([*WAY, *WAY]), 7) == where(folded(WAY), 7)


def test_a_token_between_two_tasks_stands_at_the_choice_and_the_engine_sends_it_on() -> None:
    present = folded(told(("arrived", 0, ""), ("started", 1, "A"), ("completed", 5, "A"))).present(1000)
    assert [(token.node, token.since) for token in present.tokens] == [("go", 5)]
    quiet = Network(
        "n", (Customers("c", Arrivals.steady(0), "A"),), network().nodes, network().stations, network().pools
    )
    run = simulate(quiet, present, 24 * HOUR, members=2000, seed=1, keep=("visits",))
    assert run.visits is not None
    nodes = [node.name for node in quiet.nodes]
    first = [nodes[node] for node in run.visits["node"]]
    assert first.count("C") / 2000 == pytest.approx(0.3, abs=0.04)
    assert first.count("B") / 2000 == pytest.approx(0.8, abs=0.04)


def events_of_run(seed: int, until: int) -> list[Event]:
    """Return what the engine did in one member, as events; times are whole ms after rounding."""
    run = simulate(network(), empty(0), until, members=1, seed=seed, keep=("visits", "cases"))
    assert run.visits is not None and run.cases is not None
    nodes = network().nodes

    def event(case: int, phase: str, seconds: float, node: int = -1) -> list[Event]:
        name = nodes[node].name.partition("#")[0] if node >= 0 else ""
        return [] if math.isnan(seconds) else [Event(f"~{case}", phase, round(seconds * 1000), name)]

    visits = chain.from_iterable(
        [*event(v["case"], "queued", v["ready"], v["node"]), *event(v["case"], "started", v["started"], v["node"]),
         *event(v["case"], "completed", v["ended"], v["node"])]
        for v in run.visits
    )  # fmt: skip
    ends = chain.from_iterable(
        [*event(c["index"], "arrived", c["arrived"]), *event(c["index"], "left", c["left"])] for c in run.cases
    )
    return [*visits, *ends]


@pytest.mark.parametrize("at", [HOUR // 4, HOUR // 2 + 12345, HOUR])
def test_what_the_engine_did_folds_to_the_state_it_was_in(at: int) -> None:
    fold = folded(events_of_run(seed=3, until=2 * HOUR))
    end = simulate(network(), empty(0), at, members=1, seed=3, keep=("end",)).end[0]

    def shape(present: object) -> list[tuple[object, ...]]:
        return sorted(
            (token.node, token.status, round(token.since), token.started and round(token.started))
            for token in present.tokens  # type: ignore[attr-defined]
        )

    assert shape(fold.present(at)) == shape(end)
    assert len(fold.present(at).cases) == len(end.cases)
    assert fold.present(at).came == end.came
    assert fold.mended == 0


def test_a_fold_goes_on_from_a_present() -> None:
    first, later = WAY[:7], WAY[7:]
    base = folded(first).present(8)
    fold = Fold(network(), base)
    for event in later:
        fold.take(event)
    assert where(fold, 25) == where(folded(WAY), 25)
    assert fold.arrived == ()
    assert [(station, seconds) for _, station, _, seconds in fold.served] == [
        ("back", 0.001),
        ("desk", 0.001),
        ("desk", 0.007),
    ]


def test_a_service_that_cannot_last_so_long_is_over_if_events_get_lost() -> None:
    events = told(("arrived", 0, ""), ("started", 1000, "A"))
    assert where(folded(events), HOUR) == [("A", SERVED)]
    assert where(folded(events, lost=0.01), 120_000) == [("A", SERVED)]
    assert where(folded(events, lost=0.01), HOUR) == [("go", DELAYED)]


def test_who_has_been_silent_for_long_has_probably_left() -> None:
    events = told(("arrived", 0, ""), ("started", 0, "A"), ("completed", 1000, "A"))
    fold = folded(events, silence=Silence({"A": 0.2}, {"A": (0.0, 10.0, 20.0)}))
    assert fold.leaving(1000)["x"] == pytest.approx(0.2)
    assert fold.leaving(11_000)["x"] == pytest.approx(0.2 / (0.2 + 0.8 * 0.5))
    assert fold.leaving(60_000)["x"] == 1.0
    assert (len(fold.present(1000).cases), len(fold.present(60_000).cases)) == (1, 0)


def test_units_that_are_down_are_away_until_they_are_up() -> None:
    events = [Event("", "down", 5, resource="clerks"), Event("", "up", 9, resource="clerks")]
    assert folded(events).present(6).away == (("clerks", None),)
    assert folded(events).present(9).away == ()
