"""Choice among actions with its propensity on record, and a small share left to chance, so that effects can be measured.

The draw is keyed by (seed, twin, time): asked again it is the same, whatever else was drawn. Of the hold-out, part is left
alone and part gets an action at random: both are needed to say what actions bring (Bottou et al. 2013, JMLR 14:3207).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from gemel.errors import BadInput
from gemel.facts import Time

NOTHING = "nothing"
"""The action of leaving things alone; always possible."""

MOST_HELD = 0.5


@dataclass(frozen=True)
class Choice:
    """What was chosen of what, with which chance, and whether chance alone chose (`held_out`)."""

    action: str
    propensity: float
    chances: Mapping[str, float]
    scores: Mapping[str, float]
    held_out: bool
    key: str

    def body(self) -> dict[str, Any]:
        """Return the body of a fact `chosen/1`; add the situation's gauges under `situation` for the memory."""
        options = [{"title": name, "score": score, "chance": self.chances[name]} for name, score in self.scores.items()]
        return {
            "chosen": self.action, "propensity": self.propensity, "options": options, "held_out": self.held_out,
            "key": self.key,
        }  # fmt: skip


def choose(
    scores: Mapping[str, float], seed: int, twin: str, at: Time, *, idle: float = 0.05, explore: float = 0.02
) -> Choice:
    """Return the best of *scores* (higher is better), or by chance nothing (*idle*) or any action (*explore*, shared).

    Nothing is among the candidates with a score of 0 unless *scores* names it.
    """
    if idle < 0 or explore < 0 or idle + explore > MOST_HELD:
        raise BadInput(f"a hold-out of {idle:g} + {explore:g} is not between 0 and {MOST_HELD:g}", field="idle")
    bad = [name for name, score in scores.items() if not np.isfinite(score)]
    if bad:
        raise BadInput(f"the score of {bad[0]!r} is no number: leave out what cannot be done", field="scores")
    known = {NOTHING: 0.0, **scores}
    chances = chances_of(known, idle, explore)
    key = f"{seed}|{twin}|{at}"
    drawn = _drawn(key)
    names = sorted(known)
    edges = np.cumsum([idle, explore])
    if drawn < edges[0]:
        return Choice(NOTHING, chances[NOTHING], chances, known, True, key)
    if drawn < edges[1]:
        action = names[min(int((drawn - edges[0]) / explore * len(names)), len(names) - 1)]
        return Choice(action, chances[action], chances, known, True, key)
    best = _best(known)
    return Choice(best, chances[best], chances, known, False, key)


def chances_of(scores: Mapping[str, float], idle: float, explore: float) -> dict[str, float]:
    """Return with which chance each candidate is chosen."""
    best, part = _best(scores), explore / len(scores)
    greedy = 1 - idle - explore
    return {name: part + (idle if name == NOTHING else 0.0) + (greedy if name == best else 0.0) for name in scores}


def _best(scores: Mapping[str, float]) -> str:
    """Return the candidate of the highest score; of equals nothing, then the first by name."""
    return min(scores, key=lambda name: (-scores[name], name != NOTHING, name))


def _drawn(key: str) -> float:
    """Return a number in [0, 1) that the key alone decides."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) / 2**64
