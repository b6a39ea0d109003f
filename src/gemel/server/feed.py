"""What programs say to the server, and it to them, beside what the console needs (`schema`).

| endpoint                         | takes      | answers      |
|----------------------------------|------------|--------------|
| `POST /api/twins/{id}/readings`  | `Readings` | `Recorded`, once all of them are durable |
| `GET /api/twins/{id}/belief`     |            | `BeliefView` |
| `GET /api/health`                |            | `Health`     |
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import numpy as np
from pydantic import Field

from gemel.bank import Followed
from gemel.dynamics import bits
from gemel.server.schema import Instant, Model

MOST = 10_000
"""Readings in one request; a day has 288 of each sensor."""


class ReadingIn(Model):
    """One reading or dose; `at` in milliseconds or ISO 8601 with an offset, `id` the sender's own, if it has one."""

    name: str = Field(min_length=1)
    value: float
    unit: str
    at: Annotated[int | str, Field(description="milliseconds since 1970, or ISO 8601 with an offset")]
    id: str | None = None


class Readings(Model):
    """Some readings: all of them are written, or none."""

    items: list[ReadingIn] = Field(min_length=1, max_length=MOST)


class Recorded(Model):
    """How many are new, and how many were there already."""

    new: int
    known: int


class BeliefView(Model):
    """What is believed after the last reading: SHA-256 over all members' values, and each variable's mean."""

    at: Instant
    digest: str
    mean: dict[str, float]


class Health(Model):
    """Whether all is well; `troubles` says, by twin, what the loop could not do."""

    status: str
    now: Instant
    twins: int
    troubles: dict[str, str] = Field(default_factory=dict)


def belief_view(followed: Followed) -> BeliefView:
    """Return a belief in brief: equal digests mean equal bits."""
    values = {name: np.ascontiguousarray(value) for name, value in sorted(followed.belief.values.items())}
    whole = hashlib.sha256(str(followed.at).encode())
    for name, value in values.items():
        whole.update(f"{name} {value.dtype} {value.shape}".encode())
        whole.update(bits(value))
    numbers = {name: value for name, value in values.items() if value.dtype != object}
    mean = {name: float(value.mean()) for name, value in numbers.items() if np.isfinite(value).all()}
    return BeliefView(at=followed.at, digest=whole.hexdigest(), mean=mean)
