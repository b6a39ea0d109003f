"""Who may do what: grant, renew, revoke, may, entrust, hand-over, dismiss, break-glass, rights."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen
from gemel.errors import BadInput, Refused

if TYPE_CHECKING:
    from gemel.consent import Grant

Verb = StrEnum("Verb", ["read", "write", "propose", "act", "fork", "study", "emergency"])
Keys = StrEnum("Keys", ["holder", "guardian"])

To = Annotated[str, typer.Option("--to", help="Who is allowed.")]
Allowed = Annotated[Verb, typer.Option("--verb", help="What is allowed.")]
Signals = Annotated[
    list[str],
    typer.Option("--signal", default_factory=lambda: ["*"], help="A signal or lever; events, case:CASE; * for all."),
]
Until = Annotated[str | None, typer.Option("--until", help="A date (its end, in UTC) or a time, ISO 8601.")]
Since = Annotated[str | None, typer.Option("--from", help="From when, ISO 8601; by default at once.")]
Bounds = Annotated[
    list[str],
    typer.Option("--bound", default_factory=list, help="LEVER=AMOUNT: the most that may be acted, either way."),
]
Hours = Annotated[str | None, typer.Option("--hours", help="When it holds, as '08:00-15:00 Europe/Paris Mon-Fri'.")]
Onward = Annotated[int, typer.Option("--onward", min=0, max=3, help="How many times it may be given on.")]
GrantId = Annotated[str, typer.Argument(metavar="GRANT", help="The id that `gemel grant` said.")]


def grant(
    twin: Id, *, to: To, verb: Allowed, signal: Signals, purpose: Purpose = "care", until: Until = None,
    since: Since = None, bound: Bounds, hours: Hours = None, onward: Onward = 0, store: Store = STORE, actor: Actor,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Allow somebody something on a twin you hold, or on from a grant that you may give on."""
    with opened(store) as bank:
        view = bank.as_writer(twin, actor, PURPOSE)
        for name in signal:
            if name != "*":
                view.type.speaks_of(name)
        named: dict[str, Any] = {verb.value: tuple(signal)}
        made = view.grant(
            to=to, purpose=purpose, until=until, since=since, bounds=_bounds(bound), hours=hours, onward=onward, **named
        )
    grants = [{"id": g.id, "to": g.to, "verbs": list(g.verbs), "signals": list(g.signals)} for g in made]
    lines = [f"grant {g.id}: {g.to} may {', '.join(g.verbs)} {', '.join(g.signals)} of {twin}" for g in made]
    say(as_json, {"twin": twin, "grants": grants}, "\n".join(lines))


def _bounds(said: list[str]) -> dict[str, float]:
    found = {}
    for one in said:
        name, _, amount = one.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            raise BadInput(f"{one!r} is no bound, such as basal=1.5", field="bound") from None
    return found


