#!/usr/bin/env python3
"""Check a log, a bundle or a single proof that a Gemel store gave away. Needs Python 3.8 or later, and nothing else.

    python verify.py EXPORT|BUNDLE|PROOF [--key KEY] [--since CHECKPOINT]

KEY is the store's public key, as its keeper told you: 64 hex digits, or the line in the file `key` of an export. Without
it the key that came along is taken, which shows that all parts fit each other, and not who made them. CHECKPOINT is an
older checkpoint of the same store, which you kept: what it covers must still be there, unchanged.

Exit code 0: as signed. 1: not as signed; each line says what. 2: nothing that can be checked.

Formats: checkpoints are signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), an export is laid out as
c2sp.org/tlog-tiles says, the tree is that of RFC 6962 and RFC 9162, signatures are Ed25519 (RFC 8032).
This file shares no code with Gemel, on purpose: it is a second opinion.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple, Sequence  # noqa: UP035 - for Python 3.8

if TYPE_CHECKING:
    Point = tuple[int, int, int, int]

WIDTH = 256
"""Hashes in a full tile."""
MOST = 100
"""Problems that are told."""
OWN = ("checkpoint", "contents", "key", "verify.py", "README.txt")
"""Files of an export that are no tiles."""


class Unusable(Exception):
    """There is nothing that can be checked."""


class Wrong(Exception):
    """A part is not as it was signed."""


# Ed25519: the field, curve and group of RFC 8032, section 5.1, in extended coordinates

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
ZERO: Point = (0, 1, 1, 0)


def _add(a: Point, b: Point) -> Point:
    """Return the sum, section 5.1.4."""
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    total = ZERO
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _x_of(y: int, sign: int) -> int | None:
    """Return the x of a point, section 5.1.3, or None if there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _decoded(text: bytes) -> Point | None:
    number = int.from_bytes(text, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = _x_of(BASE_Y, 0) or 0
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the holder of the key signed the message, RFC 8032 section 5.1.7."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, scalar = _decoded(public), int.from_bytes(signature[32:], "little")
    if key is None or scalar >= ORDER:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    minus = (P - key[0], key[1], 1, P - key[3])
    return _encoded(_add(_times(scalar, BASE), _times(hashed, minus))) == signature[:32]


# Notes: c2sp.org/signed-note and c2sp.org/tlog-checkpoint


class Key(NamedTuple):
    """A store's public key, and the name it signs with."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the first four bytes of SHA-256 over name, newline, 0x01 and key."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]

    @property
    def line(self) -> str:
        """Return it as verifiers share it: name, id and key, joined by plus signs."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"


class Checkpoint(NamedTuple):
    """A signed tree: how many entries, and the hash over them."""

    origin: str
    size: int
    root: bytes


def name_of(public: bytes) -> str:
    """Return the name that a store with this key signs with."""
    return f"gemel/{public.hex()[:16]}"


def read_key(text: str) -> Key:
    """Return a key from 64 hex digits, or from name+id+base64."""
    text = text.strip()
    try:
        if "+" not in text:
            public = bytes.fromhex(text)
            key = Key(name_of(public), public)
        else:
            name, id_, rest = text.split("+", 2)
            raw = base64.b64decode(rest, validate=True)
            key = Key(name, raw[1:])
            if raw[:1] != b"\x01" or key.id.hex() != id_:
                raise ValueError
    except (ValueError, binascii.Error):
        raise Unusable(f"{text[:80]!r} is no key: 64 hex digits, or name+id+base64") from None
    if len(key.public) != 32:
        raise Unusable(f"{text[:80]!r} is no key: an Ed25519 key has 32 bytes")
    return key


def read_note(note: str, key: Key) -> str:
    """Return the text of a signed note; raise `Wrong` unless *key* signed it."""
    text, gap, lines = note.rpartition("\n\n")
    if not gap or not lines.endswith("\n") or any(ord(char) < 32 and char != "\n" for char in note):
        raise Wrong("is not a signed note")
    for line in lines[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            raise Wrong("has a damaged signature line") from None
        if dash != "\u2014" or len(raw) < 5 or base64.b64encode(raw).decode() != encoded:
            raise Wrong("has a damaged signature line")
        if name == key.name and raw[:4] == key.id:
            if not signed(key.public, (text + "\n").encode(), raw[4:]):
                raise Wrong(f"was not signed by {key.name}, or was changed")
            return text + "\n"
    raise Wrong(f"bears no signature of {key.name}")


def read_checkpoint(note: str, key: Key) -> Checkpoint:
    """Return what a signed checkpoint says."""
    lines = read_note(note, key).split("\n")
    try:
        root = base64.b64decode(lines[2], validate=True)
        size = int(lines[1])
    except (IndexError, ValueError, binascii.Error):
        raise Wrong("is not a checkpoint") from None
    if lines[0] != key.name or str(size) != lines[1] or size < 0 or len(root) != 32:
        raise Wrong("is not a checkpoint of this store")
    return Checkpoint(lines[0], size, root)


# The tree: RFC 6962, section 2.1


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two parts of the tree."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows to the right; `peaks` are the hashes of its perfect parts, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add the hash of one entry."""
        place = self.size
        while place & 1:
            leaf, place = node_hash(self.peaks.pop(), leaf), place >> 1
        self.peaks.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """Return the hash over all; over nothing, that of nothing."""
        if not self.peaks:
            return hashlib.sha256().digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def over(hashes: Sequence[bytes]) -> bytes:
    """Return the hash over hashes of entries."""
    tree = Tree()
    for each in hashes:
        tree.add(each)
    return tree.root


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion path leads to, RFC 9162 section 2.1.3.2; raise `Wrong` if it leads nowhere."""
    place, last = index, size - 1
    if not 0 <= index < size:
        raise Wrong("its place is beyond the checkpoint")
    for step in path:
        if last == 0:
            raise Wrong("its path is too long")
        if place & 1 or place == last:
            leaf = node_hash(step, leaf)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            leaf = node_hash(leaf, step)
        place, last = place >> 1, last >> 1
    if last:
        raise Wrong("its path is too short")
    return leaf


# Records: what Gemel hashes of a fact; the part in the clear, then nonce and sealed body

CLEAR = struct.Struct(">BQqqHHB")


class Clear(NamedTuple):
    """What anyone may read of a record."""

    seq: int
    twin: str
    kind: str
    true_at: int
    known_at: int


def read_clear(record: bytes) -> Clear:
    """Return the clear part of a record."""
    try:
        form, seq, true_at, known_at, twin, kind, mark = CLEAR.unpack_from(record)
        start = CLEAR.size
        if form != 1 or len(record) < start + twin + kind + mark + 12 + 16:
            raise ValueError
        names = record[start : start + twin].decode(), record[start + twin : start + twin + kind].decode()
    except (struct.error, ValueError):
        raise Wrong("is not a record of a fact") from None
    return Clear(seq, names[0], names[1], true_at, known_at)


def called(index: int, record: bytes | None = None) -> str:
    """Return how messages call an entry: facts are numbered from 1."""
    try:
        clear = None if record is None else read_clear(record)
    except Wrong:
        clear = None
    return f"fact {index + 1}" if clear is None else f"fact {index + 1} ({clear.twin}, {clear.kind})"


# An export: c2sp.org/tlog-tiles


class Report:
    """What was found."""

    def __init__(self, what: str) -> None:
        self.what, self.size, self.root = what, 0, ""
        self.problems: list[str] = []
        self.remarks: list[str] = []

    def say(self, problem: str) -> None:
        """Keep a problem, the first of many only."""
        if problem not in self.problems and len(self.problems) < MOST:
            self.problems.append(problem)


def path_of(index: int, width: int = WIDTH) -> str:
    """Return where the tile or bundle with this index lies: 1234067 is x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.append(f"x{index % 1000:03d}")
    whole = "/".join(reversed(parts))
    return whole if width == WIDTH else f"{whole}.p/{width}"


def spans(count: int) -> Iterator[tuple[int, int]]:
    """Yield index and width of the tiles of so many hashes."""
    for index in range((count + WIDTH - 1) // WIDTH):
        yield index, min(WIDTH, count - index * WIDTH)


class Export:
    """One pass over an export."""

    def __init__(self, folder: Path, key: Key, since: Checkpoint | None, report: Report) -> None:
        self.folder, self.key, self.since, self.report = folder, key, since, report
        self.expected = set(OWN)
        self.entries, self.digest = 0, hashlib.sha256()
        self.told, self.held = Tree(), Tree()
        self.known_at = -(1 << 63)

    def check(self) -> None:
        """Put what is found into the report."""
        try:
            checkpoint = read_checkpoint(_text(self.folder / "checkpoint"), self.key)
            contents = self._contents(checkpoint)
        except Wrong as wrong:
            self.report.say(str(wrong) if str(wrong).startswith("contents") else f"checkpoint {wrong}")
            return
        self.report.size, self.report.root = checkpoint.size, checkpoint.root.hex()
        self._level(0, self._leaves(checkpoint.size, contents["twins"] is None and not contents.get("thinned")))
        self._end(checkpoint, contents)

    def _contents(self, checkpoint: Checkpoint) -> dict[str, Any]:
        try:
            lines = read_note(_text(self.folder / "contents"), self.key).split("\n")
            found: dict[str, Any] = json.loads(lines[1])
        except (Wrong, ValueError, IndexError) as wrong:
            raise Wrong(f"contents {wrong}") from None
        tree = [found.get("size"), found.get("root")]
        if lines[0] != "gemel export 1" or tree != [checkpoint.size, checkpoint.root.hex()]:
            raise Wrong("contents is not that of this checkpoint")
        return found

    def _leaves(self, size: int, whole: bool) -> Iterator[bytes]:
        """Yield the hashes of all entries: from the entries where they are here, else from the tiles."""
        for index, width in spans(size):
            tile, records = self._tile(0, index, width), self._records(index, width)
            for i in range(width):
                leaf = self._leaf(index * WIDTH + i, records.get(i), tile[i], whole)
                self.held.add(leaf)
                self.told.add(tile[i] or leaf)
                if self.since is not None and self.held.size == self.since.size and self.held.root != self.since.root:
                    self.report.say(f"the first {self.since.size} facts are not those of the older checkpoint")
                yield leaf

    def _leaf(self, index: int, record: bytes | None, hashed: bytes | None, whole: bool) -> bytes:
        """Return the hash of an entry, or, where it is not here, what the tile says."""
        if record is None:
            if whole:
                self.report.say(f"{called(index)} is missing")
            return hashed or bytes(32)
        leaf, named = leaf_hash(record), called(index, record)
        self.entries += 1
        self.digest.update(leaf)
        if hashed is not None and leaf != hashed:
            self.report.say(f"{named} is not what the tree was built from, or its hash in a tile was changed")
        self._in_order(index, record, named)
        return leaf

    def _in_order(self, index: int, record: bytes, named: str) -> None:
        try:
            clear = read_clear(record)
        except Wrong as wrong:
            self.report.say(f"{named} {wrong}")
            return
        if clear.seq != index + 1:
            self.report.say(f"{named} says that it is fact {clear.seq}")
        if clear.known_at < self.known_at:
            self.report.say(f"{named} became known before the fact before it")
        self.known_at = clear.known_at

    def _file(self, name: str) -> bytes | None:
        self.expected.add(name)
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def _tile(self, level: int, index: int, width: int) -> Sequence[bytes | None]:
        name = f"tile/{level}/{path_of(index, width)}"
        data = self._file(name)
        if data is None or len(data) != 32 * width:
            self.report.say(f"{name} is missing" if data is None else f"{name} is not {width} hashes long")
            return [None] * width
        return [data[32 * i : 32 * i + 32] for i in range(width)]

    def _records(self, index: int, width: int) -> dict[int, bytes]:
        """Return the entries of a bundle by place: laid out as tlog-tiles says, or, where it cannot be, in our own way."""
        plain, own = f"tile/entries/{path_of(index, width)}", f"records/{path_of(index, width)}"
        data, other = self._file(plain), self._file(own)
        found: dict[int, bytes] = {}
        try:
            own_way = other is not None  # what was read before it breaks off is kept
            found.update(_own_entries(other or b"", index, width) if own_way else _entries(data or b"", width))
        except Wrong as wrong:
            if data is not None or other is not None:
                self.report.say(f"{own if other is not None else plain} {wrong}")
        return found

    def _level(self, level: int, hashes: Iterator[bytes]) -> None:
        """Build the tiles above a level, and compare each with its file; the level of entries was compared already."""
        above: list[bytes] = []
        some: list[bytes] = []
        index = 0
        for each in hashes:
            some.append(each)
            if len(some) == WIDTH:
                self._same(level, index, some)
                above.append(over(some))
                some, index = [], index + 1
        if some:
            self._same(level, index, some)
        if above:
            self._level(level + 1, iter(above))

    def _same(self, level: int, index: int, built: Sequence[bytes]) -> None:
        tile = self._tile(level, index, len(built)) if level else built
        if tile[0] is not None and list(tile) != list(built):
            self.report.say(f"tile/{level}/{path_of(index, len(built))} is not what the tiles below it add up to")

    def _end(self, checkpoint: Checkpoint, contents: dict[str, Any]) -> None:
        say = self.report.say
        if checkpoint.root not in (self.held.root, self.told.root):
            say("neither the entries nor the tiles add up to the signed root")
        elif checkpoint.root != self.told.root:
            say("a tile was changed: the entries add up to the signed root, the tiles do not")
        elif checkpoint.root != self.held.root:
            say("an entry was changed: the tiles add up to the signed root, the entries do not")
        if [self.entries, self.digest.hexdigest()] != [contents.get("entries"), contents.get("digest")]:
            say(f"contents tells of {contents.get('entries')} entries, and not of these {self.entries}")
        if self.since is not None and self.since.size > checkpoint.size:
            say(_gone(checkpoint.size, self.since.size))
        for name in sorted(_files(self.folder) - self.expected):
            say(f"{name} does not belong to a log of {checkpoint.size} facts")


def _gone(size: int, signed_size: int) -> str:
    return f"rolled back: facts {size + 1} to {signed_size} are missing; the older checkpoint covers them"


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _entries(data: bytes, width: int) -> Iterator[tuple[int, bytes]]:
    """Yield the entries of a bundle: each two bytes of length, then itself."""
    start = 0
    for place in range(width):
        end = start + 2 + int.from_bytes(data[start : start + 2], "big")
        if start + 2 > len(data) or end > len(data):
            raise Wrong("is cut short")
        yield place, data[start + 2 : end]
        start = end
    if start != len(data):
        raise Wrong("is longer than its entries")


def _own_entries(data: bytes, index: int, width: int) -> Iterator[tuple[int, bytes]]:
    """Yield the entries of our own layout: each eight bytes of place in the log, four of length, then itself."""
    start, last = 0, -1
    while start < len(data):
        place = int.from_bytes(data[start : start + 8], "big") - index * WIDTH
        end = start + 12 + int.from_bytes(data[start + 8 : start + 12], "big")
        if start + 12 > len(data) or end > len(data):
            raise Wrong("is cut short")
        if not last < place < width:
            raise Wrong("has an entry that is out of place")
        yield place, data[start + 12 : end]
        start, last = end, place


def check_export(folder: Path, key: Key | None = None, since: str | None = None) -> Report:
    """Check the export in a folder."""
    own = read_key(_text(folder / "key"))
    return _keyed(
        own, key, since, lambda used, older, report: Export(folder, used, older, report).check(), Report(str(folder))
    )


def _keyed(
    own: Key,
    key: Key | None,
    since: str | None,
    check: Callable[[Key, Checkpoint | None, Report], None],
    report: Report,
) -> Report:
    """Run a check with the key that was given, or else the one that came along; return the report."""
    try:
        older = None if since is None else read_checkpoint(since, key or own)
    except Wrong as wrong:
        report.say(f"the older checkpoint {wrong}")
        return report
    check(key or own, older, report)
    if key is not None and key != own:
        report.say(f"the key that came along, {own.public.hex()}, is not the one that was asked for")
    if key is None:
        report.remarks.append(f"signed by {own.public.hex()}: compare this with what the store's keeper says")
    return report


# A proof of one fact, and a bundle


def check_proof(text: str, what: str, key: Key | None = None, since: str | None = None) -> Report:
    """Check the proof of one fact."""
    try:
        proof: dict[str, Any] = json.loads(text)
        if proof["format"] != "gemel-proof/1":
            raise ValueError
        own = read_key(proof["key"])
        proof["seq"], proof["record"], proof["path"], proof["checkpoint"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable(f"{what} is neither an export, nor a bundle, nor a proof") from None

    def check(used: Key, older: Checkpoint | None, report: Report) -> None:
        try:
            checkpoint = read_checkpoint(proof["checkpoint"], used)
            report.size, report.root = checkpoint.size, checkpoint.root.hex()
            report.remarks.append(included(proof, checkpoint) + " is among them")
        except Wrong as wrong:
            report.say(f"checkpoint {wrong}" if not report.root else str(wrong))
        if older is not None and older.size == report.size and older.root.hex() != report.root:
            report.say(f"the first {older.size} facts are not those of the older checkpoint")

    return _keyed(own, key, since, check, Report(what))


def included(line: dict[str, Any], checkpoint: Checkpoint) -> str:
    """Return how the fact is called whose record and path lead to the checkpoint's root; raise `Wrong` if they do not."""
    try:
        index, record = int(line["seq"]) - 1, bytes.fromhex(line["record"])
        path = [bytes.fromhex(step) for step in line["path"]]
    except (KeyError, TypeError, ValueError):
        raise Wrong("a record is not as it was written") from None
    named = called(index, record)
    try:
        if read_clear(record).seq != index + 1:
            raise Wrong("says that it is another fact")
        if root_from(leaf_hash(record), index, checkpoint.size, path) != checkpoint.root:
            raise Wrong("is not among the facts that were signed")
    except Wrong as wrong:
        raise Wrong(f"{named} {wrong}") from None
    return named


def check_receipt(text: str, what: str, key: Key | None = None, since: str | None = None) -> Report:
    """Check the receipt of an erasure: signed is its kind, a line feed, and the rest as JSON with sorted names."""
    try:
        receipt: dict[str, Any] = json.loads(text)
        rest = {name: value for name, value in receipt.items() if name != "signature"}
        statement = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        message, signature = f"{receipt['receipt']}\n{statement}".encode(), bytes.fromhex(receipt["signature"])
        own, after, done = read_key(receipt["public_key"]), receipt["after"], f"{receipt['twin']} was erased"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable(f"{what} is no receipt that can be checked") from None

    def check(used: Key, older: Checkpoint | None, report: Report) -> None:
        report.size, report.root = int(after["size"]), str(after["root"])
        if signed(used.public, message, signature):
            report.remarks.append(f"{done}, as asked by {receipt['asked_by']}: {receipt['reason']}")
        else:
            report.say("the receipt is not as it was signed")

    return _keyed(own, key, since, check, Report(what))


def read_bundle(path: Path) -> tuple[list[str], dict[str, bytes], dict[str, Any]]:
    """Return the names of all parts, the parts, and the manifest, unchecked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist()]
            parts = {name: archive.read(name) for name in names}
        manifest = json.loads(parts["manifest.json"])
        if not isinstance(manifest, dict) or not isinstance(manifest.get("parts"), dict):
            raise ValueError("the manifest is none")
    except Exception as error:  # whatever a damaged archive may raise
        raise Unusable(f"{path} cannot be read as a bundle: {type(error).__name__}: {error}") from None
    return names, parts, manifest


def check_bundle(path: Path, key: Key | None = None, since: str | None = None) -> Report:
    """Check signature, digests and, as far as they are not sealed, proofs of a bundle."""
    report = Report(str(path))
    try:
        names, parts, manifest = read_bundle(path)
        own = read_key(str(manifest.get("key")))
    except Unusable as error:
        report.say(str(error))
        return report

    def check(used: Key, older: Checkpoint | None, report: Report) -> None:
        for problem in bundle_problems(names, parts, manifest, used):
            report.say(problem)
        if not report.problems:
            _bundled(parts, manifest, used, older, report)

    return _keyed(own, key, since, check, report)


def bundle_problems(names: Sequence[str], parts: dict[str, bytes], manifest: dict[str, Any], key: Key) -> Iterator[str]:
    """Yield what is wrong with the parts of a bundle."""
    listed = manifest.get("parts", {})
    try:
        signature = bytes.fromhex(parts.get("manifest.sig", b"").decode("ascii", "replace").strip())
    except ValueError:
        signature = b""
    if not signed(key.public, b"gemel bundle 1\n" + parts["manifest.json"], signature):
        yield f"manifest.json was not signed by {key.name}, or was changed"
    if len(set(names)) != len(names):
        yield "a part is there twice"
    for name in sorted({*listed, *names} - {"manifest.json", "manifest.sig"}):
        if name not in listed:
            yield f"{name} is not in the manifest"
        elif name not in parts:
            yield f"{name} is missing"
        elif hashlib.sha256(parts[name]).hexdigest() != listed[name]:
            yield f"{name} is not as it was signed"


def _bundled(
    parts: dict[str, bytes], manifest: dict[str, Any], key: Key, older: Checkpoint | None, report: Report
) -> None:
    try:
        checkpoint = read_checkpoint(parts.get("checkpoint", b"").decode("utf-8", "replace"), key)
    except Wrong as wrong:
        report.say(f"checkpoint {wrong}")
        return
    report.size, report.root = checkpoint.size, checkpoint.root.hex()
    if older is not None and (older.size > checkpoint.size or (older.size == checkpoint.size and older != checkpoint)):
        report.say(_gone(checkpoint.size, older.size))
    if manifest.get("sealed"):
        report.remarks.append("its facts are sealed: signature and digests were checked, proofs were not")
        return
    count = 0
    for line in parts.get("records.jsonl", b"").splitlines():
        try:
            included(json.loads(line), checkpoint)
            count += 1
        except (Wrong, ValueError) as wrong:
            report.say(str(wrong))
    report.remarks.append(f"{count} facts of it are among them")


# The command


def check(where: Path, key: Key | None = None, since: str | None = None) -> Report:
    """Check what lies there: an export, a bundle, or a proof."""
    if where.is_dir():
        if not (where / "checkpoint").is_file():
            raise Unusable(f"{where} is no export: it has no checkpoint")
        return check_export(where, key, since)
    if not where.is_file():
        raise Unusable(f"there is no {where}")
    if zipfile.is_zipfile(where):
        return check_bundle(where, key, since)
    text = _text(where)
    return (check_receipt if '"receipt"' in text else check_proof)(text, str(where), key, since)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} cannot be read: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(description="Check an export, a bundle or a proof of a Gemel store.")
    parser.add_argument("where", type=Path, help="an export (folder), a bundle (.gemel) or a proof (JSON)")
    parser.add_argument("--key", help="the store's public key, as its keeper told you")
    parser.add_argument("--since", type=Path, help="an older checkpoint of the same store, which you kept")
    asked = parser.parse_args(arguments)
    try:
        key = None if asked.key is None else read_key(asked.key)
        report = check(asked.where, key, None if asked.since is None else _text(asked.since))
    except Unusable as error:
        sys.stderr.write(f"verify: {error}\n")
        return 2
    lines = [f"{report.what}: {report.size} facts, root {report.root}"]
    lines += [f"  NOT as signed: {problem}" for problem in report.problems] or ["  as signed"]
    sys.stdout.write("\n".join([*lines, *(f"  {remark}" for remark in report.remarks)]) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
