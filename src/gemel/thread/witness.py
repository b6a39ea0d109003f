"""An older checkpoint, kept elsewhere, against a store: what it covers must still be there, unchanged.

Whoever can replace a whole folder, keys and all, by an older copy of it leaves nothing inside that could tell. Only
somebody outside who kept a checkpoint can.
"""

from __future__ import annotations

from gemel.thread.contract import Thread
from gemel.thread.export import head
from gemel.thread.merkle import extends
from gemel.thread.standalone.verify import Wrong, read_checkpoint, read_key


def since(thread: Thread, note: str) -> str | None:
    """Return what of an older checkpoint (a signed note) does not hold of a store, or None."""
    try:
        older = read_checkpoint(note, read_key(thread.public_key))
    except Wrong as wrong:
        return f"the older checkpoint {wrong}: it is damaged, or this is another store"
    size, root = head(thread)
    if older.size > size:
        return f"rolled back: facts {size + 1} to {older.size} are missing; the older checkpoint covers them"
    path = [bytes.fromhex(step) for step in thread.prove_growth(older.size, size)]
    if not extends(older.size, size, path, older.root, root):
        return f"the first {older.size} facts are not those of the older checkpoint"
    return None
