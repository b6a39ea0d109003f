"""The catalogue: what is found is what is so, in order, page by page, and only of twins that the asker may read."""

from __future__ import annotations

import base64
import contextlib
import json
import operator
import threading
from collections.abc import Callable
from typing import Any

import fleet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import NewStore
from serving import Works

from gemel.bank import Bank, Query
from gemel.bank.index import Index
from gemel.bank.migration import Migration
from gemel.bank.query import query
from gemel.errors import BadInput, NotFound
from gemel.facts import HOUR, MINUTE, Time

NAMES = ["a1", "b2", "c3", "d4", "e5"]
READERS = ["sam", "rae", "sam", "eve"]
VALUES = st.sampled_from([-20.0, -5.0, 2.0, 5.0, 8.0, 20.0])
TIMES = st.integers(0, 5).map(lambda n: fleet.START + n * HOUR)

SAID = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(NAMES), VALUES, TIMES),
    st.tuples(st.just("back"), st.sampled_from(NAMES), VALUES, TIMES),
    st.tuples(st.just("alert"), st.sampled_from(NAMES), st.sampled_from(["hot", "lost"]), st.booleans()),
    st.tuples(
        st.just("grant"), st.sampled_from(NAMES), st.sampled_from(READERS), st.sampled_from(["temperature", "*"])
    ),
    st.tuples(st.just("revoke"), st.sampled_from(NAMES), st.just(""), st.just("")),
)
"""What may be said of the twins, in any order."""

ASKED = st.sampled_from(
    [
        "*", "batch", "batch[temperature>3]", "batch[temperature=2..8]", "batch[temperature<278.15 K]", "batch[weight>=50]",
        "batch[alert=hot]", "batch[alert=none]", "batch[alert=*, temperature>=2]", "batch[silent>2 h]", "*[id~2]",
        "*[temperature!=5]", "vessel[temperature>-40]", "batch[id=b2]", "batch[seen>=2023-11-14T23:14:00Z]",
    ]
)  # fmt: skip


def make(where: str = "memory:") -> Bank:
    """Return a bank with five twins that sam holds."""
    bank = fleet.bank(where)
    for i, name in enumerate(NAMES):
        attributes = {"weight": 10.0 * i * i} if i < 4 else {}
        bank.create("batch" if i < 4 else "vessel", name, by="sam", attributes=attributes)
    return bank


def say(bank: Bank, said: tuple[Any, ...]) -> None:
    """Store one thing that was said."""
    what, name, first, second = said
    if what in ("read", "back"):
        draft = fleet.reading(name, first, second)
        bank.append([draft if what == "read" else fleet.withdrawn(draft)])
    elif what == "alert":
        bank.append([fleet.alert(name, first, second, bank.now())])
    elif what == "grant":
        bank.find(name, by="sam", purpose="care").grant(to=first, purpose="care", read=second)
    else:
        view = bank.find(name, by="sam", purpose="care")
        for grant in bank.grants(name):
            view.revoke(grant.id)


def plain(bank: Bank, text: str, by: str) -> list[str]:
    """Return what a search must find, twin by twin, by replica and gate, with no index."""
    step = query(text).steps[0]
    found = []
    for name in bank.twins():
        if step.type not in ("*", bank.type_of(name).name):
            continue
        fields = {{"silent": "*", "seen": "*", "alert": "*"}.get(c.name, c.name) for c in step.where} - {"id"}
        may = [bank.gate.decide(by, "read", name, field, "care").allowed for field in fields]
        if not (all(may) if fields else bank.visible(name, by, "care")):
            continue
        if all(holds(bank, name, c.name, c.operator, c.value) for c in step.where):
            found.append(name)
    return found


