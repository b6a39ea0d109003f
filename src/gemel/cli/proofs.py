"""Proof: verify a store or what it gave away, export its log, prove one fact, sign a checkpoint to keep elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.cli import subject
from gemel.cli.console import STORE, Json, Store, progress, say
from gemel.errors import BadInput, GemelError, NotFound, Tampered, Unavailable

if TYPE_CHECKING:
    from gemel.thread import Thread

Since = Annotated[Path | None, typer.Option("--since", help="An older checkpoint of it, kept elsewhere.")]
Key = Annotated[str | None, typer.Option("--key", help="The public key of the store it should come from.")]


def verify(
    where: Annotated[
        str | None, typer.Argument(metavar="[STORE|EXPORT|BUNDLE|PROOF|RECEIPT]", help="By default the store in use.")
    ] = None,
    *, since: Since = None, key: Key = None, store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Recompute every hash and open every fact, or check what a store gave away: exit 0 if as written, 1 if not."""
    chosen = where or store
    note = None if since is None else _text(since)
    with progress() as tell:
        tell("verifying", 0, 1)
        if chosen.endswith(".jws"):
            found = subject.verdict(Path(chosen), key, store)
        else:
            found = _store(chosen, note, key) if _is_store(chosen) else _given(Path(chosen), note, key)
    say(as_json, found, "\n".join(_lines(found)))
    if not found["intact"]:
        raise typer.Exit(Tampered.exit_code)


def _is_store(chosen: str) -> bool:
    from gemel.thread.tables import FILE

    path = Path(chosen)
    if "://" in chosen or (path / FILE).exists():
        return True
    if not path.exists():
        raise NotFound(f"no store at {chosen}")
    if path.is_dir() and not (path / "checkpoint").exists():
        raise NotFound(f"no store in {chosen}, and no export either")
    return False


def _store(store: str, note: str | None, key: str | None) -> dict[str, object]:
    """Return the verdict on a store."""
    from gemel.thread import open_thread, verify_store
    from gemel.thread.opening import shown
    from gemel.thread.witness import since

    verdict = verify_store(store)
    problems = list(verdict.problems)
    if note is not None or key is not None:
        try:
            with open_thread(store, readonly=True) as thread:
                problems += [] if key in (None, thread.public_key) else [f"its key is {thread.public_key}, not {key}"]
                problems += [one for one in [since(thread, note) if note is not None else None] if one]
        except GemelError as error:
            problems.append(str(error))
    return {
        "store": shown(store), "intact": not problems, "facts": verdict.size, "root": verdict.root, "problems": problems,
    }  # fmt: skip


def _given(path: Path, note: str | None, key: str | None) -> dict[str, object]:
    """Return the verdict of the verifier that travels, so that there are not two."""
    from gemel.thread.standalone.verify import Unusable, check, read_key

    try:
        report = check(path, None if key is None else read_key(key), note)
    except Unusable as error:
        raise BadInput(str(error)) from None
    return {
        "store": str(path), "intact": not report.problems, "facts": report.size, "root": report.root,
        "problems": report.problems, "remarks": report.remarks,
    }  # fmt: skip


def _lines(found: dict[str, object]) -> Iterator[str]:
    if found["intact"]:
        yield f"{found['store']}: {found['facts']} facts, root {str(found['root'])[:16]}…, as written"
    else:
        yield f"{found['store']}: NOT as written"
    for name in ("problems", "remarks"):
        lines = found.get(name, [])
        assert isinstance(lines, list)
        yield from map(str, lines)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read: {error}", file=str(path)) from None


@contextmanager
def _reading(store: str) -> Iterator[Thread]:
    """Open a store beside whoever writes to it."""
    from gemel.thread import open_thread
    from gemel.thread.opening import shown, store_exists

    if not store_exists(store):
        raise NotFound(f"no store at {shown(store)}; --store or GEMEL_STORE names another")
    with open_thread(store, readonly=True) as thread:
        yield thread


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    twin: Annotated[list[str], typer.Option("--twin", default_factory=list, help="Only entries of this twin.")],
    *, store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write the log with its proofs for strangers, sealed, with a verifier that needs Python alone."""
    from gemel.thread.export import export as write

    with _reading(store) as thread, progress() as tell:
        tell(f"exporting to {folder}", 0, 1)
        made = write(thread, folder, twin)
    body = {"folder": str(folder), "facts": made.size, "entries": made.entries, "root": made.root, "key": made.key}
    say(as_json, body, f"{folder}: {made.entries} of {made.size} facts, root {made.root[:16]}…\nkey {made.key}")


def prove(
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="The fact's place, as `gemel why` says it.")],
    *, output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it.")] = None,
    store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Prove that one fact is in the store: its sealed record, its path to the root, and the signed root."""
    from gemel.thread.export import proof_of

    with _reading(store) as thread:
        proof = proof_of(thread, seq)
    _give(output, json.dumps(proof, indent=1) + "\n", proof, f"proof of fact {seq}", as_json)


def checkpoint(
    *, output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it.")] = None,
    store: Store = STORE, as_json: Json = False,
) -> None:  # fmt: skip
    """Sign the tree as it is, to be kept where whoever has the store cannot reach: a roll-back is found by it."""
    from gemel.thread.export import checkpoint_of

    with _reading(store) as thread:
        note, key = checkpoint_of(thread), thread.public_key
    _give(output, note, {"checkpoint": note, "key": key}, "checkpoint", as_json)


def _give(output: Path | None, text: str, body: dict[str, object], what: str, as_json: bool) -> None:
    """Print it, or write it to a file."""
    if output is None:
        say(as_json, body, text.rstrip("\n"))
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise Unavailable(f"{output} cannot be written: {error.strerror or error}") from None
    say(as_json, body, f"{what} written to {output}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (verify, export, prove, checkpoint):
        app.command()(command)
