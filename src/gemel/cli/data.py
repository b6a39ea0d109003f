"""Data in: import, twins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, opened, progress, say
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.bank import Bank, Twin
    from gemel.streams import Imported

Where = Annotated[
    Path,
    typer.Argument(
        metavar="PATH", help="A file or folder: an export of a device or app, or a table; what it is, is recognised."
    ),
]
Name = Annotated[str, typer.Option("--twin", help="The twin; made if there is none of that name.")]
Type = Annotated[str, typer.Option("--type", help="The type of twin, such as diabetes.person.")]
Map = Annotated[Path | None, typer.Option("--map", help="A column map (TOML or JSON) for a CSV file.")]
Shift = Annotated[
    list[str] | None,
    typer.Option(
        "--shift", help="NAME=TIME: that clock was wrong, as 'carbs=-4 h'; replaces what was imported unshifted."
    ),
]
Zone = Annotated[str | None, typer.Option("--timezone", help="Time zone of local times, such as Europe/Stockholm.")]


def import_(
    path: Where, *, type_: Type, twin: Name, map_: Map = None, timezone: Zone = None, shift: Shift = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Import a record: all of it, or nothing and why. Importing it again changes nothing."""
    from gemel.bank import wall_clock
    from gemel.streams.shift import shifted

    with progress() as tell:
        tell(f"reading {path}", 0, 1)
        found = _collected(path, type_, map_, timezone)
        by = _shifts(shift, type_)
        tell(f"reading {path}", 1, 1)
        with opened(store, create=True) as bank:
            tell("writing", 0, 1)
            items = shifted(found.items, by, wall_clock(), instead=twin in bank) if by else found.items
            loaded = _writable(bank, twin, type_, actor, purpose).record(items)
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


def _shifts(told: list[str] | None, type_: str) -> dict[str, int]:
    """Return by how much what is named is moved."""
    from gemel.bank.catalogue import installed
    from gemel.streams.shift import shifts

    own = installed()[type_]
    return shifts(told or [], {*own.signals, *own.levers})


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


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    app.command()(twins)
