"""Sentences from `strings.LANGUAGE.toml`, and numbers as one person reads them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from gemel.bank.tools import local
from gemel.errors import unknown
from gemel.facts import Time
from gemel.packs.diabetes.metrics import MGDL_PER_MMOL
from gemel.streams.clock import zone


@cache
def strings(language: str = "en") -> Mapping[str, Mapping[str, Any]]:
    """Return the sentences of a language, by group and name; raise `NotFound` for one that there is not."""
    held = {path.name.split(".")[1] for path in files(__package__).iterdir() if path.name.startswith("strings.")}
    if language not in held:
        raise unknown("language", language, held)
    return tomllib.loads(files(__package__).joinpath(f"strings.{language}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Words:
    """Says things in one language, unit and time zone."""

    unit: str = "mg/dL"
    timezone: str = "UTC"
    emergency: str = "112"
    language: str = "en"

    def say(self, name: str, /, **given: object) -> str:
        """Return a sentence by its name, such as `now.read`, filled in."""
        group, _, one = name.partition(".")
        return str(strings(self.language)[group][one]).format(**given)

    def glucose(self, value: float) -> str:
        """Return mg/dL as the person reads it."""
        return f"{value / MGDL_PER_MMOL:.1f}" if self.unit == "mmol/L" else f"{value:.0f}"

    def clock(self, at: Time) -> str:
        """Return a time of the person's day."""
        return f"{local(at, zone(self.timezone)):%H:%M}"

    def listed(self, name: str) -> Sequence[str]:
        """Return a list of words."""
        group, _, one = name.partition(".")
        found: Sequence[str] = strings(self.language)[group][one]
        return found


def figure(value: float) -> str:
    """Return a number without more digits than it needs."""
    return f"{value:.1f}".removesuffix(".0")
