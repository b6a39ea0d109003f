"""Versions: what was believed when, under which name; what changed and why; forks that are kept; becoming another type."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen
from gemel.errors import BadInput

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name.")]
About = Annotated[str | None, typer.Option("--at", help="About when, ISO 8601; by default now.")]
KnownBy = Annotated[str | None, typer.Option("--known-by", help="From what was known then, ISO 8601; by default now.")]
Why = Annotated[str, typer.Option("--why", help="Why; it stays on record.")]
Side = "A version's name, a time (ISO 8601: what was believed then), or now."

version = typer.Typer(no_args_is_help=True, help="Beliefs under a name.")
fork = typer.Typer(no_args_is_help=True, help="Supposed futures that are kept.")


def _time(text: str | None, field: str) -> int | None:
    from gemel.facts import time_of

    try:
        return None if text is None else time_of(text)
    except BadInput as error:
        raise BadInput(error.problem, field=field) from None


def belief(
    twin: Id, *, at: About = None, known_by: KnownBy = None,
    name: Annotated[str | None, typer.Option("--version", help="The belief of that name.")] = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what is believed of a twin, or was believed about a moment from what was known by another."""
    from gemel.bank.contrast import units_of
    from gemel.bank.versions import View, described, digest_of, replica_at, view_of
    from gemel.facts import iso

    if name is not None and (at or known_by):
        raise BadInput("a version says its times itself: leave --at and --known-by out", field="version")
    asked = _time(at, "at")
    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        meant = View(asked, _time(known_by, "known-by")) if name is None else view_of(bank, twin, name)
        found = view.belief(meant.true_at, meant.known_by, name)
        twin_type = replica_at(bank, twin, meant).type
    values, digest = described(found.belief, units_of(twin_type)), digest_of(found.belief)
    body = {"twin": twin, "at": found.at, "type": twin_type.name, "type_hash": twin_type.hash, "digest": digest}
    rows = [f"{key:28} {v['mean']:10.4g} ± {v['sd']:<10.3g} {v['unit']}".rstrip() for key, v in values.items()]
    head = f"{twin} after its reading of {iso(found.at)}, {twin_type.name} {twin_type.hash[:12]}, belief {digest[:12]}"
    say(as_json, {**body, "values": values}, "\n".join([head, *rows]))


