"""Uplift: what another way of choosing actions would have brought, from a log of actions with their propensities.

IPS and SNIPS (Horvitz & Thompson 1952, 10.1080/01621459.1952.10483446; Swaminathan & Joachims 2015, NeurIPS 28), doubly
robust (Dudík, Langford & Li 2011, arXiv 1103.4601) and switch (Wang, Agarwal & Dudík 2017, arXiv 1612.01205). A policy that
acts where the log never did is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import BadInput, Refused
from gemel.packs.service.estimate import Estimate, normal

METHODS = ("ips", "snips", "dr", "switch")
FOLDS = 5
THIN = 30
"""With an effective sample of fewer decisions than this nothing is said."""


@dataclass(frozen=True)
class Logged:
    """Decisions on record: features (n, k) of the situation, action (n,) as a number below `actions`, reward (n,), and the
    chance (n, actions) with which each action was to be chosen."""

    features: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    chance: np.ndarray

    def __post_init__(self) -> None:
        """Raise where the columns do not fit, or a chance is none."""
        n, actions = self.chance.shape
        if not (len(self.features) == len(self.action) == len(self.reward) == n):
            raise BadInput("features, actions, rewards and chances are not of the same decisions")
        wrong = np.flatnonzero((self.action < 0) | (self.action >= actions))
        if len(wrong):
            raise BadInput(
                f"action {self.action[wrong[0]]} is none of {actions}", row=int(wrong[0]) + 1, field="action"
            )
        own = self.own
        wrong = np.flatnonzero(~(own > 0) | (np.abs(self.chance.sum(axis=1) - 1) > 1e-6))
        if len(wrong):
            problem = f"the chances {self.chance[wrong[0]].tolist()} do not add up to 1, or what was done had none"
            raise BadInput(problem, row=int(wrong[0]) + 1, field="chance")

    @property
    def own(self) -> np.ndarray:
        """Return the chance of what was done (n,)."""
        return np.take_along_axis(self.chance, self.action[:, None], axis=1)[:, 0]


@dataclass(frozen=True)
class Overlap:
    """How much of the log speaks of a policy: effective sample size, largest weight, and the mean weight, which should be 1."""

    effective: float
    share: float
    largest: float
    mean: float

    def body(self) -> dict[str, float]:
        """Return the figures as JSON types."""
        return dict(vars(self))


@dataclass(frozen=True)
class Uplift:
    """The value of a policy, by a method, beside what the log itself earned, and the overlap that it rests on."""

    method: str
    value: Estimate
    logged: Estimate
    gain: Estimate
    overlap: Overlap

    def body(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        parts = {name: getattr(self, name).body() for name in ("value", "logged", "gain", "overlap")}
        return {"method": self.method, **parts}


def overlap(log: Logged, policy: np.ndarray) -> Overlap:
    """Return how much of the log speaks of a policy (n, actions), or raise `Refused` where it acts outside what was tried."""
    outside = (policy > 0) & (log.chance <= 0)
    if outside.any():
        row, action = (int(found[0]) for found in np.nonzero(outside))
        raise Refused(
            f"the policy would take action {action} in {int(outside.any(axis=1).sum()):,} of {len(policy):,} decisions in "
            f"which it was never possible, first in row {row + 1}: the log cannot say what it would bring"
        )
    weights = _weights(log, policy)
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    if effective < THIN:
        raise Refused(
            f"the log speaks of this policy with no more than {effective:.1f} decisions of {len(policy):,}; {THIN} are needed"
        )
    return Overlap(effective, effective / len(weights), float(weights.max()), float(weights.mean()))


def _weights(log: Logged, policy: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.take_along_axis(policy, log.action[:, None], axis=1)[:, 0] / log.own
    return found


def value(
    log: Logged, policy: np.ndarray, method: str = "dr", model: np.ndarray | None = None, most: float = 20.0
) -> Uplift:
    """Return what a policy (n, actions) would earn per decision, and how much more than what was done.

    *model* (n, actions) is what each action is expected to earn; by default ridge regression per action, fitted on other
    folds. `switch` trusts the model alone where a weight exceeds *most*.
    """
    if method not in METHODS:
        raise BadInput(f"{method!r} is no estimator; possible: {', '.join(METHODS)}", field="method")
    found = overlap(log, policy)
    weights, reward = _weights(log, policy), np.asarray(log.reward, float)
    if method == "ips":
        each = weights * reward
    elif method == "snips":
        level = float((weights * reward).sum() / weights.sum())
        each = level + weights * (reward - level) / weights.mean()
    else:
        each = _robust(log, policy, weights, rewards_of(log) if model is None else model, most, method)
    n = len(each)
    gain = each - reward

    def told(name: str, values: np.ndarray) -> Estimate:
        return normal(name, float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)), n)

    return Uplift(method, told("value", each), told("logged", reward), told("gain", gain), found)


def _robust(
    log: Logged, policy: np.ndarray, weights: np.ndarray, model: np.ndarray, most: float, method: str
) -> np.ndarray:
    said = np.take_along_axis(model, log.action[:, None], axis=1)[:, 0]
    trusted = weights if method == "dr" else np.where(weights <= most, weights, 0.0)
    found: np.ndarray = (policy * model).sum(axis=1) + trusted * (log.reward - said)
    return found


def rewards_of(log: Logged, ridge: float = 1.0) -> np.ndarray:
    """Return what each action is expected to earn (n, actions): ridge regression on standardised features, across folds."""
    x = np.asarray(log.features, float)
    spread = x.std(axis=0)
    x = np.column_stack([np.ones((len(x), 1)), (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])
    fold = np.arange(len(x)) % FOLDS
    actions = int(log.chance.shape[1])
    found = np.empty((len(x), actions))
    for part in range(FOLDS):
        for action in range(actions):
            rows = (fold != part) & (log.action == action)
            found[fold == part, action] = x[fold == part] @ _ridge(x[rows], log.reward[rows], ridge)
    return found


def _ridge(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Return the coefficients; the first, the level, is not shrunk, unless there is nothing to learn it from."""
    if not len(y):
        return np.zeros(x.shape[1])
    shrink = ridge * np.eye(x.shape[1])
    shrink[0, 0] = 0.0
    found: np.ndarray = np.linalg.solve(x.T @ x + shrink, x.T @ y)
    return found


