"""Relations and the graph: what is said of them, from either end, at any moment, and over whom nobody may go."""

from __future__ import annotations

from itertools import product
from typing import Any

import fleet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import NewStore

from gemel.bank import Bank, relate, related, unrelate
from gemel.bank.query import Hop, Query, Step, query
from gemel.errors import BadInput, Refused
from gemel.facts import HOUR

BATCHES, VESSELS = ["b0", "b1", "b2"], ["v0", "v1", "v2"]
NODES = [*BATCHES, *VESSELS]
NAMES = ["on_board", "carries", "part_of", "next_to"]
FLIPPED = {"carries": "on_board"}

EDGES = st.tuples(st.sampled_from(NODES), st.sampled_from(NAMES), st.sampled_from([*NODES, "tom"])).filter(
    lambda e: e[0] != e[2]
)
HOPS = st.builds(Hop, st.sampled_from(NAMES), st.booleans(), st.booleans())
STEPS = st.sampled_from(["batch", "vessel", "*", "actor"]).map(Step)
QUERIES = st.lists(st.tuples(HOPS, STEPS), min_size=1, max_size=3).flatmap(
    lambda rest: STEPS.map(lambda first: Query((first, *(s for _, s in rest)), tuple(h for h, _ in rest)))
)


def make(where: str = "memory:") -> Bank:
    """Return a bank of three batches and three vessels that sam holds."""
    bank = fleet.bank(where)
    for name in NODES:
        bank.create("batch" if name in BATCHES else "vessel", name, by="sam")
    return bank


def say(bank: Bank, edge: tuple[str, str, str], by: str = "sam") -> None:
    """Say that a relation holds."""
    relate(bank, edge[0], edge[1], edge[2], by=by, purpose="care")


def plain(edges: list[tuple[str, str, str]], asked: Query, allowed: set[str]) -> list[str]:
    """Return what a query must find: every way through every node is tried, along edges of twins in *allowed*."""
    said = {(FLIPPED.get(n, n), *((b, a) if n in FLIPPED else (a, b))) for a, n, b in edges if a in allowed}

    def neighbours(node: str, hop: Hop) -> set[str]:
        name, back = FLIPPED.get(hop.relation, hop.relation), hop.reverse != (hop.relation in FLIPPED)
        return {(a if back else b) for n, a, b in said if n == name and (b if back else a) == node}

    def reach(node: str, hop: Hop) -> set[str]:
        found = neighbours(node, hop)
        while hop.many:
            more = found | {b for a in found if a in allowed or a == "tom" for b in neighbours(a, hop)}
            if more == found:
                break
            found = more
        return found

    def takes(step: Step, node: str) -> bool:
        kind = "batch" if node in BATCHES else "vessel" if node in VESSELS else "actor"
        return step.type in ("*", kind) and (node in allowed or kind == "actor")

    def leads(i: int, node: str) -> bool:
        if not takes(asked.steps[i], node):
            return False
        return i == len(asked.hops) or any(leads(i + 1, other) for other in reach(node, asked.hops[i]))

    first = ["tom"] if asked.steps[0].type == "actor" else NODES
    return [node for node in first if leads(0, node)]


@settings(max_examples=150)
@given(st.lists(EDGES, max_size=12), QUERIES, st.sets(st.sampled_from(NODES)))
def test_a_query_finds_those_from_whom_a_way_leads_on_that_may_be_seen(
    edges: list[tuple[str, str, str]], asked: Query, allowed: set[str]
) -> None:
    """Any graph, circles included, any query: the same as trying every way, for an asker who sees some of the twins."""
    bank = make()
    for edge in edges:
        say(bank, edge)
    for name in allowed:
        bank.find(name, by="sam", purpose="care").grant(to="rae", purpose="care", read="*")
    assert bank.search(asked, by="rae", purpose="care").ids == plain(edges, asked, allowed)
    assert bank.search(asked, by="sam", purpose="care").ids == plain(edges, asked, set(NODES))


