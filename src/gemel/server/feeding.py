"""Feeding: readings and doses in, as our own JSON."""

from __future__ import annotations

from fastapi import APIRouter

from gemel.facts import time_of
from gemel.server import feed
from gemel.server.desk import At, By, Known
from gemel.streams import Item, Place

routes = APIRouter()


@routes.post("/api/twins/{twin}/readings")
def readings(twin: Known, body: feed.Readings, desk: At, asker: By) -> feed.Recorded:
    """Write readings and doses, all or none; answered once they are durable."""
    items = [_item(i, one) for i, one in enumerate(body.items)]
    desk.admit(asker, twin, (item.name for item in items))
    with desk.tracer.step("bank", twin):
        new, known = desk.loop.take(twin, items, asker.actor, asker.purpose)
    return feed.Recorded(new=new, known=known)


def _item(row: int, one: feed.ReadingIn) -> Item:
    at = one.at if isinstance(one.at, int) else time_of(one.at, what=f"items.{row}.at")
    return Item(one.name, one.value, one.unit, at, one.id, Place("items", row + 1))