def diff(
    twin: Id, a: Annotated[str, typer.Argument(metavar="A", help=Side)],
    b: Annotated[str, typer.Argument(metavar="B", help=Side)] = "now", *,
    ahead: Annotated[str, typer.Option("--ahead", help="Minutes ahead to compare forecasts at.")] = "30,60,120",
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what changed between two versions of a twin, by how much, and because of which facts; largest first."""
    try:
        minutes = tuple(int(part) for part in ahead.split(","))
    except ValueError:
        raise BadInput(f"{ahead!r} is not minutes with commas between them, such as 30,60", field="ahead") from None
    if not all(5 <= one <= 2880 and one % 5 == 0 for one in minutes):
        raise BadInput(f"{ahead!r}: forecasts are made for every 5th minute, to 2880", field="ahead")
    with opened(store) as bank:
        found = seen(bank, twin, actor, purpose).diff(a, b, minutes)
    say(as_json, found.body(), lambda: str(found))


@version.command("name")
def name_(
    twin: Id, name: Name, *, why: Why = "", at: About = None, known_by: KnownBy = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Put a name on what is believed now, or was."""
    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        made = view.name_version(name, why, _time(at, "at"), _time(known_by, "known-by"))
    say(as_json, {"twin": twin, **made.body()}, str(made))


@version.command("list")
def list_(twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False) -> None:
    """List the named versions, oldest first."""
    with opened(store) as bank:
        found = list(seen(bank, twin, actor, purpose).versions().values())
    text = "\n".join(map(str, found)) or f"{twin} has no named version yet"
    say(as_json, {"twin": twin, "versions": [one.body() for one in found]}, text)


@version.command()
def show(
    twin: Id, name: Name, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:
    """Fold a named version again, and say whether it is what it was, to the last bit."""
    from gemel.bank.versions import digest_of
    from gemel.errors import unknown

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        found = view.versions()
        if name not in found:
            raise unknown("version", name, found)
        same = digest_of(view.belief(version=name).belief) == found[name].digest
    how = "as it was, to the last bit" if same else "not to the last bit: another machine, or other numerics"
    say(as_json, {"twin": twin, **found[name].body(), "same": same}, f"{found[name]}\n{how}")


@fork.command()
def keep(
    twin: Id, name: Name, *,
    scenario: Annotated[str | None, typer.Option("--scenario", help="One of the type's scenarios.")] = None,
    given: Annotated[
        list[str], typer.Option("--set", metavar="FIELD=VALUE", default_factory=list, help="A field of the scenario.")
    ],
    parent: Annotated[str | None, typer.Option("--parent", help="The fork it is a fork of.")] = None,
    at: About = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Keep a supposed future, of the twin or of another fork; it survives a restart and is rebuilt exactly."""
    values = {field: _number(field, value) for field, _, value in (entry.partition("=") for entry in given)}
    with opened(store) as bank:
        made = seen(bank, twin, actor, purpose).keep_fork(name, scenario, values, parent, _time(at, "at"))
    say(as_json, {"twin": twin, **made.body()}, str(made))


def _number(field: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise BadInput(f"{value!r} is not a number; write --set {field or 'FIELD'}=1.5", field=field or "set") from None


@fork.command("list")
def forks(twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False) -> None:
    """List the kept forks, as a tree."""
    with opened(store) as bank:
        found = seen(bank, twin, actor, purpose).forks()
    text = "\n".join(map(str, found)) or f"{twin} has no kept fork"
    say(as_json, {"twin": twin, "forks": [one.body() for one in found]}, text)


@fork.command("forecast")
def fork_forecast(
    twin: Id, name: Name, *, hours: Annotated[float, typer.Option("--hours", min=0.1, max=48, help="How far.")] = 2.0,
    signal: Annotated[str | None, typer.Option("--signal", help="Which signal; by default the first.")] = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what a signal would read in a kept fork."""
    from gemel.errors import unknown

    with opened(store) as bank:
        made = seen(bank, twin, actor, purpose).open_fork(name)
        if signal is not None and signal not in made.type.signals:
            raise unknown("signal", signal, made.type.signals)
        said = made.forecast(signal or next(iter(made.type.band or made.type.signals)), hours)
    say(as_json, {"twin": twin, "fork": name, **said.body()}, lambda: f"in {name}: {said}")


@fork.command()
def drop(
    twin: Id, name: Name, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:
    """Drop a kept fork and all forks of it."""
    with opened(store) as bank:
        seen(bank, twin, actor, purpose).drop_fork(name)
    say(as_json, {"twin": twin, "dropped": name}, f"dropped {name}")


def retype(
    twin: Id, *, to: Annotated[str | None, typer.Option("--to", help="A type, or the hash of a version.")] = None,
    renamed: Annotated[
        list[str], typer.Option("--rename", metavar="NEW=OLD", default_factory=list, help="A state under a new name.")
    ],
    anew: Annotated[bool, typer.Option("--anew", help="Fold the whole record again; no state goes over.")] = False,
    days: Annotated[float, typer.Option("--days", min=0.01, max=60, help="Past days both types are scored on.")] = 3.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do, on a copy.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Undo the last retyping, exactly.")] = False,
    why: Why = "", store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Make a twin another version of its type, or another type: tried on a copy, on record, undone with --rollback."""
    if (to is None) is not rollback or (rollback and (dry_run or anew or renamed)):
        raise BadInput("say --to TYPE, with or without --dry-run, or --rollback alone", field="to")
    pairs = {new: old for new, _, old in (entry.partition("=") for entry in renamed)}
    if not all(new and old for new, old in pairs.items()):
        raise BadInput("--rename takes NEW=OLD, such as tank.rain=sky.rain", field="rename")
    with opened(store) as bank:
        view, made = seen(bank, twin, actor, purpose), None
        if to is None:
            view.roll_back(why)
        else:
            made = view.rehearse(to, pairs, anew, days) if dry_run else view.retype(to, pairs, anew, why, days)
        kind = view.type
    done = "still: nothing was written" if dry_run else "again, as if it had never been retyped" if rollback else "now"
    body = {
        "twin": twin,
        "done": not dry_run,
        "rehearsal": made and made.body(),
        "type": kind.name,
        "type_hash": kind.hash,
    }
    say(as_json, body, "\n".join([*([str(made)] if made else []), f"{twin} is of {kind.name} {kind.hash[:12]} {done}"]))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (belief, diff, retype):
        app.command()(command)
    app.add_typer(version, name="version")
    app.add_typer(fork, name="fork")