def always(log: Logged, action: int) -> np.ndarray:
    """Return the policy that always takes one action (n, actions)."""
    found = np.zeros(log.chance.shape)
    found[:, action] = 1.0
    return found


def effect(log: Logged, action: int, instead_of: int = 0, rows: np.ndarray | None = None) -> Estimate:
    """Return what *action* brings over another, on average, doubly robust; over some *rows* (n,) bool it is of those."""
    policies = always(log, action), always(log, instead_of)
    for policy in policies:
        overlap(log, policy)
    model = rewards_of(log)
    each = [_robust(log, policy, _weights(log, policy), model, np.inf, "dr") for policy in policies]
    gain = (each[0] - each[1])[slice(None) if rows is None else rows]
    return normal("effect", float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain))), len(gain))


def placebo(log: Logged, action: int, instead_of: int = 0, times: int = 20, seed: int = 0) -> Mapping[str, Any]:
    """Return what the effect is where there can be none: actions drawn anew by their chances, rewards left as they were.

    It should be near zero: `holds` says whether the intervals hold zero as often as they should (at least 80 % of *times*),
    and `beyond` is the share of placebo effects as large as the one that was found.
    """
    rng = np.random.default_rng(seed)
    real = effect(log, action, instead_of)
    sham = []
    for _ in range(times):
        drawn = (rng.random(len(log.action))[:, None] > np.cumsum(log.chance, axis=1)).sum(axis=1)
        drawn = np.minimum(drawn, log.chance.shape[1] - 1)
        sham.append(effect(Logged(log.features, drawn, log.reward, log.chance), action, instead_of))
    held = float(np.mean([one.holds(0.0) for one in sham]))
    beyond = float(np.mean([abs(one.value) >= abs(real.value) for one in sham]))
    return {"effect": real.body(), "mean": float(np.mean([one.value for one in sham])), "held": held,
            "holds": held >= 0.8, "beyond": beyond, "times": times}  # fmt: skip


def refuted(log: Logged, before: np.ndarray, action: int, instead_of: int = 0) -> str | None:
    """Return why the log is not to be trusted, or None: an action cannot have changed what was *before* it (n,)."""
    found = effect(Logged(log.features, log.action, np.asarray(before, float), log.chance), action, instead_of)
    if found.holds(0.0):
        return None
    return (
        f"the action seems to change what was before it ({found}): the chances on record are not those it was chosen by"
    )


def qini(
    gain: np.ndarray, log: Logged, action: int = 1, instead_of: int = 0, steps: int = 20
) -> tuple[np.ndarray, float]:
    """Return the uplift (steps + 1,) per decision of acting on the shares of highest predicted *gain* (n,), and the area
    between that and acting at random (Radcliffe 2007), by inverse propensity."""
    order = np.argsort(-np.asarray(gain, float), kind="stable")
    sign = (log.action == action).astype(float) - (log.action == instead_of).astype(float)
    each = (sign * log.reward / log.own)[order]
    n = len(each)
    cut = np.linspace(0, n, steps + 1).astype(int)
    curve = np.concatenate([[0.0], np.cumsum(each)])[cut] / n
    straight = curve[-1] * cut / n
    return curve, float(np.trapezoid(curve - straight, cut / n))
