"""Data in and its keeping: import, twins, grant, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, me, opened, progress, say, seen
from gemel.errors import Tampered

Path_ = Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder: UC sheets, Nightscout JSON, CSV.")]
Twin = Annotated[str, typer.Option("--twin", help="The twin; made if there is none of that name.")]
Type = Annotated[str, typer.Option("--type", help="The type of twin, such as diabetes.person.")]
Map = Annotated[Path | None, typer.Option("--map", help="A column map (TOML or JSON) for a CSV file.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="Time zone of local times, such as Europe/Stockholm.")]


def import_(path: Path_, type_: Type, twin: Twin, map_: Map = None, timezone: Zone = None, store: Store = STORE,
            actor: Actor = me(), as_json: Json = False) -> None:  # fmt: skip
    """Import a record: all of it, or nothing and why. Importing it again changes nothing."""
    from gemel.bank.catalogue import detector
    from gemel.streams import csv_by, read_map

    find = detector(type_)
    source = csv_by(path, read_map(map_)) if map_ is not None else find(path, timezone)
    with opened(store, create=True) as bank, progress() as tell:
        tell(f"importing {path}", 0, 1)
        if twin in bank:
            loaded = seen(bank, twin, actor, PURPOSE).load(source)
        else:
            loaded = bank.create_from(type_, twin, source, by=actor)
        tell(f"importing {path}", 1, 1)
    body = {"twin": twin, "new": loaded.new, "known": loaded.known, "report": loaded.report.describe()}
    if loaded.new:
        text = f"{twin}: {loaded.new} new facts, {loaded.known} known already\n{loaded.report}"
    else:
        text = f"{twin}: nothing new, all {loaded.known} facts were known already"
    say(as_json, body, text)


def twins(store: Store = STORE, as_json: Json = False) -> None:
    """List the twins of the store."""
    with opened(store, readonly=True) as bank:
        rows = [{"twin": name, "type": bank.type_of(name).name, "holder": bank.holder(name)} for name in bank.twins()]
    say(as_json, {"twins": rows}, "\n".join(f"{r['twin']}  {r['type']}  held by {r['holder']}" for r in rows) or "no twins yet")


def grant(twin: Annotated[str, typer.Argument(metavar="ID")], to: Annotated[str, typer.Option("--to", help="Who is allowed.")],
          verb: Annotated[str, typer.Option("--verb", help="read, write, propose, act, fork or study.")],
          signal: Annotated[list[str], typer.Option("--signal", help="A signal or lever; * for all.")] = ["*"],  # noqa: B006 - typer reads it once
          purpose: Purpose = "care", until: Annotated[str | None, typer.Option("--until", help="A date or time, ISO 8601.")] = None,
          store: Store = STORE, actor: Actor = me(), as_json: Json = False) -> None:  # fmt: skip
    """Allow somebody something on a twin you hold."""
    with opened(store) as bank:
        made = seen(bank, twin, actor, PURPOSE).grant(to=to, purpose=purpose, until=until, **{verb: tuple(signal)})
    body = {"twin": twin, "grants": [{"id": g.id, "to": g.to, "verbs": g.verbs, "signals": g.signals} for g in made]}
    say(as_json, body, "\n".join(f"grant {g.id}: {g.to} may {', '.join(g.verbs)} {', '.join(g.signals)} of {twin}" for g in made))


def revoke(twin: Annotated[str, typer.Argument(metavar="ID")], grant_id: Annotated[str, typer.Argument(metavar="GRANT")],
           store: Store = STORE, actor: Actor = me(), as_json: Json = False) -> None:  # fmt: skip
    """Take a grant back, at once."""
    with opened(store) as bank:
        seen(bank, twin, actor, PURPOSE).revoke(grant_id)
    say(as_json, {"twin": twin, "revoked": grant_id}, f"revoked {grant_id}")


def verify(where: Annotated[str | None, typer.Argument(metavar="[STORE]", help="A store; by default the one in use.")] = None,
           store: Store = STORE, as_json: Json = False) -> None:  # fmt: skip
    """Recompute every hash and open every fact: exit 0 if the store is as written, 1 if not, naming the fact."""
    from gemel.errors import NotFound
    from gemel.thread import verify_store

    chosen = where or store
    if not Path(chosen).exists():
        raise NotFound(f"no store at {chosen}")
    verdict = verify_store(chosen)
    body = {"store": chosen, "intact": verdict.intact, "facts": verdict.size, "root": verdict.root, "problems": list(verdict.problems)}
    text = f"{chosen}: {verdict.size} facts, root {verdict.root[:16]}…, as written"
    say(as_json, body, text if verdict.intact else "\n".join([f"{chosen}: NOT as written", *verdict.problems]))
    if not verdict.intact:
        raise typer.Exit(Tampered.exit_code)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    for command in (twins, grant, revoke, verify):
        app.command()(command)
