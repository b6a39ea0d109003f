"""One door for logs: whatever the format, found by content and not by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.packs.service.log import Log
from gemel.packs.service.logs.csv import read_csv
from gemel.packs.service.logs.raw import head
from gemel.packs.service.logs.repairs import Read, Repairs
from gemel.packs.service.logs.table import Tell, silent
from gemel.packs.service.logs.xes import read_xes


def open_log(
    path: str | Path, *, map: Mapping[str, Any] | None = None, zone: str | None = None, case: str | None = None, tell: Tell = silent
) -> Read:  # fmt: skip
    """Return what a file says: XES, CSV (with a *map* of columns) or OCEL 2.0 (with the object type that is the *case*).

    Naive times are read in *zone*; `tell(what, done, whole)` hears of the progress in bytes.
    """
    file = Path(path)
    repairs = Repairs(str(file))
    start = head(file).lstrip(b"\xef\xbb\xbf \t\r\n")
    reader = read_xes if start.startswith(b"<") else read_csv
    return reader(file, repairs, map=map, zone=zone, tell=tell)


def read_log(path: str | Path, **how: Any) -> tuple[Log, Repairs]:
    """Return the log in a file, and what had to be repaired; *how* as for `open_log`."""
    read = open_log(path, **how)
    return read.log, read.repairs
