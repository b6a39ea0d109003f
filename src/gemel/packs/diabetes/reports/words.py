"""Words for what the care plan holds."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.bank.careplan import Setting
from gemel.twintype import Signal


def setting(value: Setting) -> str:
    """Return a setting; one for each hour is told as stretches of hours of the person's day."""
    if isinstance(value, float | int):
        return f"{value:g}"
    found: list[tuple[int, int, float]] = []
    for hour, one in enumerate(value):
        if found and found[-1][2] == one:
            found[-1] = (found[-1][0], hour + 1, one)
        else:
            found.append((hour, hour + 1, one))
    return ", ".join(f"{a}–{b} h {one:g}" for a, b, one in found)


def change(ports: Mapping[str, Signal], settings: Mapping[str, Setting], notes: Mapping[str, str]) -> str:
    """Return what a change of the plan sets, in one line."""
    said = [f"{ports[name].label or name} {setting(value)} {ports[name].unit}" for name, value in settings.items()]
    said += [f"{section}: “{text}”" if text else f"to take {section} away" for section, text in notes.items()]
    return "; ".join(said)