def holds(bank: Bank, name: str, what: str, how: str, value: str) -> bool:
    """Return whether a condition of `ASKED` holds of a twin."""
    compare: dict[str, Callable[[Any, Any], bool]] = {
        ">": operator.gt, "<": operator.lt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne
    }  # fmt: skip
    replica = bank.replica(name)
    if what == "id":
        return value in name if how == "~" else name == value
    if what == "alert":
        open_ = {str(fact.body["name"]) for fact in bank.alerts(name) if fact.body["active"]}
        return not open_ if value == "none" else bool(open_) if value == "*" else value in open_
    if what in ("silent", "seen"):
        last = replica.last
        if what == "silent":
            return last is None or bank.now() - last > 2 * HOUR
        return last is not None and last >= fleet.START - fleet.START % MINUTE + HOUR
    if what == "weight":
        return replica.attributes.get("weight", -1) >= 50
    readings = [r.value for r in replica.read() if r.signal == what]
    if not readings:
        return False
    if ".." in value:
        return 2 <= readings[-1] <= 8
    return compare[how](readings[-1], 5.0 if "K" in value else float(value))


@settings(max_examples=250)
@given(st.lists(SAID, max_size=25), ASKED, st.sampled_from(READERS), st.integers(0, 25))
def test_a_search_finds_what_is_so_and_may_be_read(said: list[Any], asked: str, by: str, first: int) -> None:
    """Whatever was said in whatever order, and whenever the index was built: the same as going through every twin."""
    bank = make()
    for i, one in enumerate(said):
        if i == first:
            bank.search("*", by="sam", purpose="care")
        say(bank, one)
    fleet.clock(bank).now = fleet.START + 4 * HOUR
    assert bank.search(asked, by=by, purpose="care").ids == plain(bank, asked, by)


@pytest.mark.usefixtures("tmp_path")
def test_every_back_end_finds_the_same(new_store: NewStore) -> None:
    """A store that was closed and opened is found through as one that was heard being written."""

    @settings(max_examples=6)
    @given(st.lists(SAID, max_size=25), ASKED, st.sampled_from(READERS))
    def found(said: list[Any], asked: str, by: str) -> None:
        where = new_store()
        with make(where) as bank:
            for one in said:
                say(bank, one)
            wanted = plain(bank, asked, by)
            assert bank.search(asked, by=by, purpose="care").ids == wanted
        with fleet.bank(where) as bank:
            assert bank.search(asked, by=by, purpose="care").ids == wanted

    found()


