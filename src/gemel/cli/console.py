"""What every command shares: the store, who asks, output for people or programs, progress, errors."""

from __future__ import annotations

import getpass
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from gemel.bank import Bank, Twin


def me() -> str:
    """Return the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "me"


WHO = "Who asks; by default the user of this machine."
WHAT_FOR = "What for: self-management, care, research, …"

Id = Annotated[str, typer.Argument(metavar="ID", help="The twin.")]
Store = Annotated[
    str, typer.Option("--store", envvar="GEMEL_STORE", help="The store: a folder, or postgresql://user@host/database.")
]
Actor = Annotated[str, typer.Option("--as", envvar="GEMEL_ACTOR", default_factory=me, show_default=False, help=WHO)]
Purpose = Annotated[str, typer.Option("--purpose", help=WHAT_FOR)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Signal = Annotated[str | None, typer.Option("--signal", help="Which signal; by default the type's first.")]

STORE = "./gemel-store"
PURPOSE = "self-management"

told = Console(stderr=True, soft_wrap=True, emoji=False, markup=False, highlight=False)


@contextmanager
def opened(store: str, *, create: bool = False, readonly: bool = False) -> Iterator[Bank]:
    """Open the bank, made if *create*; say plainly where there is none."""
    from gemel.errors import NotFound
    from gemel.thread.opening import shown, store_exists

    if not create and not store_exists(store):
        raise NotFound(f"no store at {shown(store)}; `gemel import` makes one, --store or GEMEL_STORE names another")
    from gemel.bank import Bank  # the numerics load only for commands that need them

    with Bank.open(store, readonly=readonly) as bank:
        yield bank


def seen(bank: Bank, twin: str, actor: str, purpose: str) -> Twin:
    """Return the twin as *actor* may see it."""
    return bank.find(twin, by=actor, purpose=purpose)


class _Shown(logging.Handler):
    """Shows what lower floors say of themselves on the error stream."""

    def emit(self, record: logging.LogRecord) -> None:
        told.print(f"gemel: {record.getMessage()}")


@contextmanager
def shown_to_people() -> Iterator[None]:
    """Let people see what the event engine says, such as that it is being compiled."""
    log, handler = logging.getLogger("gemel.process"), _Shown(logging.INFO)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)


def signal_of(view: Twin, name: str | None) -> str:
    """Return the signal asked for, or the first that has a range in which it is well."""
    from gemel.errors import unknown

    if name is not None and name not in view.type.signals:
        raise unknown("signal", name, view.type.signals)
    return name or next(iter(view.type.band or view.type.signals))


def say(as_json: bool, body: dict[str, Any], text: str | Callable[[], str]) -> None:
    """Print *body* as one JSON object, or *text* for people."""
    spoken = text if isinstance(text, str) or as_json else text()
    sys.stdout.write((json.dumps(_numbers(body), allow_nan=False, default=str) if as_json else str(spoken)) + "\n")


def _numbers(value: Any) -> Any:
    """Return *value* with null for numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _numbers(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbers(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on the error stream for as long as work goes on: on terminals, and on pipes where asked."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    quiet = not told.is_terminal and not os.environ.get("GEMEL_PROGRESS")
    with Progress(*columns, console=told, transient=True, disable=quiet) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, whole: int) -> None:
            """A whole of one has no parts to count: its bar only moves."""
            total = whole if whole > 1 or done >= whole else None
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield tell
