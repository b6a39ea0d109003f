"""The keys of a store: back them up for a while, put them back, change them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli.console import STORE, Id, Json, Store, progress, say
from gemel.errors import BadInput, NotFound

if TYPE_CHECKING:
    from gemel.thread.folder_keys import FolderKeys

VARIABLE = "GEMEL_PASSPHRASE"
HOW = f"A file whose first line is the passphrase; else {VARIABLE}, else it is asked for."

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
Days = Annotated[float, typer.Option("--days", help="How long it may be restored.")]
Phrase = Annotated[Path | None, typer.Option("--passphrase-file", help=HOW)]

keys = typer.Typer(no_args_is_help=True, help="The keys of a store: backup, restore, rotate, renew.")


@contextmanager
def _held(store: str) -> Iterator[FolderKeys]:
    """Return the keys of a store that nobody else writes to meanwhile."""
    from gemel.thread.opening import locked_keys, shown, store_exists

    if not store_exists(store):
        raise NotFound(f"no store at {shown(store)}; --store or GEMEL_STORE names another")
    with locked_keys(store) as found:
        yield found


def _passphrase(file: Path | None, *, twice: bool) -> str:
    try:
        said = os.environ.get(VARIABLE) if file is None else file.read_text("utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        raise BadInput("holds no passphrase that can be read", file=str(file)) from None
    return said or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))


@keys.command()
def backup(
    file: File, *, days: Days = 30, passphrase_file: Phrase = None, store: Store = STORE, as_json: Json = False
) -> None:  # fmt: skip
    """Write all keys to a file, sealed with a passphrase; it can be restored until it expires."""
    from gemel.bank import wall_clock
    from gemel.facts import iso
    from gemel.thread.key_backup import write_backup

    if file.exists():
        raise BadInput("is there already; name a new file", file=str(file))
    with _held(store) as held:
        head = write_backup(file, held, _passphrase(passphrase_file, twice=True), wall_clock(), days)
    text = f"wrote {file}; it can be restored until {iso(head.expires_at)}. Delete it then, and keep it off this disk"
    say(as_json, {"file": str(file), "made_at": head.made_at, "expires_at": head.expires_at}, text)


@keys.command()
def restore(file: File, *, passphrase_file: Phrase = None, store: Store = STORE, as_json: Json = False) -> None:
    """Put back what is missing; who was erased stays so."""
    from gemel.bank import wall_clock
    from gemel.bank.erasure import erased_on_record
    from gemel.thread.key_backup import read_backup
    from gemel.thread.key_backup import restore as put_back

    with _held(store) as held, progress() as tell:
        opened = read_backup(file, _passphrase(passphrase_file, twice=False), wall_clock())
        tell("putting keys back", 0, 1)
        done = put_back(opened, held, lambda: erased_on_record(store))
    left = f"; {done.erased} erased since stay so" if done.erased else ""
    say(as_json, {"file": str(file), "restored": done.subjects, "erased": done.erased},
        f"put back the keys of {done.subjects} subjects{left}")  # fmt: skip


@keys.command()
def rotate(*, store: Store = STORE, as_json: Json = False) -> None:
    """Wrap every key with a new master key, and destroy the old one: older copies of the key folder open nothing."""
    with _held(store) as held, progress() as tell:
        count = held.rotate(lambda done: tell("wrapping keys anew", done, done + 1))
        master = held.wrapper.name if held.wrapper else ""
    say(as_json, {"rotated": count, "master": master}, f"wrapped {count} keys anew by {master}")


@keys.command()
def renew(twin: Id, *, store: Store = STORE, as_json: Json = False) -> None:
    """Give a twin a further key that seals from now on; what is stored stays readable by the older ones."""
    with _held(store) as held:
        held.renew(twin)
    say(as_json, {"twin": twin, "renewed": True}, f"facts of {twin} are sealed with a new key from now on")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(keys, name="keys")
