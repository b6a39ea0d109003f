"""Lily for tests: the twin of a virtual child with a day of record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LIVED_UNTIL = 1_795_000_020_000


@pytest.fixture(scope="module")
def lily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Yield the twin, whose bank's clock stands at the end of the record."""
    from gemel.bank import Bank
    from gemel.facts import DAY
    from gemel.packs import diabetes
    from gemel.packs.diabetes.asset import LILY, virtual_days
    from gemel.streams import Item, Place

    with Bank.open(str(tmp_path_factory.mktemp("family")), clock=lambda: LIVED_UNTIL) as bank:
        twin = bank.create(diabetes.Person, "lily", by="sarah")
        told = virtual_days([LILY], 1, seed=1, start=LIVED_UNTIL - DAY)[LILY]
        twin.record([Item(name, value, unit, at, None, Place("room")) for name, value, unit, at in told])
        yield twin
