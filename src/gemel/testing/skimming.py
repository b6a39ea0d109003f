"""What every thread back end promises of skimming; `ThreadContract` brings it along."""

from __future__ import annotations

from dataclasses import replace

from gemel.testing.thinning import reading
from gemel.thread import Thread


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
