"""The organisation's policies: `gemel policy add`, `list`, `remove`, `test`, `role`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gemel.cli.consenting import Verb
from gemel.cli.console import STORE, Actor, Id, Json, Purpose, Store, opened, say
from gemel.errors import BadInput, Refused

Name = Annotated[str, typer.Argument(metavar="NAME", help="The policy.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of Cedar text.")]

policy = typer.Typer(no_args_is_help=True, help="What the organisation forbids and permits its people, in Cedar.")


@policy.command("add")
def add(name: Name, file: File, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Put a policy in force, or its next version; one that cannot be read is refused with line and column."""
    from gemel.bank import house

    text = _read(file)
    with opened(store) as bank:
        made = house.add_policy(bank, name, text, actor)
    say(as_json, {"policy": name, "version": made.version}, f"policy {name}@{made.version} is in force")


@policy.command("list")
def show(*, store: Store = STORE, as_json: Json = False) -> None:
    """List the policies in force, and what is known of each actor."""
    with opened(store, readonly=True) as bank:
        house = bank.rights.organisation()
    policies = [{"name": p.name, "version": p.version, "text": p.text} for p in house.policies]
    roles = [
        {"actor": r.actor, "roles": list(r.roles), "department": r.department, "attributes": dict(r.attributes)}
        for r in house.roles.values()
    ]
    lines = [f"{p.name}@{p.version}\n{p.text.strip()}" for p in house.policies] or ["no policy is in force"]
    lines += [f"{r.actor}: {', '.join([*r.roles, r.department])}".rstrip(", ") for r in house.roles.values()]
    say(as_json, {"policies": policies, "roles": roles}, "\n".join(lines))


@policy.command("remove")
def remove(name: Name, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Take a policy out of force."""
    from gemel.bank import house

    with opened(store) as bank:
        house.remove_policy(bank, name, actor)
    say(as_json, {"policy": name, "removed": True}, f"policy {name} is not in force any more")


@policy.command("test")
def test(
    file: File, who: Annotated[str, typer.Argument(metavar="ACTOR", help="Who would do it.")],
    verb: Annotated[Verb, typer.Argument(metavar="VERB", help="What they would do.")], twin: Id,
    signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="A signal or lever; * for all.")],
    *, purpose: Purpose = "care",
    amount: Annotated[float | None, typer.Option("--amount", help="How much would be acted.")] = None,
    store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what a policy that is not in force yet would change: exit 0 if this would be allowed, 1 if not."""
    from gemel.consent import Organisation, Policy, Request, decide, rules

    text = _read(file)
    rules(text)
    with opened(store, readonly=True) as bank:
        bank.created(twin)
        now, rights, house = bank.now(), bank.gate.rights(twin), bank.rights.organisation()
    request = Request(who, verb.value, twin, signal, purpose, now, amount)
    others = tuple(p for p in house.policies if p.name != file.stem)
    then = decide(rights, request, Organisation((*others, Policy(file.stem, text, 0)), house.roles))
    today = decide(rights, request, house)
    body: dict[str, Any] = {"allowed": then.allowed, "reason": then.reason, "today": today.allowed}
    say(as_json, body, f"today: {today.reason}\nwith {file.name}: {then.reason}")
    if not then.allowed:
        raise typer.Exit(Refused.exit_code)


@policy.command("role")
def role(
    who: Annotated[str, typer.Argument(metavar="ACTOR", help="Whom this is about.")],
    role: Annotated[list[str], typer.Option("--role", default_factory=list, help="A role; none takes all away.")],
    *, department: Annotated[str, typer.Option("--department", help="Where they work.")] = "",
    attribute: Annotated[list[str], typer.Option("--attribute", default_factory=list, help="NAME=VALUE, for policies.")],
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what the organisation knows of an actor, in place of what it said before."""
    from gemel.bank import house

    attributes = dict(_attribute(one) for one in attribute)
    with opened(store) as bank:
        made = house.name_role(bank, who, role, actor, department, attributes)
    body = {"actor": who, "roles": list(made.roles), "department": department, "attributes": attributes}
    say(as_json, body, f"{who}: {', '.join([*made.roles, department]).rstrip(', ') or 'no role'}")


def _attribute(said: str) -> tuple[str, str | int | bool]:
    name, sign, value = said.partition("=")
    if not name or not sign:
        raise BadInput(f"{said!r} is no attribute, such as level=3", field="attribute")
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value) if value.lstrip("-").isdigit() else value


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read as text: {error}", file=str(file)) from None


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(policy, name="policy")
