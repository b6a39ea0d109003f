"""The catalogue and the graph: find twins, say how they stand to each other, see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, progress, say

if TYPE_CHECKING:
    from gemel.bank.search import Found

Asked = Annotated[
    str, typer.Argument(metavar="QUERY", help="Such as 'person[glucose>180]' or 'batch on_board vessel'.")
]
Sort = Annotated[str, typer.Option("--sort", help="id, seen, a signal or an attribute; - before it: largest first.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at the most.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Where the last page ended.")]
At = Annotated[str | None, typer.Option("--at", help="As it was at a time, ISO 8601.")]
KnownBy = Annotated[str | None, typer.Option("--known-by", help="As it was known at a time, ISO 8601.")]
Relation = Annotated[str, typer.Argument(metavar="RELATION", help="Such as part_of, cares_for or on_board.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other twin, or an actor.")]
Since = Annotated[str | None, typer.Option("--since", help="From when, ISO 8601; by default now.")]
Until = Annotated[str | None, typer.Option("--until", help="Until when, ISO 8601.")]


def find(
    query: Asked, *, sort: Sort = "id", limit: Limit = 50, cursor: Cursor = None, at: At = None,
    known_by: KnownBy = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Find twins by what is so of them and of those they stand in relation to; you find what you may read."""
    with opened(store) as bank, progress() as tell:
        page = bank.search(
            query, by=actor, purpose=purpose, sort=sort, limit=limit, cursor=cursor, at=_when(at),
            known_by=_when(known_by), tell=tell,
        )  # fmt: skip
    rows = [{"id": one.id, "type": one.type, "values": one.values} for one in page.found]
    lines = [_line(one) for one in page.found] or ["nothing that you may read"]
    lines += [f"more: --cursor {page.cursor}"] if page.cursor else []
    say(as_json, {"query": query, "found": rows, "cursor": page.cursor}, "\n".join(lines))


def _line(one: Found) -> str:
    values = [f"{name} {held['value']:g} {held['unit']}" for name, held in one.values.items()]
    return "  ".join([one.id, one.type, *values])


def _when(text: str | None) -> int | None:
    from gemel.facts import time_of

    return None if text is None else time_of(text)


def relate(
    twin: Id, relation: Relation, other: Other, *, since: Since = None, until: Until = None, store: Store = STORE,
    actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say that a twin stands in a relation to another twin or an actor."""
    from gemel.bank import relate

    with opened(store) as bank:
        bank.created(twin)
        fact = relate(
            bank, twin, relation, other, by=actor, purpose=purpose, since=_when(since), until=_when(until)
        )  # fmt: skip
    say(as_json, {"twin": twin, "seq": fact.seq, **fact.body}, f"{twin} {relation} {other}: fact {fact.seq}")


def unrelate(
    twin: Id, relation: Relation, other: Other, *, at: At = None, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say that a relation ended, now or at a time; what was before stays."""
    from gemel.bank import unrelate

    with opened(store) as bank:
        bank.created(twin)
        fact = unrelate(bank, twin, relation, other, by=actor, purpose=purpose, at=_when(at))
    say(as_json, {"twin": twin, "seq": fact.seq, **fact.body}, f"{twin} {relation} {other} no longer: fact {fact.seq}")


def relations(
    twin: Id, *, at: At = None, known_by: KnownBy = None, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """List what is said of a twin's relations, of those that you may read."""
    from gemel.bank import related

    with opened(store) as bank:
        bank.find(twin, by=actor, purpose=purpose)
        found = related(bank, twin, by=actor, purpose=purpose, at=_when(at), known_by=_when(known_by))
    rows: list[dict[str, Any]] = [dict(vars(one)) for one in found]
    lines = [f"{twin} {one.name} {one.other}" for one in found] or ["none that you may read"]
    say(as_json, {"twin": twin, "relations": rows}, "\n".join(lines))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (find, relate, unrelate, relations):
        app.command()(command)
