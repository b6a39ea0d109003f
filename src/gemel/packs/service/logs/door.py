"""One door for logs: whatever the format, found by content and not by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.packs.service.log import Log
from gemel.packs.service.logs.csv import read_csv
from gemel.packs.service.logs.ocel import SQLITE, read_ocel_json, read_ocel_sqlite
from gemel.packs.service.logs.raw import head
from gemel.packs.service.logs.repairs import Read, Repairs
from gemel.packs.service.logs.table import Tell, silent
from gemel.packs.service.logs.xes import read_xes


def open_log(
    path: str | Path,
    *,
    map: Mapping[str, Any] | None = None,
    zone: str | None = None,
    case: str | None = None,
    tell: Tell = silent,
) -> Read:
    """Return what a file says: XES, CSV (with a *map* of columns) or OCEL 2.0 (with the object type that is the *case*).

    Naive times are read in *zone*; `tell(what, done, whole)` hears of the progress in bytes.
    """
    file = Path(path)
    repairs = Repairs(str(file))
    start = head(file).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(SQLITE):
        return read_ocel_sqlite(file, repairs, map=map, zone=zone, case=case, tell=tell)
    if start.startswith(b"{"):
        return read_ocel_json(file, repairs, map=map, zone=zone, case=case, tell=tell)
    if case is not None:
        raise BadInput(
            "which object is the case is a question to OCEL logs; this is none", file=str(file), field="case"
        )
    reader = read_xes if start.replace(b"\x00", b"").lstrip(b"\xff\xfe").startswith(b"<") else read_csv
    return reader(file, repairs, map=map, zone=zone, tell=tell)


def read_log(path: str | Path, **how: Any) -> tuple[Log, Repairs]:
    """Return the log in a file, and what had to be repaired; *how* as for `open_log`."""
    read = open_log(path, **how)
    return read.log, read.repairs
