"""Personalise: what the record says of this one individual, and how well that foretold what came."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, progress, say, seen

Days = Annotated[float, typer.Option("--days", min=0.5, max=90, help="How many of the last days to learn from.")]
Constants = Annotated[
    bool,
    typer.Option(
        "--constants", help="Fit only the constants of the live twin, and adopt them if they foretell better."
    ),
]
Anew = Annotated[bool, typer.Option("--anew", help="Begin again instead of learning from the new days only.")]
Quick = Annotated[bool, typer.Option("--quick", help="A Gaussian at the mode instead of chains.")]
Zone = Annotated[
    str | None,
    typer.Option(
        "--timezone", help="Time zone of the person's day, such as Europe/Stockholm; by default that of last time."
    ),
]


def personalise(
    twin: Id, *, days: Days = 14.0, constants: Constants = False, anew: Anew = False, quick: Quick = False,
    timezone: Zone = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Learn what is this individual's own, say what the days tell and what not, and how yesterday's twin foretold today."""
    from gemel.bank.catalogue import personal
    from gemel.streams.clock import zone

    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        identify = None if constants else personal(view.type.name)
        if identify is None:
            fit = view.personalise(days, tell)
            return say(as_json, {"twin": twin, **fit.body()}, str(fit))
        found = identify(view, days, None if timezone is None else zone(timezone), bank.seed, anew, quick, tell)
    return say(as_json, found.body(), str(found))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(personalise)
