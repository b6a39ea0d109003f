"""The subject's side: who saw what, corrections, receipts, consents in and out, everything to take away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, progress, say, seen
from gemel.errors import BadInput, NotFound, Tampered
from gemel.facts import iso, time_of

if TYPE_CHECKING:
    from gemel.bank.accesses import Access

GrantId = Annotated[
    str, typer.Argument(metavar="GRANT", help="The grant's id, as `gemel grant` and `gemel twins` show.")
]
Seq = Annotated[int, typer.Argument(metavar="SEQ", help="The fact's number, as `gemel why` shows.")]
Since = Annotated[str | None, typer.Option("--since", help="From when on, ISO 8601.")]
Who = Annotated[str | None, typer.Option("--of", help="Of this actor alone.")]
Refused = Annotated[bool, typer.Option("--refused", help="Show refusals alone.")]
Value = Annotated[float | None, typer.Option("--value", help="What it should have been; without it, it is taken back.")]
Unit = Annotated[str | None, typer.Option("--unit", help="The unit of the value; by default the signal's own.")]
Why = Annotated[str, typer.Option("--why", help="Why; it stays on record.")]
Controller = Annotated[str, typer.Option("--controller", help="Who runs the bank, as the receipt names it.")]
Out = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write; by default it is printed.")]
ZipFile = Annotated[Path, typer.Option("-o", "--output", help="The zip file to write.")]
Given = Annotated[Path | None, typer.Option("--import", help="A FHIR R4B Consent (JSON) to take over.")]
Of = Annotated[str | None, typer.Option("--grant", help="The grant to write as a FHIR Consent.")]


def accesses(
    id: Id, *, since: Since = None, of: Who = None, refused: Refused = False, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Say who saw what of a twin, when, for what purpose and by which grant; for those who hold its keys."""
    from gemel.bank.accesses import accesses as found

    with opened(store) as bank:
        told = found(
            seen(bank, id, actor, purpose), None if since is None else time_of(since, what="--since"), actor=of
        )
        told = [access for access in told if not (refused and access.allowed)]
    text = "\n".join(_line(access) for access in told) or f"nobody but {id}'s holders came by"
    say(as_json, {"twin": id, "accesses": [access.json() for access in told]}, text)


def _line(access: Access) -> str:
    did = f"{access.verb} {access.signal}" if access.allowed else f"was refused to {access.verb} {access.signal}"
    by = f", grant {access.grant}" if access.grant else ""
    times = "" if access.hours == 1 else f" ({access.hours} times since {iso(access.first)})"
    return f"{iso(access.last)}  {access.actor}  {did} for {access.purpose}{by}{times}"


def correct(
    id: Id, seq: Seq, *, value: Value = None, unit: Unit = None, why: Why, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Correct a wrong reading or dose by a new fact that supersedes it, or take it back; the old one stays on record."""
    from gemel.bank.correction import correct as corrected

    with opened(store) as bank:
        facts = corrected(seen(bank, id, actor, purpose), seq, value, why, unit)
    now = facts[-1].seq if value is not None else None
    text = f"fact {seq} is taken back" if now is None else f"fact {now} stands in the place of fact {seq}"
    say(as_json, {"twin": id, "corrected": seq, "by": now}, text)


def receipt(
    id: Id, grant: GrantId, *, controller: Controller = "the operator of this bank", output: Out = None,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write the receipt of a grant, signed (JWS), in the fields of ISO/IEC TS 27560:2023."""
    from gemel.bank.receipts import opened as read
    from gemel.bank.receipts import receipt as written

    with opened(store) as bank:
        jws = written(seen(bank, id, actor, purpose), grant, controller)
        body = {"receipt": jws, "says": read(jws, bank.thread.public_key), "key": bank.thread.public_key}
    say(as_json, body, _put(output, jws))


def verdict(file: Path, key: str | None, store: str) -> dict[str, Any]:
    """Return the verdict on a receipt, as `gemel verify` gives it; without a key, that of the store."""
    from gemel.bank.receipts import opened as read

    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    found = {"store": str(file), "facts": 1, "root": key or _key(store)}
    try:
        said = read(file.read_text(errors="replace"), str(found["root"]))
    except Tampered as error:
        return found | {"intact": False, "problems": [str(error)]}
    return found | {"intact": True, "problems": [], "remarks": [_told(said)], "says": said}


def _told(said: dict[str, Any]) -> str:
    purpose, record = said["record"]["pii_processing"]["purposes"][0], said["record"]
    signals = ", ".join(entry["pii_type"] for entry in purpose["pii_information"])
    return (
        f"{record['pii_principal_id']} lets {purpose['recipient_third_parties'][0]} "
        f"{', '.join(purpose['processing_method'])} {signals} for {purpose['purpose_type']}; "
        f"on {said['receipt_time']} that was {record['events'][-1]['event_state']}"
    )


def _key(store: str) -> str:
    from gemel.thread import open_thread

    with open_thread(store, readonly=True) as thread:
        return thread.public_key


def consent(
    id: Id, *, grant: Of = None, take: Given = None, output: Out = None, store: Store = STORE, actor: Actor,
    purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a grant as a FHIR R4B Consent (--grant), or take one over (--import): it grants, or ends what it granted."""
    from gemel.bank.receipts import consent as written
    from gemel.bank.receipts import take_consent

    if (grant is None) == (take is None):
        raise BadInput("either --grant or --import is needed", field="grant")
    with opened(store) as bank:
        twin = seen(bank, id, actor, purpose)
        if take is None:
            resource = written(twin, grant or "")
            text = msgspec.json.format(msgspec.json.encode(resource), indent=2).decode()
            return say(as_json, resource, _put(output, text))
        made, new = take_consent(twin, _resource(take))
    text = f"grant {made.id} for {made.to}" if new else f"nothing new: grant {made.id} stands as the consent says"
    return say(as_json, {"twin": id, "grant": made.id, "new": new}, text)


def _resource(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    try:
        found: dict[str, object] = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise BadInput(f"this is no JSON object: {error}", file=str(path)) from None
    return found


def takeout(
    id: Id, *, output: ZipFile, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:
    """Take away everything the bank holds of a twin: all facts, FHIR, who saw what, signed receipts, in one zip file."""
    from gemel.bank.takeout import takeout as taken

    with opened(store) as bank, progress() as tell:
        facts = taken(seen(bank, id, actor, purpose), output, tell)
    say(as_json, {"twin": id, "facts": facts, "file": str(output)}, f"{facts} facts of {id} are in {output}")


def _put(output: Path | None, text: str) -> str:
    """Write *text* to a file, if one is named; return what to say."""
    if output is None:
        return text
    output.write_text(f"{text}\n")
    return f"written to {output}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (accesses, correct, receipt, consent, takeout):
        app.command()(command)
