"""What a letter is about, and how it sets its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape

import numpy as np

from gemel.bank import Twin
from gemel.packs.diabetes.reports import look
from gemel.packs.diabetes.reports.agp import Agp
from gemel.packs.diabetes.reports.look import Unit


@dataclass(frozen=True)
class Case:
    """A twin in one reader's eyes, the report on a period, readings (times ms, mg/dL) in it and in the period before."""

    twin: Twin
    zone: tzinfo
    unit: Unit
    found: Agp
    now: tuple[np.ndarray, np.ndarray]
    before: tuple[np.ndarray, np.ndarray]

    def within(self, at: int) -> bool:
        """Return whether a moment is in the period."""
        return self.found.since <= at < self.found.until

    def say(self, name: str) -> str:
        """Return a metric of the period for people."""
        return look.said(name, self.found.values[name], self.unit)


def said(words: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p class='{kind}'>{escape(words)}</p>" if kind else f"<p>{escape(words)}</p>"


def listed(lines: Sequence[str]) -> str:
    """Return a list of points."""
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in lines)}</ul>"
