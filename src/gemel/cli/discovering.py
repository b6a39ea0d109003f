"""From an event log to the twin of a service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.assessing import LogFile, Map, Promised, Zone, columns_of, promises_of
from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, opened, progress, say
from gemel.errors import BadInput, unknown

if TYPE_CHECKING:
    from gemel.packs.service.discovery import Found
    from gemel.packs.service.log import Log
    from gemel.process.network import Network

Out = Annotated[Path | None, typer.Option("-o", "--output", help="Write the network here, as JSON.")]
Name = Annotated[str | None, typer.Option("--twin", help="Make a twin of that name, and tell it the log.")]
Days = Annotated[float, typer.Option("--days", min=0, help="Tell the twin the last so many days of the log; 0: all.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of what is left to chance in fitting.")]


def discover(
    log: LogFile, *, output: Out = None, twin: Name = None, days: Days = 30, seed: Seed = 0, map_: Map = None,
    zone: Zone = None, promise: Promised = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Find the service behind an event log: arrivals, staff, ways, times; write it down, or make a twin of it."""
    from gemel.process.network_json import body_of

    if not log.is_file():
        raise BadInput("there is no such file", file=str(log))
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise BadInput("is a folder, or its folder is not there; name a file", file=str(output))
    read, found, repairs = _found(log, twin or log.name.partition(".")[0], seed, map_ or [], zone)
    network = promising(found.network, promises_of(promise or []))
    told = None if twin is None else _told(read, found, network, twin, days, str(store), actor, purpose)
    if output is not None:
        part = output.with_name(output.name + ".part")
        part.write_text(json.dumps(body_of(network), indent=1), encoding="utf-8")
        part.replace(output)
    body = {
        "network": body_of(network), "posterior": {name: list(pair) for name, pair in found.posterior.items()},
        "notes": [vars(note) for note in found.report], "repairs": repairs, "twin": twin, "events": told,
    }  # fmt: skip
    say(as_json, body, lambda: _summary(network, found, repairs, twin, told))


def _found(log: Path, name: str, seed: int, map_: list[str], zone: str | None) -> tuple[Log, Found, list[str]]:
    from gemel.packs.service.discovery import discover as discovered
    from gemel.packs.service.logs import open_log

    with progress() as tell:
        read = open_log(log, map=columns_of(map_) or None, zone=zone, tell=tell)
        found = discovered(read.log, seed=seed, name=name, tell=lambda what: tell(what, 0, 1))
    return read.log, found, [str(repair) for repair in read.repairs]


def promising(network: Network, promises: dict[str, float]) -> Network:
    """Return the network with what customers were promised, in seconds; `*` is the whole visit."""
    names = [station.name for station in network.stations]
    for name in promises:
        if name != "*" and name not in names:
            raise unknown("station in --promise:", name, names)
    stations = tuple(replace(one, promise=promises.get(one.name, one.promise)) for one in network.stations)
    return replace(network, stations=stations, promise=promises.get("*", network.promise))


def _told(
    log: Log, found: Found, network: Network, twin: str, days: float, store: str, actor: str, purpose: str
) -> dict[str, int]:
    """Make the twin if need be, and tell it the end of the log; what it knows already is left as it is."""
    from gemel.facts import DAY
    from gemel.packs.service.kind import service_type
    from gemel.streams import Place, told

    events = sorted(log.events(), key=lambda event: event.at)
    since = events[-1].at - round(days * DAY) if events and days else 0
    begun = {event.case: event.at for event in reversed(events)}
    items = [told(one, None, Place("log")) for one in events if begun.get(one.case, one.at) >= since]
    kind = service_type(network, {name: max(sd, 0.02) for name, (_, sd) in found.posterior.items()})
    with opened(store, create=True) as bank, progress() as tell:
        tell("writing", 0, 1)
        if twin in bank:
            if bank.type_of(twin).hash != kind.hash:
                raise BadInput(f"there is a twin {twin!r} of another service or version; name another", field="twin")
            loaded = bank.as_writer(twin, actor, purpose).record(items)
        else:
            loaded = bank.create(kind, twin, by=actor).record(items)
        tell("writing", 1, 1)
    return {"new": loaded.new, "known": loaded.known}


def _summary(network: Network, found: Found, repairs: list[str], twin: str | None, told: dict[str, int] | None) -> str:
    group = network.customers[0]
    lines = [
        f"{network.name}: {sum(group.arrivals.per_hour) / 7:.1f} customers a day, {len(network.nodes)} steps, "
        f"{len(network.stations)} stations, {len(network.pools)} pools of people and equipment"
    ]
    lines += [_station(one) for one in network.stations]
    notes: dict[str, list[Any]] = {"seen": [], "unknown": []}
    for note in found.report:
        notes.setdefault(note.kind, []).append(note)
    lines += [f"  {note}" for note in notes["seen"]]
    lines += ["not identified:", *(f"  {note}" for note in notes["unknown"])] if notes["unknown"] else []
    lines += ["mended in the log:", *(f"  {repair}" for repair in repairs)] if repairs else []
    if told is not None:
        lines.append(f"{twin}: {told['new']} new facts, {told['known']} known already")
    return "\n".join(lines)


def _station(station: Any) -> str:
    lasts = ", ".join(f"{name} {one.mean / 60:.1f} min ({one.kind})" for name, one in station.service.items())
    teams = ", ".join(team.pool for team in station.teams[:4]) + ("…" if len(station.teams) > 4 else "")
    return f"  {station.name}: {lasts}; {teams}".replace("* ", "")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(discover)
