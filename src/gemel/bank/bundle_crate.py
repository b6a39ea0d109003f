"""What a bundle says of itself to other tools: RO-Crate 1.2 metadata, https://w3id.org/ro/crate/1.2 (JSON-LD).

It holds nothing of a subject: no names, no values. In a sealed bundle not even the type of the twins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from gemel.facts import Time, iso

METADATA = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.2/context"
_PROFILE = "https://w3id.org/ro/crate/1.2"

SAYS = {
    "checkpoint": ("text/plain", "Size and root of the sender's log, as a signed note (c2sp.org/tlog-checkpoint)"),
    "contents.json": (
        "application/json",
        "For whom and what for, which twins, what was left out, which grants allow it",
    ),
    "facts.jsonl": (
        "application/jsonl",
        "The facts, one JSON object per line, in the order in which they became known",
    ),
    "records.jsonl": ("application/jsonl", "Of each fact the sealed record and its path to the root of the checkpoint"),
    "types.json": ("application/json", "The types of the twins, by content hash"),
    "keys.json": ("application/json", "The keys that open the records"),
    "verify.py": ("text/x-python", "Checks all that can be checked without a key, with Python alone"),
    "manifest.json": ("application/json", "SHA-256 of every other part"),
    "manifest.sig": ("text/plain", "The sender's Ed25519 signature over the manifest, in hex"),
}
"""Encoding and description of each part."""


def crate(parts: Mapping[str, bytes], public_key: str, at: Time, types: bytes | None) -> bytes:
    """Return the metadata of a bundle of these parts."""
    named = {} if types is None else json.loads(types)
    names = [*parts, "manifest.json", "manifest.sig"]
    root: dict[str, Any] = {
        "@id": "./", "@type": "Dataset", "name": "Facts of digital twins, with their proofs",
        "description": "A bundle of Gemel: facts of digital twins handed from one bank to another, signed by the sender.",
        "datePublished": iso(at), "license": {"@id": "#grants"}, "author": {"@id": "#sender"},
        "hasPart": [{"@id": name} for name in names], "about": [{"@id": f"#type-{hash_}"} for hash_ in named],
    }  # fmt: skip
    graph = [_itself(), root, *_others(public_key), *_files(names, parts), *_types(named)]
    return json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=1).encode()


def _itself() -> dict[str, Any]:
    return {
        "@id": METADATA, "@type": "CreativeWork", "conformsTo": {"@id": _PROFILE}, "about": {"@id": "./"},
    }  # fmt: skip


def _others(public_key: str) -> list[dict[str, Any]]:
    return [
        {"@id": "#sender", "@type": "Organization", "name": "The bank that signed this", "identifier": public_key},
        {
            "@id": "#grants", "@type": "CreativeWork", "name": "Only as the subjects' grants allow",
            "description": "The grants are in contents.json; they name reader, purpose, signals and end.",
        },
    ]  # fmt: skip


def _files(names: Iterable[str], parts: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [_file(name, parts.get(name)) for name in names]


def _file(name: str, data: bytes | None) -> dict[str, Any]:
    encoding, text = SAYS[name.removesuffix(".sealed")]
    if name.endswith(".sealed"):
        encoding, text = "application/octet-stream", f"{text}; sealed with AES-256-GCM"
    found: dict[str, Any] = {
        "@id": name,
        "@type": "File",
        "name": name,
        "encodingFormat": encoding,
        "description": text,
    }
    if data is not None:
        found |= {"contentSize": str(len(data)), "sha256": sha256(data).hexdigest()}
    return found


def _types(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"@id": f"#type-{hash_}", "@type": "DefinedTerm", "name": described["name"], "identifier": hash_}
        for hash_, described in named.items()
    ]
