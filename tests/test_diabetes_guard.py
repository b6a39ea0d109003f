"""The guard outside every controller: no dose past the caps, whoever asks; and what happens when parts fail."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from gemel.dynamics import Dose, Reading
from gemel.facts import HOUR, MINUTE
from gemel.packs.diabetes import guards as live
from gemel.packs.diabetes.control import Foreseen, Moment, Order, Profile
from gemel.packs.diabetes.control.activity import Exponential
from gemel.packs.diabetes.control.fallback import Guards, diverged, guarded, judge, safe_basal
from gemel.packs.diabetes.control.limit import BOOK, BOUNDS, RULES, Book, Facts, cut, facts_of, limit, weigh

NOW = 1_700_006_400_000
USUAL, DAILY = 0.8, 40.0
PROFILE = Profile((USUAL,) * 24, (50.0,) * 24, (10.0,) * 24)
CURVE = Exponential(360.0, 75.0)


def flat(value: float = 180.0, rate: float = 0.0, now: int = NOW) -> list[Reading]:
    """Return half an hour of readings that end at *value* now, having moved by *rate* mg/dL/min."""
    return [Reading("glucose", value - 5 * rate * k, now - 5 * k * MINUTE) for k in range(6, -1, -1)]


def moment(doses: tuple[Dose, ...] = (), now: int = NOW, **changed: Any) -> Moment:
    """Return an unremarkable moment."""
    return replace(Moment(now, PROFILE, flat(now=now), doses, daily=DAILY), **changed)


def foreseen(low: float, middle: float) -> Foreseen:
    """Return an ensemble whose middle falls from 180 to *middle*, and a quarter of which falls to *low*, within an hour."""
    ends = np.array([low] * 5 + [middle] * 15)
    glucose = 180 + (ends[:, None] - 180) * np.minimum(np.arange(25) / 10, 1.0)
    return Foreseen(glucose, np.full_like(glucose, -1.0), np.ones_like(glucose))


# The adversary, and an accountant of its own


def hostile(rng: np.random.Generator, step: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return orders as ill as can be: random, maximal, not numbers, negative, infinite, alternating."""
    kind = rng.integers(0, 8, shape)
    wild = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 1e9]

    def ill(most: float) -> np.ndarray:
        some, random = rng.choice(wild, shape), rng.uniform(0, most, shape)
        steps = [
            some,
            random,
            np.full(shape, most),
            np.full(shape, most * (step % 2)),
            rng.exponential(most / 20, shape),
        ]
        return np.select([kind == k for k in range(5)], steps, default=rng.uniform(0, most / 10, shape))

    minutes = np.where(
        rng.random(shape) < 0.1, rng.choice([np.nan, -5.0, 0.0, 1e9], shape), rng.integers(1, 121, shape)
    )
    return ill(30.0), ill(50.0), minutes.astype(float)


def left(minutes: float) -> float:
    """Return the part of a unit still to act, by integrating the activity curve's published form anew."""
    end, peak = 360.0, 75.0
    tau = peak * (1 - peak / end) / (1 - 2 * peak / end)

    def shape(t: float) -> float:
        return t * (1 - t / end) * np.exp(-t / tau)

    return float(quad(shape, minutes, end)[0] / quad(shape, 0, end)[0]) if minutes < end else 0.0


LEFT = np.array([left(float(t)) for t in range(361)])


def check(bolus: np.ndarray, rate: np.ndarray, given_at: np.ndarray) -> None:
    """Check what reached the pump, minute by minute (minute, world): boluses U, rates U/h, how many boluses a minute."""
    extra = bolus + np.maximum(rate - USUAL, 0.0) / 60
    assert np.isfinite(extra).all()
    assert (bolus >= 0).all()
    assert (rate >= 0).all()
    assert rate.max() <= 3.0 * USUAL + 1e-9
    assert bolus.max() <= 0.25 * DAILY + 1e-9
    for window, most in ((60, 0.3 * DAILY), (24 * 60, DAILY)):
        run = np.cumsum(np.concatenate([np.zeros((1, extra.shape[1])), extra]), axis=0)
        span = min(window, len(extra))
        assert (run[span:] - run[:-span]).max() <= most + 1e-9
    on_board = np.array([np.convolve(own, LEFT)[: len(own)] for own in extra.T[:100]])
    assert on_board.max() <= 0.3 * DAILY + 1e-9
    run = np.cumsum(np.concatenate([np.zeros((1, given_at.shape[1])), given_at]), axis=0)
    assert (run[3:] - run[:-3]).max() <= 1
    assert (rate[5:] - np.stack([rate[k : len(rate) - 5 + k] for k in range(5)]).min(axis=0)).max() <= USUAL + 1e-9