def test_the_oracle_would_notice_a_signal_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a search that does not ask the gate finds what the plain way does not."""
    bank = make()
    bank.append([fleet.reading("a1", 8.0, fleet.START)])
    bank.find("a1", by="sam", purpose="care").grant(to="rae", purpose="care", read="shock")
    asked = "batch[temperature>3]"
    assert bank.search(asked, by="rae", purpose="care").ids == plain(bank, asked, "rae") == []
    monkeypatch.setattr("gemel.bank.search.Finder._may_see", lambda self, i, name: True)
    assert bank.search(asked, by="rae", purpose="care").ids == ["a1"] != plain(bank, asked, "rae")


def test_whoever_appended_finds_it_at_once(tmp_path: Any) -> None:
    """Read your writes: after an append returns, any search sees it, here and in a process that only reads."""
    with make(str(tmp_path / "store")) as bank:
        wrong: list[str] = []

        def write(name: str) -> None:
            for i in range(25):
                bank.append([fleet.reading(name, i / 10, fleet.START + i)])
                page = bank.search(f"batch[id={name}, temperature={i / 10}]", by="sam", purpose="care")
                wrong.extend([] if page.ids == [name] else [f"{name} {i}"])

        threads = [threading.Thread(target=write, args=(name,)) for name in NAMES[:4]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        beside = Bank.open(str(tmp_path / "store"), bank.now, fleet.TYPES, readonly=True)
        assert beside.index.fresh().signals["temperature"].values[0] == 2.4
        bank.append([fleet.reading("a1", 9.0, fleet.START + HOUR)])
        assert beside.index.fresh().signals["temperature"].values[beside.index.places["a1"]] == 9.0
        beside.thread.close()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 99).map("t{:02}".format), VALUES), unique_by=lambda p: p[0], min_size=1, max_size=30),
    st.sampled_from(["id", "temperature", "-temperature"]), st.integers(1, 7), st.lists(VALUES, max_size=6),
)  # fmt: skip
def test_pages_hold_each_twin_once_whatever_is_written_between(
    rows: list[tuple[str, float]], sort: str, limit: int, written: list[float]
) -> None:
    """Twins that do not change come once, in order, while others come, move and go."""
    bank = fleet.bank()
    for name, value in rows:
        bank.create("batch", name, by="sam")
        bank.append([fleet.reading(name, value, fleet.START)])
    found: list[str] = []
    cursor, left = None, list(written)
    while True:
        page = bank.search("batch", by="sam", purpose="care", sort=sort, limit=limit, cursor=cursor)
        assert len(page.ids) <= limit
        found += page.ids
        cursor = page.cursor
        if cursor is None:
            break
        if left:
            other = f"u{len(left)}"
            bank.create("batch", other, by="sam")
            bank.append([fleet.reading(other, left.pop(), fleet.START)])
    held = dict(rows)
    way = -1 if sort.startswith("-") else 1
    ordered = sorted(held) if sort == "id" else sorted(held, key=lambda name: (way * held[name], name))
    assert [name for name in found if name in held] == ordered
    assert len(found) == len(set(found))


@settings(max_examples=40)
@given(
    st.lists(SAID, max_size=15),
    ASKED,
    st.integers(1, 3),
    st.lists(st.sampled_from("0123456789"), unique=True, max_size=6),
)
def test_hidden_twins_leave_no_trace(said: list[Any], asked: str, limit: int, hidden: list[str]) -> None:
    """Pages and cursors are the same, byte for byte, whether or not there are twins that the asker may not see."""
    pages = []
    for others in ([], hidden):
        bank = make()
        for name in others:
            bank.create("batch", f"b2{name}", by="zoe", attributes={"weight": 100.0})
            bank.append(
                [fleet.reading(f"b2{name}", 5.0, fleet.START), fleet.alert(f"b2{name}", "hot", True, fleet.START)]
            )
        for one in said:
            say(bank, one)
        cursor: str | None = None
        told = []
        while True:
            page = bank.search(asked, by="rae", purpose="care", limit=limit, cursor=cursor)
            told.append((page.ids, page.cursor))
            cursor = page.cursor
            if cursor is None:
                break
        pages.append(told)
    assert pages[0] == pages[1]


@settings(max_examples=40)
@given(
    st.lists(st.one_of(SAID.filter(lambda s: s[0] in ("read", "back", "alert"))), max_size=20),
    st.integers(0, 20),
    ASKED,
)
def test_a_past_moment_is_found_as_it_was_known(said: list[Any], moment: int, asked: str) -> None:
    """What a search found then, a search as known by then finds now."""
    bank, then, found = make(), None, None
    for i, one in enumerate(said):
        fleet.clock(bank).now = fleet.START + 6 * HOUR + i * MINUTE
        if i == moment:
            then = bank.now()
            found = bank.search(asked, by="sam", purpose="care").ids
            fleet.clock(bank).now += 1000
        say(bank, one)
    if then is not None:
        assert bank.search(asked, by="sam", purpose="care", at=then, known_by=then).ids == found


def test_what_was_read_is_on_record() -> None:
    """Each twin that came out has an access of each field; those left out have none."""
    bank = make()
    bank.append([fleet.reading("a1", 8.0, fleet.START), fleet.reading("b2", 8.0, fleet.START)])
    bank.find("a1", by="sam", purpose="care").grant(to="rae", purpose="care", read="temperature")
    bank.search("batch[temperature>3]", by="rae", purpose="care")
    seen = [fact for fact in bank.thread.read(kinds=["accessed/1"]) if fact.by == "rae"]
    assert [(fact.twin, fact.body["signal"], fact.body["allowed"]) for fact in seen] == [("a1", "temperature", True)]


def test_a_retyped_twin_is_found_by_its_new_type() -> None:
    """Whether the index hears of it or is built after."""
    bank = make()
    assert bank.search("vessel", by="sam", purpose="care").ids == ["e5"]
    body = {"from": {"name": "batch", "hash": ""}, "to": {"name": "vessel", "hash": ""},
            "migration": Migration(anew=True).body(), "why": ""}  # fmt: skip
    back = {"rolls_back": 1, "why": ""}
    bank.append([fleet.Draft(name, "retyped/1", body, fleet.START, "sam") for name in ("a1", "b2")])
    bank.append([fleet.Draft("b2", "retyped/1", back, fleet.START, "sam")])
    for one in (bank.index.fresh(), Index(bank.thread).fresh()):
        assert [one.type_at(one.places[name]) for name in ("a1", "b2", "e5")] == ["vessel", "batch", "vessel"]


def test_an_erased_twin_is_found_no_more() -> None:
    """Neither by name nor by value, and what stands in relation to it does not tell of it."""
    bank = make()
    bank.append([fleet.reading("a1", 8.0, fleet.START), fleet.alert("a1", "hot", True, fleet.START)])
    assert bank.search("batch[temperature>3]", by="sam", purpose="care").ids == ["a1"]
    bank.thread.erase("a1")
    bank.forget("a1")
    index = bank.index.fresh()
    assert bank.search("batch", by="sam", purpose="care").ids == NAMES[1:4]
    assert "a1" not in index.ids and "a1" not in index.places and not index.alerting("*").any()
    assert not (index.signals["temperature"].values.upto(index.size) == 8.0).any()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("", "does not begin with a type"), ("batch[", "does not go on"), ("batch[temperature]", "is not a condition"),
        ("batch[temperature>hot]", "is not a number"), ("batch[temperature>3 kg]", "cannot turn 'kg'"),
        ("batch[alert>hot]", "alert cannot be compared by >"), ("batch[nothing=1]", "unknown signal or attribute 'nothing'"),
        ("crate", "unknown twin type 'crate'"), ("batch on_board", "does not go on"), ("actor", "found by a relation"),
        ("batch[seen>noon]", "is not ISO 8601"), ("batch[silent>3 kg]", "is not a length of time"),
        ("batch On vessel", "is not the name of a relation"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(asked: str, reason: str) -> None:
    """A wrong question names what is wrong and what is possible."""
    with pytest.raises(BadInput, match=reason):
        make().search(asked, by="sam", purpose="care")


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"sort": "-id"}, {"sort": "colour"}, {"cursor": "WzFd"}, {"cursor": "é"}]
)
def test_what_cannot_be_paged_is_said(options: dict[str, Any]) -> None:
    """Wrong limits, sorts and cursors are bad input."""
    with pytest.raises((BadInput, NotFound)):
        make().search("batch", by="sam", purpose="care", **options)


def test_a_cursor_serves_the_question_it_was_made_for() -> None:
    """Not another's, nor another query."""
    bank = make()
    cursor = bank.search("batch", by="sam", purpose="care", limit=1).cursor
    for by, asked in (("rae", "batch"), ("sam", "*")):
        with pytest.raises(BadInput, match="another question"):
            bank.search(asked, by=by, purpose="care", limit=1, cursor=cursor)


