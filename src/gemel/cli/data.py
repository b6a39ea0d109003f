"""Data in and its keeping: import, twins, grant, revoke, may."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, progress, say, seen
from gemel.errors import BadInput, Refused, unknown

if TYPE_CHECKING:
    from gemel.bank import Bank, Twin
    from gemel.streams import Imported

Verb = StrEnum("Verb", ["read", "write", "propose", "act", "fork", "study"])

Where = Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder: UC sheets, Nightscout JSON, CSV.")]
Name = Annotated[str, typer.Option("--twin", help="The twin; made if there is none of that name.")]
Type = Annotated[str, typer.Option("--type", help="The type of twin, such as diabetes.person.")]
Map = Annotated[Path | None, typer.Option("--map", help="A column map (TOML or JSON) for a CSV file.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="Time zone of local times, such as Europe/Stockholm.")]
To = Annotated[str, typer.Option("--to", help="Who is allowed.")]
Allowed = Annotated[Verb, typer.Option("--verb", help="What is allowed.")]
Signals = Annotated[
    list[str], typer.Option("--signal", default_factory=lambda: ["*"], help="A signal or lever; * for all.")
]
Until = Annotated[str | None, typer.Option("--until", help="A date (its end, in UTC) or a time, ISO 8601.")]


def import_(
    path: Where, *, type_: Type, twin: Name, map_: Map = None, timezone: Zone = None, store: Store = STORE,
    actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Import a record: all of it, or nothing and why. Importing it again changes nothing."""
    with progress() as tell:
        tell(f"reading {path}", 0, 1)
        found = _collected(path, type_, map_, timezone)
        tell(f"reading {path}", 1, 1)
        with opened(store, create=True) as bank:
            tell("writing", 0, 1)
            loaded = _writable(bank, twin, type_, actor, purpose).record(found.items)
            tell("writing", 1, 1)
    body = {"twin": twin, "new": loaded.new, "known": loaded.known, "report": found.report.describe()}
    new = f"{twin}: {loaded.new} new facts, {loaded.known} known already\n{found.report}"
    say(as_json, body, new if loaded.new else f"{twin}: nothing new, all {loaded.known} facts were known already")


def _collected(path: Path, type_: str, map_: Path | None, timezone: str | None) -> Imported:
    """Return all that a file or folder holds, checked, before any store is touched."""
    from gemel.bank import wall_clock
    from gemel.bank.catalogue import detector, installed
    from gemel.streams import collect, csv_by, read_map

    find = detector(type_)
    if map_ is not None and timezone is not None:
        raise BadInput("--timezone is for files without a map; a map names its own", field="timezone")
    if not path.exists():
        raise BadInput("there is no such file or folder", file=str(path))
    source = csv_by(path, read_map(map_)) if map_ is not None else find(path, timezone)
    found = collect(source, installed()[type_], now=wall_clock())
    if not found.items:
        raise BadInput("holds nothing to import", file=str(path))
    return found


def _writable(bank: Bank, twin: str, type_: str, actor: str, purpose: str) -> Twin:
    """Return the twin to write to; whoever writes need not be allowed to read."""
    if twin not in bank:
        return bank.create(type_, twin, by=actor)
    if bank.type_of(twin).name != type_:
        raise BadInput(f"{twin} is a {bank.type_of(twin).name}, not a {type_}", field="type")
    return bank.as_writer(twin, actor, purpose)


def twins(*, store: Store = STORE, as_json: Json = False) -> None:
    """List the twins of the store."""
    with opened(store, readonly=True) as bank:
        rows = [_row(bank, name) for name in bank.twins()]
    lines = [f"{row['twin']}  {row['type']}  held by {', '.join(row['holders'])}" for row in rows] or ["no twins yet"]
    say(as_json, {"twins": rows}, "\n".join(lines))


def _row(bank: Bank, twin: str) -> dict[str, Any]:
    """Return a twin in one line; `holder` is the first of those who hold its keys."""
    holders = list(bank.holders(twin))
    return {"twin": twin, "type": bank.type_of(twin).name, "holder": next(iter(holders), None), "holders": holders}


def grant(
    twin: Id, *, to: To, verb: Allowed, signal: Signals, purpose: Purpose = "care", until: Until = None,
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Allow somebody something on a twin you hold."""
    with opened(store) as bank:
        view = seen(bank, twin, actor, PURPOSE)
        for name in signal:
            if name != "*":
                view.type.port(name)
        named: dict[str, Any] = {verb.value: tuple(signal)}
        made = view.grant(to=to, purpose=purpose, until=until, **named)
    grants = [{"id": g.id, "to": g.to, "verbs": list(g.verbs), "signals": list(g.signals)} for g in made]
    lines = [f"grant {g.id}: {g.to} may {', '.join(g.verbs)} {', '.join(g.signals)} of {twin}" for g in made]
    say(as_json, {"twin": twin, "grants": grants}, "\n".join(lines))


def revoke(
    twin: Id, grant_id: Annotated[str, typer.Argument(metavar="GRANT", help="The id that `gemel grant` said.")], *,
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Take a grant back, at once."""
    with opened(store) as bank:
        seen(bank, twin, actor, PURPOSE).revoke(grant_id)
    say(as_json, {"twin": twin, "revoked": grant_id}, f"revoked {grant_id}")


def may(
    who: Annotated[str, typer.Argument(metavar="ACTOR", help="Who would do it.")],
    verb: Annotated[Verb, typer.Argument(metavar="VERB", help="read, write, propose, act, fork or study.")],
    twin: Id, signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="A signal or lever; * for all.")],
    *, purpose: Purpose = "care", store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say whether somebody may do something, and why: exit 0 if so, 1 if not. Nothing is put on record."""
    with opened(store, readonly=True) as bank:
        if twin not in bank:
            raise unknown("twin", twin, bank.twins())
        if signal != "*":
            bank.type_of(twin).port(signal)
        decision = bank.gate.decide(who, verb.value, twin, signal, purpose)
    body = {"allowed": decision.allowed, "reason": decision.reason, "grant": decision.grant_id}
    say(as_json, body, decision.reason)
    if not decision.allowed:
        raise typer.Exit(Refused.exit_code)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    for command in (twins, grant, revoke, may):
        app.command()(command)
