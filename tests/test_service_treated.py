"""Whether a service treats groups alike: a gap that was put in the record is found, none is found where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import Clock
from test_cli import Run, run
from test_service_own import DESK, T0, visit

from gemel.bank import Bank, Twin
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, SECOND, Draft, Time
from gemel.packs.service import fairness
from gemel.packs.service.fairness import Cases
from gemel.packs.service.history import helping
from gemel.packs.service.kind import service_type
from gemel.packs.service.treated import treated

__all__ = ["run"]

pytest.importorskip("fairlearn", reason='pip install "gemel[fairness]"')
REGIONS = ("north", "south")


def record(seed: int, longer: float = 0.0, many: int = 240, helps: tuple[str, ...] = ()) -> list[Draft]:
    """Return the record of customers of two regions; those of the north wait *longer* s more, and where a region is among
    *helps*, a clerk is added one minute after each of its customers came, for a minute."""
    rng, drafts = np.random.default_rng(seed), []
    for k in range(many):
        at, region = T0 + k * HOUR, REGIONS[int(rng.integers(2))]
        wait = MINUTE * 2 + round(1000 * (rng.exponential(120.0) + (longer if region == "north" else 0.0)))
        drafts += [told(one, region) for one in visit(f"c{k}", at, wait)]
        if region in helps:
            drafts += [turned(at + MINUTE, 1.0), turned(at + 2 * MINUTE, 0.0)]
    return drafts


def told(draft: Draft, region: str) -> Draft:
    """Return an event that tells the region of who arrives."""
    if draft.body["phase"] == "arrived":
        draft.body["attributes"]["region"] = region  # type: ignore[index]
    return draft


def turned(at: Time, people: float) -> Draft:
    """Return that the number of clerks was changed."""
    body = {"name": "staff.clerks", "value": people, "unit": "count", "source": "floor", "key": f"staff|{at}"}
    return Draft("desk", "acted/1", body, at, "floor", key=f"staff|{at}")


def served(drafts: list[Draft]) -> Twin:
    """Return the twin of a desk with a record."""
    bank = Bank.open("memory:", Clock(T0), {"service.desk": service_type(DESK, members=8)})
    twin = bank.create("service.desk", "desk", by="ann")
    bank.append(drafts)
    bank.now.now = T0 + 1000 * HOUR  # type: ignore[attr-defined]
    return twin


def test_a_gap_in_waiting_that_was_put_in_is_found_and_its_size_held() -> None:
    """The north wait four minutes longer; promises of ten minutes are broken more often there."""
    found = treated(served(record(1, 240.0)), "region", moments=0)
    gaps = {gap.measure: gap for gap in found.audit.gaps}
    assert {"wait", "breach"} == set(gaps) and [gap.measure for gap in found.beyond] == ["wait", "breach"]
    assert gaps["wait"].highest == "north" and gaps["wait"].gap.holds(240.0)
    assert sum(found.groups.values()) == 240 and found.without == 0
    assert "not treated alike" in found.verdict and "no help" in " ".join(found.notes)


def test_groups_that_were_treated_alike_are_seldom_told_apart() -> None:
    """Of forty records alike in all, no more than about one in twenty shows a gap."""
    found = [treated(served(record(seed, many=120)), "region", moments=0).beyond for seed in range(40)]
    assert sum(map(bool, found)) <= 5


def test_a_gap_within_its_bound_is_accepted() -> None:
    """Four minutes longer are no gap beyond ten minutes, and one beyond two."""
    twin = served(record(1, 240.0))
    assert [gap.measure for gap in treated(twin, "region", {"wait": 600.0}, moments=0).beyond] == ["breach"]
    assert "wait" in [gap.measure for gap in treated(twin, "region", {"wait": 120.0}, moments=0).beyond]


def test_forecasts_are_scored_by_group_against_what_happened() -> None:
    """Two clerks and one customer an hour: by the network she waits for nobody; the north, who wait on, stay longer than said."""
    found = treated(served(record(2, 900.0)), "region", {}, moments=800, members=16)
    gaps = {gap.measure: gap for gap in found.audit.gaps}
    bias, coverage = gaps["bias"].groups, gaps["coverage"].groups
    assert bias["north"].value < -600 and gaps["bias"].lowest == "north" and gaps["bias"].clear
    assert gaps["error"].highest == "north" and coverage["north"].value < 0.2
    assert gaps["error"].groups["north"].n > 50


def test_who_got_help_and_how_soon_is_told_by_group() -> None:
    """Clerks are added a minute after those of the south came, never for those of the north."""
    found = {gap.measure: gap for gap in treated(served(record(3, helps=("south",))), "region", moments=0).audit.gaps}
    assert found["action_rate"].groups["south"].value == 1 and found["action_rate"].groups["north"].value == 0
    assert found["action_rate"].clear and "delay" not in found
    both = {gap.measure: gap for gap in treated(served(record(3, helps=REGIONS)), "region", moments=0).audit.gaps}
    assert both["delay"].groups["north"].value == both["delay"].groups["south"].value == 60
    assert not both["action_rate"].clear


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-2, 2)), min_size=1, max_size=8))
def test_help_lasts_from_when_people_are_added_until_they_are_taken_away(steps: list[tuple[int, int]]) -> None:
    """At each second, help is on where the last setting before is above 0, at all stations of the pool."""
    doses = [Dose("staff.clerks", float(value), at * SECOND) for at, value in dict(steps).items()]
    spans = list(helping(doses, DESK, 10 * SECOND))
    for second in range(10):
        last = [value for at, value in sorted(dict(steps).items()) if at <= second][-1:]
        on = {name for name, since, until in spans if since <= second * SECOND < until}
        assert on == ({"desk", "till"} if last and last[0] > 0 else set())


def test_who_still_waits_at_the_end_has_waited_until_then() -> None:
    """A group that is never served does not pass for one that never waits."""
    left = [one for one in record(4) if not (one.body.get("case", "") >= "c200" and one.body["phase"] != "arrived")]
    waiting = [
        Draft("desk", "happened/1", {**visit(f"w{k}", T0, 0)[1].body, "attributes": {"region": "north"}}, T0 + 200 * HOUR, "desk",
              key=f"w{k}") for k in range(40)
    ]  # fmt: skip
    found = {gap.measure: gap for gap in treated(served([*left, *waiting]), "region", moments=0).audit.gaps}
    assert found["wait"].highest == "north" and found["wait"].groups["north"].value > 3600


def test_a_small_group_hides_no_gap_between_others_and_two_of_two_are_not_taken_for_all() -> None:
    """One customer who waited for longest says nothing; the gap between the other two groups is told."""
    rng = np.random.default_rng(5)
    wait = np.concatenate([rng.exponential(60, 200), rng.exponential(200, 200), [900.0]])
    gap = fairness.audit(Cases(["a"] * 200 + ["b"] * 200 + ["c"], wait=wait)).gaps[0]
    assert (gap.highest, gap.lowest, gap.clear) == ("b", "a", True)
    few = fairness.audit(Cases(["a"] * 2 + ["b"] * 2, acted=np.array([1.0, 1, 0, 0]))).gaps[0]
    assert few.gap.value == 1 and not few.clear


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_a_service_without_events_of_leaving_is_audited_too(seed: int) -> None:
    """A record without arrivals and departures, as of a log, gives the same waits."""
    drafts = record(seed, many=30)
    for draft in drafts:
        if draft.body["phase"] == "queued":
            at = draft.body["case"]
            draft.body["attributes"]["region"] = next(  # type: ignore[index]
                one.body["attributes"]["region"] for one in drafts  # type: ignore[index]
                if one.body["case"] == at and one.body["phase"] == "arrived"
            )  # fmt: skip
    bare = [one for one in drafts if one.body["phase"] not in ("arrived", "left")]
    full, less = (treated(served(list(one)), "region", moments=0).audit.gaps for one in (drafts, bare))
    assert [gap.groups for gap in full] == [gap.groups for gap in less]


# the command


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a store whose groups are treated alike, and one whose are not; bea may read some, cleo all."""
    found = []
    for name, longer in (("alike", 0.0), ("apart", 240.0)):
        found.append(str(tmp_path_factory.mktemp(name) / "store"))
        with Bank.open(found[-1], Clock(T0)) as bank:
            twin = bank.create(service_type(DESK, members=8), "desk", by="ann")
            bank.append(record(1, longer))
            twin.grant(to="bea", purpose="self-management", read="queue.desk")
            twin.grant(to="cleo", purpose="self-management", read="*")
    return found[0], found[1]


