"""A source that is one file and a function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from gemel.streams.clock import zone
from gemel.streams.contract import Item, Source
from gemel.streams.report import Report

Read = Callable[[Path, tzinfo | None, Report], Iterable[Item]]


@dataclass(frozen=True)
class _File:
    path: Path
    zone: tzinfo | None
    label: str
    items: Read

    @property
    def name(self) -> str:
        """Return the format and the file."""
        return f"{self.label}:{self.path.name}"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items by time."""
        found = self.items(self.path, self.zone, Report() if report is None else report)
        yield from _once(sorted(found, key=lambda item: (item.at, item.name, item.source_id or "", item.value)), report)


def _once(items: Iterable[Item], report: Report | None) -> Iterator[Item]:
    """Yield the items without repeats: exports of two devices, or of two days that overlap, say one thing twice."""
    seen: set[tuple[object, ...]] = set()
    for item in items:
        said = (item.name, item.source_id or (item.at, item.value, item.unit), item.retracted)
        if said not in seen:
            seen.add(said)
            yield item
        elif report is not None:
            report.duplicates += 1


def one_file(path: str | Path, timezone: str | None, label: str, read: Read) -> Source:
    """Return the source that reads *path* with *read*; *timezone* is for times without an offset."""
    return _File(Path(path), zone(timezone) if timezone else None, label, read)
