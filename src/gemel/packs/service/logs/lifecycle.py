"""Lifecycles: the words of XES (and of others) for what happens to an activity, as phases.

XES 1849-2016, lifecycle extension, standard model; BPAF words are read too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.dynamics import PHASES
from gemel.packs.service.log import Names
from gemel.packs.service.logs.repairs import Repairs

PHASE_OF: Mapping[str, str] = {
    "schedule": "queued", "scheduled": "queued", "enable": "queued", "enabled": "queued", "queued": "queued",
    "assign": "noted", "reassign": "noted", "assigned": "noted",
    "start": "started", "started": "started", "begin": "started",
    "suspend": "paused", "suspended": "paused", "resume": "resumed", "resumed": "resumed",
    "complete": "completed", "completed": "completed", "end": "completed", "autoskip": "completed", "manualskip": "completed",
    "withdraw": "abandoned", "withdrawn": "abandoned", "ate_abort": "abandoned", "pi_abort": "abandoned",
    "abandoned": "abandoned",
}  # fmt: skip
"""What a transition means here: assigning tells who, not that work began; who withdraws or aborts gives up."""

TRANSITION_OF = {
    "queued": "schedule", "noted": "assign", "started": "start", "paused": "suspend", "resumed": "resume",
    "completed": "complete", "abandoned": "withdraw",
}  # fmt: skip
"""The transition that tells a phase."""

COMPLETED = PHASES.index("completed")


def phases_of(transition: Names, line: np.ndarray, repairs: Repairs) -> np.ndarray:
    """Return the phase (n,) int8 of each transition; words of no standard, and none, are taken as ends."""
    meant = [PHASE_OF.get(word.strip().lower().replace(" ", "_"), "") for word in transition.names]
    strange = np.array([*(not phase for phase in meant), False])[transition.codes]
    if strange.any():
        words = [name for name, phase in zip(transition.names, meant, strict=True) if not phase]
        own = bool(strange.mean() > 0.5)
        meant = ["" if own else phase for phase in meant]
        shown = ", ".join(repr(word[:40]) for word in words[:3]) + (" …" if len(words) > 3 else "")
        what = "transitions are in the log's own words" if own else "a transition in a word of no standard"
        rows = int(strange.sum()) if not own else len(strange)
        repairs.note(f"{what} ({shown}): each is taken as an end", rows, int(line[np.flatnonzero(strange)[0]]))
    phases = np.array([*(PHASES.index(phase or "completed") for phase in meant), COMPLETED], np.int8)
    found: np.ndarray = phases[transition.codes]
    return found