def renew(twin: Id, grant_id: GrantId, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Say a grant again as it was, such as a guardian's that ended when the subject took the keys."""
    with opened(store) as bank:
        made = bank.as_writer(twin, actor, PURPOSE).renew(grant_id)
    say(as_json, {"twin": twin, "renewed": made.id}, f"renewed {made.id}")


def revoke(twin: Id, grant_id: GrantId, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Take a grant back, at once, with all that was given on from it; or close a broken glass."""
    with opened(store) as bank:
        seen(bank, twin, actor, PURPOSE).revoke(grant_id)
    say(as_json, {"twin": twin, "revoked": grant_id}, f"revoked {grant_id}")


def may(
    who: Annotated[str, typer.Argument(metavar="ACTOR", help="Who would do it.")],
    verb: Annotated[Verb, typer.Argument(metavar="VERB", help="read, write, propose, act, fork, study or emergency.")],
    twin: Id, signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="A signal or lever; events, case:CASE; * for all.")],
    *, purpose: Purpose = "care",
    amount: Annotated[float | None, typer.Option("--amount", help="How much would be acted.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="List all that was considered.")] = False,
    store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say whether somebody may do something, and why: exit 0 if so, 1 if not. Nothing is put on record."""
    with opened(store, readonly=True) as bank:
        bank.created(twin)
        if signal != "*":
            bank.type_of(twin).speaks_of(signal)
        asked = (who, verb.value, twin, signal, purpose, amount)
        decision, considered = bank.gate.decide(*asked), bank.gate.explain(*asked) if explain else ()
    body = {"allowed": decision.allowed, "reason": decision.reason, "grant": decision.grant_id}
    body |= {"policies": list(decision.policies)} | ({"considered": list(considered)} if explain else {})
    say(as_json, body, "\n".join([decision.reason, *(f"  {line}" for line in considered)]))
    if not decision.allowed:
        raise typer.Exit(Refused.exit_code)


def rights(twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False) -> None:
    """List who holds the keys of a twin, what is granted to whom, and whose glass is broken."""
    from gemel.facts import iso

    with opened(store, readonly=True) as bank:
        bank.created(twin)
        seen = bank.gate.decide(actor, "read", twin, "*", purpose)
        if not seen.allowed:
            raise Refused(seen.reason)
        held, now = bank.gate.rights(twin), bank.now()
    held_by = [f"{h.holder} holds the keys as {h.role}{_span(h.since, h.until)}" for h in held.holdings]
    keys = [{"holder": h.holder, "role": h.role, "from": h.since, "until": h.until} for h in held.holdings]
    rows = [_row(g) for g in (*held.grants, *held.glasses)]
    lines = held_by + [
        f"{'closed' if _over(g, now) else 'open  '}  {g.id}  {_line(g)}" for g in (*held.grants, *held.glasses)
    ]
    hand_over = None if held.handover is None else iso(held.handover)
    say(as_json, {"twin": twin, "keys": keys, "handover": hand_over, "grants": rows}, "\n".join(lines))


def _row(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id, "to": grant.to, "by": grant.by, "purpose": grant.purpose, "verbs": list(grant.verbs),
        "signals": list(grant.signals), "from": grant.since, "until": grant.until, "hours": grant.hours,
        "bounds": dict(grant.bounds), "onward": grant.onward, "via": grant.via, "revoked": grant.revoked,
        "lapsed": grant.lapsed, "glass": grant.glass,
    }  # fmt: skip


def _line(grant: Grant) -> str:
    text = f"{grant.to} may {', '.join(grant.verbs)} {', '.join(grant.signals)} for {grant.purpose}"
    text += _span(grant.since, grant.until) + (f", {grant.hours}" if grant.hours else "")
    text += f", given on from {grant.via}" if grant.via and grant.glass is None else ""
    return text if grant.glass is None else f"{text}: glass broken, {grant.glass}"


def _span(since: int | None, until: int | None) -> str:
    from gemel.facts import iso

    return (f" from {iso(since)}" if since is not None else "") + (f" until {iso(until)}" if until is not None else "")


def _over(grant: Grant, now: int) -> bool:
    ends = [end for end in (grant.until, grant.lapsed) if end is not None]
    return grant.revoked is not None or any(now >= end for end in ends)


def entrust(
    twin: Id, *, to: Annotated[str, typer.Option("--to", help="Who is to hold the keys too.")],
    role: Annotated[Keys, typer.Option("--role", help="In what role.")] = Keys.holder, since: Since = None,
    until: Until = None, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Let somebody hold the keys of a twin too; each of several holders suffices."""
    with opened(store) as bank:
        bank.as_writer(twin, actor, PURPOSE).entrust(to, role.value, since=since, until=until)
    say(as_json, {"twin": twin, "to": to, "role": role.value}, f"{to} holds the keys of {twin} as {role.value}")


def hand_over(
    twin: Id, at: Annotated[str, typer.Argument(metavar="TIME", help="From when, ISO 8601 with an offset.")],
    *, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Name the day on which the subject, by the twin's own id, takes the keys alone; it may come earlier, never later."""
    from gemel.bank.consenting import ending
    from gemel.facts import time_of

    with opened(store) as bank:
        view = bank.as_writer(twin, actor, PURPOSE)
        view.hand_over(at)
        ends = ending(view)
    say(as_json, {"twin": twin, "at": time_of(at), "ends": list(ends)}, _handed(twin, time_of(at), ends))


def _handed(twin: str, at: int, ends: tuple[str, ...]) -> str:
    from gemel.facts import iso

    text = f"{twin} takes the keys at {iso(at)}"
    lost = (
        f"from then on {', '.join(ends)} see nothing, send nothing and are told nothing, unless {twin} grants it anew"
    )
    return "\n".join([text, *([f"{lost} (gemel join, gemel renew)"] if ends else [])])


def dismiss(
    twin: Id, holder: Annotated[str, typer.Argument(metavar="HOLDER", help="Whose keys end.")],
    *, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """End somebody's keys: your own, or of somebody you entrusted, or as the subject anybody's."""
    with opened(store) as bank:
        bank.as_writer(twin, actor, PURPOSE).dismiss(holder)
    say(as_json, {"twin": twin, "dismissed": holder}, f"{holder} does not hold the keys of {twin} any more")


def break_glass(
    twin: Id, *, reason: Annotated[str, typer.Option("--reason", help="Why; the subject is told at once.")],
    minutes: Annotated[float, typer.Option("--minutes", min=1, max=1440, help="For how long.")] = 60, signal: Signals,
    purpose: Purpose = "emergency", store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Open reading in an emergency, if you were given that right; the subject is told, and it ends by itself."""
    from gemel.facts import iso

    with opened(store) as bank:
        made = bank.as_writer(twin, actor, purpose).break_glass(reason, minutes, tuple(signal))
    until = iso(made.until or 0)
    say(as_json, {"twin": twin, "glass": made.id, "until": made.until}, f"broken glass {made.id}: open until {until}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (grant, renew, revoke, may, rights, entrust, dismiss):
        app.command()(command)
    app.command("hand-over")(hand_over)
    app.command("break-glass")(break_glass)
