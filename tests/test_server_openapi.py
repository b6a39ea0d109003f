"""The whole OpenAPI document, tried by Schemathesis in several roles: it is true, nothing breaks, nothing leaks.

What a role may see is told here a second time, apart from the gate; GEMEL_FUZZ says how many tries of each operation.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import CARE, HOME, LATER, Works, bearer, reading, secret_of
from tank import Tank

from gemel.dynamics import Dose
from gemel.facts import HOUR, iso
from gemel.intervention import Intervention
from gemel.server.app import Access
from gemel.server.limits import Rate
from gemel.testing.live import MemorySink

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from schemathesis.checks import not_a_server_error
    from schemathesis.openapi import from_dict
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

TRIES = int(os.environ.get("GEMEL_FUZZ", "6"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
NAMES = ("gauge", "tap", "bucket")
ALL = {(twin, name) for twin in ("north", "south") for name in NAMES}
OPEN: dict[str | None, set[tuple[str, str]]] = {"ann": ALL, "bea": {("north", "gauge")}, "eve": set(), None: set()}
"""What each role may read, told independently of the code under test."""


class Told:
    """Everything the tanks' facts say, by tank and signal: what may be found in an answer, and where it came from."""

    def __init__(self, works: Works) -> None:
        self.values: dict[float, set[tuple[str, str]]] = {}
        for fact in works.thread.read(kinds=["observed/1", "acted/1"]):
            value = float(fact.body["value"])
            if value != round(value):  # whole numbers are found anywhere
                self.values.setdefault(value, set()).add((fact.twin, str(fact.body["name"])))

    def leaked(self, role: str | None, asked: str, answer: Any) -> list[str]:
        """Return what an answer tells that the role may not see and did not itself say."""
        found = list(walk(answer))
        may = OPEN[role]
        values = [v for v in found if isinstance(v, float) and v in self.values and not self.values[v] & may]
        hidden = {name for name in NAMES if all(signal != name for _, signal in may)}
        hidden |= {twin for twin in ("north", "south") if all(seen != twin for seen, _ in may)}
        words = [w for w in hidden for v in found if isinstance(v, str) and w in v and w not in asked]
        return [*map(str, values), *words]