ASKED = ("fairness", "desk", "--by", "region", "--moments", 2)


def test_the_exit_code_says_whether_a_gap_was_found(run: Run, stores: tuple[str, str], tmp_path: Path) -> None:
    """0 where groups are treated alike, 1 where they are not, with the same object for programs and a page for people."""
    alike, apart = (run(*ASKED, "--store", store, "--json") for store in stores)
    assert (alike.code, alike.body["beyond"]) == (0, [])
    assert (apart.code, apart.body["beyond"]) == (1, ["wait", "breach"])
    assert apart.body["gaps"][0]["groups"]["north"]["interval95"] and set(apart.body["groups"]) == set(REGIONS)
    done = run(*ASKED, "--store", stores[1], "-o", tmp_path / "f.html")
    assert done.code == 1 and "verdict: beyond the bound: wait, breach" in done.out and "customers wait" in done.out
    text = (tmp_path / "f.html").read_text()
    assert "not treated alike" in text and text.count("<table") == 2 and "http" not in text
    assert run(*ASKED, "--store", stores[1], "--bound", "wait=600", "--bound", "breach=0.9").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "size"), "unknown attribute of customers 'size'; possible: customers, region"),
        (("--by", "class"), "1 groups of customers by 'customers'; an audit compares 2 to 20"),
        (("--bound", "wait"), "'wait' is not MEASURE=GAP"),
        (("--bound", "speed=1"), "unknown measure 'speed'"),
        (("--bound", "breach=60"), "60 is no share from 0 to 1"),
        (("--since", "spring"), "spring"),
        (("-o", "f.pdf"), "ends in .html"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_is_possible(
    run: Run, stores: tuple[str, str], words: tuple[str, ...], said: str
) -> None:
    """Exit code 2, nothing on standard output."""
    done = run(*ASKED, "--store", stores[0], *words)
    assert (done.code, done.out) == (2, "") and said in " ".join(done.err.split())


def test_only_who_may_read_all_is_told(run: Run, stores: tuple[str, str]) -> None:
    """A right to one gauge, or none, is not enough; that of another purpose neither."""
    assert run(*ASKED, "--store", stores[0], "--as", "cleo").code == 0
    for words in (("--as", "bea"), ("--as", "cleo", "--purpose", "marketing")):
        done = run(*ASKED, "--store", stores[0], *words)
        assert (done.code, done.out) == (1, "") and "may not read" in done.err


def test_without_fairlearn_the_environment_is_told_to_be_wanting(
    run: Run, stores: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and what to install."""
    fairness.fairlearn.cache_clear()
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    done = run(*ASKED, "--store", stores[0])
    fairness.fairlearn.cache_clear()
    assert (done.code, done.out) == (3, "") and 'pip install "gemel[fairness]"' in done.err


def test_a_twin_that_is_no_service_is_refused() -> None:
    """There are no customers to compare."""
    from tank import bank

    tank = bank().create("tank", "tank", by="ann")
    with pytest.raises(BadInput, match="not a service"):
        treated(tank, "region")
    with pytest.raises((NotFound, Refused)):
        treated(bank().find("tank", by="eve", purpose="care"), "region")


def test_the_answer_is_json() -> None:
    """Numbers, texts and lists alone."""
    body = treated(served(record(1)), "region", moments=0).body()
    assert json.loads(json.dumps(body))["gaps"][0]["measure"] == "wait"
