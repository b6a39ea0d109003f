"""Foods as a table gives them: composition per 100 g, household portions, where each number is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gemel.errors import unknown

NUTRIENTS = ("energy_kj", "carbohydrate", "sugars", "fibre", "fat", "protein", "sodium_mg", "potassium_mg")
"""What is kept of a food, per 100 g or 100 mL: kJ, g, mg."""

KINDS = (
    "baked", "bread", "cereal", "cheese", "dairy", "dish", "drink", "egg", "fruit", "grain", "legume", "meat", "nut",
    "sauce", "snack", "soup", "spread", "sweet", "vegetable", "other",
)  # fmt: skip
"""What a food is like on a plate: it decides usual portions where the table names none."""


@dataclass(frozen=True)
class Food:
    """One food of one table.

    `per_100` holds those of NUTRIENTS that the table states, per 100 of `per` (g or mL). `portions` are grams by name: serving,
    piece, small, large, slice, cup, …; they are judgements unless the table states them. `allergens` is None where nobody said.
    `parts` are the keys and shares by mass of a dish that was composed.
    """

    key: str
    name: str
    kind: str
    per_100: Mapping[str, float]
    source: str
    aliases: tuple[str, ...] = ()
    portions: Mapping[str, float] = field(default_factory=dict)
    allergens: frozenset[str] | None = None
    per: str = "g"
    parts: tuple[tuple[str, float], ...] = ()

    def of(self, nutrient: str, grams: float) -> float | None:
        """Return how much of a nutrient is in *grams* (mL of a food per 100 mL), or None if the table does not say."""
        held = self.per_100.get(nutrient)
        return None if held is None else held * grams / 100.0

    def share(self, nutrient: str) -> float:
        """Return grams of a nutrient per 100 g, 0 if the table does not say."""
        return self.per_100.get(nutrient, 0.0)


@dataclass(frozen=True)
class Table:
    """Foods of one or several tables, in order of preference; keys are unique."""

    name: str
    foods: tuple[Food, ...]

    @cached_property
    def _by_key(self) -> dict[str, Food]:
        return {food.key: food for food in self.foods}

    def __getitem__(self, key: str) -> Food:
        if key not in self._by_key:
            raise unknown("food", key, self._by_key)
        return self._by_key[key]

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self.foods)

    def __iter__(self) -> Iterator[Food]:
        return iter(self.foods)

    def join(self, other: Table) -> Table:
        """Return both tables; foods of the first are preferred where both have one."""
        held = self._by_key
        return Table(f"{self.name}+{other.name}", (*self.foods, *(food for food in other if food.key not in held)))


def composed(
    key: str, name: str, kind: str, parts: Iterable[tuple[Food, float]], portions: Mapping[str, float],
    aliases: tuple[str, ...] = (),
) -> Food:  # fmt: skip
    """Return a dish of *parts* with shares by mass that sum to 1; nutrients are those that every part states."""
    held = list(parts)
    stated = [one for one in NUTRIENTS if all(one in food.per_100 for food, _ in held)]
    per_100 = {one: sum(food.per_100[one] * share for food, share in held) for one in stated}
    known = [food.allergens for food, _ in held]
    allergens = None if None in known else frozenset().union(*(one for one in known if one is not None))
    made = " + ".join(f"{share:.0%} {food.key}" for food, share in held)
    shares = tuple((food.key, share) for food, share in held)
    return Food(key, name, kind, per_100, f"recipe, a judgement: {made}", aliases, portions, allergens, parts=shares)
