"""The scanner of XES files: from bytes to columns in one pass of compiled code, block by block.

What XES needs of XML is read, and what is not well formed is an error that names its line; entities and encodings are
understood, document types are refused (they can make a small file large). Every text is kept once.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import BadInput
from gemel.packs.service.logs import xes_tags as tags
from gemel.packs.service.logs.raw import blocks, without_nul
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.logs.table import Tell
from gemel.packs.service.logs.when import moment
from gemel.packs.service.logs.xes_words import Words

LONGEST = 1 << 26
"""Bytes of one tag; a longer one is no tag."""

_DECLARED = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENTITY = re.compile(r"&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z]+);|&")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BREAK = re.compile(r"\r\n|[\r\n\t]")
_ITEMS = ("scope", "owner", "key", "kind", "value", "offset", "parent")
_NARROW: Mapping[str, type] = {"scope": np.int8, "kind": np.int8, "offset": np.int16, "key": np.int32}


@dataclass
class Scan:
    """What stands in a file: attributes told (items (n,)), of which log, trace or event, and where those stand.

    `value` is an index into `texts`, or for a `DATE` ms (as told, with `offset` in minutes); `key` one into `keys`.
    """

    keys: list[str]
    texts: list[str]
    items: dict[str, np.ndarray]
    event_trace: np.ndarray
    event_line: np.ndarray
    trace_line: np.ndarray
    classifiers: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)


_READ: Any = tags.read


def scan(path: Path, repairs: Repairs, tell: Tell) -> Scan:
    """Return what stands in an XES file; raise `BadInput` where it is not one."""
    scanner = _Scanner(str(path))
    for block in without_nul(_utf8(blocks(path, tell), str(path)), repairs, scanner.line):
        scanner.feed(block)
    return scanner.close()


def _utf8(found: Iterator[bytes], file: str) -> Iterator[bytes]:
    """Yield the blocks as UTF-8 without a mark, whatever the encoding that the file names."""
    first = next(found, b"")
    name = _named(first)
    if name in ("utf-8", "ascii"):
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from found
        return
    try:
        decoder = codecs.getincrementaldecoder(name)()
        yield decoder.decode(first).encode()
        for block in found:
            yield decoder.decode(block).encode()
        decoder.decode(b"", True)
    except LookupError:
        raise BadInput(f"unknown encoding {name!r}", file=file, row=1) from None
    except UnicodeError as error:
        raise BadInput(f"is not the {name} text that it says it is: {error}", file=file) from None


def _named(first: bytes) -> str:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    named = _DECLARED.match(first.removeprefix(codecs.BOM_UTF8))
    name = named[1].decode().lower() if named else "utf-8"
    return {"utf8": "utf-8", "us-ascii": "ascii"}.get(name, name)


class _Scanner:
    """The state of one scan between blocks."""

    def __init__(self, file: str) -> None:
        self.file, self.rest, self.done = file, b"", defaultdict[str, list[np.ndarray]](list)
        self.state = np.zeros(tags.STATE, np.int64)
        self.state[tags.LINE] = 1
        self.stack = np.zeros((tags.DEEPEST, 3), np.int64)
        self.state[tags.PREVIOUS] = -1
        self.usual = np.zeros((tags.USUAL, tags.LONGEST_USUAL), np.uint8)
        self.followed = np.zeros((tags.USUAL, 5), np.int64)
        self.words = Words()
        for name in tags.KNOWN:
            self.words.add(name.encode())

    def line(self) -> int:
        """Return the line that was reached."""
        return int(self.state[tags.LINE]) + self.rest.count(b"\n")

    def feed(self, block: bytes) -> None:
        """Read as many tags as end in this block."""
        text = self.rest + block
        bytes_ = np.frombuffer(text, np.uint8)
        self.words.room(len(text))
        room = len(text) // 8 + 2
        items = {name: np.empty(room, np.int64) for name in _ITEMS}
        places = {name: np.empty(room, np.int64) for name in ("event_trace", "event_line", "trace_line")}
        counts = np.zeros(3, np.int64)
        kept = (self.state, self.stack, self.usual, self.followed, *self.words.arrays())
        read = int(_READ(bytes_, *kept, *items.values(), *places.values(), counts))
        if self.state[tags.PROBLEM]:
            raise self._bad(tags.PROBLEMS[self.state[tags.PROBLEM]])
        self.rest = text[read:]
        if len(self.rest) > LONGEST:
            raise self._bad(f"a tag of more than {LONGEST} bytes")
        used = {"event_trace": counts[1], "event_line": counts[1], "trace_line": counts[2]}
        for name, column in {**items, **places}.items():
            self.done[name].append(column[: used.get(name, counts[0])].astype(_NARROW.get(name, np.int64)))

    def close(self) -> Scan:
        """Return all that was found."""
        if self.state[tags.DEPTH] or self.rest.strip() or not self.state[tags.ROOTS]:
            raise self._bad("the file is cut off" if self.state[tags.ROOTS] else "is not XML")
        found = {name: np.concatenate(parts) for name, parts in self.done.items()}
        of, event, trace = (found.pop(name) for name in ("event_trace", "event_line", "trace_line"))
        lines = _Lines(found, event, trace)
        texts = [self._text(raw, code, lines) for code, raw in enumerate(self.words.all())]
        keys = [texts[word] for word in self.words.key_words()]
        scan = Scan(keys, texts, found, of, event, trace)
        _special(scan)
        _nested(scan)
        _dates(scan)
        return scan

    def _text(self, raw: bytes, code: int, lines: _Lines) -> str:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            problem = "is not UTF-8 text; the first line of the file should name its encoding"
            raise BadInput(problem, file=self.file, row=lines.of(code)) from None
        if "\n" in text or "\t" in text or "\r" in text:
            text = _BREAK.sub(" ", text)
        return _ENTITY.sub(lambda found: self._entity(found, code, lines), text) if "&" in text else text

    def _entity(self, found: re.Match[str], code: int, lines: _Lines) -> str:
        name = found[1] or ""
        number = int(name[2:], 16) if name.startswith("#x") else int(name[1:]) if name.startswith("#") else -1
        if number > 0x10FFFF or 0xD800 <= number < 0xE000 or (number < 0 and name not in _ENTITIES):
            raise BadInput(f"is not XML: {found[0]!r} is no entity", file=self.file, row=lines.of(code))
        return chr(number) if number >= 0 else _ENTITIES[name]

    def _bad(self, problem: str) -> BadInput:
        row = int(self.state[tags.LINE])
        return BadInput(f"is not XML: {problem}" if problem != "is not XML" else problem, file=self.file, row=row)


@dataclass
class _Lines:
    """Where in the file the first item stands that tells a text."""

    items: dict[str, np.ndarray]
    event: np.ndarray
    trace: np.ndarray

    def of(self, code: int) -> int:
        told = (self.items["value"] == code) & (self.items["kind"] != tags.DATE)
        item = np.flatnonzero(told)
        if not len(item):
            return 1
        scope, owner = int(self.items["scope"][item[0]]), int(self.items["owner"][item[0]])
        lines = {tags.OF_EVENT: self.event, tags.OF_TRACE: self.trace}.get(scope)
        return 1 if lines is None else int(lines[owner])


def _special(scan: Scan) -> None:
    """Take classifiers and extensions out of the items."""
    scope = scan.items["scope"]
    for which, into in ((tags.CLASSIFIER, scan.classifiers), (tags.EXTENSION, scan.extensions)):
        for item in np.flatnonzero(scope == which).tolist():
            into[scan.keys[scan.items["key"][item]]] = scan.texts[scan.items["value"][item]]


def _nested(scan: Scan) -> None:
    """Give items within items the key `parent/child`."""
    items = scan.items
    inner = np.flatnonzero(items["parent"] >= 0)  # parents come before their children
    known = {key: code for code, key in enumerate(scan.keys)}
    mine = items["key"][inner].tolist()
    of = dict(zip(inner.tolist(), mine, strict=True))
    for item, parent in zip(inner.tolist(), items["parent"][inner].tolist(), strict=True):
        key = f"{scan.keys[of.get(parent, items['key'][parent])]}/{scan.keys[of[item]]}"
        of[item] = known.setdefault(key, len(known))
        if of[item] == len(scan.keys):
            scan.keys.append(key)
    items["key"][inner] = np.array(list(of.values()), np.int64)


def _dates(scan: Scan) -> None:
    """Read the dates that are not in the usual form."""
    items = scan.items
    for item in np.flatnonzero(items["kind"] == tags.DATE_TEXT).tolist():
        items["value"][item], items["offset"][item] = moment(scan.texts[items["value"][item]])
        items["kind"][item] = tags.DATE
