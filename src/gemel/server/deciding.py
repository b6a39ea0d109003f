"""Deciding and supposing: a person's word on a proposal, and copies on which anything may be tried."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request

from gemel.bank import Proposal, Twin
from gemel.errors import Refused
from gemel.server import schema as s
from gemel.server.desk import At, Seen
from gemel.server.errors import Turned
from gemel.server.forks import fork_views, form_view
from gemel.server.looking import Seq
from gemel.server.view import moment, primary_of, proposal_view

IfMatch = Annotated[str | None, Header(description="an ETag of this twin: decide only if nothing is known since")]
routes = APIRouter()


@routes.post("/api/twins/{twin}/proposals/{seq}/decision")
def decide(
    seen: Seen, seq: Seq, body: s.Decide, desk: At, asked: Request, if_match: IfMatch = None
) -> s.Proposal:  # fmt: skip
    """Approve or reject an open proposal; approving asks the gate for `act`, and the guards once more."""
    if if_match is not None:
        unchanged(if_match, desk.version(seen.id))
    again = bool(getattr(asked.state, "again", False))
    return proposal_view(_decided(seen, seq, body, again), seen)


def _decided(seen: Twin, seq: int, body: s.Decide, again: bool) -> Proposal:
    """Return the proposal as decided; what this asker's own request, cut short, had decided already is not refused."""
    approve = body.decision == "approve"
    try:
        return seen.decide(seq, approve, body.note)
    except Refused:
        found = seen.bank.proposal(seen.id, seq) if again else None
        if found is None or found.decided_by != seen.actor or (found.status == "rejected") == approve:
            raise
        return found


def unchanged(if_match: str, version: int) -> None:
    """Raise 412 unless one of the tags is of this version of the twin."""
    tags = re.findall(r'"(\d+)-[0-9a-f]+"', if_match)
    if if_match.strip() != "*" and str(version) not in tags:
        raise Turned(412, "changed", f"more is known by now: the twin is at version {version}; look again, then decide")


@routes.get("/api/twins/{twin}/scenarios")
def scenarios(seen: Seen) -> list[s.Scenario]:
    """What may be supposed of the twin; nothing for one who may not fork it."""
    if not seen.may("fork", "*"):
        return []
    return [form_view(name, form) for name, form in seen.type.scenarios.items()]


@routes.post("/api/twins/{twin}/suppose")
def suppose(seen: Seen, body: s.Suppose, desk: At) -> s.ForkView:
    """Fork the twin, suppose something of the copy, and keep it beside the twin."""
    made = fork_views(seen, primary_of(seen), {body.name: body}, moment(seen, desk.loop)[0])[0]
    desk.forks.add(seen, body)
    desk.changes.mark(seen.id)
    return made


@routes.delete("/api/twins/{twin}/forks/{name}", status_code=204)
def remove(seen: Seen, name: Annotated[str, Path(max_length=80)], desk: At) -> None:
    """Forget a fork."""
    desk.forks.remove(seen, name)
    desk.changes.mark(seen.id)
