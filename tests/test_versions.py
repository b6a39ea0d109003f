"""Every belief can be had again: by time, by name, as a fork; and what lies between two of them is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import BORN, Tank, bank, drafts, lived
from typer.testing import CliRunner

from gemel.bank import Bank, Followed, Twin
from gemel.bank.correction import superseding
from gemel.bank.versions import View
from gemel.cli.main import app
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, Draft, Time, iso
from gemel.intervention import Field, Form, Scenario
from gemel.server.forks import Forks
from gemel.server.schema import Suppose
from gemel.testing.beliefs import same


def flood(litres: float) -> Scenario:
    return Scenario("flood", revise=lambda plan, now: [*plan, Dose("bucket", litres, now)])


Fillable = replace(Tank, scenarios={"flood": Form("Flood", (Field("litres", "Litres", "L", 0, 50, 30),), flood)})
DRAFTS = tuple(drafts(*lived(3)))
KEYS = [draft.key for draft in DRAFTS if draft.kind == "observed/1"]


def twin_of(made: Bank, actor: str = "me") -> Twin:
    return made.find("tank", by=actor, purpose="care")


def started(where: str = "memory:", until: Time | None = None) -> Bank:
    """Return a bank in which each fact became known when it was true."""
    made = bank(where)
    made.register(Fillable)
    made.types["tank"] = Fillable
    made.create("tank", "tank", by="me")
    for draft in DRAFTS:
        if until is None or draft.true_at <= until:
            made.now.now = max(made.now.now, draft.true_at)  # type: ignore[attr-defined]
            made.append([draft])
    return made


def at(made: Bank, moment: Time) -> Bank:
    made.now.now = moment  # type: ignore[attr-defined]
    return made


# any belief, again


@settings(max_examples=25)
@given(st.data())
def test_the_belief_known_by_then_is_the_one_the_bank_had_then(data: st.DataObject) -> None:
    """The bank's own belief is recorded while facts come, late, out of order and taken back, then asked for again."""
    order = list(DRAFTS)
    for i in data.draw(st.lists(st.integers(0, len(order) - 1), max_size=8)):
        order.insert(min(len(order), i + data.draw(st.integers(1, 20))), order.pop(i))
    for key in data.draw(st.sets(st.sampled_from(KEYS), max_size=2)):
        gone = Draft("tank", "retracted/1", {"key": key, "name": "gauge"}, BORN, "gauge", key=f"not {key}")
        order.insert(data.draw(st.integers(0, len(order))), gone)
    made, had = at(bank(), BORN), dict[Time, Followed]()
    made.create("tank", "tank", by="me")
    twin = twin_of(made)
    for i, draft in enumerate(order):
        now = BORN + i * MINUTE
        at(made, now).append([draft])
        if data.draw(st.integers(0, 9)) == 0 and made.replica("tank").start is not None:
            had[now] = made.followed("tank")[-1]
    if data.draw(st.booleans()):
        made.remember("tank")
    for now, followed in had.items():
        again = twin.belief(known_by=now)
        assert again.at == followed.at
        assert same(again.belief, followed.belief)


def test_the_belief_about_a_past_moment_leaves_out_what_was_read_later() -> None:
    made = started()
    early = started(until=BORN + HOUR)
    assert same(twin_of(made).belief(true_at=BORN + HOUR).belief, twin_of(early).belief().belief)


def test_a_past_belief_starts_from_a_snapshot_where_that_is_sound() -> None:
    made = started()
    made.followed("tank")
    made.remember("tank")
    replica = made.replica_known_by("tank", BORN + 3 * HOUR)
    replica.belief(BORN + 3 * HOUR)
    assert replica.folded == 0
    late = {"name": "gauge", "value": 90.0, "unit": "L", "source": "", "key": "late"}
    at(made, BORN + 4 * HOUR).append([Draft("tank", "observed/1", late, BORN + 2 * MINUTE, "me", key="late")])
    made.followed("tank")
    made.remember("tank")
    before = made.replica_known_by("tank", BORN + 3 * HOUR)
    assert same(twin_of(made).belief(known_by=BORN + 3 * HOUR).belief, twin_of(started()).belief().belief)
    assert before.belief() is not None
    assert before.folded > 0