def test_an_adversary_gets_no_dose_past_the_caps_in_a_million_tries() -> None:
    rng, worlds, tries, minutes = np.random.default_rng(5), 80, (2, 5), 1250
    book = Book(*(np.full((worlds, BOOK), u) for u in (0.0, USUAL / 60, USUAL / 60)))
    bolus, rate, count = (np.zeros((minutes, worlds)) for _ in range(3))
    running, until, each = np.full(worlds, USUAL), np.zeros(worlds), np.arange(worlds)
    same, of_book = np.ones(worlds), weigh(book, CURVE)
    well = Facts(USUAL * same, daily=DAILY * same, likely=180 * same, low=180 * same, trusted=same > 0, **of_book)
    for minute in range(minutes):
        running = np.where(until <= minute, USUAL, running)
        for turn in range(tries[0]):
            facts = replace(well, **weigh(book, CURVE))
            basal, dose, lasts, _ = cut(*hostile(rng, minute + turn, (tries[1], worlds)), facts)
            more = dose + np.maximum(basal - USUAL, 0.0) * lasts / 60
            before = bolus[: minute + 1] + np.maximum(rate[: minute + 1] - USUAL, 0.0) / 60
            for window, most in ((60, 0.3 * DAILY), (24 * 60, DAILY)):
                assert (before[-window:].sum(axis=0) + more).max() <= most + 1e-9  # each try, given or not
            taken = np.where(rng.random(worlds) < 0.5, more.argmax(axis=0), rng.integers(0, tries[1], worlds))
            basal, dose, lasts = (part[taken, each] for part in (basal, dose, lasts))
            bolus[minute] += dose
            count[minute] += dose > 0
            running, until = basal, minute + lasts
            book.bolus[:, 0] += dose
        rate[minute] = running
        for part, newest in ((book.bolus, np.zeros(worlds)), (book.basal, running / 60)):
            part[:, 1:] = part[:, :-1].copy()
            part[:, 0] = newest
    assert worlds * tries[0] * tries[1] * minutes == 1_000_000
    check(bolus, rate, count)
    assert bolus.sum() > 100  # the guard lets insulin through, or this would prove nothing


@pytest.mark.parametrize("fault", ["rate", "bolus", "window", "interval", "not a number"])
def test_the_accountant_sees_each_breach(fault: str) -> None:
    bolus, rate, count = np.zeros((600, 2)), np.full((600, 2), USUAL), np.zeros((600, 2))
    check(bolus, rate, count)
    if fault == "rate":
        rate[100] = 2.5
    elif fault == "bolus":
        bolus[100] = 10.5
    elif fault == "window":
        bolus[100:160:10] = 2.5
    elif fault == "interval":
        count[100:102] = 1
    else:
        bolus[100] = np.nan
    with pytest.raises(AssertionError):
        check(bolus, rate, count)


ANY = st.one_of(st.floats(), st.sampled_from([None, "much", float("nan"), float("inf"), -1.0, 1e308]))


@settings(max_examples=100)
@given(
    ANY, ANY, ANY, st.lists(st.tuples(st.integers(-3, 1500), st.floats()), max_size=4), st.floats(), st.floats(30, 400)
)
def test_whatever_is_asked_and_whatever_the_books_say_what_passes_is_finite_and_within_the_caps(
    basal: Any, bolus: Any, minutes: Any, given_: list[tuple[int, float]], rate: float, glucose: float
) -> None:
    doses = tuple(Dose("bolus", units, NOW - ago * MINUTE) for ago, units in given_)
    doses += (Dose("basal", rate, NOW - HOUR),)
    order, _ = limit(Order(basal, bolus, minutes), moment(doses, glucose=flat(glucose)))
    assert order.basal is None or 0 <= order.basal <= 3 * USUAL + 1e-9
    assert 0 <= order.bolus <= 0.25 * DAILY
    assert 0 < order.minutes <= 120


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.floats(0, 20), st.integers(1, 120), st.floats(0, 15), st.integers(0, 5)),
        min_size=1,
        max_size=6,
    )
)
def test_one_order_and_many_at_once_are_judged_alike(rows: list[tuple[float, float, int, float, int]]) -> None:
    single, facts = [], []
    for basal, bolus, minutes, before, ago in rows:
        own = moment((Dose("bolus", before, NOW - (60 * ago + 1) * MINUTE),))
        order, _ = limit(Order(basal, bolus, minutes), own)
        single.append((order.basal, order.bolus))
        facts.append(facts_of(own, BOUNDS, minutes))
    many = Facts(*(np.stack([getattr(f, name) for f in facts]) for name in Facts.__dataclass_fields__))
    basal, bolus, minutes, *_ = map(np.array, zip(*rows, strict=True))
    rate, dose, _, _ = cut(basal, bolus, minutes.astype(float), many)
    assert list(zip(rate, dose, strict=True)) == [pytest.approx(own) for own in single]


