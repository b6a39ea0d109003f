"""Assets of the worked services: what is drawn belongs to customers, so that two runs differ by what was done alone."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import gemel.packs.service
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.service.actions import Action
from gemel.packs.service.centre.asset import START, Centre
from gemel.packs.service.centre.network import network
from gemel.packs.service.follow import Follower, learned
from gemel.packs.service.guards import Rules
from gemel.packs.service.hospital import network as hospital_network
from gemel.packs.service.hospital.asset import DUE, Hospital
from gemel.packs.service.hospital.means import MEANS
from gemel.packs.service.pilot import Pilot
from gemel.packs.service.world import PERFECT, Faults
from gemel.twintype import Autonomy

NOON = START + 12 * HOUR


@pytest.mark.parametrize("asset", [Centre, Hospital])
def test_with_no_action_both_assets_are_identical(asset: type) -> None:
    """Same seed: the same events and the same truth, however time was cut into steps."""
    whole, cut = asset(3, days=1), asset(3, days=1)
    told = whole.until(START + DAY)
    parts = [event for k in range(1, 25) for event in cut.until(START + k * HOUR)]
    assert parts == told and repr(cut.outcomes) == repr(whole.outcomes)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["add", "move", "reroute", "call back", "tell"]))
def test_an_action_changes_nothing_before_it_and_nobodys_first_call(seed: int, kind: str) -> None:
    """Who calls first, and when, is the same in both worlds; until noon all is."""
    target, amount = {
        "add": ("agents.sydney", 3.0), "move": ("agents.sydney>agents.brisbane", 2.0), "tell": ("phone.sydney", 300.0),
        "reroute": ("way.sydney>call.brisbane", 0.5), "call back": ("way.sydney>later.sydney", 0.5),
    }[kind]  # fmt: skip
    alone, acted = Centre(seed, days=1, faults=PERFECT), Centre(seed, days=1, faults=PERFECT)
    assert alone.until(NOON) == acted.until(NOON)
    acted.act(Action(kind, target, amount, NOON))
    alone.until(START + DAY), acted.until(START + DAY)
    first = [[(o.case, o.at) for o in c.outcomes if not o.again] for c in (alone, acted)]
    assert first[0] == first[1]


def test_people_called_in_come_after_their_way_and_cut_waits() -> None:
    """Three more from 8 o'clock on: never a longer queue in sum, and twenty minutes pass first."""
    waits = []
    for act in (False, True):
        centre = Centre(1, days=1, faults=PERFECT)
        centre.until(START + 8 * HOUR)
        before = centre.gauges()["here.pool.agents.sydney"]
        if act:
            centre.act(Action("add", "agents.sydney", 3.0, START + 8 * HOUR, hold=4 * 3600.0))
            centre.until(START + 8 * HOUR + 21 * MINUTE)
            assert centre.gauges()["here.pool.agents.sydney"] >= before + 3
        centre.until(START + 13 * HOUR)
        waits.append(sum(o.waited for o in centre.outcomes if o.site == "sydney" and np.isfinite(o.waited)))
    assert waits[1] < waits[0]


def test_events_tell_exactly_who_waits_where_none_is_lost() -> None:
    """The follower's queue is the telephone system's, at any ten minutes of a day."""
    centre, follower = Centre(5, days=1, faults=PERFECT), Follower(network())
    for now in range(START, START + DAY, 10 * MINUTE):
        follower.take(centre.until(now))
        present, gauges = follower.present(now), centre.gauges()
        for site in ("brisbane", "sydney"):
            assert present.waiting(follower.network, f"phone.{site}") == gauges[f"queue.phone.{site}"]


def test_faults_are_as_frequent_as_said_and_are_mended() -> None:
    """Lost, told twice and late within 4 standard errors; gauges and follower never differ by more than a few."""
    faults = Faults(0.02, 0.02, 0.05)
    clean, faulty = Centre(2, days=2, faults=PERFECT), Centre(2, days=2, faults=faults)
    told, heard = clean.until(START + 2 * DAY), faulty.until(START + 2 * DAY)
    counts, n = Counter((e.case, e.phase, e.at, e.activity, e.resource) for e in heard), len(told)
    lost, twice = (n - len(counts)) / n, sum(count == 2 for count in counts.values()) / n
    assert abs(lost - 0.02) < 4 * np.sqrt(0.02 / n) and abs(twice - 0.02) < 4 * np.sqrt(0.02 / n)
    follower = Follower(network())
    follower.take(heard)
    follower.settle(START + 2 * DAY, faulty.gauges())
    assert follower.present(START + 2 * DAY).waiting(follower.network, "phone.sydney") == 0


