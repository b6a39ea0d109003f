"""Apple Health's XML made readable: iOS 16 writes a DOCTYPE that is no XML, and names of apps hold control characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

CHUNK = 1 << 15
"""How much of a file is held at a time."""

_LONGEST = 1 << 20
"""How far the first element is looked for."""

_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL)
_CONTROL = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20)])


def mended(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is in an export, without its DOCTYPE and the characters that no XML may hold; every line stays."""
    yield _DOCTYPE.sub(lambda found: b"\n" * found[0].count(b"\n"), _head(stream), count=1).translate(None, _CONTROL)
    while chunk := stream.read(CHUNK):
        chunk = chunk.translate(None, _CONTROL)
        yield chunk


def _head(stream: IO[bytes]) -> bytes:
    """Return the beginning of an export, the first element included: the DOCTYPE, if there is one, is whole."""
    head = b""
    while b"<HealthData" not in head and len(head) < _LONGEST and (chunk := stream.read(CHUNK)):
        head += chunk
    return head