def test_the_guard_and_the_live_loops_guards_share_their_constants() -> None:
    shared = (BOUNDS.basal_times, BOUNDS.bolus_share, BOUNDS.on_board_share, BOUNDS.low, BOUNDS.stale_min, BOUNDS.jump,
              BOUNDS.apart_min)  # fmt: skip
    assert shared == (
        live.BASAL_TIMES,
        live.BOLUS_SHARE,
        live.ON_BOARD_SHARE,
        live.LOW,
        live.STALE_MIN,
        live.JUMP,
        live.APART_MIN,
    )


def test_an_ordinary_order_passes_as_it_is() -> None:
    order = Order(1.2, 1.0, why="because")
    assert limit(order, moment()) == (order, ())
    assert limit(Order(None), moment()) == (Order(None), ())


RECENT = (Dose("bolus", 9.0, NOW - 30 * MINUTE),)
BITES = {
    "not an order": (Order(-1.0, 1.0), moment()),
    "low glucose": (Order(0.8), moment(glucose=flat(65.0))),
    "low expected": (Order(1.6, 1.0), moment(foreseen=foreseen(60.0, 120.0))),
    "sensor not trusted": (Order(1.6, 1.0), moment(now=NOW + 17 * MINUTE, glucose=flat())),
    "basal cap": (Order(3.0), moment((Dose("basal", 2.4, NOW - HOUR),))),
    "bolus cap": (Order(None, 11.0), moment()),
    "basal rises too fast": (Order(2.0), moment()),
    "bolus too soon": (Order(None, 1.0), moment((Dose("bolus", 0.5, NOW - 2 * MINUTE),))),
    "insulin cap": (Order(None, 5.0), moment(RECENT)),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_bites_once_its_fault_is_planted(rule: str) -> None:
    order, own = BITES[rule]
    kept, reasons = limit(order, own)
    assert reasons == (rule,)
    assert rule in kept.why
    asked = (USUAL if order.basal is None else max(order.basal, 0)) + 2 * order.bolus
    assert (USUAL if kept.basal is None else kept.basal) + 2 * kept.bolus < asked or rule == "not an order"


def test_no_insulin_passes_when_low_glucose_is_more_likely_than_not() -> None:
    kept, _ = limit(Order(None, 1.0), moment(foreseen=foreseen(50.0, 60.0)))
    assert (kept.basal, kept.bolus) == (0.0, 0.0)
    falling, _ = limit(Order(0.8, 1.0), moment(glucose=flat(95.0, -1.0)))
    assert (falling.basal, falling.bolus) == (0.0, 0.0)


@pytest.mark.parametrize(("silent_min", "basal"), [(45, 0.0), (75, 0.8)])
def test_an_ensemble_that_heard_nothing_for_an_hour_holds_no_basal_back(silent_min: int, basal: float) -> None:
    """It is a guess by then; extra insulin does not pass either way."""
    silent = moment(foreseen=foreseen(50.0, 60.0), glucose=flat(now=NOW - silent_min * MINUTE))
    kept, _ = limit(Order(0.8, 1.0), silent)
    assert (kept.basal, kept.bolus) == (basal, 0.0)


def test_a_pause_of_basal_earns_no_room_for_a_bolus() -> None:
    paused = moment((Dose("basal", 0.0, NOW - 5 * HOUR), *RECENT))
    assert limit(Order(None, 9.0), paused)[0].bolus == pytest.approx(limit(Order(None, 9.0), moment(RECENT))[0].bolus)


# What stands around a controller


def calm(_: Moment) -> Order:
    """Ask for a little more."""
    return Order(1.2, why="a little more")


def failing(_: Moment) -> Order:
    """Fail."""
    raise RuntimeError("someone's name")


FAILS: dict[str, Any] = {
    "raises": failing,
    "not a number": lambda _: Order(float("nan")),
    "infinite": lambda _: Order(1.0, float("inf")),
    "no order": lambda _: None,
    "words": lambda _: Order("much"),
}


@pytest.mark.parametrize("how", FAILS)
def test_a_controller_that_fails_leaves_the_profile_and_alerts(how: str) -> None:
    judged = judge(FAILS[how], Guards(), moment())
    assert (judged.order.basal, judged.order.bolus) == (None, 0.0)
    assert [urgency for urgency, _ in judged.alerts] == ["warning"]
    assert "someone's name" not in str(judged)


def test_a_controller_that_takes_too_long_is_not_believed() -> None:
    ticks = iter([0.0, 1.5])
    judged = judge(calm, Guards(clock=lambda: next(ticks)), moment())
    assert judged.order.basal is None
    assert "took 1.5 s" in judged.alerts[0][1]
    quick = iter([0.0, 0.5])
    assert judge(calm, Guards(clock=lambda: next(quick)), moment()).order.basal == 1.2


def test_a_silent_sensor_brings_the_profile_or_less_and_an_alert() -> None:
    late = NOW + 17 * MINUTE
    assert guarded(calm)(moment(now=NOW + 16 * MINUTE, glucose=flat())).basal == pytest.approx(1.2)
    quiet = judge(calm, Guards(), moment(now=late, glucose=flat()))
    assert (quiet.order.basal, quiet.order.bolus) == (None, 0.0)
    assert "no CGM reading in the last 16 min" in quiet.alerts[0][1]
    assert judge(calm, Guards(), moment(now=late, glucose=flat(100.0, -1.0))).order.basal == 0.0
    stacked = moment((Dose("bolus", 9.0, NOW),), now=late, glucose=flat())
    assert judge(calm, Guards(), stacked).order.basal == pytest.approx(USUAL / 2)
    assert safe_basal(moment(glucose=())).basal is None


def test_a_sensor_that_was_going_low_and_stays_silent_does_not_stop_basal_for_good() -> None:
    falling = flat(100.0, -1.0)
    assert safe_basal(moment(now=NOW + 60 * MINUTE, glucose=falling)).basal == 0.0
    assert safe_basal(moment(now=NOW + 61 * MINUTE, glucose=falling)).basal is None


def test_a_filter_that_lost_the_readings_opens_the_loop() -> None:
    astray = moment(foreseen=replace(foreseen(150.0, 150.0), glucose=np.full((20, 25), 300.0)))
    judged = judge(calm, Guards(), astray)
    assert judged.order.basal is None
    assert "120 mg/dL away from the sensor: open loop" in judged.alerts[0][1]
    broken = foreseen(150.0, 150.0)
    broken.per_unit[3, 4] = np.nan
    assert diverged(moment(foreseen=broken)) == "the twin's forecast is not a number"
    assert diverged(moment(foreseen=foreseen(150.0, 150.0))) is None


def test_a_silent_pump_is_told_of_at_once() -> None:
    heard = Guards(heard=lambda _: NOW - 21 * MINUTE)
    assert judge(calm, heard, moment()).alerts[0][0] == "urgent"
    assert judge(calm, Guards(heard=lambda _: NOW - 20 * MINUTE), moment()).alerts == ()
    assert "pump has been silent" in guarded(calm, heard)(moment()).why


def test_a_guarded_adversary_at_odd_moments_keeps_within_the_caps_by_the_second() -> None:
    rng, now, end = np.random.default_rng(7), NOW, NOW + 6 * HOUR
    doses: list[Dose] = []

    def adversary(_: Moment) -> Order:
        basal, bolus, minutes = hostile(rng, int(rng.integers(0, 2)), ())
        return Order(float(basal), float(bolus), int(minutes) if np.isfinite(minutes) else 30)

    own = guarded(adversary)
    while now < end:
        order = own(moment(tuple(doses), now=now))
        doses = [d for d in doses if d.at <= now]
        rate = USUAL if order.basal is None else order.basal
        doses += [Dose("basal", rate, now), Dose("basal", USUAL, now + order.minutes * MINUTE)]
        doses += [Dose("bolus", order.bolus, now)] * (order.bolus > 0)
        now += int(rng.choice([1_000, 7_000, 60_000, 301_000]))
    seconds = (end - NOW) // 1000
    extra, at = np.zeros(seconds), [((d.at - NOW) // 1000, float(d.amount)) for d in doses if d.lever == "bolus"]
    rates = [((d.at - NOW) // 1000, float(d.amount)) for d in doses if d.lever == "basal"]
    for (begin, rate), (until, _) in zip(rates, [*rates[1:], (seconds, 0.0)], strict=True):
        extra[begin:until] = max(rate - USUAL, 0.0) / 3600
    for second, units in at:
        extra[second] += units
    run = np.concatenate([[0.0], np.cumsum(extra)])
    assert (run[3600:] - run[:-3600]).max() <= 0.3 * DAILY + 1e-9
    assert min(b - a for (a, _), (b, _) in itertools.pairwise(at)) >= 180
    assert max(units for _, units in at) <= 0.25 * DAILY
    assert max(rate for _, rate in rates) <= 3 * USUAL + 1e-9
    for second, _ in at:
        assert sum(u * LEFT[min((second - s) // 60, 360)] for s, u in at if s <= second) <= 0.3 * DAILY + 0.1
    assert sum(units for _, units in at) > 5
