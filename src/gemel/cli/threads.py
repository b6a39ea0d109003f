"""Whole threads: copy a store, from any back end to any."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gemel.cli.console import Json, progress, say, told

thread = typer.Typer(no_args_is_help=True, help="Whole stores: copy one, from any back end to any.")

Source = Annotated[str, typer.Argument(metavar="A", help="The store to copy: a folder or postgresql://…")]
Target = Annotated[str, typer.Argument(metavar="B", help="An empty store, made if there is none.")]


@thread.command()
def copy(source: Source, target: Target, *, as_json: Json = False) -> None:
    """Copy a store with its proofs and keys while nobody writes to it; cut short, the same command goes on."""
    from gemel.thread.copy import copy_thread
    from gemel.thread.opening import shown

    try:
        with progress() as tell:
            done = copy_thread(
                source, target, time.time_ns() // 1_000_000, lambda done, whole: tell("copying", done, whole)
            )
    except KeyboardInterrupt:
        told.print(f"gemel: {shown(target)} is unfinished and cannot be opened; the same command goes on from there")
        raise
    body = {"from": shown(source), "to": shown(target), "facts": done.facts, "root": done.root, "before": done.before}
    before = f" ({done.before} of them were there from before)" if done.before else ""
    say(as_json, body, f"{shown(target)} holds all {done.facts} facts{before}, root {done.root[:16]}…, and their keys")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(thread, name="thread")
