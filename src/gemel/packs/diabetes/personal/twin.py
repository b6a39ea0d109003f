"""The twin of one person, from many days at once: personalise, update by a day, replay, foretell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.dynamics import Seed
from gemel.errors import BadInput
from gemel.facts import DAY, Time
from gemel.packs.diabetes.personal import posterior, unknowns
from gemel.packs.diabetes.personal.days import Day
from gemel.packs.diabetes.personal.double import double
from gemel.packs.diabetes.personal.equations import LEAD
from gemel.packs.diabetes.personal.evidence import EVERY, Foretold, doses_of
from gemel.packs.diabetes.personal.fit import Gaussian, Mode, P, Problem, Q, fit, replays, stacked
from gemel.packs.diabetes.personal.noise import Noise, learn
from gemel.packs.diabetes.personal.unknowns import PERSON

WALK = {"gb": 0.15, "si": 0.1}
"""Drift in a day, in standard units of the population: 4.5 mg/dL of resting level, 7 % of sensitivity. Judgements."""

DRAWS = 200
MEMBERS = 32
"""Draws that are replayed to say what the twin foretells."""

ANYBODY = Gaussian(np.zeros(P), np.eye(P))
"""What is believed of a person before any day."""

Sampler = Callable[[posterior.Target, int, Seed], posterior.Draws]


@dataclass(frozen=True)
class Personal:
    """A person's twin on the day `at`: the posterior of what is hers, as a Gaussian and as draws (n, P) in standard units;
    errors' noise; the days foretold so far; `told` says how the fit went."""

    at: Time
    posterior: Gaussian
    draws: np.ndarray
    noise: Noise
    days: tuple[Foretold, ...]
    told: dict[str, float] = field(default_factory=dict)

    def values(self) -> dict[str, np.ndarray]:
        """Return draws by name, on each unknown's own line."""
        return unknowns.split(PERSON, self.draws)

    def identified(self) -> dict[str, float]:
        """Return by how much each unknown's spread shrank from the population's, 0 to 1; of several, the mean."""
        spread = unknowns.split(PERSON, np.asarray(self.draws.std(axis=0)))
        plain = unknowns.split(PERSON, np.zeros(P))
        return {
            entry.name: float(1.0 - np.mean((spread[entry.name] - plain[entry.name]) / entry.sd)) for entry in PERSON
        }

    def doubts(self) -> list[str]:
        """Return why not to believe the draws; nothing if they may be believed."""
        return posterior.trusted(self.told)

    def tomorrow(self, days: int = 1) -> Gaussian:
        """Return what is believed of the person some days later."""
        return drifted(self.posterior, days)


def walk() -> np.ndarray:
    """Return the spread (P,) of the drift in a day."""
    names = np.concatenate([[entry.name] * entry.count for entry in PERSON])
    return np.array([WALK.get(str(name), 0.0) for name in names])


def drifted(gaussian: Gaussian, days: int) -> Gaussian:
    """Return a belief some days later."""
    covariance = np.linalg.inv(gaussian.precision) + days * np.diag(walk() ** 2)
    return Gaussian(gaussian.mean, np.linalg.inv(covariance))


@double
def personalise(
    days: Sequence[Day],
    seed: Seed,
    prior: Gaussian = ANYBODY,
    sampler: Sampler = posterior.chains,
    count: int = DRAWS,
) -> Personal:
    """Return the twin of whoever lived *days*, oldest first, each of which is foretold before it is learned from."""
    if not days:
        raise BadInput("there is no day to learn from; a day needs readings of glucose for half of its time")
    noise, told, daily = Noise(), [], []
    belief = prior
    for i, day in enumerate(days):
        if i:
            belief = drifted(belief, apart(days[i - 1].at, day.at))
        told.append(_foretold(belief if i else None, day, seed))
        mode = fit(Problem([day], noise, belief, walk()), steps=15, close=0.3)
        daily.append(mode.daily[0])
        belief = mode.gaussian
    begin = (belief.mean, np.stack(daily))
    problem = Problem(days, noise, prior, walk())
    mode = fit(problem, begin, steps=12, close=0.2)
    noise = learn(_off(problem, mode), seldom=days[-1].every > 1)
    problem = Problem(days, noise, prior, walk())
    mode = fit(problem, (mode.person, mode.daily), steps=25)
    return _twin(problem, mode, noise, tuple(told), seed, sampler, count)


