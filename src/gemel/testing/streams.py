"""What every file source promises: subclass `SourceContract`, give it a `source` fixture, and pytest holds it to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from gemel.streams.clock import EARLIEST, LATEST
from gemel.streams.contract import Source, key_of
from gemel.streams.report import Report
from gemel.units import dimension


class SourceContract:
    """The promises; `names` are those the source may speak of. The fixture `source` returns one that says something."""

    names: ClassVar[Collection[str]] = ()

    def test_reading_twice_gives_equal_items(self, source: Source) -> None:
        """A source is not used up, and keeps nothing from one reading to the next."""
        assert list(source.read()) == list(source.read())

    def test_reading_twice_tells_the_same(self, source: Source) -> None:
        """What is reported depends on the files alone."""
        first, second = Report(), Report()
        assert list(source.read(first)) == list(source.read(second))
        assert first == second

    def test_it_says_something(self, source: Source) -> None:
        """An empty source would pass every other test."""
        assert list(source.read())

    def test_times_are_milliseconds_in_order(self, source: Source) -> None:
        """Times are whole, plausible, and never step back."""
        times = [item.at for item in source.read()]
        assert all(type(at) is int and EARLIEST <= at < LATEST for at in times)
        assert times == sorted(times)

    def test_names_and_units_are_known(self, source: Source) -> None:
        """Every item bears a name from `names`, and a unit that can be converted."""
        items = list(source.read())
        assert {item.name for item in items} <= set(self.names)
        assert all(dimension(item.unit) is not None for item in items)
        assert all(type(item.value) is float for item in items)

    def test_every_item_has_a_place(self, source: Source) -> None:
        """A person can find what was read: file and row."""
        assert all(item.by.file and item.by.row for item in source.read())

    def test_keys_do_not_depend_on_the_reading(self, source: Source) -> None:
        """Importing again changes nothing: keys are the same, and tell all items apart."""
        keys = [key_of(item) for item in source.read()]
        assert keys == [key_of(item) for item in source.read()]
        assert len(keys) == len(set(keys))

    def test_the_source_has_a_name(self, source: Source) -> None:
        """The name is who speaks, on record."""
        assert source.name
