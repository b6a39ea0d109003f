"""What every thread back end promises of skimming and of bodies; `ThreadContract` brings it along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from gemel.testing.thinning import reading
from gemel.thread import Thread


class Value(msgspec.Struct, order=True):
    """What readings say."""

    value: float


class SkimmingContract:
    """The promises; the fixture `thread` is an empty thread."""

    def test_skimming_tells_what_reading_tells(self, thread: Thread) -> None:
        """The light form holds the same facts in the same order, of all twins or some, those that are there only."""
        other = [reading(i, f"k{i}") for i in range(1200)]
        thread.append(other, now=1)
        for kind in ("forecast/1", "acted/1", "forecast/1"):
            thread.append([replace(one, kind=kind, key=None, cause=(2, 3)) for one in other[:9]], now=2)
        thread.erase("zoë")
        kinds = ["observed/1", "forecast/1"]

        for twins in (None, (), ("max",), ("lily", "max", "nobody", "zoë")):
            for after in (0, 7, 1200, 5000):
                told = [light.fact() for light in thread.skim(kinds, twins=twins, after_seq=after)]
                read = thread.read(kinds=kinds, after_seq=after)
                assert told == [fact for fact in read if twins is None or fact.twin in twins]
        assert list(thread.skim([])) == []

    def test_bodies_tell_what_reading_tells(self, thread: Thread) -> None:
        """In order of time, whatever came first, after any fact, in any span, as known by any time."""
        for i in range(90):
            thread.append(
                [replace(reading(i), true_at=(i * 37) % 50), replace(reading(i), kind="acted/1")], now=100 + i
            )
        thread.erase("zoë")
        for after in (0, 1, 90, 175, 180, 500):
            for since, until, known in (
                (None, None, None),
                (10, 40, None),
                (None, 25, 150),
                (40, 10, 120),
                (20, None, 99),
            ):
                span: dict[str, Any] = {"true_from": since, "true_until": until, "known_by": known}
                for twin in ("lily", "zoë", "nobody"):
                    told = thread.bodies(Value, twin, "observed/1", after_seq=after, **span)
                    read = list(thread.read(twin, kinds=["observed/1"], after_seq=after, **span))
                    assert told == sorted((fact.true_at, fact.seq, Value(fact.body["value"])) for fact in read)
