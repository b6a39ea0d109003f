"""Food: search by name and by meaning, and meals from words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import Json, say, told
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.packs.food import Food, Hit, Meal, Search, Table

Wanted = Annotated[str | None, typer.Argument(metavar="SEARCH", help="The food to look for, by name or by meaning.")]
Words = Annotated[
    str | None, typer.Option("--parse", help='What was eaten, such as "two slices of toast and a glass of milk".')
]
Tables = Annotated[
    list[Path] | None,
    typer.Option(
        "--table",
        help="A further table: AFCD's CSV, or a folder or JSON file of USDA FoodData Central; again for each.",
    ),
]
Most = Annotated[int, typer.Option("--most", min=1, max=50, help="How many foods to show.")]

AFCD = "food/afcd_release2_key_columns.csv"
"""Where the sample data hold the Australian table."""


def food(
    search: Wanted = None, *, parse: Words = None, table: Tables = None, most: Most = 5, as_json: Json = False
) -> None:
    """Look up a food, or take a meal apart (--parse) into foods, grams and carbohydrate, with what it may be off by."""
    if (search is None) == (parse is None):
        raise BadInput("either a food to look for or --parse is needed", field="parse")
    finder = _finder(table or [])
    if finder.meaning.weaker:
        told.print(f"gemel: {finder.meaning.weaker}", style="yellow")
    if parse is not None:
        return _parsed(parse, finder, as_json)
    hits = finder.find(search or "", most)
    body = {"search": search, "tables": finder.table.name, "foods": [_hit(hit) for hit in hits]}
    return say(as_json, body, "\n".join(_line(hit.food) for hit in hits) or f"nothing is like {search!r}")


def _finder(paths: list[Path]) -> Search:
    from gemel.packs.food import Search, everyday
    from gemel.packs.language import meaning

    found = everyday()
    for one in [*_sample(), *(_table(path) for path in paths)]:
        found = found.join(one)
    finder = Search(found, meaning())
    if not finder.ready:
        told.print(f"reading the meaning of {len(found)} foods, once", style="dim")
    return finder


def _sample() -> list[Table]:
    from gemel.packs.food import afcd

    path = Path(os.environ.get("GEMEL_DATA", "")) / AFCD
    return [afcd(path)] if os.environ.get("GEMEL_DATA") and path.is_file() else []


def _table(path: Path) -> Table:
    from gemel.packs.food import afcd, usda

    return afcd(path) if path.suffix == ".csv" else usda(path)


def _hit(hit: Hit) -> dict[str, Any]:
    one = hit.food
    return {
        "key": one.key, "name": one.name, "score": round(hit.score, 3), "kind": one.kind, "per": f"100 {one.per}",
        **{name: round(value, 2) for name, value in one.per_100.items()},
        "portions": dict(one.portions), "source": one.source,
    }  # fmt: skip


def _line(food: Food) -> str:
    held = ", ".join(
        f"{word} {food.per_100[name]:.1f} g"
        for name, word in (("carbohydrate", "carbohydrate"), ("sugars", "sugars"), ("fibre", "fibre"), ("fat", "fat"))
        if name in food.per_100
    )
    return f"{food.name}: {held} per 100 {food.per}  ({food.source})"


def _parsed(text: str, finder: Search, as_json: bool) -> None:
    from gemel.packs.food import parse
    from gemel.packs.food.absorption import kind

    if not text.strip():
        raise BadInput("nothing was said", field="parse")
    meal = parse(text, finder)
    say(
        as_json, {**meal.body(), "absorption": kind(meal), "tables": finder.table.name}, lambda: _told(meal, kind(meal))
    )


def _told(meal: Meal, absorption: str) -> str:
    lines = []
    for item in meal.items:
        held = item.nutrient("carbohydrate")
        grams = "carbohydrate not stated" if held is None else f"{held.value:.0f} g of carbohydrate"
        lines.append(f"{item.amount.grams:6.0f} g  {item.food.name}: {grams}  ({item.amount.how}; {item.food.source})")
    lines += [_unknown(one.said, [hit.food.name for hit in one.nearest]) for one in meal.unknown]
    if not meal.items:
        return "\n".join(lines) or "nothing of it is a food of the table"
    whole, rest = meal.total("carbohydrate"), ("fat", "fibre", "protein")
    others = ", ".join(f"{name} {meal.total(name).value:.0f} g" for name in rest)
    known = " of what is known" if meal.unknown else ""
    lines.append(
        f"carbohydrate{known}: {whole.value:.0f} g, from {whole.low:.0f} to {whole.high:.0f} (90 %); {others}; {absorption}"
    )
    return "\n".join(lines)


def _unknown(said: str, nearest: list[str]) -> str:
    near = f"; near it: {', '.join(nearest)}" if nearest else ""
    return f"     ?    {said}: not in the table, not counted{near}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(food)
