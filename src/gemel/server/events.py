"""Events: facts as CloudEvents 1.0, in and out; out as a batch or, for as long as one listens, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gemel.errors import BadInput, GemelError
from gemel.facts import Fact, iso, time_of
from gemel.server import feed
from gemel.server.asker import Asker
from gemel.server.desk import ANY, At, By, Desk
from gemel.server.door import still
from gemel.server.errors import Turned
from gemel.server.facts import may_read
from gemel.streams import Item, Place, happened

ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
STREAM = "text/event-stream"
TYPE = "gemel.{}.v{}"
MOST, LOOK = 1000, 500
QUIET_S = 15.0
"""Seconds after which a stream says that it still lives."""

routes = APIRouter()


class Data(BaseModel):
    """What one reading or dose says."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    value: float
    unit: str


class Happened(BaseModel):
    """What happened to one case: see `gemel.dynamics.PHASES`; `down` and `up` of a resource name no case."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    phase: str = Field(min_length=1)
    case: str = ""
    activity: str = ""
    resource: str = ""
    attributes: dict[str, str | float] = Field(default_factory=dict)


class CloudEvent(BaseModel):
    """A reading, dose or event of a case in a CloudEvents envelope: `subject` is the twin, `source` and `id` its identity."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=500)
    source: str = Field(min_length=1, max_length=500)
    type: Literal["gemel.observed.v1", "gemel.acted.v1", "gemel.happened.v1"]
    subject: str = Field(min_length=1, max_length=200)
    time: str
    data: Data | Happened


