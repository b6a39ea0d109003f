"""Tools and papers: what may be asked of a twin by name, and documents about it, as its reader may see it."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from gemel.bank import tools
from gemel.bank.catalogue import papers
from gemel.errors import unknown
from gemel.facts import DAY
from gemel.server import schema as s
from gemel.server.desk import At, Seen
from gemel.streams.clock import zone as zone_named

routes = APIRouter()

Word = Annotated[str, Path(min_length=1, max_length=100)]
Days = Annotated[float | None, Query(gt=0, le=366, description="the last how many days it is about")]
Zone = Annotated[str, Query(max_length=100, description="time zone of the page")]


FRAMED = {
    "X-Frame-Options": "SAMEORIGIN", "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox "
    "allow-modals allow-popups; frame-ancestors 'self'",
}  # fmt: skip
"""A page that only shows: it runs nothing and asks for nothing, and the console may stand around it."""


class ToolView(s.Model):
    """Something to ask of a twin: `takes` is a JSON schema."""

    name: str
    says: str
    changes: bool
    takes: dict[str, Any]


class Asked(s.Model):
    """The arguments of a tool."""

    given: dict[str, Any] = Field(default={}, max_length=50)


class PaperView(s.Model):
    """A document about a twin."""

    name: str
    title: str
    days: float


@routes.get("/api/twins/{twin}/tools")
def offered(seen: Seen) -> list[ToolView]:
    """What may be asked of the twin."""
    return [
        ToolView(name=tool.name, says=tool.says, changes=tool.changes, takes=tool.schema())
        for tool in tools.offered(seen.type.name)
    ]


@routes.post("/api/twins/{twin}/tools/{name}")
def ask(seen: Seen, name: Word, body: Asked, desk: At) -> dict[str, Any]:
    """Ask one of the twin's tools; each looks at the twin as the asker may."""
    tool = tools.named(tools.offered(seen.type.name), name)
    answer = dict(tool.call(seen, body.given))
    if tool.changes:
        desk.changes.mark(seen.id)
    return answer


@routes.get("/api/twins/{twin}/papers")
def documents(seen: Seen) -> list[PaperView]:
    """Which documents there are about the twin."""
    return [PaperView(name=p.name, title=p.title, days=p.days) for p in papers(seen.type.name).values()]


@routes.get("/api/twins/{twin}/papers/{name}", response_class=Response)
def document(
    seen: Seen, name: Word, days: Days = None, zone: Zone = "UTC", format: Literal["html", "pdf"] = "html"
) -> Response:
    """One document, as HTML or PDF."""
    found = papers(seen.type.name)
    if name not in found:
        raise unknown("paper", name, found)
    until = seen.bank.now()
    since = until - round((days or found[name].days) * DAY)
    page: str = found[name].make(seen, since, until, zone_named(zone))
    if format == "html":
        return Response(page, media_type="text/html; charset=utf-8", headers=FRAMED)
    return StreamingResponse(io.BytesIO(tools.pdf(page)), media_type="application/pdf")
