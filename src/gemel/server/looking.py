"""Looking: who one is, whether all is well, which twins there are, and what each shows."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from gemel.bank import Twin
from gemel.bank.why import walk
from gemel.consent import ALL
from gemel.errors import GemelError, NotFound, Refused
from gemel.server import feed
from gemel.server import schema as s
from gemel.server.desk import At, By, Name, Seen
from gemel.server.facts import OUT
from gemel.server.view import summary
from gemel.server.why import why_view

Hours = Annotated[float, Query(gt=0, le=24 * 31)]
Seq = Annotated[int, Path(ge=1, le=2**62)]
routes = APIRouter()


@routes.get("/api/meta")
def meta(desk: At, asker: By) -> s.Meta:
    """Who asks, for what, and what this server is."""
    return s.Meta(
        version=version("gemel"),
        actor=asker.actor,
        purpose=asker.purpose,
        purposes=list(asker.purposes),
        demo=desk.demo,
        others=[] if desk.entry.open_as is None else list({desk.entry.open_as[0]: "", **desk.entry.others}),
    )


@routes.get("/api/health")
def health(desk: At, asked: Request) -> feed.Health:
    """Whether all is well; what is not, to those who may see the twin."""
    troubles, asker = dict(desk.loop.troubles), asked.state.asker
    visible = desk.visible(asker) if asker is not None else []
    return feed.Health(
        status="degraded" if troubles else "ok", now=desk.bank.now(), twins=len(visible),
        troubles={twin: text for twin, text in troubles.items() if twin in visible},
    )  # fmt: skip


@routes.get("/api/twins")
def twins(desk: At, asker: By) -> list[s.TwinSummary]:
    """The twins of which the asker may see something."""
    found = []
    for twin in desk.visible(asker):
        with contextlib.suppress(GemelError):
            found.append(summary(desk.seen(asker, twin), desk.loop))
    return found


@routes.get("/api/twins/{twin}/view")
def look(twin: Name, desk: At, asker: By, hours: Hours = 12) -> s.View:
    """Past, now and future of one twin."""
    return desk.view(asker, twin, hours)


@routes.get("/api/twins/{twin}/why/{seq}")
def why(seen: Seen, seq: Seq) -> s.Why:
    """A fact and what it follows from, as far as the asker may see."""
    try:
        tree = walk(seen, seq)
    except NotFound:
        raise NotFound(f"{seen.id} has no fact {seq}") from None
    except Refused:
        raise _withheld(seen, seq) from None
    if tree.fact.kind not in OUT and not seen.may("read", ALL):
        raise _withheld(seen, seq)
    return why_view(tree)


def _withheld(seen: Twin, seq: int) -> Refused:
    """Return a refusal that does not tell what the fact is about."""
    return Refused(f"{seen.actor} may not read fact {seq} of {seen.id}")


@routes.get("/api/twins/{twin}/belief")
def belief(seen: Seen) -> feed.BeliefView:
    """What is believed after the last reading, in brief."""
    return feed.belief_view(seen.belief())