class EventOut(BaseModel):
    """A fact in a CloudEvents envelope: `id` and `sequence` are its place in the store, `data` is what it says."""

    model_config = ConfigDict(extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: str
    knowntime: str
    actor: str
    data: dict[str, Any]


BATCH = TypeAdapter(list[CloudEvent])
_IN_BODIES = {
    ONE: {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
    MANY: {
        "schema": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST,
            "items": {"$ref": "#/components/schemas/CloudEvent"},
        }
    },
    "application/json": {
        "schema": {"anyOf": [{"$ref": "#/components/schemas/Data"}, {"$ref": "#/components/schemas/Happened"}]}
    },
}


# in


@routes.post("/api/events", openapi_extra={"requestBody": {"required": True, "content": _IN_BODIES}})
async def take(asked: Request, desk: At, asker: By) -> feed.Recorded:
    """Write readings, doses and events of cases, as CloudEvents: one (structured or binary) or a batch, all or none."""
    events = _read(asked.headers, await asked.body())
    new, known = await asyncio.to_thread(_write, desk, asker, events)
    return feed.Recorded(new=new, known=known)


def _read(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media == ONE:
            return [CloudEvent.model_validate_json(body)]
        if media == MANY:
            return _few(BATCH.validate_json(body))
        if media == "application/json" and "ce-id" in headers:
            named = {name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")}
            return [CloudEvent.model_validate({**named, "data": _json(body)})]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadInput(first["msg"], field=field) from None
    raise Turned(
        415,
        "bad_input",
        f"an event is {ONE}, {MANY}, or application/json with ce- headers",
        {"Accept-Post": f"{ONE}, {MANY}"},
    )


def _few(events: list[CloudEvent]) -> list[CloudEvent]:
    if not 1 <= len(events) <= MOST:
        raise BadInput(f"a batch has 1 to {MOST} events; this one has {len(events)}")
    return events


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise BadInput("the body is no JSON", field="data") from None


def _write(desk: Desk, asker: Asker, events: Sequence[CloudEvent]) -> tuple[int, int]:
    """Write all events, once every one of them was found good and allowed."""
    by_twin: dict[str, list[Item]] = {}
    for row, event in enumerate(events):
        by_twin.setdefault(event.subject, []).append(_item(row, event))
    for twin, items in by_twin.items():
        desk.known(asker, twin)
        desk.admit(asker, twin, (item.name for item in items))
        desk.loop.checked(twin, items)
    done = [desk.loop.take(twin, items, asker.actor, asker.purpose) for twin, items in by_twin.items()]
    return sum(new for new, _ in done), sum(known for _, known in done)


def _item(row: int, event: CloudEvent) -> Item:
    data, at = event.data, time_of(event.time, what=f"{row}.time")
    named, place = f"{event.source} {event.id}", Place("events", row + 1)
    if isinstance(data, Happened) != (event.type == "gemel.happened.v1"):
        raise place.at("data").bad(f"is not what {event.type} tells")
    if isinstance(data, Happened):
        return happened(data.model_dump(), at, named, place)
    return Item(data.name, data.value, data.unit, at, named, place)


# out


def event_of(fact: Fact) -> EventOut:
    """Return a fact as an event."""
    word, _, number = fact.kind.partition("/")
    return EventOut(
        id=str(fact.seq), source=f"/api/twins/{fact.twin}", type=TYPE.format(word, number), subject=fact.twin,
        time=iso(fact.true_at), sequence=f"{fact.seq:019d}", knowntime=iso(fact.known_at), actor=fact.by,
        data=dict(fact.body),
    )  # fmt: skip


After = Annotated[int, Query(ge=0, le=2**62, description="only facts after this place")]
Twin = Annotated[str | None, Query(min_length=1, max_length=200, description="only this twin's")]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Last = Annotated[str | None, Header(alias="Last-Event-ID", description="where a stream was broken off")]


@routes.get(
    "/api/events", response_class=Response,
    responses={200: {
        "description": "a batch of events; or, if `Accept` says text/event-stream, each as it comes",
        "content": {MANY: {"schema": {"type": "array", "items": EventOut.model_json_schema()}}, STREAM: {}},
        "headers": {"Gemel-Next": {"schema": {"type": "integer"}, "description": "`after` of the next batch"}},
    }},
)  # fmt: skip
async def tell(
    asked: Request, desk: At, asker: By, twin: Twin = None, after: After = 0, limit: Limit = 100, last: Last = None
) -> Response:  # fmt: skip
    """Facts that the asker may read, in order: a batch of them, or a stream that goes on until a right is withdrawn."""
    if twin is not None:
        await asyncio.to_thread(desk.seen, asker, twin)
    since = int(last) if last is not None and last.isdecimal() and len(last) < 19 else after
    if STREAM in asked.headers.get("accept", ""):
        return StreamingResponse(_stream(desk, asker, twin, since), media_type=STREAM)
    found, reached = await asyncio.to_thread(_batch, desk, asker, twin, since, limit)
    body = json.dumps([event.model_dump(mode="json") for event in found], ensure_ascii=False)
    return Response(body, media_type=MANY, headers={"Gemel-Next": str(reached)})


def _batch(desk: Desk, asker: Asker, twin: str | None, after: int, limit: int) -> tuple[list[EventOut], int]:
    """Return at most *limit* events, and how far the thread was looked through: not without end for one answer."""
    found: list[EventOut] = []
    reached = after
    for fact in desk.bank.thread.read(twin, after_seq=after, limit=20 * limit):
        reached = fact.seq
        if may_read(desk.bank, asker, fact):
            found.append(event_of(fact))
            if len(found) == limit:
                break
    return found, reached


async def _stream(desk: Desk, asker: Asker, twin: str | None, after: int) -> AsyncIterator[str]:
    """Yield events as they come; end when the login or, of a stream on one twin, the right to see it ends."""
    reached, version, place = after, -1, twin or ANY
    with desk.figures.open_stream():
        while not desk.closed:
            try:
                found, further = await asyncio.to_thread(_next, desk, asker, twin, reached)
            except GemelError as error:
                yield f"event: closed\ndata: {json.dumps(str(error))}\n\n"
                return
            for event in found:
                yield f"id: {event.id}\ndata: {event.model_dump_json()}\n\n"
            if further == reached:
                seen = await desk.changes.after(place, version, QUIET_S)
                if seen == version:
                    yield ": still here\n\n"
                version = seen
            reached = further


def _next(desk: Desk, asker: Asker, twin: str | None, after: int) -> tuple[list[EventOut], int]:
    still(asker)
    if twin is not None:
        desk.seen(asker, twin)
    return _batch(desk, asker, twin, after, LOOK)
