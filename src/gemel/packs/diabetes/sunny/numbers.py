"""Where each number of an answer comes from: one that no tool returned is unfounded, and such an answer is not said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from gemel.bank.companion import Call, Reply, Used
from gemel.bank.tools import local
from gemel.packs.diabetes.metrics import MGDL_PER_MMOL
from gemel.packs.diabetes.sunny.normal import SMALL, TENS
from gemel.streams.clock import zone

SHOWN = re.compile(r"\d{1,2}:\d{2}|\d+(?:[.,]\d+)*\s?%|\d+(?:[.,]\d+)*")
SPELLED = re.compile(rf"\b(?:{'|'.join([*TENS, *SMALL])}|hundred|dozen|twice|double|triple)\b", re.IGNORECASE)
CLOCK_FROM = 1e11
"""From here on a number is a time in milliseconds."""
MODEL = "model"
"""Who puts words together that may be made up."""
NAMES = ("seq", "alert", "proposal", "open_changes")
"""Fields that name things and measure nothing."""


@dataclass(frozen=True)
class Leaf:
    """A number somewhere in the answer of a call."""

    call: int
    path: str
    value: float | str


def shown(text: str) -> list[str]:
    """Return the numbers of a text, as figures or spelled out, in order."""
    found = [*SHOWN.finditer(text), *SPELLED.finditer(text)]
    return [one[0] for one in sorted(found, key=lambda one: one.start())]


def leaves(calls: Sequence[Call]) -> Iterator[Leaf]:
    """Yield every number in the answers of *calls*, those inside strings among them."""
    for number, call in enumerate(calls):
        yield from _leaves(number, "", call.answer)


def _leaves(call: int, path: str, value: Any) -> Iterator[Leaf]:
    if isinstance(value, Mapping):
        for name, held in value.items():
            if name not in NAMES:
                yield from _leaves(call, f"{path}.{name}" if path else str(name), held)
    elif isinstance(value, (list, tuple)):
        for i, held in enumerate(value):
            yield from _leaves(call, f"{path}[{i}]", held)
        yield Leaf(call, f"{path}.length", float(len(value)))
    elif isinstance(value, str):
        yield from (Leaf(call, path, one) for one in shown(value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Leaf(call, path, float(value))


def forms(leaf: Leaf, place: tzinfo, mmol: bool) -> set[str]:
    """Return how a number may stand in an answer: rounded, as mmol/L where that is the person's unit, minutes as hours."""
    if isinstance(leaf.value, str):
        return {_tidy(leaf.value)}
    value = abs(leaf.value)
    if value >= CLOCK_FROM:
        at = local(int(value), place)
        return {f"{at:%H:%M}", f"{at.hour}:{at:%M}", f"{at:%d}", str(at.day)}
    found = {_tidy(f"{value:.{digits}f}") for digits in (0, 1, 2)}
    field = leaf.path.rpartition(".")[2]
    if field.endswith(("min", "minutes_ago")) and value >= 60:
        found |= {_tidy(f"{value / 60:.{digits}f}") for digits in (0, 1) if value % 60 == 0 or digits}
    if "percent" in field:
        found |= {one + "%" for one in found}
    return found | ({_tidy(f"{value / MGDL_PER_MMOL:.1f}")} if mmol else set())


def _tidy(text: str) -> str:
    """Return a number as it is compared: no blanks, no trailing zeros."""
    plain = text.replace(" ", "").replace("\u202f", "").replace(",", ".").casefold()
    if ":" in plain or not plain[:1].isdigit():
        return str(_spelled(plain))
    body, sign, _ = plain.partition("%")
    return (f"{float(body):g}" if body.count(".") < 2 else body) + sign


def _spelled(word: str) -> str:
    value = {**SMALL, **TENS}.get(word)
    return word if value is None else f"{value:g}"


def sources(text: str, calls: Sequence[Call], by: str = "templates") -> tuple[tuple[Used, ...], tuple[str, ...]]:
    """Return where the numbers of *text* come from, and those that come from nowhere: no model is its own source."""
    manner = next((call.answer for call in calls if call.tool == "companion"), {})
    place, mmol = zone(str(manner.get("timezone", "UTC"))), manner.get("unit") == "mmol/L"
    known: dict[str, Leaf] = {}
    for held in leaves(calls):
        for form in () if by == MODEL and _put_in(held, calls[held.call]) else forms(held, place, mmol):
            known.setdefault(form, held)
    used: list[Used] = []
    bare: list[str] = []
    for one in shown(text):
        leaf = known.get(_tidy(one)) or (known.get(_tidy(one).rstrip("%")) if "%" in one else None)
        if leaf is None:
            bare.append(one)
        else:
            used.append(Used(one, leaf.call, leaf.path))
    return tuple(used), tuple(bare)


def _put_in(leaf: Leaf, call: Call) -> bool:
    """Return whether a number is of what was asked: a tool that repeats its question has not measured anything."""
    return leaf.path.startswith("asked.") or _plain(leaf) in {_plain(one) for one in _leaves(leaf.call, "", call.given)}


def _plain(leaf: Leaf) -> str:
    return _tidy(leaf.value if isinstance(leaf.value, str) else f"{abs(leaf.value):f}")


def unfounded(reply: Reply) -> tuple[str, ...]:
    """Return the numbers in a reply's text that no tool returned; empty where all have a source."""
    return sources(reply.text, reply.calls, reply.by)[1]
