"""Metrics of a twin, against plain loops, closed forms, and simulators whose effect is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from gemel.errors import BadInput, Refused
from gemel.facts import Fact
from gemel.packs.service import evaluate as e
from gemel.packs.service import uplift as u
from gemel.packs.service.estimate import normal
from gemel.packs.service.propensity import NOTHING, choose
from gemel.packs.service.responsiveness import responsiveness, stamps

# lead time


def slow_lead(times: list[int], risks: list[float], event: float, threshold: float) -> tuple[float, bool]:
    """Return the lead and whether there was any alarm, by walking back from the event."""
    seen = [(t, r) for t, r in sorted(zip(times, risks, strict=True)) if not t >= event]
    since = np.inf
    for t, r in reversed(seen):
        if r < threshold:
            break
        since = t
    return (event - since if np.isfinite(since) else 0.0), any(r >= threshold for _, r in seen)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, 30), st.sampled_from([0.1, 0.4, 0.6, 0.9]), min_size=1, max_size=6),
            st.one_of(st.none(), st.integers(1, 31)),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_an_alarm_counts_from_when_it_stays_on(units: list[tuple[dict[int, float], int | None]]) -> None:
    """Against a walk back from each event."""
    event = np.array([np.nan if when is None else when for _, when in units], float)
    if np.isnan(event).all():
        return
    rows = [(i, t, r) for i, (series, _) in enumerate(units) for t, r in series.items()]
    risks = e.Risks(*(np.array(column) for column in zip(*rows, strict=True)), event)
    found = e.lead_time(risks, 0.5)
    slow = [slow_lead(list(s), list(s.values()), w, 0.5) for (s, _), w in zip(units, event, strict=True)]
    leads = [lead for (lead, _), when in zip(slow, event, strict=True) if np.isfinite(when)]
    wrong = [ever for (_, ever), when in zip(slow, event, strict=True) if np.isnan(when)]
    assert found.lead.value == np.median(leads)
    assert found.foreseen.value == np.mean(np.array(leads) > 0)
    assert found.false_alarms.value == (np.mean(wrong) if wrong else 0.0)


def ramps(n: int, seed: int) -> e.Risks:
    """Return units of which half fail at 100 s, their risk rising for 60 s before; the others only murmur."""
    rng = np.random.default_rng(seed)
    at = np.tile(np.arange(0.0, 100), (n, 1))
    event = np.where(np.arange(n) % 2, 100.0, np.nan)
    risk = 0.1 * rng.random((n, 100)) + np.where(np.isfinite(event)[:, None], np.maximum(at - 40, 0) / 60, 0)
    return e.Risks(np.repeat(np.arange(n), 100), at.ravel(), risk.ravel(), event)


def test_the_rate_of_false_alarms_is_kept_and_the_lead_time_is_that_of_the_ramp() -> None:
    """Risk leaves the murmur 6 s into a ramp of 60 s: about 54 s of warning, on units that the threshold never saw."""
    threshold = e.threshold_for(ramps(400, 1), 0.05)
    found = e.lead_time(ramps(400, 2), threshold)
    assert found.false_alarms.holds(0.05)
    assert found.lead.low <= 56 and found.lead.high >= 52
    assert found.foreseen.value == 1.0
    assert e.lead_time(ramps(400, 1), threshold).false_alarms.value <= 0.05


def test_without_quiet_units_there_is_no_rate_of_false_alarms() -> None:
    """The message says what is missing."""
    one = e.Risks(np.array([0]), np.array([0.0]), np.array([0.5]), np.array([9.0]))
    with pytest.raises(BadInput, match="needs units in which nothing happened"):
        e.threshold_for(one, 0.1)


# forecasts


def test_true_probabilities_are_calibrated_and_shifted_ones_are_not() -> None:
    """Bins of honest forecasts hold what came; forecasts that promise too much are caught."""
    rng = np.random.default_rng(4)
    risk = rng.random(4000)
    happened = rng.random(4000) < risk
    assert sum(one["holds"] for one in e.scored(risk, happened).bins) >= 8
    assert sum(one["holds"] for one in e.scored(np.sqrt(risk), happened).bins) <= 4


def test_brier_precision_and_recall_are_those_of_the_definition() -> None:
    """Four forecasts, by hand."""
    found = e.scored(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False]))
    assert found.brier.value == pytest.approx((0.01 + 0.64 + 0.49 + 0.01) / 4)
    assert (found.precision.value, found.recall.value) == (0.5, 0.5)
    assert found.skill == pytest.approx(1 - 0.2875 / 0.25)


def test_the_crps_of_an_ensemble_is_that_of_its_distribution() -> None:
    """Fair CRPS of 50 normal members about the mean, against the closed form (Gneiting & Raftery 2007, equation 21)."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=4000)
    found = e.ensemble(rng.normal(size=(50, 4000)), truth)
    closed = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    assert found.crps.value == pytest.approx(closed.mean(), abs=0.01)
    assert found.uniform_p > 0.01
    assert found.coverage[0.8].value == pytest.approx(0.8, abs=0.03)


