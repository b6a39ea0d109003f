"""Fairness: whether a service treats the groups of its customers alike, in forecasts, waits and help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, progress, say, seen
from gemel.errors import BadInput, Refused

if TYPE_CHECKING:
    from gemel.packs.service.treated import Treated

By = Annotated[str, typer.Option("--by", metavar="GROUP", help="An attribute of customers: class, region, channel, …")]
Bounds = Annotated[
    list[str] | None,
    typer.Option("--bound", help="MEASURE=GAP that is accepted, in s or as a share; by default 0. Again for each."),
]
Since = Annotated[str | None, typer.Option("--since", help="Only customers who came from then on, ISO 8601.")]
Moments = Annotated[
    int, typer.Option("--moments", min=0, max=10_000, help="At how many moments forecasts are made again; 0: none.")
]
Out = Annotated[Path | None, typer.Option("-o", "--output", help="Write a page here, .html.")]


def fairness(
    twin: Id, *, by: By, bound: Bounds = None, since: Since = None, moments: Moments = 60, output: Out = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Compare groups of a service's customers: errors of forecasts, waits, help; exit 1 if a gap is beyond its bound."""
    from gemel.facts import time_of
    from gemel.packs.service.fairness_page import page
    from gemel.packs.service.treated import treated

    limits, start = _limits(bound or []), None if since is None else time_of(since, what="--since")
    if output is not None and (output.suffix != ".html" or not output.absolute().parent.is_dir()):
        raise BadInput("name a file that ends in .html, in a folder that is there", file=str(output))
    with opened(store) as bank, progress() as tell:
        tell("comparing", 0, 1)
        found = treated(seen(bank, twin, actor, purpose), by, limits, start, moments=moments)
        made = bank.now()
    if output is not None:
        part = output.with_name(output.name + ".part")
        part.write_text(page(twin, found, made), encoding="utf-8")
        part.replace(output)
    say(as_json, {"twin": twin, **found.body()}, lambda: _told(twin, found, output))
    if found.beyond:
        raise typer.Exit(Refused.exit_code)


def _limits(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise BadInput(f"{text!r} is not MEASURE=GAP, such as wait=60 or breach=0.05", field="bound") from None
    return found


def _told(twin: str, found: Treated, output: Path | None) -> str:
    from gemel.packs.service.fairness import FEW
    from gemel.packs.service.fairness_page import HEADS, rows

    many = ", ".join(f"{name} {count}" for name, count in found.groups.items())
    cells = [list(HEADS), *rows(found)]
    width = [max(len(row[k]) for row in cells) for k in range(len(HEADS))]
    lines = [f"{twin} by {found.by}: customers {many}; {found.without} without a group", ""]
    lines += ["  ".join(cell.ljust(wide) for cell, wide in zip(row, width, strict=True)).rstrip() for row in cells]
    lines += ["", *(gap.text for gap in found.audit.gaps), *found.notes]
    lines += [f"of {name} there are fewer than {FEW} customers: little can be said of them" for name in found.audit.few]
    beyond = ", ".join(gap.measure for gap in found.beyond)
    lines += ["", f"verdict: beyond the bound: {beyond}" if beyond else f"verdict: {found.verdict}"]
    return "\n".join(lines + ([f"wrote {output}"] if output else []))


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(fairness)
