"""Dishes that no table has, composed of a food that it has: a salmon wrap, a lamb stir fry."""

from __future__ import annotations

from gemel.packs.food.everyday import ANY, everyday, frames
from gemel.packs.food.search import Search
from gemel.packs.food.spelling import words
from gemel.packs.food.table import Food, composed


def framed(text: str, search: Search) -> Food | None:
    """Return the dish whose last words name a recipe and whose first a food of the table, or None."""
    said = words(text)
    for name, kind, parts, portions in frames():
        ends = words(name)
        if len(said) <= len(ends) or said[-len(ends) :] != ends:
            continue
        hits = search.find(" ".join(said[: -len(ends)]), 1)
        if hits and hits[0].taken and not hits[0].food.parts and hits[0].food.kind not in ("dish", "drink", "baked"):
            filling = hits[0].food
            held = [(filling if key == ANY else everyday()[key], share) for key, share in parts]
            return composed(
                f"made:{filling.key.partition(':')[2]} {name}", f"{filling.name} {name}", kind, held, portions
            )
    return None
