"""Raw bytes of a file, unpacked if they are packed, in blocks; and words gathered into columns."""

from __future__ import annotations

import codecs
import gzip
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gemel.errors import BadInput
from gemel.packs.service.log import Column, Names
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.logs.table import Tell, silent

BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def head(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of what is in the file; raise `BadInput` if it is absent, unreadable or empty."""
    with_content = b""
    for block in blocks(path, size=size):
        with_content += block
        if len(with_content) >= size:
            break
    if not with_content.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise BadInput("the file is empty", file=str(path))
    return with_content


def blocks(path: Path, tell: Tell = silent, size: int = BLOCK) -> Iterator[bytes]:
    """Yield what is in a file, gzipped or not; a cut or damaged archive is a `BadInput`, after what could be read."""
    try:
        with path.open("rb") as file:
            whole, packed = path.stat().st_size, file.read(2) == _GZIP
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if packed else file
            while block := stream.read(size):
                yield block
                tell("reading", file.tell(), whole)
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"the archive is cut off or damaged: {error}", file=str(path)) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", file=str(path)) from None


def lines(path: Path, encoding: str | None, tell: Tell = silent) -> Iterator[str]:
    """Yield the lines of a text: UTF-8, UTF-16 with its mark, or *encoding*; lines keep their ends."""
    decoder, rest, row = None, "", 1
    for block in blocks(path, tell):
        decoder = decoder or _decoder(block, encoding, path)
        try:
            rest += decoder.decode(block)
        except UnicodeDecodeError as error:
            row += rest.count("\n") + block.count(b"\n", 0, error.start)
            hint = "" if encoding else "; if it is an older Windows file, say encoding='cp1252'"
            raise BadInput(f"is not {error.encoding} text{hint}", file=str(path), row=row) from None
        *whole, rest = rest.split("\n")
        row += len(whole)
        yield from (line + "\n" for line in whole)
    if decoder is not None and decoder.getstate()[0]:
        raise BadInput("ends in the middle of a letter: the file is cut off", file=str(path), row=row)
    if rest:
        yield rest


def _decoder(block: bytes, encoding: str | None, path: Path) -> codecs.IncrementalDecoder:
    chosen = encoding or ("utf-16" if block.startswith(_UTF16) else "utf-8-sig")
    try:
        return codecs.getincrementaldecoder(chosen)()
    except LookupError:
        raise BadInput(f"unknown encoding {chosen!r}", file=str(path)) from None


def without_nul(found: Iterator[bytes], repairs: Repairs, row: Callable[[], int]) -> Iterator[bytes]:
    """Yield the blocks of a text in bytes without the NUL bytes in them; *row* tells how far the reader has come."""
    for block in found:
        if b"\x00" in block:
            first = row() + block.count(b"\n", 0, block.index(b"\x00"))
            repairs.note("NUL bytes: left out", block.count(b"\x00"), first)
            block = block.replace(b"\x00", b"")
        yield block


class Words:
    """A column of names that grows."""

    def __init__(self, names: dict[str, int] | None = None) -> None:
        self.known: dict[str, int] = {} if names is None else names
        self.codes = array("i")

    def add(self, word: str) -> None:
        """Add one row; no word is an empty one."""
        self.codes.append(self.known.setdefault(word, len(self.known)) if word else -1)

    def fill(self, rows: int) -> None:
        """Add empty rows until there are *rows*."""
        if len(self.codes) < rows:
            self.codes.extend([-1] * (rows - len(self.codes)))

    def column(self) -> Names:
        """Return the column."""
        return Names(np.array(self.codes, np.int32), tuple(self.known))


def typed(column: Names, words: bool = False) -> Column:
    """Return the column as numbers if each of its names is one, exactly."""
    numbers = None if words else exact(column.names)
    if numbers is None:
        return column
    values: np.ndarray = np.append(numbers, np.nan)[column.codes]
    return values


def exact(names: tuple[str, ...]) -> np.ndarray | None:
    """Return the numbers that *names* are; None unless all are, none loses a digit of an integer, and there are some."""
    try:
        values = np.array([float(name) for name in names])
    except ValueError:
        return None
    plain = all(_plain(name, value) for name, value in zip(names, values.tolist(), strict=True))
    return values if len(names) and plain else None


def _plain(name: str, value: float) -> bool:
    """Return whether the text is a finite number as people write them: "007" and "1_0" are names."""
    digits = name.lstrip("+-")
    padded = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return not padded and "_" not in name and abs(value) < 2**53 and name == name.strip()
