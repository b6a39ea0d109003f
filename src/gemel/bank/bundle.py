"""The bundle: one signed zip file, `.gemel`, in which twins travel from bank to bank.

    ro-crate-metadata.json   what it is, for any tool that reads RO-Crate 1.2 (JSON-LD)
    manifest.json, .sig      SHA-256 of every other part, and the sender's Ed25519 signature over that
    checkpoint               size and root of the sender's log, a signed note (c2sp.org/tlog-checkpoint)
    contents.json            for whom and what for, which twins, what was left out, which grants allow it
    facts.jsonl              the facts, readable
    records.jsonl            of each fact the sealed record and its path to the root of the checkpoint
    types.json               the types of the twins, by content hash
    keys.json                in a whole hand-over: the keys that open the records
    verify.py                checks all that can be checked without a key, with Python alone

Parts that hold data of a subject may be sealed for a receiver; they then end in `.sealed`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from gemel.bank.bundle_crate import METADATA, crate
from gemel.bank.bundle_seal import Receiver, unsealed
from gemel.bank.bundle_seal import sealed as seal
from gemel.errors import BadInput, Refused, Tampered
from gemel.facts import Time
from gemel.thread import Thread
from gemel.thread.export import verifier
from gemel.thread.signature import verifier_key
from gemel.thread.standalone.verify import Key, Unusable, bundle_problems, read_bundle, read_key

FORMAT = "gemel-bundle/1"
SIGNED = b"gemel bundle 1\n"
"""What stands before the manifest where it is signed."""
OPEN = ("checkpoint", "verify.py")
"""Parts that are never sealed: they hold nothing of a subject."""


@dataclass(frozen=True)
class Box:
    """A bundle that was opened: its parts, readable, who signed it (public key, hex), when it was made, its digest."""

    parts: Mapping[str, bytes]
    key: Key
    made_at: Time
    digest: str

    @property
    def sender(self) -> str:
        """Return the sender's public key."""
        return self.key.public.hex()


def packed(parts: Mapping[str, bytes], thread: Thread, at: Time, receiver: Receiver | None) -> bytes:
    """Return the file that holds *parts*, signed by the store; sealed for *receiver*, if there is one."""
    private = {name: data for name, data in parts.items() if name not in OPEN}
    how, kept = (None, private) if receiver is None else seal(private, receiver)
    held = {name: parts[name] for name in OPEN if name in parts} | kept | {"verify.py": verifier()}
    held = {METADATA: crate(held, thread.public_key, at, None if how else parts["types.json"]), **held}
    manifest = json.dumps(
        {"format": FORMAT, "made_at": at, "key": verifier_key(thread.public_key), "sealed": how,
         "parts": {name: sha256(data).hexdigest() for name, data in held.items()}}, indent=1,
    ).encode()  # fmt: skip
    signature = thread.sign(SIGNED + manifest).encode() + b"\n"
    return _zipped({**held, "manifest.json": manifest, "manifest.sig": signature}, at)


def _zipped(parts: Mapping[str, bytes], at: Time) -> bytes:
    moment = datetime.fromtimestamp(at / 1000, UTC).timetuple()[:6]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, moment if moment[0] >= 1980 else (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return file.getvalue()


def opened(path: Path, sender: str | None, receiver: Receiver | None) -> Box:
    """Return a bundle whose signature and digests hold; raise `Tampered` or `Refused` naming what does not."""
    try:
        data = path.read_bytes()
        names, parts, manifest = read_bundle(path)
        key = read_key(manifest["key"])
        expected = None if sender is None else read_key(sender)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", file=str(path)) from None
    except (Unusable, KeyError, TypeError) as error:
        raise BadInput(f"is no bundle: {error}", file=str(path)) from None
    problems = list(bundle_problems(names, parts, manifest, key))
    if problems:
        raise Tampered(f"{path} is not as it was signed: {'; '.join(problems[:5])}")
    if expected is not None and expected.public != key.public:
        raise Refused(f"{path} was signed by {key.public.hex()}, not by {sender}")
    return _box(path, data, parts, manifest, key, receiver)


def _box(
    path: Path,
    data: bytes,
    parts: Mapping[str, bytes],
    manifest: Mapping[str, Any],
    key: Key,
    receiver: Receiver | None,
) -> Box:
    if manifest.get("format") != FORMAT:
        raise BadInput(f"has format {manifest.get('format')!r}; this version reads {FORMAT}", file=str(path))
    how = manifest.get("sealed")
    readable = dict(parts) if how is None else unsealed(parts, how, receiver)
    return Box(readable, key, int(manifest["made_at"]), sha256(data).hexdigest())
