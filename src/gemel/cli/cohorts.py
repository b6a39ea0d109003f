"""Cohorts: ask many twins together, and see what asking has cost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gemel.cli.console import STORE, Actor, Json, Purpose, Store, opened, progress, say
from gemel.errors import BadInput, Refused

Statistic = StrEnum("Statistic", ["count", "mean", "share", "quantiles", "histogram", "rows"])

Group = Annotated[str, typer.Argument(metavar="QUERY", help="A type, or a type in a relation: 'person part_of ward'.")]
Of = Annotated[str, typer.Option("--of", help="A signal or a metric of the type.")]
What = Annotated[Statistic, typer.Option("--statistic", help="What to say of it.")]
Names = Annotated[list[str], typer.Option("--twin", default_factory=list, help="Only these twins; again for each.")]
Since = Annotated[str | None, typer.Option("--since", help="Readings from when on, ISO 8601.")]
Until = Annotated[str | None, typer.Option("--until", help="Readings before when, ISO 8601.")]
Above = Annotated[float | None, typer.Option("--above", help="For share: above which number.")]
Levels = Annotated[str, typer.Option("--levels", help="For quantiles: such as 0.1,0.5,0.9.")]
Edges = Annotated[str, typer.Option("--edges", help="For histogram: such as 70,140,180,250.")]
Bounds = Annotated[str, typer.Option("--bounds", help="LOW,HIGH: where a member's number is taken to lie.")]
Epsilon = Annotated[float, typer.Option("--epsilon", help="What to spend: less is more noise.")]
Minimum = Annotated[int, typer.Option("--minimum", help="Held back below so many members, 5 at the least.")]
Asker = Annotated[str | None, typer.Argument(metavar="[ASKER]", help="Whose budget; by default your own.")]
Set = Annotated[float | None, typer.Option("--set", help="Say how much they may spend in all.")]


def ask(
    query: Group, *, of: Of, statistic: What = Statistic.mean, twin: Names, since: Since = None, until: Until = None,
    above: Above = None, levels: Levels = "", edges: Edges = "", bounds: Bounds = "", epsilon: Epsilon = 0.5,
    minimum: Minimum = 5, store: Store = STORE, actor: Actor, purpose: Purpose = "research", as_json: Json = False,
) -> None:  # fmt: skip
    """Ask many twins together: an aggregate with noise, of those whose grants allow study; it is paid from your budget."""
    from gemel.bank.cohort import Question
    from gemel.facts import time_of

    between = _numbers(bounds, "bounds")
    if len(between) not in (0, 2):
        raise BadInput(f"{bounds!r} is not a pair of numbers, such as 40,400", field="bounds")
    question = Question(
        statistic.value, of, None if since is None else time_of(since), None if until is None else time_of(until), above,
        _numbers(levels, "levels"), _numbers(edges, "edges"), (between[0], between[1]) if between else None, epsilon,
    )  # fmt: skip
    with opened(store) as bank, progress() as tell:
        bank.index.fresh(tell)
        answer = bank.cohort(query, by=actor, purpose=purpose, names=twin or None, minimum=minimum).ask(question)
    paid = f"epsilon {answer.epsilon:g} spent, {answer.left:.4g} left"
    text = answer.reason or f"{answer.statistic} of {of}: {answer.value} {answer.unit} ({answer.mechanism})"
    say(as_json, {"query": query, "of": of, **answer.body()}, f"{text}\n{paid}")
    if answer.value is None:
        raise typer.Exit(Refused.exit_code)


def _numbers(text: str, field: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise BadInput(f"{text!r} is not a list of numbers, such as 0.1,0.5,0.9", field=field) from None


def budget(
    asker: Asker = None, *, set_: Set = None, store: Store = STORE, actor: Actor, as_json: Json = False
) -> None:  # fmt: skip
    """See what an asker may spend, what is left, and what they asked; or say how much they may spend."""
    from gemel.facts import iso

    whose = asker or actor
    with opened(store, readonly=set_ is None) as bank:
        held = bank.budgets.of(whose) if set_ is None else bank.budgets.set(whose, set_, actor, bank.now())
    lines = [f"{whose}: {held.left:.4g} of {held.total:g} left"]
    lines += [f"{iso(fact.true_at)}  {fact.body['epsilon']:g}  {_asked(fact.body)}" for fact in held.asked]
    say(as_json, held.body(), "\n".join(lines))


def _asked(body: object) -> str:
    assert isinstance(body, dict)
    question = body["question"]
    return f"{question['statistic']} of {question['field']}, {body['cohort']}, for {body['purpose']}"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(no_args_is_help=True, help="Ask many twins together, under a privacy budget.")
    group.command()(ask)
    group.command()(budget)
    app.add_typer(group, name="cohort")
