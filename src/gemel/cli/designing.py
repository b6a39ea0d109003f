"""Designs of a service: what each way to set it up costs and feels like, and which none beats."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.assessing import Promised, promises_of
from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, opened, progress, say, seen
from gemel.cli.discovering import promising
from gemel.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from gemel.bank import Bank, Twin
    from gemel.experiment.search import Frontier
    from gemel.facts import Time
    from gemel.packs.service.options import Option, Variant
    from gemel.packs.service.shifts import Rostered
    from gemel.packs.service.weigh import Trial
    from gemel.process.network import Network

What = Annotated[
    str, typer.Argument(metavar="ID|NETWORK.json", help="A service twin, or what `gemel discover -o` wrote.")
]
Staff = Annotated[
    list[str] | None, typer.Option("--staff", help="POOL=2..6 or POOL=2,4,6: how many at the busiest. Again for each.")
]
Hours = Annotated[
    list[str] | None, typer.Option("--hours", help="POOL=8-18,7:30-20: when it is there; '*=…': all. Again for each.")
]
StationN = Annotated[
    list[str] | None,
    typer.Option("--station", help="STATION=0..2: closed, as it is, twice its equipment. Again for each."),
]
Route = Annotated[
    list[str] | None, typer.Option("--route", help="'CHOICE>NODE=0.1,0.3': share sent that way. Again for each.")
]
Price = Annotated[
    list[str] | None, typer.Option("--cost", help="POOL=MONEY an hour of one; '*=…': of all others. Again for each.")
]
Staffing = Annotated[bool, typer.Option("--staffing", help="Also the exact roster of each pool for the target level.")]
Aim = Annotated[
    float, typer.Option("--level", min=0.01, max=0.999, help="The target: the share served as soon as promised.")
]
Lengths = Annotated[str, typer.Option("--shifts", help="Lengths of shifts in hours, for --staffing.")]
Days = Annotated[int, typer.Option("--days", min=1, max=366, help="How many days are simulated.")]
From = Annotated[str | None, typer.Option("--from", help="The first day, such as 2026-03-02; by default a Monday.")]
Draws = Annotated[
    int, typer.Option("--draws", min=2, max=10_000, help="Runs of each design in the first round; it doubles.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=10, help="Rounds: what is surely beaten goes after each.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of what is left to chance.")]
Out = Annotated[Path | None, typer.Option("-o", "--output", help="Write the frontier here: .json, or .html, a page.")]

MONDAY = "2026-01-05"
"""The first day for a network file, which bears no date."""


@dataclass(frozen=True)
class Asked:
    """The service that is designed: its network, when to start, what its twin learned, and the twin itself, if it is one."""

    network: Network
    since: Time
    scales: dict[str, np.ndarray]
    view: Twin | None = None


def design(
    what: What, *, staff: Staff = None, hours: Hours = None, station: StationN = None, route: Route = None,
    cost: Price = None, promise: Promised = None, staffing: Staffing = False, level: Aim = 0.8, shifts: Lengths = "4,6,8",
    days: Days = 7, from_: From = None, draws: Draws = 8, rounds: Rounds = 3, seed: Seed = 0, output: Out = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Try ways to set up a service: the efficient frontier of cost against experience, and exact rosters."""
    from gemel.packs.service.weigh import Trial

    _writable(output)
    lengths = _lengths(shifts)
    told = [
        list(_named(texts or [], kind))
        for texts, kind in ((staff, "staff"), (hours, "hours"), (route, "route"), (station, "station"))
    ]
    prices, promises = dict(_prices(cost or [])), promises_of(promise or [])

    def run(asked: Asked) -> None:
        network = promising(_priced(asked.network, prices), promises)
        options = [part for part in _options(network, told) if part]
        if not options and not staffing:
            from gemel.packs.service.options import possible

            raise BadInput(f"nothing to design: give values to try; this service has {possible(network)}")
        trial = Trial(network, asked.since, days, asked.scales or None)
        with progress() as tell:
            found, now = _searched(trial, options, draws, rounds, seed, tell) if options else (None, None)
            rosters, notes = _rosters(network, asked.since, level, lengths, seed, tell) if staffing else ([], [])
        _answer(asked, trial, found, now, rosters, notes, output, as_json)

    _with(what, from_, store, actor, purpose, run)


# what is designed


def _with(what: str, start: str | None, store: str, actor: str, purpose: str, run: Callable[[Asked], None]) -> None:
    path = Path(what)
    if path.suffix == ".json" or (path.suffix and path.is_file()):
        network = _read(path)
        run(Asked(network, _since(network, start or MONDAY), {}))
        return
    with opened(store) as bank:
        run(_of_twin(bank, seen(bank, what, actor, purpose), start))


def _read(path: Path) -> Network:
    from gemel.process.network_json import network_of

    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            "there is no such file; a network is written by `gemel discover LOG -o FILE`", file=str(path)
        ) from None
    except IsADirectoryError:
        raise BadInput("is a folder; name a file", file=str(path)) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"is not JSON: {error}", file=str(path), row=getattr(error, "lineno", None)) from None
    try:
        return network_of(body)
    except BadInput as error:
        raise BadInput(error.problem, file=str(path), field=error.field) from None
    except (TypeError, AttributeError, ValueError) as error:
        raise BadInput(f"is no network of a service, as `gemel discover -o` writes: {error}", file=str(path)) from None