PIECES = st.sampled_from(
    ["batch", "*", "actor", "[", "]", "temperature", ">", "=", "..", "3", "1e999", "m**9**9", "degC", ",", " ", "~on_board+",
     "silent>", "9e99 h", "5 **9", "id~", "seen<", "2026-01-01", "\u00e9", "\ud800"]
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join)),
    st.text(max_size=30),
    st.text(max_size=12),
)
def test_whatever_is_asked_is_answered_or_said_to_be_wrong(asked: str, cursor: str, sort: str) -> None:
    """No text makes a search fail in another way, nor take for ever."""
    for options in ({}, {"cursor": cursor}, {"sort": sort}):
        with contextlib.suppress(BadInput):
            BANK.search(asked, by="sam", purpose="care", **options)


BANK = make()


def test_a_cursor_of_any_content_is_answered_or_said_to_be_wrong() -> None:
    """Deep, huge and strange ones too."""
    inner = [
        "[" * 3000 + "]" * 3000,
        '["k", 1e999, "a"]',
        '["k", ' + "9" * 5000 + ', "a"]',
        "[]",
        '["k", NaN, "a"]',
        "{}",
    ]
    for text in inner:
        with pytest.raises(BadInput):
            BANK.search("batch", by="sam", purpose="care", cursor=base64.urlsafe_b64encode(text.encode()).decode())


