"""Talking: one sentence to a twin's companion and its answer, under the consent of whoever talks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from gemel.bank.companion import LONGEST, companion, recalled, talk
from gemel.server import schema as s
from gemel.server.desk import At, By, Seen

routes = APIRouter()


class Sentence(s.Model):
    """What is said; `anew` forgets what was said before."""

    say: str = Field(min_length=1, max_length=LONGEST)
    anew: bool = False


class AskedTool(s.Model):
    """A tool that was asked for an answer, and why it refused, if it did."""

    tool: str
    given: dict[str, Any]
    refused: str


class Source(s.Model):
    """A number of an answer, and where in which tool's answer it was found."""

    shown: str
    call: int
    path: str


class Said(s.Model):
    """What the companion says: `by` is rules, templates or model; `handed_over` is why a person was called, if one was."""

    name: str
    text: str
    intent: str
    handed_over: str
    by: str
    note: str
    tools: list[AskedTool]
    numbers: list[Source]


class Exchange(s.Model):
    """A sentence that a holder wanted kept, and its answer."""

    at: s.Instant
    said: str
    answered: str
    intent: str
    tools: list[str]
    handed_over: str
    by: str


class Talked(s.Model):
    """What the asker said of late: nothing where it is not `kept`."""

    name: str
    kept: bool
    exchanges: list[Exchange]


@routes.get("/api/twins/{twin}/talk")
def talked(seen: Seen) -> Talked:
    """What the asker said to the companion and was answered, where a holder wants words to be kept."""
    friend = companion(seen.type.name)
    found = recalled(seen, friend)
    told = [Exchange.model_validate({**asdict(one), "tools": list(one.tools)}) for one in found or ()]
    return Talked(name=friend.name, kept=found is not None, exchanges=told)


@routes.post("/api/twins/{twin}/talk")
def say(seen: Seen, body: Sentence, desk: At, asker: By) -> Said:
    """Say something to the twin's companion; what was said is not kept, unless a holder asked for it."""
    friend, place = companion(seen.type.name), (seen.id, asker.actor, asker.purpose)
    spoken = desk.talks.now()
    state = {} if body.anew else desk.talks.state(place, spoken)
    after, reply = talk(seen, state, body.say, friend, spoken)
    desk.talks.keep(place, after, spoken)
    return Said.model_validate({"name": friend.name, **reply.body()})