def test_the_oracle_would_notice_a_way_over_a_hidden_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: where relations are followed without asking the gate, more is found than may be."""
    bank, edges = make(), [("b0", "on_board", "v0"), ("v0", "part_of", "v1")]
    for edge in edges:
        say(bank, edge)
    for name in ("b0", "v1"):
        bank.find(name, by="sam", purpose="care").grant(to="rae", purpose="care", read="*")
    asked = query("batch on_board vessel part_of vessel")
    assert bank.search(asked, by="rae", purpose="care").ids == plain(edges, asked, {"b0", "v1"}) == []
    monkeypatch.setattr("gemel.bank.gate.Gate.decide", lambda self, *a, **k: type("D", (), {"allowed": True, "reason": "",
                        "grant_id": None, "policies": ()})())  # fmt: skip
    assert bank.search(asked, by="rae", purpose="care").ids == ["b0"]


@settings(max_examples=30)
@given(st.lists(EDGES, max_size=8), QUERIES, st.data())
def test_hidden_twins_and_what_is_said_of_them_change_nothing(
    edges: list[tuple[str, str, str]], asked: Query, data: Any
) -> None:
    """An asker is told the same whether hidden twins exist, and whatever is said of and by them."""
    hidden = data.draw(
        st.lists(st.tuples(st.sampled_from(["h0", "h1"]), st.sampled_from(NAMES), st.sampled_from(NODES)))
    )
    answers = []
    for more in ([], hidden):
        bank = make()
        for name in BATCHES:
            bank.find(name, by="sam", purpose="care").grant(to="rae", purpose="care", read="*")
        for name in ("h0", "h1") if more else ():
            bank.create("vessel", name, by="zoe")
        for edge in edges:
            say(bank, edge)
        for edge in more:
            say(bank, edge, by="zoe")
            say(bank, (edge[2], edge[1], edge[0])) if edge[2] not in BATCHES else None
        page = bank.search(asked, by="rae", purpose="care", limit=2)
        answers.append((page.ids, page.cursor))
    assert answers[0] == answers[1]


@settings(max_examples=60)
@given(st.permutations(range(4)), st.integers(0, 9))
def test_a_relation_holds_by_what_was_said_last_of_the_time(order: list[int], at: int) -> None:
    """Whatever the order in which it was said: begun at 1 until 3, begun at 4, ended at 6, begun at 8."""
    bank = make()
    says = [("relate", 1, 3), ("relate", 4, None), ("unrelate", 6, None), ("relate", 8, None)]
    for i in order:
        what, since, until = says[i]
        begin = fleet.START + since * HOUR
        if what == "relate":
            end = None if until is None else fleet.START + until * HOUR
            relate(bank, "b0", "on_board", "v0", by="sam", purpose="care", since=begin, until=end)
        else:
            unrelate(bank, "b0", "on_board", "v0", by="sam", purpose="care", at=begin)
    when = fleet.START + at * HOUR
    expected = ["b0"] if at in (1, 2, 4, 5, 8, 9) else []
    assert list(bank.graph(by="sam", purpose="care").all("batch").on("on_board").of("vessel").as_of(when)) == expected
    own = related(bank, "b0", by="sam", purpose="care", at=when)
    assert [one.other for one in own] == (["v0"] if expected else [])


def test_what_was_known_of_a_relation_can_be_asked(new_store: NewStore) -> None:
    """A relation told late holds for its time, but not for what was known before it was told; on every back end."""
    with make(new_store()) as bank:
        told = fleet.clock(bank).now = fleet.START + 5 * HOUR
        relate(bank, "b0", "on_board", "v0", by="sam", purpose="care", since=fleet.START + HOUR)
        graph = bank.graph(by="sam", purpose="care").all("batch").on("on_board")
        assert list(graph.as_of(at=fleet.START + 2 * HOUR)) == ["b0"]
        assert list(graph.as_of(at=fleet.START + 2 * HOUR, known_by=told - 1)) == []


def test_batches_on_vessels_whose_reefer_alarmed_and_who_cares_for_whom() -> None:
    """The questions that the graph was made for, from either end, with what is so now and then."""
    bank = make()
    for i, name in enumerate(BATCHES):
        say(bank, (name, "on_board", VESSELS[i]))
        say(bank, (name, "cared_for_by", f"keeper-{i}"))
        bank.append([fleet.reading(name, 4.0 + 3 * i, fleet.START)])
    bank.append([fleet.alert("v1", "reefer", True, fleet.START), fleet.alert("b2", "warm", True, fleet.START)])
    graph = bank.graph(by="sam", purpose="care")
    assert list(graph.all("batch").on("on_board").of("vessel").where(alert="reefer")) == ["b1"]
    assert bank.search("actor cares_for batch[alert=*]", by="sam", purpose="care").ids == ["keeper-2"]
    assert bank.search("vessel[alert=*] carries batch[temperature>5]", by="sam", purpose="care").ids == ["v1"]
    fleet.clock(bank).now = fleet.START + HOUR
    bank.append([fleet.alert("v1", "reefer", False, fleet.START + HOUR)])
    asked = graph.all("batch").on("on_board").of("vessel").where(alert="reefer")
    assert list(asked) == []
    assert list(asked.as_of(fleet.START + HOUR - 1)) == ["b1"]


def test_everybody_on_the_way_has_it_on_record() -> None:
    """Twins passed over, and the relations on the way, are accessed too."""
    bank = make()
    for edge in (("b0", "on_board", "v0"), ("v0", "part_of", "v1"), ("v1", "part_of", "v2")):
        say(bank, edge)
    for name in NODES:
        bank.find(name, by="sam", purpose="care").grant(to="rae", purpose="care", read="*")
    assert bank.search("batch on_board vessel part_of+ vessel[id=v2]", by="rae", purpose="care").ids == ["b0"]
    read = {(fact.twin, fact.body["signal"]) for fact in bank.thread.read(kinds=["accessed/1"]) if fact.by == "rae"}
    assert read >= {("b0", "id"), ("b0", "on_board"), ("v0", "id"), ("v0", "part_of"), ("v1", "part_of"), ("v2", "id")}


def test_a_relation_is_said_only_by_who_may_write_it() -> None:
    """A stranger is refused, a grant of the relation's name opens it, and names and ends are checked."""
    bank = make()
    with pytest.raises(Refused, match="eve may not write on_board of b0"):
        say(bank, ("b0", "on_board", "v0"), by="eve")
    bank.find("b0", by="sam", purpose="care").grant(to="eve", purpose="care", write="on_board")
    say(bank, ("b0", "on_board", "v0"), by="eve")
    for name, other in product(["On board", "", "x" * 80], ["v0"]):
        with pytest.raises(BadInput, match="is not the name of a relation"):
            say(bank, ("b0", name, other))
    with pytest.raises(BadInput, match="cannot stand in the relation"):
        say(bank, ("b0", "on_board", "b0"))
    with pytest.raises(BadInput, match="cannot end"):
        relate(bank, "b0", "on_board", "v0", by="sam", purpose="care", until=fleet.START - 1)