@double
def update(personal: Personal, day: Day, seed: Seed, sampler: Sampler = posterior.chains) -> Personal:
    """Return the twin after one more day, at the cost of that day alone."""
    if day.at <= personal.at:
        raise BadInput("the day does not come after those the twin has learned from", field="day")
    belief = personal.tomorrow(apart(personal.at, day.at))
    told = (*personal.days, _foretold(belief, day, seed))
    problem = Problem([day], personal.noise, belief, walk())
    return _twin(problem, fit(problem), personal.noise, told, seed, sampler, len(personal.draws))


def apart(before: Time, after: Time) -> int:
    """Return how many days lie between two, at least one."""
    return max(round((after - before) / DAY), 1)


def _twin(
    problem: Problem, mode: Mode, noise: Noise, told: tuple[Foretold, ...], seed: Seed, sampler: Sampler, count: int
) -> Personal:
    found = sampler(posterior.target(problem, mode), count, seed)
    off = _off(problem, mode)
    how = {**found.told, "cost": mode.cost, "steps": float(mode.steps), **checks(off, problem, seed)}
    covariance = np.cov(found.person.T) + 1e-9 * np.eye(P)
    trusting = not posterior.trusted(found.told) and len(found.person) > 3 * P
    gaussian = Gaussian(found.person.mean(axis=0), np.linalg.inv(covariance)) if trusting else mode.gaussian
    return Personal(problem.days[-1].at, gaussian, found.person, noise, told, how)


def _off(problem: Problem, mode: Mode) -> np.ndarray:
    """Return readings minus what the mode says (day, n), NaN where nothing was read."""
    rows = problem.rows(mode.shared, mode.daily)
    said = replays(rows[:, :P], rows[:, P:], problem.told)
    found: np.ndarray = np.stack([day.glucose for day in problem.days]) - said
    return found


def checks(off: np.ndarray, problem: Problem, seed: Seed) -> dict[str, float]:
    """Return how the fit replays its own days: RMSE, autocorrelation from reading to reading as it is and once whitened, share
    within 90 % of whitened errors."""
    seen, every = np.isfinite(off), problem.days[-1].every
    white = np.einsum("dij,dj->di", problem.white, np.where(seen, off, 0.0))
    pairs = seen[:, every:] & seen[:, :-every]

    def lag(x: np.ndarray) -> float:
        return float((x[:, every:] * x[:, :-every])[pairs].sum() / (x[:, every:][pairs] ** 2).sum())

    return {
        "rmse": float(np.sqrt(np.nanmean(off**2))), "lag1": lag(np.where(seen, off, 0.0)), "white_lag1": lag(white),
        "within90": float((np.abs(white[seen]) < 1.645).mean()),
    }  # fmt: skip


def _foretold(belief: Gaussian | None, day: Day, seed: Seed) -> Foretold:
    said = np.full(len(day.glucose), np.nan)
    if belief is not None:
        said = ensemble(members(belief, seed, day.at), day, seed).mean(axis=0)
    return Foretold(day.at, said[::EVERY], day.seen(EVERY), doses_of(day), float(day.hour[LEAD]))


def members(belief: Gaussian, seed: Seed, at: Time) -> np.ndarray:
    """Return draws (MEMBERS, P) of a person on a day, keyed by seed and day."""
    rng = np.random.default_rng([seed, 4, at // 1000])
    root = np.linalg.cholesky(np.linalg.inv(belief.precision))
    return np.asarray(belief.mean + rng.standard_normal((MEMBERS, P)) @ root.T)


def ensemble(person: np.ndarray, day: Day, seed: Seed) -> np.ndarray:
    """Return what draws (n, P) of the person say of a day (n, cell + 1), its own unknowns drawn, from its first reading on."""
    rng = np.random.default_rng([seed, 5, day.at // 1000])
    daily = rng.standard_normal((len(person), Q))
    daily[:, unknowns.start()] = 0.0
    return replays(person, daily, stacked([day]))
