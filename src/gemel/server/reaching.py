"""Reaching: how one wants to be told of alerts away from the page; each sees and says their own alone."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from gemel.bank import reaching
from gemel.bank.reaching import Reached, Way
from gemel.server import schema as s
from gemel.server.desk import At, Seen
from gemel.streams.push import LONGEST

routes = APIRouter()
Kind = Literal["ntfy", "webhook", "email"]
Id = Annotated[str, Path(max_length=40)]


class ReachBody(s.Model):
    """How one wants to be reached; with `words`, a notice may say what the matter is."""

    kind: Kind
    address: str = Field(min_length=3, max_length=LONGEST)
    words: bool = False


class ReachView(s.Model):
    """A way of one's own; the address is not shown again. `last` says what became of the latest notice."""

    id: str
    kind: str
    words: bool
    confirmed: bool
    asked_at: s.Instant
    last: str


class Reach(s.Model):
    """How one can be reached from this machine, which hosts it may reach, and one's own ways."""

    possible: list[str]
    hosts: list[str]
    ways: list[ReachView]


class Code(s.Model):
    """The code that came."""

    code: str = Field(min_length=1, max_length=40)


@routes.get("/api/twins/{twin}/reach")
def ways(seen: Seen, desk: At) -> Reach:
    """How the asker is reached away from the page, and could be."""
    found, carriers = reaching.reached(seen), desk.loop.pusher.carriers
    own = [_view(found, way) for way in found.ways if way.actor == seen.actor]
    return Reach(possible=list(carriers.ways), hosts=list(carriers.hosts), ways=own)


@routes.post("/api/twins/{twin}/reach", status_code=201)
def ask(seen: Seen, body: ReachBody, desk: At) -> ReachView:
    """Ask to be reached: a code is sent that way, and it holds once the code has come back."""
    sink = desk.loop.pusher.carriers.sink(body.kind, body.address)
    made = reaching.ask(seen, body.kind, body.address, body.words, secrets.token_hex(5), sink.say)
    return _view(Reached(), made)


@routes.post("/api/twins/{twin}/reach/{way}/confirmation")
def confirm(seen: Seen, way: Id, body: Code) -> ReachView:
    """Say the code that came."""
    return _view(Reached(), reaching.confirm(seen, way, body.code))


@routes.delete("/api/twins/{twin}/reach/{way}", status_code=204)
def end(seen: Seen, way: Id) -> None:
    """Be reached no more in that way."""
    reaching.end(seen, way)


def _view(found: Reached, way: Way) -> ReachView:
    came = [fact.body for fact in found.pushed.values() if fact.body["way"] == way.id]
    said = str(came[-1]["reason"] or came[-1]["outcome"]) if came else ""
    return ReachView(
        id=way.id,
        kind=way.kind,
        words=way.words,
        confirmed=way.confirmed_at is not None,
        asked_at=way.asked_at,
        last=said,
    )
