"""Compiled kernels are kept on disk, so that the second start is quick."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

import jax

CLOCK_S = 2.0
"""How coarse the times of files may be, and then some."""


def remember_compilations() -> None:
    """Let JAX keep compiled kernels (GEMEL_CACHE, or the user's cache folder), unless it was told where already."""
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]  # made by jax at run time
        return
    cache = cache_folder()
    mend(cache)
    settings = {
        "jax_compilation_cache_dir": str(cache),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]  # jax leaves it untyped


def cache_folder() -> Path:
    """Return where this program may keep what it can make again: GEMEL_CACHE, or gemel in the user's cache folder."""
    named = os.environ.get("GEMEL_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "gemel"


def mend(cache: Path) -> None:
    """Remove half-written entries: JAX writes them in place, and a killed process leaves what is never written again.

    Only what was written since the last time is read: hundreds of whole entries would cost a third of a second a start.
    """
    stamp, begun = cache / "mended", cache / f"mending.{os.getpid()}"
    with contextlib.suppress(OSError):
        begun.touch()
        began, since = begun.stat().st_mtime - CLOCK_S, stamp.stat().st_mtime if stamp.exists() else 0.0
        for entry in cache.glob("*-cache"):
            if entry.stat().st_mtime >= since:
                _mend_one(entry)
        os.utime(begun, (began, began))
        begun.replace(stamp)


def _mend_one(entry: Path) -> None:
    with contextlib.suppress(OSError):
        held = entry.read_bytes()
        try:
            zlib.decompress(held)
        except zlib.error:
            if held[:1] in (b"", b"x"):  # zlib's own mark; other compressions are left alone
                entry.unlink()
