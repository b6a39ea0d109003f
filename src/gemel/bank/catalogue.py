"""What is installed: packs are found by entry point, ours through the same door as anyone's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from gemel.errors import unknown
from gemel.streams import Source
from gemel.twintype import TwinType


@cache
def packs() -> Mapping[str, ModuleType]:
    """Return the installed packs: modules with `TYPES`, and, where they have them, `AGENTS`, `ROLES`,
    `TOOLS`, `PAPERS`, `COMPANIONS`, `MAKERS` and `detect`."""
    return {entry.name: entry.load() for entry in entry_points(group="gemel.packs")}


def installed() -> Mapping[str, TwinType]:
    """Return every twin type of every installed pack, by name."""
    return {twin_type.name: twin_type for pack in packs().values() for twin_type in pack.TYPES}


def versions() -> tuple[TwinType, ...]:
    """Return every version of every twin type of every installed pack; the last of a name is the one in use."""
    return tuple(twin_type for pack in packs().values() for twin_type in pack.TYPES)


def agents(type_name: str) -> tuple[Any, ...]:
    """Return the agents that packs offer for a twin type, or for all types that its name begins with: `service.`."""
    offers = [item for pack in packs().values() for item in getattr(pack, "AGENTS", {}).items()]
    return tuple(agent for name, group in offers if f"{type_name}.".startswith(f"{name}.") for agent in group)


def roles(type_name: str) -> Mapping[str, Any]:
    """Return the roles of a team around a twin of a type that packs offer, by name."""
    return {
        name: role for pack in packs().values() for name, role in getattr(pack, "ROLES", {}).get(type_name, {}).items()
    }


def tools(type_name: str) -> tuple[Any, ...]:
    """Return the tools that packs offer for a twin of a type, beside those of any twin."""
    return tuple(tool for pack in packs().values() for tool in getattr(pack, "TOOLS", {}).get(type_name, ()))


def personal(type_name: str) -> Callable[..., Any] | None:
    """Return what personalises a twin of a type from many days at once, where its pack offers that."""
    found = (getattr(pack, "PERSONAL", {}).get(type_name) for pack in packs().values())
    return next((one for one in found if one is not None), None)


def papers(type_name: str) -> Mapping[str, Any]:
    """Return the documents that packs offer about a twin of a type, by name."""
    offers = [paper for pack in packs().values() for paper in getattr(pack, "PAPERS", {}).get(type_name, ())]
    return {paper.name: paper for paper in offers}


def companion(type_name: str) -> Any:
    """Return who talks with people about a twin of a type, as a pack offers it, or None."""
    offers = [pack.COMPANIONS[type_name] for pack in packs().values() if type_name in getattr(pack, "COMPANIONS", {})]
    return offers[0] if offers else None


def makers() -> Mapping[str, Callable[[Mapping[str, Any]], TwinType]]:
    """Return what makes a twin type from its spec, by the name that the spec gives."""
    return {name: make for pack in packs().values() for name, make in getattr(pack, "MAKERS", {}).items()}


def detector(type_name: str) -> Callable[..., Source]:
    """Return what finds out which source a path holds, for a twin type."""
    found: dict[str, Callable[..., Source]] = {
        t.name: pack.detect for pack in packs().values() if hasattr(pack, "detect") for t in pack.TYPES
    }
    if type_name not in found:
        raise unknown("twin type", type_name, found)
    return found[type_name]


def demos() -> Mapping[str, Any]:
    """Return the demonstrations that are installed, by name; they load only when asked for."""
    return {entry.name: entry.load() for entry in entry_points(group="gemel.demos")}
