"""What every command shares: the store, who asks, output for people or programs, progress, errors."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from gemel.bank import Bank, Twin

Store = Annotated[str, typer.Option("--store", envvar="GEMEL_STORE", help="Folder of the store.")]
Actor = Annotated[str, typer.Option("--as", envvar="GEMEL_ACTOR", help="Who asks; by default the user of this machine.")]
Purpose = Annotated[str, typer.Option("--purpose", help="What for: care, self-management, research, service ….")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

STORE = "./gemel-store"
PURPOSE = "self-management"

told = Console(stderr=True)


def me() -> str:
    """Return the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "me"


@contextmanager
def opened(store: str, *, create: bool = False, readonly: bool = False) -> Iterator[Bank]:
    """Open the bank, made if *create*; say plainly where there is none."""
    from gemel.bank import Bank  # the numerics load only for commands that need them
    from gemel.errors import NotFound

    if not create and "://" not in store and not Path(store).exists():
        raise NotFound(f"no store at {store}; `gemel import` makes one, --store or GEMEL_STORE names another")
    with Bank.open(store, readonly=readonly) as bank:
        yield bank


def seen(bank: Bank, twin: str, actor: str, purpose: str) -> Twin:
    """Return the twin as *actor* may see it."""
    return bank.find(twin, by=actor, purpose=purpose)


def say(as_json: bool, body: dict[str, Any], text: str | Callable[[], str]) -> None:
    """Print *body* as one JSON object, or *text* for people."""
    if as_json:
        sys.stdout.write(json.dumps(body, allow_nan=False, default=str) + "\n")
    else:
        Console(soft_wrap=True).print(text if isinstance(text, str) else text(), markup=False, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on the error stream for as long as work goes on, on terminals and pipes alike where asked."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = not told.is_terminal and not os.environ.get("GEMEL_PROGRESS")
    with Progress(*columns, console=told, transient=True, disable=quiet) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, whole: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=whole)
            bars.update(tasks[what], completed=done, total=whole)

        yield tell
