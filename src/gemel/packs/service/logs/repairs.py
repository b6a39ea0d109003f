"""Repairs: what was wrong in a log and what was made of it; nothing is mended in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.errors import BadInput
from gemel.packs.service.log import Log

DROPPED_SHARE = 0.05
"""When more rows than this share cannot be used, the file is not what it was taken for."""


@dataclass(frozen=True)
class Repair:
    """One kind of repair: what was done, how often, and the row of the file where first (None: no one row)."""

    what: str
    count: int
    row: int | None


class Repairs:
    """All repairs of one file, in the order in which they were first needed."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[str, Repair] = {}

    def note(self, what: str, count: int = 1, row: int | None = None) -> None:
        """Count *count* more repairs of one kind, the first of them at *row*."""
        if count:
            old = self._found.get(what, Repair(what, 0, row))
            rows = [one for one in (old.row, row) if one is not None]
            self._found[what] = Repair(what, old.count + count, min(rows) if rows else None)

    def dropped(self, why: str, count: int, row: int, of: int, field: str) -> None:
        """Count rows that cannot be used; raise `BadInput` if they are too many of the *of* rows there are."""
        if count > DROPPED_SHARE * of:
            raise BadInput(f"{why}, as in {count} of {of} rows", file=self.file, row=row, field=field)
        self.note(f"{why}: the row is left out", count, row)

    def __iter__(self) -> Iterator[Repair]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, words: str) -> bool:
        """Return whether some repair says *words*."""
        return any(words in repair.what for repair in self)

    @property
    def own_words(self) -> bool:
        """Return whether transitions were told in words that are no standard's, and so say more than their phases."""
        return "own words" in self or "word of no standard" in self

    def describe(self) -> list[dict[str, Any]]:
        """Return the repairs as JSON types."""
        return [{"what": one.what, "count": one.count, "row": one.row} for one in self]

    def __str__(self) -> str:
        lines = [
            f"{one.count} × {one.what}" + ("" if one.row is None else f" (first in row {one.row})") for one in self
        ]
        return "\n".join(lines) or "nothing had to be repaired"


@dataclass(frozen=True)
class Read:
    """What a file holds: the log, what had to be repaired, and what else it says (`format`, attributes of the log …)."""

    log: Log
    repairs: Repairs
    told: Mapping[str, Any]
