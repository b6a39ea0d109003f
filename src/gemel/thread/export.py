"""Proof that travels: the log of a store, or a proof of one fact, for strangers to check with one file.

What is written is what the tree hashes: sealed bodies, and in the clear who is concerned, what kind of fact it is, and
when. Facts of erased subjects are among it, still sealed; nobody can read them, and all proofs hold.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from gemel.errors import BadInput, NotFound, Tampered, Unavailable, unknown
from gemel.thread.codec import name
from gemel.thread.contract import Checkpoint, Thread
from gemel.thread.merkle import Tree, leaf_hash, node_hash
from gemel.thread.row import Row
from gemel.thread.signature import checkpoint_holds, checkpoint_note, note, verifier_key
from gemel.thread.tiles import WIDTH, Tiles, bundle

README = """This is the log of a Gemel store, or a part of it, laid out as c2sp.org/tlog-tiles says.

    python verify.py . --key KEY --since OLDER_CHECKPOINT

checks it with nothing but Python. KEY is what the store's keeper told you; without it the file `key` is believed.
OLDER_CHECKPOINT is a checkpoint of the same store that you kept; with it a store that was put back to an older copy, or
written anew, is found out. Bodies are sealed; names of twins, kinds of facts and times are not.
"""


@dataclass(frozen=True)
class Exported:
    """What an export holds: `size` facts are covered by the signed root (hex), of which `entries` came along."""

    folder: Path
    size: int
    root: str
    entries: int
    key: str


def head(thread: Thread) -> tuple[int, bytes]:
    """Return size and root of the tree as it is now.

    The path by which a tree grows from its first leaf is that leaf's path to the root, RFC 9162 section 2.1.4.
    """
    size, first = thread.size, next(iter(thread.rows()), None)
    if first is None or not size:
        return 0, Tree().root
    root = first.leaf
    for step in thread.prove_growth(1, size):
        root = node_hash(root, bytes.fromhex(step))
    return size, root


def checkpoint_of(thread: Thread) -> str:
    """Return a signed checkpoint of the tree as it is now, to be kept elsewhere by whoever wants to find a roll-back."""
    size, root = head(thread)
    return checkpoint_note(size, root, thread.public_key, thread.sign)


def proof_of(thread: Thread, seq: int) -> dict[str, Any]:
    """Return the proof that a fact is in the store, as plain data that `verify.py` checks; the body stays sealed."""
    size, root = head(thread)
    if not 0 < seq <= size:
        raise NotFound(f"no fact {seq}; the thread has {size} facts")
    proof = thread.prove(seq, size)
    return {
        "format": "gemel-proof/1", "seq": seq, "size": size, "record": proof.record, "path": list(proof.path),
        "checkpoint": checkpoint_note(size, root, thread.public_key, thread.sign), "key": verifier_key(thread.public_key),
    }  # fmt: skip


def export(thread: Thread, folder: Path | str, twins: Collection[str] = ()) -> Exported:
    """Write the log, or of its entries only those of some *twins*, into a new folder; raise `Tampered` for a store that
    is not as it was signed: nothing of it is signed anew.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target} is there already; an export is written into a new folder")
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        made = _Export(thread, part, twins).write(target)
        if target.exists():
            target.rmdir()
        part.rename(target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return made


class _Export:
    """One pass over the rows of a store."""

    def __init__(self, thread: Thread, folder: Path, twins: Collection[str]) -> None:
        self.thread, self.folder, self.twins = thread, folder, frozenset(twins)
        self.signed = {made.size: made for made in thread.checkpoints()}
        self.size, self.root = head(thread)
        self.tree, self.tiles = Tree(), Tiles(self._put)
        self.entries, self.thinned, self.digest = 0, 0, sha256()
        self.seen: set[str] = set()

    def write(self, target: Path) -> Exported:
        """Write everything; return what it is."""
        held: dict[int, bytes] = {}
        for row in self._rows():
            self.seen.add(row.twin)
            if not row.sealed:
                self.thinned += 1
            elif not self.twins or row.twin in self.twins:
                self._take(row, held)
            if self.tree.size % WIDTH == 0:
                held = self._close(held)
        self._close(held)
        self.tiles.end()
        self._sign()
        return Exported(target, self.size, self.root.hex(), self.entries, self.thread.public_key)

    def _rows(self) -> Iterator[Row]:
        """Yield the rows of the tree, each compared with its hash, the tree with what was signed before."""
        for row in self.thread.rows():
            if self.tree.size == self.size:
                break
            leaf = leaf_hash(row.record) if row.sealed else row.leaf
            if row.seq != self.tree.size + 1 or leaf != row.leaf:
                raise Tampered(f"{name(row.seq, row.twin, row.kind)} is not as it was written; nothing was exported")
            self.tree.add(leaf)
            self.tiles.add(leaf)
            self._compare(self.signed.get(self.tree.size))
            yield row
        for each in self.signed.values():
            if each.size > self.size or not checkpoint_holds(each, self.thread.public_key):
                raise Tampered(f"the checkpoint of {each.size} facts does not fit this store; nothing was exported")
        if self.tree.root != self.root:
            raise Tampered("the stored facts do not add up to the store's tree; nothing was exported")
        for twin in self.twins - self.seen:
            raise unknown("twin", twin, self.thread.twins())

    def _compare(self, signed: Checkpoint | None) -> None:
        if signed is not None and signed.root != self.tree.root.hex():
            raise Tampered(f"the first {signed.size} facts are not those that were signed; nothing was exported")

    def _take(self, row: Row, held: dict[int, bytes]) -> None:
        held[(row.seq - 1) % WIDTH] = row.record
        self.entries += 1
        self.digest.update(row.leaf)

    def _close(self, held: dict[int, bytes]) -> dict[int, bytes]:
        """Write the bundle that ends here; return an empty one."""
        index, width = (self.tree.size - 1) // WIDTH, (self.tree.size - 1) % WIDTH + 1
        found = bundle(index, width, held)
        if found is not None:
            self._put(*found)
        return {}

    def _sign(self) -> None:
        """Write what is signed, and what a stranger needs to check it."""
        about = {
            "size": self.size, "root": self.root.hex(), "twins": sorted(self.twins) or None,
            "entries": self.entries, "thinned": self.thinned, "digest": self.digest.hexdigest(),
        }  # fmt: skip
        public = self.thread.public_key
        self._put("checkpoint", checkpoint_note(self.size, self.root, public, self.thread.sign).encode())
        self._put("contents", note(f"gemel export 1\n{json.dumps(about)}\n", public, self.thread.sign).encode())
        self._put("key", f"{verifier_key(public)}\n".encode())
        self._put("verify.py", verifier())
        self._put("README.txt", README.encode())

    def _put(self, path: str, content: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def verifier() -> bytes:
    """Return the stand-alone verifier, one file that needs Python alone."""
    return files("gemel.thread.standalone").joinpath("verify.py").read_bytes()
