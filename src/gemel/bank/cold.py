"""Cold start: what a pack learned on virtual counterparts, for twins too young to have taught anything themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np

from gemel.assimilate import Learning, Residual
from gemel.bank.catalogue import packs
from gemel.twintype import TwinType

LEARNING = Learning(random=0, shrink_linear=20_000.0)
"""What is learned of simulated people is kept plain: a straight line, shrunk hard, carries over to real ones best."""


class ColdStart(msgspec.Struct, frozen=True):
    """A correction in a file: learned for one version of a twin type, for one signal, as `how` tells."""

    type_hash: str
    signal: str
    how: str
    centre: list[float]
    scale: list[float]
    weights: list[list[float]]

    def residual(self) -> Residual:
        """Return the correction."""
        return Residual(np.array(self.centre), np.array(self.scale), np.array(self.weights), LEARNING)


@cache
def _installed() -> dict[str, ColdStart]:
    """Return what packs bring along as `COLD_STARTS`, files of `ColdStart`, by the hash of the type."""
    files: list[Any] = [file for pack in packs().values() for file in getattr(pack, "COLD_STARTS", ())]
    found = [msgspec.json.decode(file.read_bytes(), type=ColdStart) for file in files]
    return {f"{start.type_hash} {start.signal}": start for start in found}


def cold_start(twin_type: TwinType, signal: str) -> Residual | None:
    """Return what a pack learned beforehand for this version of the type, or None."""
    found = _installed().get(f"{twin_type.hash} {signal}")
    return None if found is None else found.residual()
