"""XES events read per second, from a gzipped file to a `Log`, on one core; beside a reader that one would write by hand.

    python -m bench.logs --json

Ours is `open_log`: unpack, scan, pair starts with completes, put in order. The peer, in the same run, is
`xml.etree.ElementTree.iterparse` over the same unpacked stream, which makes a dict of each event and parses its time, and
pairs and orders nothing. `pm4py` is a fixed reference, not run here (AGPL): 24,000 events/s, its `read_xes` on BPIC 2012
(262,200 events), measured on such a machine before (peers/services.md §1.4). The figure is that of bpic2013_incidents; both
files are in the details. Best of several runs in turn, by the processor's time, for others may work on the machine.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.report import emit
from gemel.packs.service.logs import open_log

DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[1] / "../shared/data")) / "services"
FILES = {"bpic2013_incidents": 65_533, "receipt": 8_577}
PM4PY = 24_000.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    paths = {name: DATA / f"{name}.xes.gz" for name in FILES}
    for path in paths.values():
        if not path.exists():
            sys.exit(f"no {path}: set GEMEL_DATA")
    open_log(paths["receipt"])  # compiles, once
    found: dict[str, dict[str, float]] = {}
    for name, path in paths.items():
        times = [(seconds(open_log, path), seconds(by_hand, path)) for _ in range(rounds)]
        ours, etree = (min(one) for one in zip(*times, strict=True))
        found[name] = {"gemel": round(FILES[name] / ours), "etree": round(FILES[name] / etree)}
    big = found["bpic2013_incidents"]
    peers = {"xml.etree by hand": big["etree"], "pm4py (published, other log)": PM4PY}
    emit("xes_read", big["gemel"], "events/s", peers, found)


def seconds(read: Callable[[Path], Any], path: Path) -> float:
    """Return the processor's time that one reading takes."""
    start = time.process_time()
    read(path)
    return time.process_time() - start


def by_hand(path: Path) -> list[dict[str, Any]]:
    """Return the events as one would read them by hand."""
    events = []
    with gzip.open(path) as file:
        for _, element in ElementTree.iterparse(file):
            if element.tag.endswith("}event"):
                event: dict[str, Any] = {child.get("key", ""): child.get("value", "") for child in element}
                event["time:timestamp"] = datetime.fromisoformat(event["time:timestamp"])
                events.append(event)
                element.clear()
    return events


if __name__ == "__main__":
    main()