def test_before_anything_was_known_nothing_is_believed_and_that_is_said() -> None:
    twin = twin_of(started())
    with pytest.raises(NotFound, match="nothing is known of tank at"):
        twin.belief(true_at=BORN - HOUR)
    with pytest.raises(NotFound, match="nothing is known of tank by"):
        twin.belief(known_by=BORN - HOUR)


def test_a_past_belief_is_behind_the_gate() -> None:
    made = started()
    twin_of(made).grant(to="dr-lee", purpose="care", read="gauge")
    doctor = twin_of(made, "dr-lee")
    for ask in (
        lambda: doctor.belief(known_by=BORN + HOUR),
        lambda: doctor.versions(),
        lambda: doctor.name_version("x"),
        lambda: doctor.diff("now", "now"),
        lambda: doctor.forks(),
        lambda: doctor.keep_fork("x"),
        lambda: doctor.rehearse("tank"),
        lambda: doctor.retype("tank"),
        lambda: doctor.roll_back(),
    ):
        with pytest.raises(Refused):
            ask()


# names


def test_a_named_version_stays_what_it_was_whatever_comes_later(tmp_path: object) -> None:
    made = started(str(tmp_path), until=BORN + 2 * HOUR)
    twin = twin_of(made)
    named = twin.name_version("before the visit", why="to compare with afterwards")
    then = twin.belief().belief
    made.append(
        [d for d in DRAFTS if d.true_at > BORN + 2 * HOUR]
    )  # at the same millisecond: the fact's number decides
    assert not same(twin.belief().belief, then)
    assert same(twin.belief(version="before the visit").belief, then)
    made.close()
    with Bank.open(str(tmp_path), made.now, {"tank": Fillable}) as again:
        kept = twin_of(again).versions()["before the visit"]
        assert kept == named
        assert (kept.why, kept.by, kept.type_hash) == ("to compare with afterwards", "me", Fillable.hash)
        assert same(twin_of(again).belief(version="before the visit").belief, then)


def test_a_name_is_given_once_and_means_no_time() -> None:
    twin = twin_of(started())
    twin.name_version("monday", known_by=BORN + HOUR)
    assert same(twin.belief(version="monday").belief, twin.belief(known_by=BORN + HOUR).belief)
    for name, why in (("monday", "already"), ("now", "means a time"), ("2026-11-20", "means a time"), (" ", "nothing")):
        with pytest.raises(BadInput, match=why):
            twin.name_version(name)
    with pytest.raises(NotFound, match="monday"):
        twin.belief(version="tuesday")


# forks that are kept


def test_a_kept_fork_of_a_fork_is_rebuilt_exactly_after_a_restart(tmp_path: object) -> None:
    made = started(str(tmp_path), until=BORN + 2 * HOUR)
    twin = twin_of(made)
    now = twin.fork("now")
    drawn = now.suppose(flood(30)).suppose(flood(10)).run("gauge", 2)[0]
    twin.keep_fork("wet", "flood", {"litres": 30})
    twin.keep_fork("wetter", "flood", {"litres": 10}, parent="wet")
    late = [d for d in DRAFTS if d.true_at > BORN + 2 * HOUR]
    back = {"name": "gauge", "value": 9.0, "unit": "L", "source": "", "key": "late"}
    made.append([*late, Draft("tank", "observed/1", back, BORN + HOUR + MINUTE, "me", key="late")])
    made.close()
    with Bank.open(str(tmp_path), made.now, {"tank": Fillable}) as again:
        at(again, BORN + 3 * HOUR)
        twin = twin_of(again)
        fork = twin.open_fork("wetter")
        assert same(fork.belief, now.belief)
        assert np.array_equal(fork.run("gauge", 2)[0], drawn)
        (root,) = twin.forks()
        assert (root.name, [child.name for child in root.children]) == ("wet", ["wetter"])
        assert not hasattr(fork, "listen")
        assert again.live_twins() == []


