"""Draws of what is unknown of the person, the days' own unknowns taken out, with diagnostics that say whether to believe
them.

Days and drift enter by their Gaussian about the mode, so that only the person (P numbers) is sampled; the model stays nonlinear
in those. `importance` weighs draws of a heavy-tailed Laplace approximation and smooths the weights (Vehtari et al. 2024,
arXiv:1507.02646); `chains` runs Hamiltonian Monte Carlo (blackjax) in the coordinates of that approximation, with rank-free
split R-hat and ESS (Vehtari et al. 2021, 10.1214/20-BA1221).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import blackjax  # type: ignore[import-untyped]
import jax
import jax.numpy as jnp
import numpy as np

from gemel.dynamics import Array, Seed
from gemel.packs.diabetes.personal import unknowns
from gemel.packs.diabetes.personal.fit import FORWARD, Mode, P, Problem, batched, day_functions, jacobians
from gemel.packs.diabetes.personal.pareto import smoothed

TAIL = 7.0
"""Degrees of freedom of the proposal."""


@dataclass(frozen=True)
class Draws:
    """Draws (n, P) of the person on the last day, equally likely, and what is known of how they were come by."""

    person: np.ndarray
    told: dict[str, float]


@dataclass(frozen=True)
class Target:
    """The log density of the person about a mode: each day's `white` (n, n) with its own unknowns in it, and the drift's part."""

    told: dict[str, np.ndarray]
    aims: np.ndarray
    white: np.ndarray
    drift: np.ndarray
    inner: np.ndarray
    shifts: np.ndarray
    daily: np.ndarray
    prior_mean: np.ndarray
    prior_root: np.ndarray
    scale: np.ndarray
    mean: np.ndarray


def target(problem: Problem, mode: Mode) -> Target:
    """Return the density with days and drift taken out by their Gaussian at the mode."""
    said, jac = jacobians(problem, mode.shared, mode.daily)
    ours, theirs = jac[:, :, :P], jac[:, :, P:]
    # what the readings would be with every other unknown at 0: aim + J (latent at the mode)
    drift = np.stack([ours[d] @ problem.spread(d)[:, P:] for d in range(len(said))])
    aims = np.einsum("dij,dj->di", problem.white, problem.read)
    aims += np.einsum("dnq,dq->dn", theirs, mode.daily) + drift @ mode.shared[P:]
    extra = np.linalg.cholesky(np.eye(jac.shape[1]) + theirs @ np.swapaxes(theirs, 1, 2))
    again = np.linalg.inv(extra)
    white, drift = again @ problem.white, again @ drift
    inner = np.linalg.inv(np.eye(drift.shape[2]) + np.einsum("dnk,dnl->kl", drift, drift))
    shifts = np.stack([problem.spread(d)[:, P:] @ mode.shared[P:] for d in range(len(said))])
    # the prior speaks of the first day: the drift is part of it
    walked = problem.spread(0)[:, P:]
    cov = np.linalg.inv(problem.prior.precision) + walked @ walked.T
    return Target(
        problem.told, np.einsum("dij,dj->di", again, aims), white, drift, inner, shifts, mode.daily, problem.prior.mean,
        np.linalg.inv(np.linalg.cholesky(cov)), np.linalg.cholesky(np.linalg.inv(mode.gaussian.precision)), mode.person,
    )  # fmt: skip


def log_density(person: np.ndarray, at: Target) -> np.ndarray:
    """Return the log density, but for a constant, of draws (n, P)."""
    days = len(at.daily)
    z = np.concatenate(
        [np.concatenate([person + at.shifts[d], np.repeat(at.daily[d][None], len(person), 0)], 1) for d in range(days)]
    )
    rows = {name: np.repeat(value, len(person), 0) for name, value in at.told.items()}
    said = batched(day_functions()[0], z, rows, FORWARD).reshape(days, len(person), -1)
    off = np.einsum("dij,dkj->dki", at.white, said) - at.aims[:, None]
    pulled = np.einsum("dnk,dsn->sk", at.drift, off)
    prior = (person - at.prior_mean) @ at.prior_root.T
    found: np.ndarray = -0.5 * (
        (off**2).sum(axis=(0, 2)) - np.einsum("sk,kl,sl->s", pulled, at.inner, pulled) + (prior**2).sum(axis=1)
    )
    return found


def importance(at: Target, count: int, seed: Seed, tries: int = 3) -> Draws:
    """Return *count* draws resampled from *tries* times as many of a multivariate t about the mode."""
    rng = np.random.default_rng([seed, 1])
    n = count * tries
    normal = rng.standard_normal((n, P))
    wide = np.sqrt(TAIL / rng.chisquare(TAIL, n))
    z = normal * wide[:, None]
    draws = at.mean + z @ at.scale.T
    proposal = -0.5 * (TAIL + P) * np.log1p((z**2).sum(axis=1) / TAIL)
    log = log_density(draws, at) - proposal
    weight, k = smoothed(np.where(np.isfinite(log), log, -np.inf))
    chosen = np.searchsorted(np.cumsum(weight), (np.arange(count) + rng.random()) / count).clip(max=n - 1)
    return Draws(draws[chosen], {"ess": float(1 / (weight**2).sum()), "pareto_k": k, "tried": float(n)})


def quick(at: Target, count: int, seed: Seed) -> Draws:
    """Return a few weighted draws instead of chains; forecasts by the Gaussian need no more."""
    return importance(at, min(count, 60), seed, 1)


def chains(at: Target, count: int, seed: Seed, many: int = 4, steps: int = 6, rounds: int = 2, more: int = 3) -> Draws:
    """Return *count* draws of *many* chains of Hamiltonian Monte Carlo: those of the last of some *rounds*.

    Each round before it learns how wide the posterior is, since the Gaussian at the mode is too narrow, and how far to step.
    While the draws are doubted the chains of the last round go on, for *more* times its length at the most.
    """
    each, size = -(-count // many), 0.25
    rng = np.random.default_rng([seed, 2])
    person = at.mean + 1.2 * rng.standard_normal((many, P)) @ at.scale.T
    covariance, parts = at.scale @ at.scale.T, _padded(at)
    for turn in range(rounds):
        scale = np.linalg.cholesky(covariance)
        keys = jax.random.split(jax.random.PRNGKey(seed + turn), each)
        begin = np.linalg.solve(scale, (person - at.mean).T).T
        points, accepted = _run(begin, keys, {**parts, "scale": scale}, jnp.asarray(size), steps)
        z = np.swapaxes(np.asarray(points), 0, 1)
        if turn + 1 < rounds:
            size *= 0.5 if float(accepted.mean()) < 0.5 else 1.4 if float(accepted.mean()) > 0.85 else 1.0
            person = at.mean + z[:, -1] @ scale.T
            late = at.mean + z[:, each // 2 :].reshape(-1, P) @ scale.T
            share = len(late) / (len(late) + 2.0 * P)
            covariance = share * np.cov(late.T) + (1 - share) * covariance
    for turn in range(rounds, rounds + more):
        if not trusted(mixed(z)):
            break
        keys = jax.random.split(jax.random.PRNGKey(seed + turn), each)
        points, accepted = _run(z[:, -1], keys, {**parts, "scale": scale}, jnp.asarray(size), steps)
        z = np.concatenate([z, np.swapaxes(np.asarray(points), 0, 1)], axis=1)
    told = {"chains": float(many), "accepted": float(accepted.mean()), "step": size, **mixed(z)}
    kept = z[:, np.linspace(0, z.shape[1] - 1, each).round().astype(int)].reshape(-1, P)
    return Draws(at.mean + kept[:count] @ scale.T, told)


@partial(jax.jit, static_argnames="steps")
def _run(begin: Array, keys: Array, parts: dict[str, Any], size: Array, steps: int) -> tuple[Array, Array]:
    kernel = blackjax.hmc(lambda z: _log(z, parts), size, jnp.ones(P), steps)

    def turn(states: Any, key: Array) -> tuple[Any, tuple[Array, Array]]:
        states, info = jax.vmap(kernel.step)(jax.random.split(key, len(begin)), states)
        return states, (states.position, info.acceptance_rate)

    _, found = jax.lax.scan(turn, jax.vmap(kernel.init)(begin), keys)
    return found[0], found[1]


def _log(z: Array, at: dict[str, Any]) -> Array:
    person = at["mean"] + at["scale"] @ z
    rows = jnp.concatenate([person + at["shifts"], at["daily"]], 1)
    said = jax.vmap(lambda row, day: unknowns.replay(row[:P], row[P:], day))(rows, at["told"])
    off = jnp.einsum("dij,dj->di", at["white"], said) - at["aims"]
    pulled = jnp.einsum("dnk,dn->k", at["drift"], off)
    prior = at["prior_root"] @ (person - at["prior_mean"])
    return -0.5 * ((off**2).sum() - pulled @ at["inner"] @ pulled + (prior**2).sum())


def _padded(at: Target) -> dict[str, Any]:
    """Return the target with days that weigh nothing up to a power of two, so that few sizes are compiled."""
    days = len(at.daily)
    size = 1 << (days - 1).bit_length()
    more, drifts = size - days, 2 * (size - 1) - at.drift.shape[2]

    def fill(value: np.ndarray) -> np.ndarray:
        return np.concatenate([value, np.zeros((more, *value.shape[1:]))]) if more else value

    told = {name: np.concatenate([value, np.repeat(value[:1], more, 0)]) for name, value in at.told.items()}
    inner = np.pad(at.inner, ((0, drifts), (0, drifts)))
    drift = np.pad(fill(at.drift), ((0, 0), (0, 0), (0, drifts)))
    return {
        "told": told, "aims": fill(at.aims), "white": fill(at.white), "shifts": fill(at.shifts), "daily": fill(at.daily),
        "drift": drift, "inner": inner, "prior_mean": at.prior_mean, "prior_root": at.prior_root,
        "scale": at.scale, "mean": at.mean,
    }  # fmt: skip


def mixed(z: np.ndarray) -> dict[str, float]:
    """Return the worst split R-hat and the least effective sample over the unknowns of chains (chain, draw, n)."""
    half = z.shape[1] // 2
    halves = np.concatenate([z[:, :half], z[:, half : 2 * half]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    total = within * (half - 1) / half + halves.mean(axis=1).var(axis=0, ddof=1)
    ess = np.asarray(blackjax.diagnostics.effective_sample_size(z))
    return {"r_hat": float(np.sqrt(total / within).max()), "ess": float(np.nanmin(ess))}


def trusted(told: dict[str, float]) -> list[str]:
    """Return why the draws should not be believed; nothing if they may."""
    found = []
    if told.get("r_hat", 1.0) > 1.05:
        found.append(f"chains disagree: R-hat {told['r_hat']:.2f} is above 1.05")
    if told.get("pareto_k", 0.0) > 0.7:
        found.append(f"a few draws carry all the weight: Pareto k {told['pareto_k']:.2f} is above 0.7")
    if told["ess"] < 50:
        found.append(f"effective sample of {told['ess']:.0f} is below 50")
    return found
