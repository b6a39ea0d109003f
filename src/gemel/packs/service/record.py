"""Record: choices on a twin's thread and what came after them, as a log from which uplift is told.

Each `chosen/1` is a decision: its gauges are the features, its options with their chances what could be done, and the reward is
how well a signal went in the hours after, whether something was done or chance left it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.bank import Twin
from gemel.bank.account import CHOSEN
from gemel.errors import BadInput, unknown
from gemel.facts import HOUR, Fact
from gemel.packs.service.propensity import NOTHING
from gemel.packs.service.uplift import Logged


@dataclass(frozen=True)
class Record:
    """A log of decisions, what its action numbers mean (0 is nothing), and which gauges its features are."""

    log: Logged
    actions: tuple[str, ...]
    gauges: tuple[str, ...]
    unknown: int
    """Choices left out, as nothing was read in the hours after them."""


def record(seen: Twin, signal: str, hours: float = 2.0) -> Record:
    """Return a twin's choices and how near to where it is well *signal* was in the *hours* after each.

    The reward is the mean distance outside the signal's band, below 0 for worse; without a band it is less the mean. Choices
    nearer to each other than *hours* share what came after them: the intervals of an uplift then promise too much.
    """
    if signal not in seen.type.signals:
        raise unknown("signal", signal, seen.type.signals)
    facts = [seen.why(fact.seq) for fact in seen.bank.thread.read(seen.id, kinds=[CHOSEN])]
    rewards = [_reward(seen, fact, signal, hours) for fact in facts]
    known = [(fact, reward) for fact, reward in zip(facts, rewards, strict=True) if reward is not None]
    if not known:
        raise BadInput(f"no choice is on record after which {signal} of {seen.id} was read")
    chances = [chances_of(fact.body) for fact, _ in known]
    actions = (NOTHING, *sorted({name for one in chances for name in one} - {NOTHING}))
    gauges = _gauges([fact for fact, _ in known])
    log = Logged(
        np.array([[float(fact.body["situation"][name]) for name in gauges] for fact, _ in known]).reshape(
            len(known), -1
        ),
        np.array([actions.index(kind_of(fact.body["chosen"])) for fact, _ in known]),
        np.array([reward for _, reward in known]),
        np.array([[one.get(name, 0.0) for name in actions] for one in chances]),
    )
    return Record(log, actions, gauges, len(facts) - len(known))


def kind_of(option: object) -> str:
    """Return what is alike between choices: the kinds of an option's actions, else its title."""
    if isinstance(option, Mapping):
        kinds = sorted({str(action["kind"]) for action in option.get("actions", ())})
        return " and ".join(kinds) if kinds else str(option["title"])
    return NOTHING if option is None else str(option)


def chances_of(body: Mapping[str, Any]) -> dict[str, float]:
    """Return with which chance each kind of action was to be chosen.

    Where the options do not bear chances, there were two ways: the best that was free, or nothing, by the hold-out.
    """
    options = body["options"]
    found: dict[str, float] = {}
    if options and all("chance" in option for option in options):
        for option in options:
            found[kind_of(option)] = found.get(kind_of(option), 0.0) + float(option["chance"])
        return found
    own, chance = kind_of(body["chosen"]), float(body["propensity"])
    free = [one for one in options if one["title"] not in body.get("refused", {}) and one.get("score", 0.0) > 0]
    other = kind_of(free[0]) if body["held_out"] and free else NOTHING
    for name, part in ((own, chance), (other, 1.0 - chance)):
        found[name] = found.get(name, 0.0) + part
    return {name: part for name, part in found.items() if part > 0}


def _gauges(facts: Sequence[Fact]) -> tuple[str, ...]:
    """Return the gauges that every choice has on record."""
    shared = set.intersection(*(set(fact.body.get("situation", {})) for fact in facts))
    return tuple(sorted(shared))


def _reward(seen: Twin, fact: Fact, signal: str, hours: float) -> float | None:
    since, until = fact.true_at + 1, fact.true_at + round(hours * HOUR)
    read = [one.value for one in seen.bank.replica(seen.id).read(since, until) if one.signal == signal]
    if not read or until > seen.bank.now():
        return None
    values, band = np.array(read), seen.type.band.get(signal)
    if band is None:
        return float(-values.mean())
    return float(-np.mean(np.maximum(band[0] - values, 0.0) + np.maximum(values - band[1], 0.0)))
