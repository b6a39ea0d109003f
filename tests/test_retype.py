"""A live twin may become another version of its type: tried first, on record, state carried over, undone exactly."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import BORN, TANK, Tank, bank, drafts, lived

from gemel.bank import Bank, Followed, Twin
from gemel.bank.lineage import spans
from gemel.bank.migration import Migration, Move, between
from gemel.dynamics import Belief, Range, Subject
from gemel.errors import BadInput, NotFound, Refused, Unavailable
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.loop import Loop
from gemel.model import Composite, Module, Parameter, Sensor, State
from gemel.testing.beliefs import same
from gemel.twintype import Lever, Signal, TwinType

OLD = TANK.wiring.modules[0]
DRAFTS = tuple(drafts(*lived(6)))
TURN: Time = BORN + 4 * HOUR


def composite() -> Composite:
    """Return the tank with rain per hour under another name, no width, and mud that settles."""
    return Composite(
        [
            Module(
                name="tank",
                states={
                    "tank.level": State("L", lambda p: p["tank.start"], low=0.0),
                    "sky.rain": State("L/h", 0.0),
                    "tank.mud": State("L", 1.5, low=0.0, learned=False),
                },
                parameters={
                    "tank.start": Parameter("L", 50.0, sd=0.3, initial=True),
                    "tank.leak": Parameter("1/min", 0.02, between=0.5, sd=0.05),
                },
                reads={"tap.flow": "L/min", "bucket.flow": "L/min"},
                change=lambda v: {
                    "tank.level": v["tap.flow"] + v["bucket.flow"] + v["sky.rain"] / 60.0 - v["tank.leak"] * v["tank.level"],
                    "sky.rain": -0.1 * v["sky.rain"],
                    "tank.mud": 0.001 * v["tank.level"],
                },
                noise=lambda v: {"sky.rain": 3.0},
            )
        ],
        inputs=TANK.inputs,
        sensors={"gauge": Sensor("tank.level", 0.5)},
    )  # fmt: skip


Newer = replace(Tank, dynamics=composite(), explains=(), members=24)
RENAMED = {"sky.rain": "tank.rain"}
TYPES = (Tank, Newer)


def fresh(where: str = "memory:") -> Bank:
    made = bank(where)
    made.register(Newer)
    made.create("tank", "tank", by="me")
    return made


def twin_of(made: Bank, actor: str = "me") -> Twin:
    return made.find("tank", by=actor, purpose="care")


def told(made: Bank, facts: tuple[Draft, ...] | list[Draft]) -> Bank:
    for draft in facts:
        made.now.now = max(made.now.now, draft.true_at)  # type: ignore[attr-defined]
    made.append(list(facts))
    return made


def before() -> list[Draft]:
    return [draft for draft in DRAFTS if draft.true_at < TURN]


def after() -> list[Draft]:
    return [draft for draft in DRAFTS if draft.true_at >= TURN]


def retyped(where: str = "memory:") -> Bank:
    made = told(fresh(where), before())
    made.now.now = TURN  # type: ignore[attr-defined]
    twin_of(made).retype(Newer, RENAMED, days=0.1)
    return told(made, after())


def believed(made: Bank) -> Belief:
    return made.followed("tank")[-1].belief


# migration


def test_state_goes_over_by_name_and_kind_of_unit_and_the_rest_is_listed() -> None:
    found = between(Tank, Newer, RENAMED)
    assert {(move.old, move.new) for move in found.moves} >= {("tank.level",) * 2, ("tank.rain", "sky.rain")}
    assert next(move.factor for move in found.moves if move.new == "sky.rain") == pytest.approx(60.0)
    assert (found.fresh, found.lost) == (("tank.leak", "tank.mud"), ("tank.width",))
    assert Migration.from_body(found.body()) == found
    assert between(Tank, Newer).lost == ("tank.rain", "tank.width")


def test_what_would_change_the_meaning_of_the_record_is_refused() -> None:
    litres = replace(Tank, signals={"gauge": Signal("m^3", 0, 1)})
    with pytest.raises(BadInput, match=r"gauge is in L in one type and in m.3 in the other"):
        between(Tank, litres)
    with pytest.raises(BadInput, match="cannot turn"):
        between(Tank, Newer, {"sky.rain": "tank.level"})
    with pytest.raises(NotFound, match=r"variable .sky.snow."):
        between(Tank, Newer, {"sky.snow": "tank.rain"})


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=7), st.integers(1, 9), st.floats(0.125, 60, width=32)
)
def test_what_goes_over_stays_in_its_range_and_keeps_its_members(
    values: list[float], members: int, factor: float
) -> None:
    who = (Subject("x", 0),)
    old = Belief(who, np.array([5]), {"a": np.array([values], np.float32)})
    prior = Belief(who, np.array([0]), {"b": np.full((1, members), 0.5, np.float32)})
    moved = Migration((Move("a", "b", factor),)).apply({"b": Range(0, 1, soft=True)}, old, prior)
    found = np.asarray(moved.values["b"])
    assert found.shape == (1, members)
    assert int(moved.at[0]) == 5
    assert ((found > 0) & (found < 1)).all()
    plain = np.asarray(Migration((Move("a", "b"),)).apply({}, old, prior).values["b"])
    assert plain[0, 0] == np.float32(values[0])


# becoming another


def test_the_state_goes_over_and_the_twin_lives_on_as_the_new_type() -> None:
    made = retyped()
    twin, replica = twin_of(made), made.replica("tank")
    assert twin.type.hash == Newer.hash
    root = next(replica.follow(until=TURN - 1)).belief
    stayed = made.replica_known_by("tank", TURN).during(TURN - 1)
    last = stayed.belief(TURN - 1)
    assert last is not None
    then = stayed.forward(last, TURN)
    assert int(root.at[0]) == TURN
    assert np.array_equal(np.asarray(root.values["tank.level"])[:, :16], np.asarray(then.values["tank.level"]))
    assert np.allclose(np.asarray(root.values["sky.rain"])[:, :16], np.asarray(then.values["tank.rain"]) * 60)
    assert (np.asarray(root.values["tank.mud"]) == 1.5).all()
    assert int(believed(made).at[0]) > TURN
    assert made.forecast("tank", "gauge", 1, made.now()).signal == "gauge"


def test_history_is_folded_with_the_type_of_its_time() -> None:
    made, never = retyped(), told(fresh(), DRAFTS)
    for at in (TURN - MINUTE, TURN - HOUR):
        assert same(twin_of(made).belief(true_at=at).belief, twin_of(never).belief(true_at=at).belief)
    first = told(fresh(), before())
    assert same(
        twin_of(made).belief(known_by=TURN - MINUTE).belief, twin_of(first).belief(known_by=TURN - MINUTE).belief
    )
    assert made.type_of("tank", TURN - MINUTE).hash == Tank.hash
    assert twin_of(made).fork("past", TURN - HOUR).type.hash == Tank.hash
    assert twin_of(made).fork("now").type.hash == Newer.hash


STEPS = st.lists(st.sampled_from(["retype", "roll back", "fold", "restart", "remember"]), max_size=6)


@settings(max_examples=15)
@given(st.data())
def test_rolled_back_it_believes_what_it_would_had_it_never_been_retyped(data: st.DataObject) -> None:
    """Whatever came late, and whenever it was retyped, restarted and rolled back."""
    late = data.draw(st.lists(st.sampled_from(DRAFTS), max_size=4, unique_by=id))
    order = [draft for draft in DRAFTS if draft not in late]
    made = fresh()
    for part in np.array_split(np.arange(len(order)), 4):
        made = told(made, [order[i] for i in part])
        for step in data.draw(STEPS):
            made = stepped(made, step)
    told(made, late)
    while made.lineages.of("tank")[-1].migration is not None:
        twin_of(made).roll_back()
    assert same(believed(made), whole())
    assert made.type_of("tank").hash == Tank.hash


def stepped(made: Bank, step: str) -> Bank:
    current = made.lineages.of("tank")[-1]
    if step == "retype":
        to, renamed = (Newer, RENAMED) if current.hash == Tank.hash else (Tank, {"tank.rain": "sky.rain"})
        quick_retype(made, to, renamed)
    elif step == "roll back" and current.migration is not None:
        twin_of(made).roll_back()
    elif step == "fold":
        made.followed("tank")
    elif step == "remember":
        made.remember("tank")
    elif step == "restart":
        made.remember("tank")
        return restarted(made)
    return made


def quick_retype(made: Bank, to: TwinType, renamed: dict[str, str]) -> None:
    """Put a retyping on record without its rehearsal, which takes its time."""
    current = made.lineages.of("tank")[-1]
    old = next(one for one in made.lineages.known() if one.hash == current.hash)
    body = {"from": {"name": old.name, "hash": old.hash}, "to": {"name": to.name, "hash": to.hash},
            "migration": between(old, to, renamed).body()}  # fmt: skip
    made.append([Draft("tank", "retyped/1", body, made.now(), "me")])
    made.replica("tank")


def restarted(made: Bank) -> Bank:
    again = Bank(made.thread, made.now, {"tank": Tank})
    again.register(Newer)
    return again


@cache
def whole() -> Belief:
    return believed(told(fresh(), DRAFTS))


@settings(max_examples=15)
@given(st.data())
def test_across_a_retyping_neither_order_nor_restart_nor_snapshot_matters(data: st.DataObject) -> None:
    late = data.draw(st.lists(st.sampled_from(before()), max_size=4, unique_by=id))
    made = told(fresh(), [draft for draft in before() if draft not in late])
    made.now.now = TURN  # type: ignore[attr-defined]
    quick_retype(made, Newer, RENAMED)
    order = [*after(), *late]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
    order = data.draw(st.permutations(order))
    for low, high in zip([0, *cuts], [*cuts, len(order)], strict=True):
        told(made, order[low:high])
        for step in data.draw(st.lists(st.sampled_from(["fold", "restart", "remember"]), max_size=2)):
            made = stepped(made, step)
    assert same(believed(made), become())


@cache
def become() -> Belief:
    return believed(retyped())


def test_a_missing_version_is_a_plain_error_and_the_record_can_be_folded_anew() -> None:
    made = told(fresh(), DRAFTS)
    later = Bank(made.thread, made.now, {"tank": Newer})
    with pytest.raises(Unavailable, match=f"folded with version {Tank.hash[:12]} of tank which is not installed"):
        later.followed("tank")
    with pytest.raises(Unavailable, match="which is not installed"):
        twin_of(later).retype("tank", RENAMED)
    assert twin_of(later).retype("tank", anew=True) is None
    anew = bank()
    anew.types["tank"] = Newer
    anew.create("tank", "tank", by="me")
    assert same(believed(later), believed(told(anew, DRAFTS)))
    with pytest.raises(Unavailable, match="which is not installed"):
        twin_of(later).belief(known_by=BORN + HOUR)


def test_a_rehearsal_writes_nothing_and_a_retyping_has_it_as_its_cause() -> None:
    made = told(fresh(), DRAFTS)
    twin, size = twin_of(made), len(list(made.thread.read("tank", kinds=["rehearsed/1", "retyped/1", "forecast/1"])))
    found = twin.rehearse(Newer, RENAMED, days=0.2)
    assert len(list(made.thread.read("tank", kinds=["rehearsed/1", "retyped/1", "forecast/1"]))) == size
    assert made.type_of("tank").hash == Tank.hash
    assert [entry.minutes for entry in found.ahead] == [30, 60, 120]
    assert all(entry.before is not None and entry.after is not None for entry in found.ahead)
    (score,) = found.scores
    assert score.n > 20
    assert 0 < score.crps_before < 20
    assert 0 < score.crps_after < 20
    for words in ("tank.rain as sky.rain", "begins anew: tank.leak, tank.mud", "is lost: tank.width", "past readings"):
        assert words in str(found)
    twin.retype(Newer, RENAMED, why="mud matters", days=0.2)
    fact = next(made.thread.read("tank", kinds=["retyped/1"]))
    assert (fact.body["from"]["hash"], fact.body["to"]["hash"]) == (Tank.hash, Newer.hash)
    assert fact.body["why"] == "mud matters"
    assert [made.thread.get(seq).kind for seq in fact.cause] == ["rehearsed/1"]
    assert made.thread.get(fact.cause[0]).body["migration"] == fact.body["migration"]


def test_only_who_holds_the_keys_retypes() -> None:
    made = told(fresh(), DRAFTS)
    twin_of(made).grant(to="dr-lee", purpose="care", read="*", write="*", fork="*")
    doctor = twin_of(made, "dr-lee")
    assert doctor.rehearse(Newer, RENAMED, days=0.01).new.hash == Newer.hash
    for ask in (lambda: doctor.retype(Newer, RENAMED), doctor.roll_back):
        with pytest.raises(Refused, match="only who holds its keys may"):
            ask()
    with pytest.raises(NotFound, match="never retyped"):
        twin_of(made).roll_back()
    with pytest.raises(BadInput, match="already"):
        twin_of(made).retype("tank")


def test_spans_follow_the_order_of_the_record() -> None:
    def fact(seq: int, at: Time, **body: object) -> Fact:
        return Fact("x", "retyped/1", body, at, at, "me", (), seq)

    none = Migration().body()
    made = Fact("x", "created/1", {"type": "a", "hash": "a"}, 0, 0, "me", (), 1)
    to_b, to_c = ({"to": {"name": name, "hash": name}, "migration": none} for name in "bc")
    anew = {"to": {"name": "d", "hash": "d"}, "migration": Migration(anew=True).body()}
    story = [fact(2, HOUR, **to_b), fact(3, 2 * HOUR, **to_c), fact(4, 3 * HOUR, **anew)]
    assert [span.hash for span in spans(made, story[:2])] == ["a", "b", "c"]
    assert [span.hash for span in spans(made, story)] == ["d"]
    undo = [fact(5, 4 * HOUR, rolls_back=4), fact(6, 5 * HOUR, rolls_back=3)]
    assert [span.hash for span in spans(made, [*story, *undo])] == ["a", "b"]
    backwards = spans(made, [fact(2, 2 * HOUR, **to_b), fact(3, HOUR, **to_c)])
    assert [span.since for span in backwards] == [0, 2 * HOUR, 2 * HOUR]


# while live


def test_the_loop_goes_on_across_a_retyping_and_its_undoing() -> None:
    """With a fake clock: every reading gets its forecast, before, between and after; nothing is in trouble."""
    older = replace(Tank, alarms={"low": lambda situation: ("warning", "the tank is low")})
    made = bank()
    made.register(Newer)
    made.types["tank"] = older
    made.create("tank", "tank", by="me")
    loop = Loop(made, agents=[])
    made.thread.subscribe(loop.notice)
    actions = {150: lambda: quick_retype(made, Newer, RENAMED), 200: lambda: twin_of(made).roll_back()}
    hashes, alarms, counts = [], [], []
    for draft in DRAFTS[:90]:
        told(made, [draft])
        minute = (draft.true_at - BORN) // MINUTE
        for due in [due for due in actions if due <= minute]:
            actions.pop(due)()
        asyncio.run(loop.turn())
        assert loop.troubles == {}
        hashes.append(made.type_of("tank").hash)
        alarms.append({str(f.body["name"]) for f in made.alerts("tank") if f.body["active"]})
        counts.append(len(list(made.thread.read("tank", kinds=["forecast/1"]))))
    assert [h for i, h in enumerate(hashes) if i == 0 or h != hashes[i - 1]] == [older.hash, Newer.hash, older.hash]
    read = [draft.kind == "observed/1" for draft in DRAFTS[:90]]
    steps = np.diff(counts)
    assert all(step > 0 for step, is_read in zip(steps, read[1:], strict=True) if is_read)
    assert [("low" in names) for names, h in zip(alarms, hashes, strict=True)][5:] == [h == older.hash for h in hashes][
        5:
    ]


def test_a_lever_the_new_type_does_not_know_moves_nothing() -> None:
    without = replace(Tank, levers={"tap": Lever("L/min", 0, 10, 0, holds=True)}, exposures={})
    inputs = {"tap": TANK.inputs["tap"]}
    module = replace(OLD, reads={"tap.flow": "L/min"}, change=lambda v: {
        "tank.level": v["tap.flow"] + v["tank.rain"] - v["tank.draining"], "tank.rain": -0.1 * v["tank.rain"]})  # fmt: skip
    less = replace(without, dynamics=Composite([module], inputs, TANK.sensors))
    made = told(fresh(), before())
    made.now.now = TURN  # type: ignore[attr-defined]
    found = twin_of(made).retype(less, days=0.01)
    assert found is not None
    assert found.ports == ((), ("bucket",))
    told(made, after())
    assert isinstance(made.followed("tank")[-1], Followed)
