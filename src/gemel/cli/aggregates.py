"""Aggregates: a signal of one twin, bin by bin."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen

Of = Annotated[str, typer.Argument(metavar="SIGNAL", help="The signal.")]
Every = Annotated[str, typer.Option("--every", help="Length of a bin, such as 15min, 1h or 1day.")]
Since = Annotated[str | None, typer.Option("--since", help="Readings from when on, ISO 8601.")]
Until = Annotated[str | None, typer.Option("--until", help="Readings before when, ISO 8601.")]
KnownBy = Annotated[str | None, typer.Option("--known-by", help="As it was known when, ISO 8601.")]


def aggregate(
    twin: Id, signal: Of, *, every: Every = "1h", since: Since = None, until: Until = None, known_by: KnownBy = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say how often, how high and how low a signal was read in each hour, or in bins of another length."""
    from gemel.facts import iso, time_of

    start, end, known = (None if when is None else time_of(when) for when in (since, until, known_by))
    with opened(store) as bank:
        found = seen(bank, twin, actor, purpose).aggregate(signal, start, end, every, known)
    lines = [f"{signal} in {found.unit}: count, mean, min, max, last"]
    lines += [
        f"{iso(one.at)}  {one.count}  {one.mean:.4g}  {one.min:.4g}  {one.max:.4g}  {one.last:.4g}"
        for one in found.bins
    ]
    say(as_json, {"twin": twin, **found.body()}, "\n".join(lines))


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(aggregate)