def _of_twin(bank: Bank, view: Twin, start: str | None) -> Asked:
    """Return a twin's network, and what it learned; reading it all and trying on copies are asked of the gate."""
    import numpy as np

    from gemel.consent import ALL
    from gemel.process.service import Service

    for verb in ("read", "fork"):
        bank.gate.require(view.actor, verb, view.id, ALL, view.purpose)
    service = view.type.dynamics
    if not isinstance(service, Service):
        raise BadInput(f"{view.id} is a {view.type.name}, not a service; only services are designed")
    belief = view.belief().belief
    scales = {name: np.asarray(value[0], float) for name, value in service.scales(belief).items()}
    network = service.network
    return Asked(network, _since(network, start, int(belief.at[0])), scales, view)


def _since(network: Network, start: str | None, last: Time = 0) -> Time:
    """Return the midnight, where the service is, of the day named, or of the Monday after *last*."""
    from datetime import date, datetime, timedelta
    from zoneinfo import ZoneInfo

    name = _zone(network)
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError):
        raise BadInput(f"{name!r} is no time zone such as Europe/Stockholm", field="zone") from None
    try:
        day = None if start is None else date.fromisoformat(start)
    except ValueError:
        raise BadInput(f"{start!r} is no day such as 2026-03-02", field="from") from None
    if day is None:
        today = datetime.fromtimestamp(last / 1000, zone).date()
        day = today + timedelta(days=7 - today.weekday())
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _zone(network: Network) -> str:
    return network.pools[0].calendar.zone if network.pools else "UTC"


# what is asked


def _named(texts: list[str], field: str) -> Iterator[tuple[str, list[str]]]:
    for text in texts:
        name, sign, values = text.rpartition("=")
        parts = [part.strip() for part in values.split(",")]
        if not sign or not name.strip() or not all(parts):
            raise BadInput(f"{text!r} is not NAME=VALUES, with commas between values", field=field)
        yield name.strip(), parts


def _prices(texts: list[str]) -> Iterator[tuple[str, float]]:
    for name, parts in _named(texts, "cost"):
        money = _number(parts[0], "cost") if len(parts) == 1 else -1.0
        if not 0 <= money < 1e12:
            raise BadInput(f"{','.join(parts)!r} is no price of an hour", field="cost")
        yield name, money


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{text!r} is no number", field=field) from None


def _counts(parts: list[str], field: str) -> list[int]:
    """Return whole numbers, of single ones and of spans such as 2..6."""
    found: list[int] = []
    for part in parts:
        low, sign, high = part.partition("..")
        ends = [low, high] if sign else [low]
        if not all(end.isdecimal() and len(end) < 5 for end in ends) or int(ends[0]) > int(ends[-1]):
            raise BadInput(
                f"{part!r} is neither a whole number from 0 to 9999 nor a span of them, such as 2..6", field=field
            )
        found += range(int(ends[0]), int(ends[-1]) + 1)
    return list(dict.fromkeys(found))


def _spans(parts: list[str]) -> list[tuple[int, int]]:
    return list(
        dict.fromkeys(
            (_minute(opens, part), _minute(closes, part))
            for part in parts
            for opens, _, closes in [part.partition("-")]
        )
    )


def _minute(text: str, part: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and (minute or "0").isdecimal() and int(hour) <= 24 and int(minute or 0) < 60):
        raise BadInput(f"{part!r} are no hours such as 8-18 or 7:30-20", field="hours")
    return 60 * int(hour) + int(minute or 0)


def _lengths(text: str) -> list[int]:
    found = [_number(part, "shifts") for part in text.split(",")]
    if not all(0.5 <= one <= 24 and (2 * one).is_integer() for one in found):
        raise BadInput(f"{text!r} are no lengths of shifts in whole or half hours, such as 4,6,8", field="shifts")
    return [round(60 * one) for one in found]


def _options(network: Network, told: Sequence[list[tuple[str, list[str]]]]) -> list[list[Option]]:
    from gemel.packs.service.options import hours, routes, staff, stations

    people, spans, ways, places = told
    return [
        *(staff(network, name, _counts(parts, "staff")) for name, parts in people),
        *(hours(network, name, _spans(parts)) for name, parts in spans),
        *(routes(network, name, [_number(part, "route") for part in dict.fromkeys(parts)]) for name, parts in ways),
        *(stations(network, name, _counts(parts, "station")) for name, parts in places),
    ]


def _priced(network: Network, prices: dict[str, float]) -> Network:
    from gemel.packs.service.weigh import priced

    return priced(network, prices)


# what is found


