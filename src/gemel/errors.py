"""What can go wrong, as a user meets it: what was asked, what was found, what is possible."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


class GemelError(Exception):
    """Something a user can understand and mend; `exit_code` is what the command line returns."""

    exit_code = 3


class BadInput(GemelError):
    """The input cannot be used as it is; names file, row and field where there are such."""

    exit_code = 2

    def __init__(
        self, problem: str, *, file: str | None = None, row: int | None = None, field: str | None = None
    ) -> None:
        self.problem, self.file, self.row, self.field = problem, file, row, field
        places = [file, None if row is None else f"row {row}", None if field is None else f"field {field!r}"]
        where = ", ".join(place for place in places if place)
        super().__init__(f"{where}: {problem}" if where else problem)


class NotFound(BadInput):
    """A name that nothing bears."""


class Refused(GemelError):
    """Consent, a guard or the state of a proposal says no; the text is the reason."""

    exit_code = 1


class Tampered(GemelError):
    """A stored fact is not what was written."""

    exit_code = 1


class Unavailable(GemelError):
    """Disk, broker, key store or database failed."""

    exit_code = 3


class WiringError(GemelError):
    """Modules do not fit together; names module, variable and unit."""

    exit_code = 2


SHOWN = 60
"""How many possible names a message lists."""


def unknown(what: str, name: str, possible: Iterable[str]) -> NotFound:
    """Return the error for a name that does not exist, with those that do, or of many the nearest in order."""
    known = sorted(possible)
    place = max(bisect_left(known, name) - 2, 0)
    some = known if len(known) <= SHOWN else [*known[place : place + 5], f"… of {len(known)}"]
    return NotFound(f"unknown {what} {name!r}; possible: {', '.join(some) or 'none'}")
