"""Exchange between banks: bundle export, import, key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, opened, progress, say
from gemel.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from gemel.bank.bundle_seal import PrivateKey, Receiver

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="One twin or more.")]
Bundle = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, such as lily.gemel.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")]
Phrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="A file whose first line is the passphrase that seals or opens it."),
]
For = Annotated[str | None, typer.Option("--for", help="Seal it for this public key, which `gemel bundle key` made.")]
Secret = Annotated[Path | None, typer.Option("--secret", help="Open it with the key in this file.")]


def export(
    twin: Ids, output: Output, *, to: Annotated[str | None, typer.Option("--to", help="Who is to read it.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Hand the subject's keys over with it; sealed only.")] = False,
    for_: For = None, passphrase_file: Phrase = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a signed bundle of what the grants allow, with proofs; that it was done is on record."""
    from gemel.bank.bundle_out import send
    from gemel.bank.bundle_seal import PublicKey

    receiver = PublicKey(for_) if for_ is not None else _phrase(passphrase_file)
    with opened(store) as bank, progress() as tell:
        tell(f"writing {output}", 0, 1)
        sent = send(bank, twin, output, by=actor, purpose=purpose, to=to, whole=whole, receiver=receiver)
    left = {id_: dict(told) for id_, told in sent.left_out.items() if told}
    body = {
        "file": str(output), "sha256": sent.digest, "facts": sent.facts, "twins": list(sent.twins), "left_out": left,
        "whole": sent.whole, "sealed": receiver is not None,
    }  # fmt: skip
    lines = [f"{output}: {sent.facts} facts of {', '.join(sent.twins)}, sha256 {sent.digest}"]
    lines += [f"left out of {id_}: {_left(told)}" for id_, told in left.items()]
    say(as_json, body, "\n".join(lines))


def _left(told: dict[str, Any]) -> str:
    named = [", ".join(told.get("signals", ())), "attributes" if told.get("attributes") else ""]
    return ", ".join([*(one for one in named if one), f"{sum(told['facts'].values())} facts"])


def import_(
    bundle: Bundle, *,
    sender: Annotated[str | None, typer.Option("--from", help="The public key it must be signed with.")] = None,
    type_: Annotated[
        list[str], typer.Option("--type", default_factory=list, help="THERE=HERE: a type here in place of another.")
    ],
    dry: Annotated[bool, typer.Option("--dry-run", help="Check everything and write nothing.")] = False,
    secret: Secret = None, passphrase_file: Phrase = None, store: Store = STORE, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Check a bundle and write what is new of it, all or nothing; what contradicts is named, fact by fact."""
    from gemel.bank.bundle_in import receive

    receiver = _secret(secret) if secret is not None else _phrase(passphrase_file)
    types = dict(_pair(one) for one in type_)
    with opened(store, create=True) as bank, progress() as tell:
        tell(f"reading {bundle}", 0, 1)
        got = receive(bank, bundle, by=actor, sender=sender, receiver=receiver, types=types, trial=dry)
    body = {
        "twins": list(got.twins), "new": got.new, "known": got.known, "from": got.sender, "sha256": got.digest,
        "remarks": list(got.remarks), "written": bool(got.new) and not dry,
    }  # fmt: skip
    done = "would be new" if dry else "new"
    text = f"{', '.join(got.twins)}: {got.new} facts {done}, {got.known} known already; signed by {got.sender}"
    say(as_json, body, "\n".join([text if got.new else f"{text}\nnothing new", *got.remarks]))


def key(*, output: Output, as_json: Json = False) -> None:
    """Make a key that bundles can be sealed for: the file is yours, the public key is for whoever sends."""
    from gemel.bank.bundle_seal import new_key

    made = new_key()
    try:
        with output.open("x") as file:
            output.chmod(0o600)
            file.write(made.hex + "\n")
    except FileExistsError:
        raise BadInput(f"{output} is there already; choose another name", field="output") from None
    except OSError as error:
        raise Unavailable(f"{output} cannot be written: {error.strerror or error}") from None
    say(as_json, {"file": str(output), "public": made.public.hex}, f"public key {made.public.hex}")


def _phrase(path: Path | None) -> Receiver | None:
    from gemel.bank.bundle_seal import Passphrase

    return None if path is None else Passphrase(_first_line(path))


def _secret(path: Path) -> PrivateKey:
    from gemel.bank.bundle_seal import PrivateKey

    return PrivateKey(_first_line(path))


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").splitlines()[0].strip()
    except (OSError, IndexError, UnicodeDecodeError):
        raise BadInput("holds nothing that can be read", file=str(path)) from None


def _pair(text: str) -> tuple[str, str]:
    there, sign, here = text.partition("=")
    if not (there and sign and here):
        raise BadInput(f"{text!r} is not THERE=HERE, as in old.person=diabetes.person", field="type")
    return there, here


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(no_args_is_help=True, help="Exchange twins between banks, signed and as the grants allow.")
    group.command("export")(export)
    group.command("import")(import_)
    group.command("key")(key)
    app.add_typer(group, name="bundle")