def test_what_is_learned_of_arrivals_is_what_came() -> None:
    """One week of events: the learned rates add up to the calls of the week."""
    centre = Centre(4, days=7, faults=PERFECT)
    found = learned(network(), centre.until(START + 7 * DAY), START, START + 7 * DAY)
    came = Counter(f"{o.customers}.{o.site}" for o in centre.outcomes)
    for group in found.customers:
        assert sum(group.arrivals.per_hour) == pytest.approx(came[group.name], rel=1e-9)


def test_a_scanner_fails_by_a_hazard_that_rises_with_wear() -> None:
    """First failures of 400 scanners at 225 scans, unmaintained: Kolmogorov–Smirnov against the Weibull left of 225."""
    lives = []
    for seed in range(400):
        hospital = Hospital(seed, days=0)
        lives.append(hospital.scanners[0].fails_at)
    weibull = stats.weibull_min(3.2, scale=380.0)
    left = lambda x: 1 - weibull.sf(x) / weibull.sf(225)  # noqa: E731 -- a distribution for one test
    assert stats.kstest(lives, left).pvalue > 0.01 and min(lives) > 225
    assert hospital_network.fails_within(280, 40) > 2 * hospital_network.fails_within(100, 40)


def test_maintenance_in_a_quiet_hour_takes_the_planned_one_away() -> None:
    """Done at night, the planned one of that life does not happen at noon, and wear starts anew."""
    hospital = Hospital(1, days=4, faults=PERFECT)
    hospital.until(START + 2 * DAY)
    assert hospital.gauges()["wear.scanner-0"] > DUE - 80 and hospital.maintenance()
    hospital.act(Action("maintain", "scanner", 10_800.0, START + 2 * DAY))
    events = hospital.until(START + 3 * DAY)
    downs = [(e.at - START) % DAY // HOUR for e in events if e.phase == "down" and e.resource == "scanner-0"]
    assert downs == [0]


def test_an_action_that_an_asset_does_not_know_names_those_it_does() -> None:
    """A contact centre has no scanner."""
    with pytest.raises(BadInput, match="unknown action in this centre 'maintain'"):
        Centre(1, days=1).act(Action("maintain", "scanner", 60.0, START))


def test_the_twin_never_reads_the_assets_parameters() -> None:
    """No module of the pack but demos imports an asset."""
    root = Path(gemel.packs.service.__file__).parent
    allowed = {"demo.py", "asset.py"}
    for path in (path for path in root.rglob("*.py") if path.name not in allowed):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").endswith((".asset", ".world")), path


ALLOWED = Rules(
    holdout=0.0, money_per_day=1500.0, autonomy=dict.fromkeys(("add", "maintain", "reschedule", "compensate"), Autonomy.ACT)
)  # fmt: skip


def lived(seed: int, days: int, *, act: bool) -> Hospital:
    """Let a hospital work, with its twin looking ahead on forks every two hours, or left alone."""
    hospital = Hospital(seed, days=days)
    pilot = Pilot(hospital_network.network(), MEANS, ALLOWED, members=24, seed=seed)
    for now in range(START, START + days * DAY, 2 * HOUR) if act else ():
        pilot.watch(hospital, now)
        pilot.step(hospital, now)
    hospital.until(START + days * DAY)
    return hospital


def test_what_forks_propose_for_the_scanners_prevents_failures_and_broken_promises() -> None:
    """Three hospitals, 7 days, in pairs: no more failures, fewer than half the broken promises, less money."""
    alone, acted = ([lived(seed, 7, act=act) for seed in (2, 3, 5)] for act in (False, True))
    broken = [sum(o.breach for h in arm for o in h.outcomes) for arm in (alone, acted)]
    assert sum(h.failures for h in acted) < sum(h.failures for h in alone) and broken[1] < 0.5 * broken[0]
    assert sum(h.cost() for h in acted) < sum(h.cost() for h in alone)
