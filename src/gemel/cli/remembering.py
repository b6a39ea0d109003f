"""What was decided before: the most alike situations and what came of them; who did what on whose behalf."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen

Proposed = Annotated[
    int | None, typer.Option("--proposal", min=1, help="A proposal's number; by default, how it is now.")
]
Most = Annotated[int, typer.Option("--most", min=1, max=100, help="How many situations to show.")]
Case = Annotated[str | None, typer.Option("--case", help="Only what was done about this case.")]
Whose = Annotated[str | None, typer.Option("--actor", help="Only what this actor proposed or decided.")]
Since = Annotated[str | None, typer.Option("--since", help="From when on, ISO 8601.")]


def memory(
    twin: Id, *, proposal: Proposed = None, most: Most = 5, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Show past situations like this one, what was chosen then, by whom, and what came of it, best first."""
    from gemel.loop.memory import remember

    with opened(store) as bank:
        found = remember(seen(bank, twin, actor, purpose), proposal, most)
    say(as_json, {"twin": twin, **found.body()}, lambda: str(found))


def account(
    twin: Id, *, case: Case = None, of: Whose = None, since: Since = None, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say of each intervention the state, forecast, alternatives, choice, actor and outcome."""
    from gemel.bank.account import accounts
    from gemel.facts import time_of

    start = None if since is None else time_of(since, what="--since")
    with opened(store) as bank:
        found = accounts(seen(bank, twin, actor, purpose), case=case, actor=of, since=start)
    body = {"twin": twin, "interventions": [one.body() for one in found]}
    say(as_json, body, lambda: "\n\n".join(map(str, found)) or "no intervention is on record")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (memory, account):
        app.command()(command)