def test_dropping_a_fork_is_a_fact_and_takes_its_forks_along() -> None:
    made = started()
    twin = twin_of(made)
    for name, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", None)):
        twin.keep_fork(name, "flood", parent=parent)
    twin.drop_fork("a")
    assert [branch.name for branch in twin.forks()] == ["d"]
    with pytest.raises(NotFound, match="fork 'c'"):
        twin.open_fork("c")
    kinds = [fact.kind for fact in made.thread.read("tank") if fact.kind.startswith(("forked", "unforked"))]
    assert kinds == ["forked/1"] * 4 + ["unforked/1"]
    twin.keep_fork("a")
    assert {branch.name for branch in twin.forks()} == {"a", "d"}


def test_forks_follow_the_subjects_consent() -> None:
    made = started()
    holder = twin_of(made)
    granted = holder.grant(to="dr-lee", purpose="care", read="*", fork="*")
    doctor = twin_of(made, "dr-lee")
    doctor.keep_fork("mine", "flood")
    fork = doctor.open_fork("mine")
    for grant in granted:
        holder.revoke(grant.id)
    for ask in (lambda: doctor.open_fork("mine"), doctor.forks, lambda: fork.run("gauge", 1)):
        with pytest.raises(Refused):
            ask()
    assert [branch.by for branch in holder.forks()] == ["dr-lee"]
    holder.drop_fork("mine")
    assert holder.forks() == ()


def test_a_fork_is_kept_only_with_what_its_type_can_fill_in() -> None:
    twin = twin_of(started())
    with pytest.raises(NotFound, match="drought"):
        twin.keep_fork("x", "drought")
    with pytest.raises(BadInput, match="litres"):
        twin.keep_fork("x", "flood", {"litres": 500})
    with pytest.raises(NotFound, match="fork 'y'"):
        twin.keep_fork("x", "flood", parent="y")
    twin.keep_fork("x")
    with pytest.raises(BadInput, match="drop the one there is"):
        twin.keep_fork("x")


# what changed, and why


def test_a_diff_names_the_corrected_reading_what_it_moved_and_why() -> None:
    made = started()
    twin = twin_of(made)
    twin.name_version("before")
    wrong = next(made.thread.read("tank", kinds=["observed/1"], reverse=True))
    value = float(wrong.body["value"])
    at(made, BORN + 4 * HOUR).append(superseding(wrong, value + 1, "the float stuck", "me", BORN + 4 * HOUR))
    found = twin.diff("before", View(BORN + 3 * HOUR, None, None, "now"))
    (data,) = found.data
    assert data.corrected == ((wrong.true_at, value, value + 1),)
    assert (data.added, data.taken_back) == (0, 0)
    (group,) = found.groups
    assert (group.by, group.kind, group.count) == ("me", "corrected", 1)
    assert group.moved is not None
    level = next(change for change in found.changes if change.name == "tank.level")
    assert level.after > level.before
    text = str(found)
    assert "1 corrected" in text
    assert "Gauge" in text
    assert "without it" in text


