"""What a twin says: forecast, why, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli.console import (
    PURPOSE,
    STORE,
    Actor,
    Id,
    Json,
    Purpose,
    Signal,
    Store,
    opened,
    progress,
    say,
    seen,
    signal_of,
)
from gemel.errors import BadInput, NotFound

if TYPE_CHECKING:
    from gemel.bank import Twin
    from gemel.facts import Time

Hours = Annotated[float, typer.Option("--hours", min=0.1, max=48, help="How far ahead.")]
At = Annotated[str | None, typer.Option("--at", help="From when, ISO 8601; by default the last reading.")]
Page = Annotated[Path, typer.Option("-o", "--output", help="The page to write.")]
Zone = Annotated[str, typer.Option("--timezone", help="Time zone of the page, such as Europe/Stockholm.")]


def forecast(
    twin: Id, *, hours: Hours = 2.0, signal: Signal = None, at: At = None, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what a signal will read, with honest intervals."""
    from gemel.facts import iso, time_of

    asked = None if at is None else time_of(at)
    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        name = signal_of(view, signal)
        first, last = _span(view, name)
        now = last if asked is None else asked
        if now < first:
            raise BadInput(f"{iso(now)} is before the first reading, {iso(first)}", field="at")
        if not view.type.eventful:
            bank.learn(twin, name, actor, now, tell)
        said = view.forecast(name, hours, now)
    say(as_json, {"twin": twin, **said.body()}, str(said))


def _span(view: Twin, name: str) -> tuple[Time, Time]:
    """Return when the first and the last of what a forecast rests on was true: readings of the signal, or events."""
    readings = view.readings(name)
    if readings:
        return readings[0].at, readings[-1].at
    replica = view.bank.replica(view.id)
    if not view.type.eventful or replica.start is None or replica.last is None:
        raise NotFound(f"{view.id} has no reading of {name} yet: import a record or connect a stream")
    return replica.start, replica.last


def why(
    twin: Id, fact: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="The fact's number.")], *,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Walk from a fact back along its causes, down to the readings."""
    from gemel.bank.why import told, walk

    with opened(store) as bank:
        tree = walk(seen(bank, twin, actor, purpose), fact)
    say(as_json, tree.body(), lambda: told(tree))


def report(
    twin: Id, *, output: Page, timezone: Zone = "UTC", store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write one self-contained page: record, metrics, forecast, and how well forecasts came true."""
    from gemel.bank.takeout import exported
    from gemel.experiment.report import page

    if not output.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(output.parent))
    if output.is_dir():
        raise BadInput("is a folder; name a file", file=str(output))
    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        text = page(view, tell, timezone)
        exported(view, output)
    part = output.with_name(output.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(output)
    say(as_json, {"twin": twin, "page": str(output), "bytes": len(text.encode())}, f"wrote {output}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (forecast, why, report):
        app.command()(command)
