"""Searching: twins by what is so of them and of those they stand in relation to; each asker finds what they may read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gemel.facts import time_of
from gemel.server import schema as s
from gemel.server.desk import At, By

Asked = Annotated[
    str, Query(max_length=2000, description="such as person[glucose>180], or batch on_board vessel[alert=*]")
]
Sort = Annotated[
    str, Query(max_length=200, description="id, seen, a signal or an attribute; - before it: largest first")
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=8000, description="where the last page ended")]
When = Annotated[str | None, Query(max_length=100, description="ISO 8601; as it was, or was known, then")]

routes = APIRouter()


class HeldValue(s.Model):
    """The last value of a signal, with its time, or an attribute."""

    value: float
    unit: str
    at: s.Instant | None = None


class FoundTwin(s.Model):
    """A twin, or an actor at the end of a relation, with the values that the query named."""

    id: str
    type: str
    values: dict[str, HeldValue]


class SearchPage(s.Model):
    """Some of what was found; no cursor: this was all."""

    found: list[FoundTwin]
    cursor: str | None


@routes.get("/api/search")
def search(
    desk: At, asker: By, q: Asked, sort: Sort = "id", limit: Limit = 50, cursor: Cursor = None, at: When = None,
    known_by: When = None,
) -> SearchPage:  # fmt: skip
    """Some of the twins that the asker may find, a page at a time."""
    span = [None if text is None else time_of(text) for text in (at, known_by)]
    page = desk.bank.search(
        q, by=asker.actor, purpose=asker.purpose, sort=sort, limit=limit, cursor=cursor, at=span[0], known_by=span[1]
    )
    found = [
        FoundTwin(id=one.id, type=one.type, values={name: HeldValue(**held) for name, held in one.values.items()})
        for one in page.found
    ]
    return SearchPage(found=found, cursor=page.cursor)