def test_a_long_circle_ends() -> None:
    """Three hundred twins in a circle, gone round without limit."""
    bank = fleet.bank()
    names = [f"n{i:04}" for i in range(300)]
    for name in names:
        bank.create("batch", name, by="sam")
    facts = [
        fleet.Draft(
            a, "related/1", {"name": "next_to", "other": b, "until": None, "attributes": {}}, fleet.START, "sam"
        )
        for a, b in zip(names, [*names[1:], names[0]], strict=True)
    ]
    bank.append(facts)
    assert bank.search("batch[id=n0007] next_to+ batch[id=n0006]", by="sam", purpose="care").ids == ["n0007"]
    assert bank.search("batch[id=n0007] next_to+ vessel", by="sam", purpose="care").ids == []


def test_relations_of_the_erased_are_gone() -> None:
    """From the index at once, and when it is built anew."""
    bank = make()
    for edge in (("b0", "on_board", "v0"), ("b1", "on_board", "v0"), ("b1", "next_to", "b0")):
        say(bank, edge)
    assert bank.search("batch on_board *", by="sam", purpose="care").ids == ["b0", "b1"]
    bank.thread.erase("b0")
    bank.forget("b0")
    for one in (bank, Bank(bank.thread, bank.now, fleet.TYPES)):
        assert one.search("batch on_board *", by="sam", purpose="care").ids == ["b1"]
        assert one.search("batch next_to *", by="sam", purpose="care").ids == []
        assert "b0" not in one.index.edges.ends()
