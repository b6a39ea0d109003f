"""Write what the gallery shows of a service: python console/dev/service_fixture.py > console/src/gallery/service.json.

A clinic of tests/clinic.py behind the real server, with a proposal; memory and frontier are invented.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from clinic import NOW, Clinic

from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE
from gemel.intervention import Intervention

DESIGNS = ((1.00, 21.0), (1.06, 17.2), (1.10, 18.9), (1.15, 11.8), (1.22, 12.9), (1.31, 7.4), (1.42, 8.3), (1.55, 5.1))
PAST = (
    (
        "call in one radiographer for 2 h",
        "approved",
        2,
        9.5,
        (4.0, 14.5),
        "14 waits were kept that would have been too long",
    ),
    ("call in one radiographer for 2 h", "delivered", 5, 6.0, (1.5, 10.0), "8 waits were kept"),
    ("move appointments by 1 h", "delivered", 9, -1.0, (-4.0, 1.5), "no wait was shorter, two were longer"),
)


def memory() -> dict[str, Any]:
    """Return an invented memory, of the shape that `gemel.loop.memory` gives."""
    alike = [
        {
            "seq": 100 + k, "at": NOW - days * DAY - 2 * HOUR, "title": title, "why": "imaging was filling up",
            "by": "agent:pilot", "decided_by": "ann", "status": status, "gain": gain, "gain_80": span, "outcome": outcome,
            "situation": {"queue.imaging": 5.0}, "distance": 0.3 + 0.4 * k,
        }
        for k, (title, status, days, gain, span, outcome) in enumerate(PAST)
    ]  # fmt: skip
    actions = [{"title": PAST[0][0], "n": 2, "gain": 7.75}, {"title": PAST[2][0], "n": 1, "gain": -1.0}]
    return {"situation": {"queue.imaging": 4.0}, "looked_at": 41, "alike": alike, "actions": actions}


def frontier() -> dict[str, Any]:
    """Return an invented search, of the shape that `gemel.experiment.search` gives."""
    tried = [
        {
            "design": f"{2 + k // 3} nurses, {5 + k % 3} doctors, {1 + (k > 3)} scanner", "mean": [1000 * cost, wait],
            "low": [985 * cost, 0.86 * wait], "high": [1015 * cost, 1.14 * wait], "efficient": 0.93 if on else 0.08,
            "on_frontier": on,
        }
        for k, (cost, wait) in enumerate(DESIGNS)
        for on in (all(other >= wait for _, other in DESIGNS[:k]),)
    ]  # fmt: skip
    return {"seq": 900, "at": NOW - 3 * HOUR, "by": "ann", "aims": ["cost.per_day", "minutes.waited"], "tried": tried}


def fixture(days: float = 3.0) -> str:
    """Return all of it as JSON."""
    clinic = Clinic(days=days, seed=9)
    clinic.weekly()
    for pool, what in (("scanner", "a second scanner"), ("nurses", "one more nurse")):
        lever = f"staff.{pool}"
        doses = Dose(lever, 1.0, NOW + 10 * MINUTE), Dose(lever, 0.0, NOW + 130 * MINUTE)
        clinic.twin.propose(Intervention(f"{what} for two hours", doses), "a promise is about to be broken")
    with clinic.door("ann") as door:

        def ask(path: str) -> Any:
            return door.get(f"/api/twins/clinic/{path}").raise_for_status().json()

        cases = ask("service/cases")
        waits = [one for one in cases["cases"] if one["places"][0]["status"] == "waiting"]
        longest = next(one["id"] for one in waits if one["places"][0]["activity"] in ("register", "triage"))
        found = {
            "view": ask("view?hours=2"), "service": ask("service"), "day": ask("service/day"), "cases": cases,
            "journey": ask(f"service/cases/{longest}"), "forks": ask("service/proposals"),
            "memory": memory(), "frontier": frontier(),
        }  # fmt: skip
    return json.dumps(found) + "\n"


if __name__ == "__main__":
    sys.stdout.write(fixture())
