"""Talking with a twin's companion, and a twin's tools for other programs: talk, mcp."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen, told
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.bank import Twin

Say = Annotated[
    str | None,
    typer.Option("--say", help="One sentence; without it, a conversation: an empty line, exit, quit or bye ends it."),
]
ENDS = ("exit", "quit", "q", "bye", "goodbye", "bye bye")
"""What ends a conversation, as an empty line does, with or without a slash or a colon before it."""
Which = Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this twin; by default all that you may see.")]


def talk(
    twin: Id, *, sentence: Say = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Talk with a twin's companion, which answers with what the twin's tools say, as you may see it. Not a medical device."""
    from gemel.bank.companion import companion, talk

    if sentence is None and as_json:
        raise BadInput("--json goes with --say", field="say")
    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        if sentence is None:
            return _converse(view, companion(view.type.name).name)
        _, reply = talk(view, {}, sentence)
        if reply.note and not as_json:
            told.print(f"gemel: {reply.note}", style="yellow")
    return say(as_json, reply.body(), reply.text)


def _converse(view: Twin, name: str) -> None:
    """Talk until the other side says nothing more; what was understood is remembered from one sentence to the next."""
    from gemel.bank.companion import talk

    state: Any = {}
    noted: set[str] = set()
    if sys.stdin.isatty():
        told.print(f"{name} listens; an empty line, exit, quit or bye ends it", style="dim")
    for sentence in _lines():
        try:
            state, reply = talk(view, state, sentence)
        except BadInput as error:
            told.print(f"gemel: {error}", style="yellow")
            continue
        if reply.note and reply.note not in noted:
            noted.add(reply.note)
            told.print(f"gemel: {reply.note}", style="yellow")
        say(False, {}, f"{name}: {reply.text}")


def _lines() -> Iterator[str]:
    while True:
        if sys.stdin.isatty():
            told.print("> ", end="")
        line = sys.stdin.readline().strip()
        if not line or line.lstrip("/:").rstrip(".!").casefold() in ENDS:
            return
        yield line


def mcp(twin: Which = None, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE) -> None:
    """Serve the tools of twins to an agent over standard input and output (MCP), each call under your consent; none acts."""
    from gemel.server.agents import Offer, run

    with opened(store) as bank:
        run(Offer(bank, actor, purpose, twin))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(talk)
    app.command()(mcp)
