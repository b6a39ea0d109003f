"""What goes, and what must stay: erase, hold, release, thin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import STORE, Actor, Id, Json, Store, opened, progress, say
from gemel.errors import BadInput, Refused

Reason = Annotated[str, typer.Option("--reason", help="Why; it stays on record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the name again.")]
Copy = Annotated[Path | None, typer.Option("--receipt", help="Write the signed receipt here too.")]
Signals = Annotated[
    list[str], typer.Option("--signal", default_factory=lambda: ["*"], help="A signal or lever; * for all.")
]

UNDONE = "This cannot be undone: nobody will be able to read anything of {0} again.\nType {0} to erase it"


def erase(
    twin: Id, *, reason: Reason = "asked by its holder", yes: Yes = False, receipt: Copy = None, store: Store = STORE,
    actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Erase a twin you hold, for good: its keys, and all that was kept, fitted or sent out of its facts."""
    if receipt is not None and not receipt.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(receipt.parent))
    if not yes and typer.prompt(UNDONE.format(twin), err=True) != twin:
        raise Refused(f"nothing was erased: that was not {twin}")
    with opened(store) as bank, progress() as tell:
        done = bank.erase(twin, by=actor, reason=reason, tell=tell)
    if receipt is not None:
        receipt.write_text(json.dumps(done.body, indent=1, ensure_ascii=False), "utf-8")
    say(as_json, {**done.body, "seq": done.seq, "file": str(receipt or done.file or "")}, str(done))


def hold(
    twin: Id, *, reason: Reason, signal: Signals, store: Store = STORE, actor: Actor, as_json: Json = False
) -> None:  # fmt: skip
    """Keep a twin, or some of its signals, from being erased or thinned, as a law may ask."""
    from gemel.bank import holds

    with opened(store) as bank:
        made = holds.place(bank, twin, actor, reason, signal)
    say(as_json, {"hold": made.seq, "twin": twin, "signals": list(made.signals), "reason": reason}, holds.told(made))


def release(
    seq: Annotated[int, typer.Argument(metavar="HOLD", min=1, help="The number that `gemel hold` said.")], *,
    reason: Reason, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """End a hold."""
    from gemel.bank import holds

    with opened(store) as bank:
        ended = holds.release(bank, seq, actor, reason)
    say(as_json, {"hold": seq, "twin": ended.twin, "released": True}, f"hold {seq} on {ended.twin} has ended")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (erase, hold, release):
        app.command()(command)