def test_an_ensemble_too_sure_of_itself_is_found_out() -> None:
    """Half as wide as the truth: neither coverage nor uniformity holds."""
    rng = np.random.default_rng(6)
    found = e.ensemble(0.5 * rng.normal(size=(50, 500)), rng.normal(size=500))
    assert not found.coverage[0.95].holds(0.95)
    assert found.uniform_p < 1e-6


# failures prevented


def trial(seed: int, n: int = 200, members: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return paired runs of n alarms (without, with an action that saves 4 in 10 of those to fail), and each one's risk."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 2, n)
    luck = rng.random((n, members))
    return luck < risk[:, None], luck < 0.6 * risk[:, None], risk


def test_prevented_failures_hold_the_known_effect() -> None:
    """Over 200 simulations of an action that saves 40 %, about 95 of 100 intervals hold what it saved."""
    held = []
    for seed in range(200):
        without, acted, risk = trial(seed)
        held.append(e.prevented(without, acted).holds(0.4 * risk.sum()))
    assert 0.91 <= np.mean(held) <= 0.99


def test_pairs_tell_more_than_runs_of_their_own() -> None:
    """With common random numbers the interval is narrower than with other draws for each run."""
    without, acted, _ = trial(1)
    shuffled = acted[:, np.random.default_rng(0).permutation(acted.shape[1])]
    width = [found.high - found.low for found in (e.prevented(without, acted), e.prevented(without, shuffled))]
    assert width[0] < 0.8 * width[1]


def test_a_hold_out_agrees_with_an_honest_twin_and_not_with_a_boaster() -> None:
    """The twin says what it saved; three times that is refuted."""
    without, acted, risk = trial(2, n=4000)
    rng = np.random.default_rng(3)
    treated = rng.random(4000) > 0.1
    happened = rng.random(4000) < np.where(treated, 0.6 * risk, risk)
    said = e.prevented(without[treated], acted[treated])
    assert e.held_out(said, treated, happened).agrees
    assert not e.held_out(said.times(3, "failures"), treated, happened).agrees


# uplift


def logged(seed: int, n: int = 1500, shift: float = 0.0) -> u.Logged:
    """Return decisions of a policy that acts more where it helps less: acting brings 1 + x on average, x about 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    chance = 1 / (1 + np.exp(0.8 * x[:, 0]))
    action = (rng.random(n) < chance).astype(int)
    reward = 2 * x[:, 1] - x[:, 0] + action * (1 + x[:, 0]) + rng.normal(size=n) + shift * action
    return u.Logged(x, action, reward, np.column_stack([1 - chance, chance]))


@pytest.mark.parametrize("method", u.METHODS)
def test_a_policy_is_worth_what_the_simulator_says(method: str) -> None:
    """Always acting earns 1 per decision: about 95 of 100 intervals hold it, though the log acts where it helps least."""
    held = [u.value(log := logged(seed), u.always(log, 1), method).value.holds(1.0) for seed in range(120)]
    assert np.mean(held) >= 0.9


def test_doubly_robust_is_surer_than_weights_alone() -> None:
    """A model of rewards narrows the interval of IPS, and a wrong model leaves it right."""
    log = logged(1)
    policy = u.always(log, 1)
    ips, dr = (u.value(log, policy, method).value for method in ("ips", "dr"))
    assert dr.high - dr.low < 0.8 * (ips.high - ips.low)
    wrong = np.full(log.chance.shape, 7.0)
    assert np.mean([u.value(logged(s), policy, "dr", wrong).value.holds(1.0) for s in range(60)]) >= 0.88


def test_the_mean_difference_of_groups_is_misled_where_the_effect_is_not() -> None:
    """Acting brings 1; who was acted on had it easier, so plain means say 2 or so."""
    log = logged(2, n=4000)
    plain = log.reward[log.action == 1].mean() - log.reward[log.action == 0].mean()
    found = u.effect(log, 1)
    assert found.holds(1.0)
    assert not found.holds(float(plain))


def test_a_policy_outside_what_was_tried_is_refused() -> None:
    """Where an action was never possible, or hardly ever chosen, nothing is said of it."""
    log = logged(3)
    never = log.chance.copy()
    never[7] = [1.0, 0.0]
    action = log.action.copy()
    action[7] = 0
    with pytest.raises(Refused, match=r"action 1 in 1 of 1,500 decisions .*first in row 8"):
        u.value(u.Logged(log.features, action, log.reward, never), u.always(log, 1))
    rare = np.column_stack([np.full(1500, 0.995), np.full(1500, 0.005)])
    seldom = (np.arange(1500) % 200 == 0).astype(int)
    with pytest.raises(Refused, match=r"no more than 8\.0 decisions of 1,500; 30 are needed"):
        u.value(u.Logged(log.features, seldom, log.reward, rare), u.always(log, 1))


def test_chances_that_are_none_are_named() -> None:
    """The row and the field."""
    with pytest.raises(BadInput, match="row 1, field 'chance'"):
        u.Logged(np.zeros((1, 1)), np.array([0]), np.zeros(1), np.array([[0.5, 0.4]]))


def test_a_placebo_has_no_effect_and_a_cheat_is_found_out() -> None:
    """Actions drawn anew bring nothing; chances that were not those used are refuted by what was before."""
    log = logged(4)
    sham = u.placebo(log, 1, times=20)
    assert sham["holds"]
    assert sham["beyond"] == 0.0
    before = log.features[:, 0] * 3
    assert u.refuted(log, before, 1) is None
    lied = u.Logged(log.features[:, 1:], log.action, log.reward, np.full(log.chance.shape, 0.5))
    assert "seems to change what was before it" in str(u.refuted(lied, before, 1))


def test_acting_first_where_it_helps_most_earns_an_area() -> None:
    """Ranked by the true gain the curve lies above the straight line, and below it ranked the wrong way round."""
    log = logged(5, n=4000)
    assert u.qini(log.features[:, 0], log)[1] > 0.1
    assert u.qini(-log.features[:, 0], log)[1] < -0.1


# choice


@given(st.integers(0, 2**40), st.text(max_size=8), st.integers(0, 2**41))
def test_a_choice_asked_again_is_the_same(seed: int, twin: str, at: int) -> None:
    """The key decides, nothing else; chances add up to one."""
    scores = {"call back": 0.4, "open": 0.9}
    one = choose(scores, seed, twin, at)
    assert one == choose(dict(reversed(scores.items())), seed, twin, at)
    assert sum(one.chances.values()) == pytest.approx(1)
    assert one.propensity == one.chances[one.action]


def test_actions_are_chosen_as_often_as_their_propensities_say() -> None:
    """Over 20,000 moments; the hold-out among them is as large as asked for."""
    scores = {"call back": 0.4, "open": 0.9}
    made = [choose(scores, 1, "centre", at, idle=0.1, explore=0.06) for at in range(20_000)]
    for name, chance in made[0].chances.items():
        count = sum(one.action == name for one in made)
        assert normal("", count / 20_000, float(np.sqrt(chance / 20_000)), 1).holds(chance)
    assert np.mean([one.held_out for one in made]) == pytest.approx(0.16, abs=0.01)


def test_nothing_is_done_where_no_action_is_better() -> None:
    """The score of nothing is 0; a hold-out that is too large is refused."""
    assert choose({"pay": -1.0}, 1, "x", 1, idle=0.0, explore=0.0).action == NOTHING
    with pytest.raises(BadInput, match=r"not between 0 and 0\.5"):
        choose({}, 1, "x", 1, idle=0.6)


# speed and likeness


def test_percentiles_bear_intervals_that_assume_no_shape() -> None:
    """About 95 of 100 intervals of the 95th percentile hold it."""
    rng, held = np.random.default_rng(1), []
    for _ in range(200):
        took = rng.exponential(1000, 500)
        held.append(
            responsiveness({"sensed": np.zeros(500), "acted": took})["sensed to acted"]["p95"].holds(-np.log(0.05))
        )
    assert np.mean(held) >= 0.92


def test_stages_are_read_from_the_causes_of_facts() -> None:
    """What a proposal rests on last, through a forecast, is when it was sensed."""
    facts = [
        Fact("x", "observed/1", {}, 1000, 1500, "s", (), 1),
        Fact("x", "forecast/1", {}, 2000, 2100, "loop", (1,), 2),
        Fact("x", "proposed/1", {}, 2500, 2600, "agent", (2,), 3),
        Fact("x", "decided/1", {"proposal": 3}, 2900, 3000, "ann", (3,), 4),
        Fact("x", "delivered/1", {"proposal": 3}, 3400, 3500, "out", (4,), 5),
    ]
    found = responsiveness(stamps(facts))
    assert {leg: figures["p50"].value for leg, figures in found.items()} == {
        "sensed to known": 0.5, "known to proposed": 1.1, "proposed to decided": 0.4, "decided to delivered": 0.5,
        "sensed to delivered": 2.5,
    }  # fmt: skip


def test_likeness_is_told_against_the_floor() -> None:
    """Simod's figures on LoanApp (services.md, section 3.2): 3.7 and 22 times the floor, worst first."""
    found = e.fidelity({"2-gram": 0.0756, "cycle time": 12.91}, {"2-gram": 0.0206, "cycle time": 0.596})
    assert [(one.measure, round(one.ratio, 1)) for one in found] == [("cycle time", 21.7), ("2-gram", 3.7)]
    with pytest.raises(BadInput, match="no floor for arrival"):
        e.fidelity({"arrival": 1.0}, {})


def test_skill_is_the_share_of_error_that_a_twin_takes_away() -> None:
    """Errors half as large: a skill of one half, within its interval."""
    rng = np.random.default_rng(8)
    found = e.skill(rng.normal(size=900), 2 * rng.normal(size=900))
    assert found.holds(0.5)
    assert found.high - found.low < 0.15
