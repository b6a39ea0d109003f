"""Compiled kernels on disk: what a killed process left half-written goes, and what was whole is not read again."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from gemel.model.cache import mend

WHOLE = zlib.compress(b"compiled" * 100)


def put(cache: Path, name: str, content: bytes, age_s: float = 0.0) -> Path:
    """Write an entry as it would stand that long after it was written."""
    entry = cache / f"{name}-cache"
    entry.write_bytes(content)
    at = entry.stat().st_mtime - age_s
    os.utime(entry, (at, at))
    return entry


def test_half_an_entry_goes_and_whole_ones_stay(tmp_path: Path) -> None:
    """Cut off, empty, and of another compression, which is not ours to judge."""
    put(tmp_path, "whole", WHOLE)
    put(tmp_path, "cut", WHOLE[:-9])
    put(tmp_path, "empty", b"")
    put(tmp_path, "other", b"\x28\xb5\x2f\xfd")
    mend(tmp_path)
    assert {path.name for path in tmp_path.glob("*-cache")} == {"whole-cache", "other-cache"}


def test_what_is_written_after_a_start_is_looked_at_by_the_next(tmp_path: Path) -> None:
    """Also what was begun while the one before looked."""
    mend(tmp_path)
    late = put(tmp_path, "late", WHOLE[:-9])
    mend(tmp_path)
    assert not late.exists()


def test_what_was_whole_is_not_read_again(tmp_path: Path) -> None:
    """An entry that is older than the last look is left, whatever it holds by now."""
    mend(tmp_path)
    known = put(tmp_path, "known", WHOLE[:-9], age_s=60)
    mend(tmp_path)
    assert known.exists()


def test_a_cache_that_is_not_there_is_nothing_to_mend(tmp_path: Path) -> None:
    """The first start has none."""
    mend(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
