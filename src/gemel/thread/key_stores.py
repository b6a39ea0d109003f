"""From an address to the keys of a store: `GEMEL_KEYS` names it, else they lie in the store's own folder."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from gemel.errors import BadInput, Unavailable
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.wrapping import KeyWrapper, file_master, keyring_master

VARIABLE = "GEMEL_KEYS"
POSSIBLE = "possible: a folder, keyring:NAME, kms:file:PATH, kms:NAME of an installed one, kms:MODULE:ATTRIBUTE"


def open_keys(address: str | None, default_folder: Path, *, readonly: bool = False) -> FolderKeys:
    """Return the keys at *address* (None: at `GEMEL_KEYS`), or in *default_folder* if that names none.

    A folder holds the keys as they are; with `keyring:` and `kms:` they lie in *default_folder*, wrapped by a master key
    that lives there. One such place belongs to one store.
    """
    named = address or os.environ.get(VARIABLE) or ""
    if not named.startswith(("keyring:", "kms:")):
        return FolderKeys(Path(named) if named else default_folder, readonly=readonly)
    return FolderKeys(default_folder, readonly=readonly, wrapper=_wrapper(named))


def _wrapper(address: str) -> KeyWrapper:
    scheme, _, rest = address.partition(":")
    if not rest:
        raise BadInput(f"{address!r} names no keys; {POSSIBLE}", field=VARIABLE)
    if scheme == "keyring":
        return keyring_master(rest)
    if rest.startswith("file:"):
        return file_master(Path(rest.removeprefix("file:")))
    make = _made_by(rest)
    try:
        return cast(KeyWrapper, make())
    except Exception as error:  # a service of somebody else's, with errors of its own
        raise Unavailable(f"{address} cannot be used: {error or type(error).__name__}") from None


def _made_by(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        if attribute:
            return getattr(import_module(module), attribute)
        return next(entry.load() for entry in entry_points(group="gemel.kms", name=name))
    except (ImportError, AttributeError, StopIteration):
        raise BadInput(f"no key management service {name!r} is installed; {POSSIBLE}", field=VARIABLE) from None
