"""What goes, and what must stay: erase, hold, release, thin."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import STORE, Actor, Id, Json, Store, opened, progress, say
from gemel.errors import BadInput, Refused

Reason = Annotated[str, typer.Option("--reason", help="Why; it stays on record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the name again.")]
Copy = Annotated[Path | None, typer.Option("--receipt", help="Write the signed receipt here too.")]
Case = Annotated[str | None, typer.Option("--case", help="Only this customer's case of a service.")]
Signals = Annotated[
    list[str], typer.Option("--signal", default_factory=lambda: ["*"], help="A signal or lever; * for all.")
]

UNDONE = "This cannot be undone: nobody will be able to read anything of {0} again.\nType {0} to erase it"


def erase(
    twin: Id, *, case: Case = None, reason: Reason = "asked by its holder", yes: Yes = False, receipt: Copy = None,
    store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Erase a twin you hold, for good: its keys, and all that was kept, fitted or sent out; or one case of a service."""
    from gemel.bank.erasure_case import erase_case

    if receipt is not None and not receipt.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(receipt.parent))
    name = case or twin
    if not yes and typer.prompt(UNDONE.format(name), err=True) != name:
        raise Refused(f"nothing was erased: that was not {name}")
    with opened(store) as bank, progress() as tell:
        if case is None:
            done = bank.erase(twin, by=actor, reason=reason, tell=tell)
        else:
            done = erase_case(bank, twin, case, actor, reason, tell)
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


def retain(
    twin: Id, signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="The signal.")],
    keeps: Annotated[list[str], typer.Argument(metavar="LEVEL=SPAN…", help="raw, 5min, 1h, 1d; 90d, 12h, 1y, ever.")],
    *, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Say how long a signal of a twin you hold is kept: as it came, then as statistics."""
    from gemel.bank import retention

    said = dict(one.partition("=")[::2] for one in keeps)
    asked = {level: None if span == "ever" else span for level, span in said.items()}
    with opened(store) as bank:
        retention.keep(bank, twin, actor, signal, asked)
    text = ", then ".join(f"{level} {'for ever' if span is None else f'until {span}'}" for level, span in asked.items())
    say(as_json, {"twin": twin, "signal": signal, "keeps": asked}, f"{signal} of {twin} is kept {text}")


def thin(
    twin: Annotated[str | None, typer.Argument(metavar="[ID]", help="The twin; by default all of them.")] = None, *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, store: Store = STORE,
    actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Turn readings that have had their time into statistics, as policies say; evidence and what is held stays."""
    from gemel.bank import retention

    with opened(store) as bank, progress() as tell:
        asked = bank.twins() if twin is None else [twin]
        done = {one: retention.thin(bank, one, actor, dry_run=dry_run, tell=tell) for one in asked}
    body = {"dry_run": dry_run, "twins": {one: [asdict(step) for step in steps] for one, steps in done.items()}}
    lines = [f"{one}: {step}" for one, steps in done.items() for step in steps]
    say(as_json, body, "\n".join(lines) or "no policy says that anything may be thinned")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (erase, hold, release, retain, thin):
        app.command()(command)
