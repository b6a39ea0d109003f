"""Compiled: the kernel as machine code, made once per machine, and what is said while that is done."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from gemel.process import draws, kernel, memory

log = logging.getLogger(__name__)

_SETTINGS: Any = numba.config


@lru_cache(maxsize=1)
def compiled() -> Any:
    """Return the kernel, from disk where it was compiled before (GEMEL_CACHE, or the user's cache folder).

    Of several processes that need it at once one compiles, and the others wait for that.
    """
    found = _kernel()
    folder = Path(_SETTINGS.CACHE_DIR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "compiling").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _compile(found)
    except OSError:
        log.warning("%s cannot be written: the engine is compiled anew by each process", folder)
        _compile(found)
    return found


class _Said(event.Listener):
    """Says once that the engine is being compiled; what is on disk already is not, and nothing is said."""

    def __init__(self) -> None:
        self.told = False

    def on_start(self, event: Any) -> None:
        if not self.told:
            log.info("compiling the event engine, once, about a minute")
        self.told = True

    def on_end(self, event: Any) -> None:
        """Nothing is said when it is done."""


def _compile(found: Any) -> None:
    with event.install_listener("numba:compile", _Said()):
        found.compile("int64(int64, int64)")


def sources() -> list[Path]:
    """Return the files that compiled code is made of: a change in any of them compiles it anew."""
    own = [Path(str(module.__file__)) for module in (memory, draws)]
    return own + sorted(Path(str(kernel.__file__)).parent.glob("*.py"))


def _kernel() -> Any:
    source = hashlib.blake2b(digest_size=8)
    for path in sources():
        source.update(path.read_bytes())
    if not _SETTINGS.CACHE_DIR:
        named = os.environ.get("GEMEL_CACHE")
        folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "gemel"
        _SETTINGS.CACHE_DIR = str(folder / "numba")
    return kernel.members(source.hexdigest())
