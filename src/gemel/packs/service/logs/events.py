"""From a stream of events to a log."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np

from gemel.dynamics import PHASES, Event
from gemel.packs.service.log import INSTANCE, Column, Log, Names
from gemel.packs.service.logs.raw import Words
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.logs.table import Events, log_of

_CODE = {phase: code for code, phase in enumerate(PHASES)}


class Mixed:
    """A column of texts and numbers that grows by rows told; numbers if all are, else texts."""

    def __init__(self) -> None:
        self.rows, self.values = array("q"), list[str | float]()

    def add(self, row: int, value: str | float) -> None:
        """Tell the value of one row."""
        self.rows.append(row)
        self.values.append(value)

    def column(self, rows: int) -> Column:
        """Return the column of so many rows; of a row told twice the first value."""
        place = np.array(self.rows, np.int64)[::-1]
        if all(not isinstance(value, str) for value in self.values):
            numbers = np.full(rows, np.nan)
            numbers[place] = np.array(self.values, float)[::-1]
            return numbers
        names = Names.of(value if isinstance(value, str) else repr(value) for value in self.values)
        codes = np.full(rows, -1, np.int32)
        codes[place] = names.codes[::-1]
        return Names(codes, names.names)


def from_events(events: Iterable[Event], zone: str = "UTC", repairs: Repairs | None = None) -> Log:
    """Return the log of events in any order; what names no activity (`arrived`, `noted`, `left`) tells of its case.

    `concept:instance` among the attributes says which events belong together. *repairs* hears what did not fit.
    """
    names = {name: Words() for name in ("case", "activity", "resource", "instance")}
    phase, at, said, about = array("b"), array("q"), dict[str, Mixed](), dict[str, Mixed]()
    for row, event in enumerate(one for one in events if one.case):
        instance = event.attributes.get(INSTANCE, "")
        words = (event.case, event.activity, event.resource, instance if isinstance(instance, str) else repr(instance))
        for column, word in zip(names.values(), words, strict=True):
            column.add(word)
        phase.append(_CODE[event.phase])
        at.append(event.at)
        into, place = (said, row) if event.activity else (about, names["case"].codes[row])
        for name, value in event.attributes.items():
            if name != INSTANCE:
                into.setdefault(name, Mixed()).add(place, value)
    rows, cases = len(at), len(names["case"].known)
    table = Events(
        names["case"].column(), names["activity"].column(), names["resource"].column(), names["instance"].column(),
        np.array(phase, np.int8), np.array(at, np.int64), np.arange(1, rows + 1), _columns(said, rows), _columns(about, cases),
    )  # fmt: skip
    return log_of(table, zone, repairs or Repairs("events"))


def _columns(told: Mapping[str, Mixed], rows: int) -> dict[str, Column]:
    return {name: column.column(rows) for name, column in told.items()}
