"""What a twin says: forecast, why, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, me, opened, progress, say, seen

Id = Annotated[str, typer.Argument(metavar="ID", help="The twin.")]
Hours = Annotated[float, typer.Option("--hours", min=0.1, max=48, help="How far ahead.")]
Signal = Annotated[str | None, typer.Option("--signal", help="Which signal; by default the type's first.")]
At = Annotated[str | None, typer.Option("--at", help="From when; by default the last reading.")]


def forecast(twin: Id, hours: Hours = 2.0, signal: Signal = None, at: At = None, store: Store = STORE, actor: Actor = me(),
             purpose: Purpose = PURPOSE, as_json: Json = False) -> None:  # fmt: skip
    """Say what a signal will read, with honest intervals."""
    from gemel.errors import NotFound
    from gemel.facts import time_of

    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        name = signal or next(iter(view.type.band or view.type.signals))
        last = bank.replica(twin).last_reading(name)
        if last is None:
            raise NotFound(f"{twin} has no reading of {name} yet: import a record or connect a stream")
        now = last if at is None else time_of(at)
        bank.learn(twin, name, actor, now, tell)
        said = view.forecast(name, hours, now)
    say(as_json, {"twin": twin, **said.body()}, str(said))


def why(twin: Id, fact: Annotated[int, typer.Argument(metavar="FACT", help="The fact's number.")], store: Store = STORE,
        actor: Actor = me(), purpose: Purpose = PURPOSE, as_json: Json = False) -> None:  # fmt: skip
    """Walk from a fact back along its causes, down to the readings."""
    from gemel.bank.why import told, walk

    with opened(store) as bank:
        tree = walk(seen(bank, twin, actor, purpose), fact)
        say(as_json, tree.body(), lambda: told(tree))


def report(twin: Id, output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")], store: Store = STORE,
           actor: Actor = me(), purpose: Purpose = PURPOSE, as_json: Json = False) -> None:  # fmt: skip
    """Write one self-contained page: record, metrics, forecast, and how well forecasts came true."""
    from gemel.experiment.report import page

    with opened(store) as bank, progress() as tell:
        text = page(seen(bank, twin, actor, purpose), tell)
    part = output.with_name(output.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(output)
    say(as_json, {"twin": twin, "page": str(output), "bytes": len(text.encode())}, f"wrote {output}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (forecast, why, report):
        app.command()(command)
