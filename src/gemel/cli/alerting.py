"""Who is told of a twin's alerts: alerts, notices, acknowledge, alerting, alert-to, change-alerting, stop-alerting."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen

if TYPE_CHECKING:
    from gemel.bank import Twin
    from gemel.bank.alerting import Notice, Rule
    from gemel.facts import Fact

Severity = StrEnum("Severity", ["info", "warning", "urgent"])

To = Annotated[str, typer.Option("--to", help="Who is told; they must be allowed to read alerts.")]
Least = Annotated[Severity, typer.Option("--severity", help="How severe an alert must be at least.")]
Names = Annotated[
    list[str], typer.Option("--name", default_factory=lambda: ["*"], help="An alert's name; * stands for anything.")
]
After = Annotated[str, typer.Option("--after", help="After how long in which nobody took care of it, as '20 min'.")]
Again = Annotated[str | None, typer.Option("--again", help="How often until somebody takes care of it, as '10 min'.")]
Hours = Annotated[str | None, typer.Option("--hours", help="Only then, as '08:00-15:00 Europe/Paris Mon-Fri'.")]
Quiet = Annotated[str | None, typer.Option("--quiet", help="Then only what is urgent, as '21:00-07:00 Europe/Paris'.")]
Seq = Annotated[int, typer.Argument(metavar="ALERT", min=1, help="The number that `gemel alerts` says.")]
ReadFor = Annotated[str, typer.Option("--for", help="For which purpose they read.")]
RuleId = Annotated[str, typer.Argument(metavar="RULE", help="The id that `gemel alerting` says.")]
NEVER = "never"
NewTo = Annotated[str | None, typer.Option("--to", help="Who is told instead.")]
NewLeast = Annotated[Severity | None, typer.Option("--severity", help="How severe an alert must be at least.")]
NewNames = Annotated[list[str] | None, typer.Option("--name", help="An alert's name; * stands for anything.")]
NewAfter = Annotated[str | None, typer.Option("--after", help="After how long, as '20 min'.")]
NewAgain = Annotated[str | None, typer.Option("--again", help="How often, as '10 min', or never again.")]
NewHours = Annotated[str | None, typer.Option("--hours", help="Only then, or never mind the hour.")]
NewQuiet = Annotated[str | None, typer.Option("--quiet", help="Then only what is urgent, or never quiet.")]
Note = Annotated[str, typer.Option("--note", help="What is being done.")]


def alerts(
    twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Show what is the matter now, and who takes care of it."""
    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        found = [fact for fact in view.alerts() if fact.body["active"]]
        heard = {seq: fact.by for seq, fact in bank.told(twin).acknowledged.items()}
    rows = [_row(fact, heard.get(fact.seq, "")) for fact in found]
    lines = [
        f"{r['alert']:>6}  {r['severity']:8} {r['text']}" + (f" ({r['by']} takes care of it)" if r["by"] else "")
        for r in rows
    ]
    say(as_json, {"twin": twin, "alerts": rows}, "\n".join(lines) or "nothing is the matter")


def _row(fact: Fact, by: str) -> dict[str, str | int]:
    told = {name: str(fact.body[name]) for name in ("name", "severity", "text")}
    return {"alert": fact.seq, "at": fact.true_at, **told, "by": by}


def notices(
    twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Show what you were told of this twin's alerts, newest first."""
    with opened(store) as bank:
        found = seen(bank, twin, actor, purpose).notices()
    say(
        as_json,
        {"twin": twin, "notices": [asdict(one) for one in found]},
        "\n".join(map(_told, found)) or "you were told nothing",
    )


def _told(one: Notice) -> str:
    from gemel.facts import iso

    care = f" ({one.acknowledged_by} takes care of it)" if one.acknowledged_by else ""
    return f"{iso(one.at)}  {one.alert:>6}  {'over:' if one.over else one.severity:8} {one.text}{care}"


def acknowledge(
    twin: Id, alert: Seq, *, note: Note = "", store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Take care of an alert: nobody else is told of it, until it grows worse or comes again."""
    with opened(store) as bank:
        seen(bank, twin, actor, purpose).acknowledge(alert, note)
    say(as_json, {"twin": twin, "acknowledged": alert}, f"you take care of alert {alert}")


def alerting(
    twin: Id, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Show who is told of this twin's alerts, and when."""
    from gemel.bank.alerting import heard

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        found = [(rule, heard(view, rule)) for rule in view.alert_rules()]
    rows = [{**asdict(rule), "heard": told} for rule, told in found]
    lines = [_rule(rule) + ("" if told else f"; tells nobody: {rule.to} may not read alerts") for rule, told in found]
    say(as_json, {"twin": twin, "rules": rows}, "\n".join(lines) or "nobody is told")


def _rule(rule: Rule) -> str:
    after = f"after {rule.after // 60_000} min" if rule.after else "at once"
    when = [f"within {rule.hours}" if rule.hours else "", f"quiet {rule.quiet}" if rule.quiet else "",
            f"again every {rule.again // 60_000} min" if rule.again else ""]  # fmt: skip
    return f"{rule.id}  {rule.to}: {', '.join(rule.names)}, {rule.severity} or worse, {', '.join([after, *filter(None, when)])}"


def alert_to(
    twin: Id, *, to: To, severity: Least = Severity.warning, name: Names, after: After = "0 min", again: Again = None,
    hours: Hours = None, quiet: Quiet = None, purpose: ReadFor = "care",
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Let somebody be told of alerts of a twin you hold; rules with longer and longer --after are an escalation."""
    with opened(store) as bank:
        view = bank.as_writer(twin, actor, PURPOSE)
        rule = view.alert_to(
            to, severity=severity.value, names=name, after=after, again=again, hours=hours, quiet=quiet, purpose=purpose
        )
    say(as_json, {"twin": twin, "rule": asdict(rule)}, _rule(rule))


def change_alerting(
    twin: Id, rule: RuleId, *, to: NewTo = None, severity: NewLeast = None, name: NewNames = None, after: NewAfter = None,
    again: NewAgain = None, hours: NewHours = None, quiet: NewQuiet = None,
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Change a rule; what is not said stays as it was, and 'never' takes --again, --hours or --quiet away."""
    from gemel.units import duration

    ends = {"again": again if again in (None, NEVER) else duration(again), "hours": hours, "quiet": quiet}
    said: dict[str, Any] = {
        "to": to, "severity": severity and severity.value, "names": name and tuple(name), "after": after and duration(after),
        **ends,
    }  # fmt: skip
    new: dict[str, Any] = {key: None if value == NEVER else value for key, value in said.items() if value is not None}
    with opened(store) as bank:
        view = bank.as_writer(twin, actor, PURPOSE)
        made = view.change_alerting(rule, replace(_found(view, rule), **new, id=""))
    say(as_json, {"twin": twin, "rule": asdict(made), "replaces": rule}, _rule(made))


def _found(view: Twin, id: str) -> Rule:
    from gemel.errors import unknown

    rules = {one.id: one for one in view.alert_rules()}
    if id not in rules:
        raise unknown("rule", id, rules)
    return rules[id]


def stop_alerting(twin: Id, rule: RuleId, *, store: Store = STORE, actor: Actor, as_json: Json = False) -> None:
    """Take a rule out of force."""
    with opened(store) as bank:
        bank.as_writer(twin, actor, PURPOSE).stop_alerting(rule)
    say(as_json, {"twin": twin, "stopped": rule}, f"stopped {rule}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (alerts, notices, acknowledge, alerting, alert_to, change_alerting, stop_alerting):
        app.command()(command)
