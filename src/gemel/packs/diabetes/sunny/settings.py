"""How a holder wants Sunny to be: units, time zone, the emergency number, whether words are kept, whether they may leave."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from gemel.bank import Twin
from gemel.bank.companion import COMPANION
from gemel.bank.consenting import holder_only
from gemel.bank.tools import Answer, Nothing, local
from gemel.errors import BadInput
from gemel.facts import Draft, Time
from gemel.streams.clock import zone

MODEL_URL = "GEMEL_SUNNY_URL"
"""What names the large model of this machine, if there is one."""


@dataclass(frozen=True)
class Manner:
    """How Sunny is with one person; `large_model` is a holder's leave to send what is said, and what tools answer, away.

    `placed` says that a holder has set the time zone.
    """

    unit: str = "mg/dL"
    timezone: str = "UTC"
    emergency: str = "112"
    keep_words: bool = False
    large_model: bool = False
    placed: bool = False


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change; the rest stays."""

    unit: Literal["mg/dL", "mmol/L"] | None = None
    timezone: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    emergency: Annotated[str, msgspec.Meta(pattern=r"^[0-9+ ]{3,15}$")] | None = None
    keep_words: bool | None = None
    large_model: bool | None = None


def manner(twin: Twin) -> Manner:
    """Return what is in force; who may see anything of the twin may know it."""
    held: dict[str, Any] = {}
    for fact in twin.bank.thread.read(twin.id, kinds=[COMPANION]):
        held |= fact.body
    return Manner(**held, placed="timezone" in held)


def offset(twin: Twin, at: Time) -> Time:
    """Return local time minus UTC at a moment, ms, where the person lives; 0 as long as no holder has said where."""
    apart = local(at, zone(manner(twin).timezone)).utcoffset()
    return 0 if apart is None else round(apart.total_seconds() * 1000)


def read(twin: Twin, _: Nothing) -> Answer:
    """Return what is in force."""
    found = manner(twin)
    return {
        "unit": found.unit, "timezone": found.timezone, "emergency": found.emergency, "keep_words": found.keep_words,
        "large_model": found.large_model, "large_model_named": MODEL_URL in os.environ, "timezone_set": found.placed,
    }  # fmt: skip


def change(twin: Twin, asked: Wanted) -> Answer:
    """Put on record how Sunny is to be, in a holder's name."""
    holder_only(twin, "say how the companion is to be")
    body = {name: value for name in asked.__struct_fields__ if (value := getattr(asked, name)) is not None}
    if not body:
        raise BadInput(f"say what is to change: {', '.join(asked.__struct_fields__)}", field="set_companion")
    if "timezone" in body:
        zone(str(body["timezone"]))
    twin.bank.append([Draft(twin.id, COMPANION, body, twin.bank.now(), twin.actor)])
    return read(twin, Nothing())