def _searched(
    trial: Trial,
    options: Sequence[Sequence[Option]],
    draws: int,
    rounds: int,
    seed: int,
    tell: Callable[[str, int, int], None],
) -> tuple[Frontier, str]:
    """Return the frontier, and the name of the design that the service is now."""
    from gemel.packs.service.options import crossed
    from gemel.packs.service.weigh import best

    variants: list[Variant] = crossed(trial.network, options)
    return best(trial, variants, draws=draws, rounds=rounds, seed=seed, tell=tell), variants[0].name


def _rosters(
    network: Network, since: Time, level: float, lengths: list[int], seed: int, tell: Callable[[str, int, int], None]
) -> tuple[list[Rostered], list[str]]:
    """Return the exact rosters of pools that can have one, and why others cannot."""
    from gemel.packs.service.shifts import exact, promising

    people = [pool.name for pool in network.pools if pool.kind == "people"]
    able = [name for name in people if promising(network, name)]
    if not able:
        raise BadInput(
            "no roster can be asked a level: no station with a promise is served by one pool of people alone; name promises"
            f" by --promise STATION=MINUTES; stations: {', '.join(one.name for one in network.stations)}", field="staffing",
        )  # fmt: skip
    found = []
    for place, name in enumerate(able):
        tell("rosters", place, len(able) + 1)
        found.append(exact(network, name, since, level=level, lengths=lengths, seed=seed))
    tell("rosters", len(able) + 1, len(able) + 1)
    left = [f"{name}: no roster, as it serves no station with a promise alone" for name in people if name not in able]
    return found, left


def _answer(
    asked: Asked, trial: Trial, found: Frontier | None, now: str | None, rosters: list[Rostered], notes: list[str],
    output: Path | None, as_json: bool,
) -> None:  # fmt: skip
    from gemel.facts import iso

    body: dict[str, Any] = {
        "network": trial.network.name, "since": iso(trial.since), "days": trial.days, "now": now,
        **({"aims": [], "tried": []} if found is None else found.body()),
        "staffing": [one.body() for one in rosters], "notes": notes,
    }  # fmt: skip
    if output is not None:
        _write(output, body, trial, found, now, rosters)
    seq, refused = _recorded(asked.view, body) if asked.view is not None and found is not None else (None, None)
    notes += [refused] if refused else []
    told = {
        "twin": None if asked.view is None else asked.view.id,
        **body,
        "recorded": seq,
        "written": None if output is None else str(output),
    }
    say(as_json, told, lambda: _summary(trial, found, now, rosters, notes, seq, output))


def _writable(output: Path | None) -> None:
    if output is None:
        return
    if output.suffix not in (".json", ".html"):
        raise BadInput("name a file that ends in .json or .html", file=str(output))
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise BadInput("is a folder, or its folder is not there; name a file", file=str(output))


def _write(
    output: Path, body: dict[str, Any], trial: Trial, found: Frontier | None, now: str | None, rosters: list[Rostered]
) -> None:
    from gemel.experiment.search import Frontier
    from gemel.packs.service.design_page import page

    zone = _zone(trial.network)
    shown = found or Frontier(trial.aims, ())
    text = (
        json.dumps(body, indent=1) if output.suffix == ".json"
        else page(trial.network.name, shown, now, trial.days, trial.since, zone, rosters)
    )  # fmt: skip
    part = output.with_name(output.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(output)


def _recorded(view: Twin, body: dict[str, Any]) -> tuple[int | None, str | None]:
    """Put the search on record where the actor may write; else say why not."""
    from gemel.packs.service.weigh import record

    if not view.may("write", "*"):
        return None, f"not put on record: {view.actor} may not write {view.id}"
    return record(view, {name: body[name] for name in ("since", "days", "now", "aims", "tried", "staffing")}), None


def _summary(
    trial: Trial, found: Frontier | None, now: str | None, rosters: list[Rostered], notes: list[str], seq: int | None,
    output: Path | None,
) -> str:  # fmt: skip
    lines = [] if found is None else [_head(trial, found), *_table(found), *_now(found, now)]
    lines += [str(one) for one in rosters] + notes
    lines += [] if seq is None else [f"on record as fact {seq}"]
    return "\n".join([*lines, *([] if output is None else [f"wrote {output}"])])


def _head(trial: Trial, found: Frontier) -> str:
    return f"{trial.network.name}: {len(found.tried)} designs over {trial.days} days; these none beats (90 % intervals)"


def _table(found: Frontier) -> list[str]:
    from gemel.packs.service.design_page import said

    heads = "".join(f"{aim:>26}" for aim in found.aims)
    rows = [
        "".join(f"{said(one, k):>26}" for k in range(len(found.aims))) + f"{one.efficient:>8.0%}  {one.design.name}"
        for one in found.efficient
    ]
    return [f"{heads}  surely  design", *rows]


def _now(found: Frontier, now: str | None) -> list[str]:
    from gemel.packs.service.design_page import said

    own = [one for one in found.tried if one.design.name == now]
    if not own or own[0].on_frontier:
        return []
    aims = ", ".join(f"{aim} {said(own[0], k)}" for k, aim in enumerate(found.aims))
    return [f"beaten: the service as it is, {aims}"]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(design)
