"""Units of measure: checked where things are wired or read, then gone."""

from __future__ import annotations

from functools import cache

import pint

from gemel.errors import BadInput
from gemel.facts import Time

_registry: pint.UnitRegistry[float] = pint.UnitRegistry()
_registry.define("insulin_unit = [insulin] = U = IU")
_registry.define("heart_beat = [] = beat")
_registry.define("beat_per_minute = heart_beat / minute = bpm")
_registry.define("step = []")


def factor(source: str, target: str) -> float:
    """Return what a number in *source* is multiplied by to be in *target*; raise `BadInput` if it cannot be."""
    zero, one = _line(source, target)
    if zero:
        raise BadInput(f"{source!r} and {target!r} count from different zeros: no factor turns one into the other")
    return one


def converted(value: float, source: str, target: str) -> float:
    """Return a number in *source* as one in *target*, temperatures too; raise `BadInput` if it cannot be."""
    zero, one = _line(source, target)
    return value * one if not zero else zero + value * (one - zero)


@cache
def _line(source: str, target: str) -> tuple[float, float]:
    """Return what 0 and 1 in *source* are in *target*."""
    try:
        zero, one = (float(_registry.Quantity(n, source).to(target).magnitude) for n in (0.0, 1.0))
    except pint.DimensionalityError:
        raise BadInput(
            f"cannot turn {source!r} into {target!r}: {dimension(source)} is not {dimension(target)}"
        ) from None
    except (pint.UndefinedUnitError, pint.errors.DefinitionSyntaxError, AttributeError, TypeError, ValueError):
        raise BadInput(f"unknown unit in {source!r} or {target!r}") from None
    return zero, one


def same_dimension(a: str, b: str) -> bool:
    """Return whether units *a* and *b* measure the same thing."""
    return dimension(a) == dimension(b)


@cache
def dimension(unit: str) -> str:
    """Return the dimension of *unit*, such as `[mass] / [length] ** 3`."""
    try:
        return str(_registry.Unit(unit).dimensionality)
    except (pint.UndefinedUnitError, pint.errors.DefinitionSyntaxError, AttributeError, TypeError, ValueError):
        raise BadInput(f"unknown unit {unit!r}") from None


def duration(text: str | Time) -> Time:
    """Return a length of time such as "15 min" or "2 h" in ms; whole numbers are ms already."""
    if isinstance(text, int):
        return text
    try:
        return round(float(_registry.Quantity(text).to("millisecond").magnitude))
    except Exception as error:
        if isinstance(error, (pint.PintError, ValueError, TypeError, AssertionError)):
            raise BadInput(f"{text!r} is not a length of time, such as '15 min' or '2 h'") from None
        raise