def walk(value: Any) -> Iterator[Any]:
    """Yield every key and every scalar of some JSON."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield key
            yield from walk(held)
    elif isinstance(value, list):
        for held in value:
            yield from walk(held)
    else:
        yield value


def made() -> Works:
    """Return works with a proposal, an idempotent write and all that can be looked at."""
    works = Works()
    works.pass_time(HOUR)
    north = works.north
    north.act_through(MemorySink())
    north.propose(Intervention("more", (Dose("bucket", 5.125, works.clock()),)), "the tap alone is too slow")
    works.bank.find("south", by="ann", purpose=CARE).forecast("gauge", 1.0)
    works.bank.budgets.set("ann", 1000.0, by="clerk", now=works.clock())
    return works


FREE = Access(actors=Rate(0, 0), addresses=Rate(0, 0))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    found: dict[str, Any] = Works().app().openapi()
    return found


BODIES = {
    "readings": {"items": [reading(50.5, LATER)]},
    "decision": {"decision": "reject", "note": ""},
    "ask": {"query": "tank", "of": "gauge", "epsilon": 0.25},
    "suppose": {"name": "x", "scenario": "fill", "values": {"amount": 7.25}},
    "events": [{"specversion": "1.0", "id": "1", "source": "s", "type": "gemel.observed.v1", "subject": "north",
                "time": iso(LATER), "data": {"name": "gauge", "value": 50.25, "unit": "L"}}],
}  # fmt: skip


def near(data: st.DataObject, case: Any, proposal: int) -> Any:
    """Return a case turned, more often than not, towards twins, facts and signals that there are."""
    if "twin" in case.path_parameters and data.draw(st.integers(0, 9)):
        case.path_parameters["twin"] = data.draw(st.sampled_from(["north", "south", "nowhere"]))
    if "seq" in case.path_parameters and data.draw(st.integers(0, 3)):
        case.path_parameters["seq"] = data.draw(st.sampled_from([proposal, *range(1, proposal, 7)]))
    if "twin" in (case.query or {}) and data.draw(st.booleans()):
        case.query["twin"] = data.draw(st.sampled_from(["north", "south"]))
    if "q" in (case.query or {}) and data.draw(st.integers(0, 3)):
        case.query = {
            "q": data.draw(st.sampled_from(["tank", *(f"tank[{name}>0]" for name in NAMES), "tank[alert=*]"]))
        }
    if case.query and data.draw(st.booleans()):
        case.query.pop("after", None)
    if case.headers:
        for name in ("Gemel-Purpose", "If-None-Match", "If-Match"):
            if data.draw(st.booleans()):
                case.headers.pop(name, None)
        case.headers.pop("Accept", None)
    last = case.path.rsplit("/", 1)[-1]
    if case.method == "POST" and last in BODIES and data.draw(st.booleans()):
        case.body = BODIES[last]
        if last == "events":
            case.media_type = "application/cloudevents-batch+json"
    return case


class Trial:
    """One role at the door, and which statuses it was answered."""

    def __init__(self, role: str | None, works: Works, door: Any) -> None:
        self.role, self.told, self.door = role, Told(works), door
        self.proposal = works.bank.proposals("north")[0].seq
        self.shown = {} if role is None else bearer(role)
        self.statuses: set[int] = set()

    def operation(self, operation: Any) -> None:
        """Try one operation in many ways."""

        @settings(max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def tried(data: st.DataObject) -> None:
            self.case(near(data, data.draw(operation.as_strategy()), self.proposal))

        tried()

    def case(self, case: Any) -> None:
        """Send one request, and look at the answer."""
        sent = case.as_transport_kwargs(base_url=HOME)
        sent["headers"] = {**dict(sent["headers"] or {}), **self.shown}
        content = {"json": sent["json"]} if "json" in sent else {"content": sent.get("data")}
        answer = self.door.request(
            sent["method"], sent["url"], params=sent.get("params"), headers=sent["headers"], **content
        )
        self.statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)
        if answer.headers.get("content-type", "").endswith("json") and case.path != "/api/openapi.json":
            leaked = self.told.leaked(self.role, repr(sent), json.loads(answer.text or "null"))
            names_fields = case.path in ("/api/search", "/api/cohorts/ask")  # of the types: nobody's data
            if names_fields and answer.status_code == 404:
                leaked = [word for word in leaked if word not in NAMES]
            assert leaked == []


@pytest.mark.parametrize("role", OPEN, ids=str)
def test_nothing_breaks_and_nothing_leaks(role: str | None, document: dict[str, Any]) -> None:
    """Every operation answers as the document says, and tells a role what its grants open: no name or value more."""
    works = made()
    with works.door(None, FREE) as door:
        trial = Trial(role, works, door)
        for found in from_dict(document).get_all_operations():
            trial.operation(found.ok())
    assert {200, 401 if role is None else 404} <= trial.statuses


def test_the_leak_would_be_found(document: dict[str, Any]) -> None:
    """The alarm works: what the keeper is told, told to the carer or a stranger, is a leak."""
    works = made()
    told = Told(works)
    with works.door("ann", FREE) as door:
        whole = door.get("/api/twins/north/view").json()
        events = door.get("/api/events?limit=1000").json()
    assert told.leaked("ann", "", [whole, events]) == []
    for role in ("bea", "eve", None):
        leaked = set(told.leaked(role, "", [whole, events]))
        assert {"tap", "bucket", "south"} <= leaked
        assert len(leaked) > 10
    assert told.leaked("bea", "", whole["readings"]) == []


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    """Every operation says who may ask, what can go wrong, in the one shape, and what it does."""
    opened = {"/api/login", "/api/health"}
    assert set(document["components"]["securitySchemes"]) == {"token", "cookie"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"] if "description" in operation else operation["summary"], path
            wanted = {"403", "422", "429", "500", "503"} | (set() if path in opened else {"401"})
            assert wanted <= set(operation["responses"]), (path, method)
            assert ("security" in operation) == (path in opened), path
    shape = document["components"]["responses"]["Problem404"]["content"]
    assert list(shape) == ["application/problem+json"]
    assert Tank.name == "tank"
    assert secret_of("ann") not in json.dumps(document)
