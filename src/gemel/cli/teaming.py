"""Team and care plan: team, join, leave, plan, propose-plan, decide-plan, review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.bank.careplan import Change, Plan, Setting
    from gemel.twintype import TwinType

Who = Annotated[str, typer.Argument(metavar="WHO", help="Who it is about.")]
Role = Annotated[str, typer.Option("--role", help="Which role; `gemel team` lists those there are.")]
Hours = Annotated[str | None, typer.Option("--hours", help="Only then, as '08:00-15:00 Europe/Oslo Mon-Fri'.")]
Quiet = Annotated[str | None, typer.Option("--quiet", help="Then only what is urgent, as '21:00-07:00 Europe/Oslo'.")]
Until = Annotated[str | None, typer.Option("--until", help="A date (its end, in UTC) or a time, ISO 8601.")]
Settings = Annotated[
    list[str], typer.Option("--set", default_factory=list, help="NAME=NUMBER, or NAME=24 numbers with commas between.")
]
Notes = Annotated[
    list[str], typer.Option("--note", default_factory=list, help="SECTION=TEXT; an empty text takes the section away.")
]
Why = Annotated[str, typer.Option("--why", help="Why.")]
Number = Annotated[int, typer.Argument(metavar="CHANGE", min=1, help="The number that `gemel plan` says.")]
Reject = Annotated[bool, typer.Option("--reject", help="Reject it; by default it is approved.")]
Remark = Annotated[str, typer.Option("--remark", help="What goes with the decision.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What you make of it.")]
Days = Annotated[float, typer.Option("--days", min=0.1, max=366, help="The last how many days it is about.")]


def team(
    twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Show who is around a twin, in which role, and which roles there are."""
    from gemel.bank.catalogue import roles
    from gemel.bank.team import team as members

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        bank.gate.require(actor, "read", twin, "*", purpose)
        offered = roles(view.type.name)
        found = members(view, offered)
    lines = [f"{who:20} {offered[role].label if role in offered else role}" for who, role in found.items()]
    lines += ["", "roles:", *(f"  {name:10} {role.does}" for name, role in offered.items())]
    say(as_json, {"twin": twin, "team": found, "roles": {n: r.does for n, r in offered.items()}}, "\n".join(lines))


def join(
    twin: Id, who: Who, *, role: Role, hours: Hours = None, quiet: Quiet = None, until: Until = None,
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Take somebody into a twin's team: their grants, and what they are told of."""
    from gemel.bank.catalogue import roles
    from gemel.bank.team import join as take_in

    with opened(store) as bank:
        view = bank.as_writer(twin, actor, PURPOSE)
        grants = take_in(view, roles(view.type.name), who, role, hours, until, quiet)
    ids = [grant.id for grant in grants]
    say(as_json, {"twin": twin, "who": who, "role": role, "grants": ids}, f"{who} joined as {role}")


def leave(twin: Id, who: Who, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Take somebody out of a twin's team: every grant, key and rule."""
    from gemel.bank.team import leave as take_out

    with opened(store) as bank:
        revoked = take_out(bank.as_writer(twin, actor, PURPOSE), who)
    say(as_json, {"twin": twin, "who": who, "revoked": revoked}, f"{who} left; {revoked} grants were taken back")


def plan(
    twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Show the shared care plan, what is proposed, and the latest reviews."""
    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        found, kind = view.plan(), view.type
    body = {
        "settings": dict(found.settings), "notes": dict(found.notes), "changes": [vars(one) for one in found.changes],
        "reviews": [vars(one) for one in found.reviews],
    }  # fmt: skip
    say(as_json, {"twin": twin, **body}, lambda: _shown(found, kind))


def _shown(found: Plan, kind: TwinType) -> str:
    from gemel.facts import iso

    ports = kind.settings
    lines = [f"{ports[n].label or n:26} {_said(value)} {ports[n].unit}" for n, value in found.settings.items()]
    lines += [f"{section}: {text}" for section, text in found.notes.items()]
    lines += [f"open {one.seq}: {_changed(one)}" for one in found.open]
    lines += [f"{iso(one.at)} {one.by}: {one.text}" for one in found.reviews[-3:]]
    return "\n".join(lines) or "nothing has been agreed on yet"


def _said(value: Setting) -> str:
    return " ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value:g}"


def _changed(change: Change) -> str:
    parts = [f"{name} {_said(value)}" for name, value in change.settings.items()]
    parts += [f"{section}: {text or '(taken away)'}" for section, text in change.notes.items()]
    return f"{'; '.join(parts)} ({change.by}{': ' + change.why if change.why else ''})"


def propose_plan(
    twin: Id, *, settings: Settings, note: Notes, why: Why = "", store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Propose a change of the care plan; `gemel decide-plan` approves it."""
    with opened(store) as bank:
        view = bank.as_writer(twin, actor, purpose)
        made = view.propose_plan({name: _value(name, text) for name, text in _parts(settings)}, dict(_parts(note)), why)
    say(as_json, {"twin": twin, "change": made.seq}, f"change {made.seq}: {_changed(made)}")


def _parts(said: list[str]) -> list[tuple[str, str]]:
    for one in said:
        if "=" not in one:
            raise BadInput(f"{one!r} has no =; write NAME=VALUE")
    return [(name.strip(), value) for name, _, value in (one.partition("=") for one in said)]


def _value(name: str, text: str) -> Any:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"{text!r} is no number, nor 24 of them", field=name) from None
    return values[0] if len(values) == 1 else values


def decide_plan(
    twin: Id, change: Number, *, reject: Reject = False, remark: Remark = "", store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Approve a proposed change of the care plan, or reject it."""
    with opened(store) as bank:
        made = bank.as_writer(twin, actor, purpose).decide_plan(change, not reject, remark)
    say(as_json, {"twin": twin, "change": change, "status": made.status}, f"change {change} is {made.status}")


def review(
    twin: Id, text: Text, *, days: Days = 14.0, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Put on record what you make of the last days."""
    from gemel.facts import DAY

    with opened(store) as bank:
        now = bank.now()
        made = bank.as_writer(twin, actor, purpose).review(text, now - round(days * DAY), now)
    say(as_json, {"twin": twin, "review": made.seq}, f"review {made.seq} is on record")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (team, join, leave, plan, propose_plan, decide_plan, review):
        app.command()(command)
