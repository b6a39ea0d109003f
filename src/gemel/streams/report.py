"""What an import did, for the person who asked for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gemel.facts import HOUR, Time, iso


@dataclass(frozen=True, slots=True)
class Gap:
    """A signal that was silent from *start* to *end*."""

    name: str
    start: Time
    end: Time


@dataclass
class Report:
    """What was found: items per name, what was dropped or withdrawn, where it is silent, what to know about it."""

    items: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    retractions: int = 0
    gaps: list[Gap] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    first: Time | None = None
    last: Time | None = None

    def warn(self, text: str) -> None:
        """Count one more case of the warning *text*."""
        self.warnings[text] += 1

    def describe(self) -> dict[str, Any]:
        """Return the report as JSON types, times as ISO 8601."""
        return {
            "items": dict(sorted(self.items.items())),
            "duplicates": self.duplicates,
            "retractions": self.retractions,
            "gaps": [{"name": gap.name, "from": iso(gap.start), "to": iso(gap.end)} for gap in self.gaps],
            "warnings": dict(sorted(self.warnings.items())),
            "first": None if self.first is None else iso(self.first),
            "last": None if self.last is None else iso(self.last),
        }

    def __str__(self) -> str:
        lines = [f"{count} × {name}" for name, count in sorted(self.items.items())] or ["nothing"]
        if self.first is not None and self.last is not None:
            lines.append(f"from {iso(self.first)} to {iso(self.last)}")
        if self.duplicates:
            lines.append(f"{self.duplicates} duplicates dropped")
        if self.retractions:
            lines.append(f"{self.retractions} records withdrawn")
        if self.gaps:
            longest = max(self.gaps, key=lambda gap: gap.end - gap.start)
            length = f"{(longest.end - longest.start) / HOUR:.1f} h of {longest.name} from {iso(longest.start)}"
            lines.append(f"{len(self.gaps)} gaps, the longest {length}")
        lines += [f"warning: {text} ({count} ×)" for text, count in sorted(self.warnings.items())]
        return "\n".join(lines)