def test_a_diff_is_ordered_by_size_and_measured_in_the_variables_own_spread() -> None:
    found = twin_of(started()).diff(BORN + HOUR, BORN + 2 * HOUR)
    sizes = [change.size for change in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    replica = started().replica("tank")
    first = replica.belief(BORN + HOUR)
    assert first is not None
    level = np.asarray(replica.forward(first, BORN + HOUR).values["tank.level"], float)
    change = next(change for change in found.changes if change.name == "tank.level")
    assert (change.before, change.sd) == pytest.approx((level.mean(), level.std()), rel=1e-5)
    assert (change.label, change.unit) == ("Gauge", "L")
    assert [entry.minutes for entry in found.foreseen] == [30, 60, 120]
    assert {group.name for group in found.groups} == {"gauge", "bucket"}
    assert [group.size for group in found.groups] == sorted((g.size for g in found.groups), reverse=True)


def test_a_view_does_not_differ_from_itself() -> None:
    found = twin_of(started()).diff(BORN + HOUR, BORN + HOUR)
    assert (found.changes, found.data, found.groups) == ((), (), ())
    assert "only the moment is another" in str(found)


def test_a_diff_speaks_the_units_and_labels_of_its_type() -> None:
    found = twin_of(started()).diff(BORN + HOUR, "now")
    text, body = str(found), found.body()
    assert f"from {iso(BORN + HOUR)}" in text
    assert "Gauge:" in text
    assert " L " in text
    assert body["why"][0]["measured"] == "refolded"
    assert body["changes"][0]["name"] == found.changes[0].name
    assert body["before"]["type_hash"] == Fillable.hash


# at the command line


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what runs a command on a store of three hours and gives its JSON."""
    started(str(tmp_path / "store")).close()
    members = replace(Fillable, members=24)
    monkeypatch.setattr("gemel.bank.bank.installed", lambda: {"tank": Fillable})
    monkeypatch.setattr("gemel.bank.bank.versions", lambda: (members, Fillable))
    monkeypatch.setattr("gemel.bank.bank.time.time_ns", lambda: (BORN + 4 * HOUR) * 1_000_000)
    monkeypatch.setenv("GEMEL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("GEMEL_ACTOR", "me")

    def call(*words: str) -> Any:
        result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return call


def test_the_command_line_names_folds_again_and_compares(run: Callable[..., Any]) -> None:
    then = iso(BORN + HOUR)
    named = run("version", "name", "tank", "early", "--known-by", then, "--why", "first look")
    assert [one["name"] for one in run("version", "list", "tank")["versions"]] == ["early"]
    assert run("version", "show", "tank", "early")["same"] is True
    by_name, by_time = run("belief", "tank", "--version", "early"), run("belief", "tank", "--known-by", then)
    assert by_name["digest"] == by_time["digest"] == named["digest"]
    assert by_name["values"]["tank.level"]["unit"] == "L"
    found = run("diff", "tank", "early", "now", "--ahead", "30")
    assert [entry["minutes"] for entry in found["foreseen"]] == [30]
    assert found["why"][0]["measured"] == "refolded"


def test_the_command_line_keeps_forks_and_retypes_and_rolls_back(run: Callable[..., Any]) -> None:
    run("fork", "keep", "tank", "wet", "--scenario", "flood", "--set", "litres=20")
    run("fork", "keep", "tank", "wetter", "--scenario", "flood", "--parent", "wet")
    (tree,) = run("fork", "list", "tank")["forks"]
    assert (tree["values"], [child["name"] for child in tree["forks"]]) == ({"litres": 20.0}, ["wetter"])
    assert run("fork", "forecast", "tank", "wetter", "--hours", "1")["signal"] == "gauge"
    assert run("fork", "drop", "tank", "wet")["dropped"] == "wet"
    before = run("belief", "tank")
    to = replace(Fillable, members=24).hash
    dry = run("retype", "tank", "--to", to[:12], "--dry-run", "--days", "0.02")
    assert (dry["done"], dry["type_hash"]) == (False, Fillable.hash)
    assert run("retype", "tank", "--to", to[:12], "--days", "0.02")["type_hash"] == to
    assert run("belief", "tank")["type_hash"] == to
    assert run("retype", "tank", "--rollback")["type_hash"] == Fillable.hash
    assert run("belief", "tank") == before


def test_the_server_shows_kept_forks_beside_those_it_holds() -> None:
    twin, forks = twin_of(started()), Forks()
    twin.keep_fork("wet", "flood", {"litres": 20})
    twin.keep_fork("wetter", "flood", parent="wet")
    forks.add(twin, Suppose(name="dry", scenario="flood", values={"litres": 0}))
    assert {name: one.values for name, one in forks.of(twin).items()} == {"wet": {"litres": 20}, "dry": {"litres": 0}}
    assert set(Forks().of(twin)) == {"wet"}
    forks.remove(twin, "wet")
    forks.remove(twin, "dry")
    assert forks.of(twin) == {}
    assert twin.forks() == ()
    with pytest.raises(NotFound, match="fork 'dry'"):
        forks.remove(twin, "dry")
