"""Roll a belief out under a plan and a policy that acts along the way, member by member, with paired noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gemel.dynamics import Belief, Dose, Dynamics, Plan, Seed, Trajectory
from gemel.facts import Time
from gemel.intervention import Policy


def steered(
    dynamics: Dynamics, belief: Belief, plan: Plan, length: Time, seed: Seed, record: Sequence[str], every: Time,
    policy: Policy,
    put: Callable[[Dose], Dose] = lambda dose: dose,
) -> tuple[Trajectory, list[Dose]]:  # fmt: skip
    """Return the trajectory of a one-row belief under *plan* and a policy that acts every *every* ms, and what it did.

    The policy sees every variable per member; its doses are one amount per member, and act as *put* says.
    """
    parts: list[Trajectory] = []
    done: list[Dose] = []
    start = int(belief.at[0])
    for now in range(start, start + length, every):
        seen = {name: np.asarray(value)[0] for name, value in _state(dynamics, belief).items()}
        acts = [Dose(lever, np.asarray(amount), now) for lever, amount in policy(seen, now).items()]
        done += acts
        given = [put(dose) for dose in acts]
        levers = {dose.lever for dose in given}
        due = [dose for dose in plan if now <= dose.at < now + every and dose.lever not in levers]
        belief, part = dynamics.advance(
            belief, [[*due, *given]], np.array([now + every]), seed, record=record, every=every
        )
        parts.append(part)
    values = {name: np.concatenate([np.asarray(part.values[name]) for part in parts]) for name in record}
    return Trajectory(every * np.arange(1, len(parts) + 1), values), done


def _state(dynamics: Dynamics, belief: Belief) -> Mapping[str, np.ndarray]:
    complete = getattr(dynamics, "complete", None)
    known: Mapping[str, np.ndarray] = complete(belief) if complete else belief.values
    return {name: np.broadcast_to(value, (1, belief.members)) for name, value in known.items()}