WORDS = st.sampled_from(["temperature>3", "weight<=2 kg", "alert=none", "id~a", "silent>2 h"])
STEPS = st.builds(lambda kind, where: f"{kind}[{', '.join(where)}]" if where else kind,
                  st.sampled_from(["batch", "*", "vessel"]), st.lists(WORDS, max_size=2))  # fmt: skip
HOPS = st.sampled_from(["on_board", "~part_of", "part_of+", "~next_to+"])


@given(STEPS, st.lists(st.tuples(HOPS, STEPS), max_size=3))
def test_text_and_json_say_the_same(first: str, rest: list[tuple[str, str]]) -> None:
    """A query goes to text and to JSON and back."""
    asked = query(" ".join([first, *(part for pair in rest for part in pair)]))
    assert query(str(asked)) == asked
    assert query(json.loads(json.dumps(asked.body()))) == asked
    assert isinstance(asked, Query)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("275 K", []), ("279 K", ["a1"]), ("41 degF", []), ("42 degF", ["a1"]), ("5.1 degC", ["a1"]), ("5.1", ["a1"])],
)
def test_conditions_are_turned_into_the_type_s_unit(asked: str, found: list[str]) -> None:
    """Temperatures too, which count from different zeros."""
    bank = make()
    bank.append([fleet.reading("a1", 5.0, fleet.START)])
    assert bank.search(f"batch[temperature<{asked}]", by="sam", purpose="care").ids == found


def test_time_of_a_condition_is_the_bank_s(when: Time = fleet.START + 3 * HOUR) -> None:
    """How long nothing came is counted from the bank's clock, or from the moment asked about."""
    bank = make()
    bank.append([fleet.reading("a1", 8.0, fleet.START)])
    assert bank.search("batch[id=a1, silent>2 h]", by="sam", purpose="care").ids == []
    fleet.clock(bank).now = when
    assert bank.search("batch[id=a1, silent>2 h]", by="sam", purpose="care").ids == ["a1"]
    assert bank.search("batch[id=a1, silent>2 h]", by="sam", purpose="care", at=fleet.START + HOUR).ids == []


def test_the_server_answers_by_the_same_rules() -> None:
    """Over HTTP each finds what they may read, page by page; what cannot be asked is a plain error."""
    works = Works()
    with works.door("ann") as door:
        first = door.get("/api/search", params={"q": "tank[gauge>0]", "limit": 1}).json()
        second = door.get("/api/search", params={"q": "tank[gauge>0]", "limit": 1, "cursor": first["cursor"]}).json()
        assert [one["id"] for page in (first, second) for one in page["found"]] == ["north", "south"]
        assert second["cursor"] is None and first["found"][0]["values"]["gauge"]["unit"] == "L"
        assert door.get("/api/search", params={"q": "tank[gauge>"}).status_code == 422
        assert door.get("/api/search", params={"q": "vessel"}).status_code == 404
    for actor, asked, found in (
        ("bea", "tank[gauge>0]", ["north"]),
        ("bea", "tank[alert=none]", []),
        ("eve", "tank", []),
    ):
        with works.door(actor) as door:
            answer = door.get("/api/search", params={"q": asked}).json()
            assert ([one["id"] for one in answer["found"]], answer["cursor"]) == (found, None)
    with works.door(None) as door:
        assert door.get("/api/search", params={"q": "tank"}).status_code == 401
