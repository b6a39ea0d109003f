"""What programs rely on: limits, keys that are done once, tags, events in and out, figures, traces."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serving import CARE, LATER, Works, bearer, listening, reading, secret_of
from tank import Clock

from gemel.dynamics import Dose
from gemel.errors import Unavailable
from gemel.facts import HOUR, HOUSE, MINUTE, iso
from gemel.intervention import Intervention
from gemel.server import guard
from gemel.server.app import Access
from gemel.server.errors import Turned
from gemel.server.limits import Buckets, Rate
from gemel.server.tracing import Tracer
from gemel.testing.live import MemorySink

READINGS = "/api/twins/north/readings"


@pytest.fixture
def works() -> Works:
    """Return the waterworks, a while after the last reading."""
    made = Works()
    made.pass_time(HOUR)
    return made


def body(*values: float) -> dict[str, Any]:
    """Return readings, five minutes apart."""
    return {"items": [reading(value, LATER + i * 5 * MINUTE) for i, value in enumerate(values)]}


# limits


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([1.0, 5.0])), min_size=1, max_size=60))
def test_no_more_is_let_through_than_the_rate_allows(asked: list[tuple[int, float]]) -> None:
    """In any stretch of time: what was there at its start and what came in since; and waiting as told is enough."""
    clock = Clock(0)
    buckets = Buckets(Rate(2.0, 10.0), lambda: clock.now / 1000)
    taken: list[tuple[int, float]] = []
    for wait, cost in asked:
        clock.now += wait
        try:
            left = buckets.take("ann", cost)
            taken.append((clock.now, cost))
            assert 0 <= left.remaining <= left.limit == 10
        except Turned as turned:
            assert turned.status == 429
            clock.now += 1000 * int(turned.headers["Retry-After"])
            buckets.take("ann", cost)
            taken.append((clock.now, cost))
    for first, _ in taken:
        for last, _ in taken:
            spent = sum(cost for at, cost in taken if first <= at <= last)
            assert spent <= 10.0 + 2.0 * (last - first) / 1000 + 1e-9 or last < first


def test_who_asks_too_much_is_told_when_to_come_back(works: Works) -> None:
    """429, for the one actor and not for the other; a write costs five looks."""
    access = Access(actors=Rate(1.0, 10.0), ticks=lambda: float(works.ticks()))
    with works.door("ann", access) as door:
        assert door.post(READINGS, json=body(50.0)).headers["ratelimit-remaining"] == "5"
        left = [door.get("/api/meta") for _ in range(6)]
        assert [answer.status_code for answer in left] == [200] * 5 + [429]
        assert (left[-1].json()["kind"], left[-1].headers["retry-after"]) == ("limited", "1")
        assert left[-1].headers["ratelimit-limit"] == "10"
        assert door.get("/api/meta", headers=bearer("bea")).status_code == 200
        works.ticks.now += 1
        assert door.get("/api/meta").status_code == 200


def test_guessing_tokens_is_slow(works: Works) -> None:
    """Each wrong one costs its address twenty looks."""
    access = Access(addresses=Rate(1.0, 100.0), ticks=lambda: float(works.ticks()))
    with works.door(None, access) as door:
        wrong = [door.get("/api/meta", headers={"Authorization": f"Bearer gemel_{i}"}) for i in range(7)]
    assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2


def test_what_is_too_large_or_too_slow_is_not_waited_for(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """413 by what is said or by what comes; 408 for what never comes whole."""
    monkeypatch.setattr(guard, "LARGEST", 1000)
    with works.door() as door:
        assert door.post(READINGS, content=b"x" * 1001).status_code == 413
        assert door.post(READINGS, content=iter([b"x" * 600, b"x" * 600])).status_code == 413
    monkeypatch.setattr(guard, "SLOWEST_S", 0.05)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(guard.Guard(None)(scope, never, send))  # type: ignore[arg-type]  # it is never reached
    assert sent[0]["status"] == 408


# once


def test_the_same_key_is_done_once_and_answered_the_same(works: Works) -> None:
    """Byte for byte, also when what it wrote is known by now; and after a restart."""
    with works.door() as door:
        key = {"Idempotency-Key": "k1"}
        first, second = (door.post(READINGS, json=body(50.0), headers=key) for _ in range(2))
        assert first.json() == {"new": 1, "known": 0}
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (None, "true")
        assert door.post(READINGS, json=body(51.0), headers=key).status_code == 422
        assert door.post(READINGS, json=body(50.0)).json() == {"new": 0, "known": 1}
        assert door.post(READINGS, json=body(50.0), headers={"Idempotency-Key": "x" * 256}).status_code == 422
    with Works(works.thread).door() as door:
        assert door.post(READINGS, json=body(50.0), headers=key).content == first.content


def test_a_key_is_its_actors_own_for_one_address(works: Works) -> None:
    """Another's request with the same key is another request."""
    key = {"Idempotency-Key": "k"}
    with works.door() as door:
        door.post(READINGS, json=body(50.0), headers=key)
        other = door.post(READINGS, json=body(52.0), headers=key | bearer("stream:gauge"))
        assert other.json() == {"new": 1, "known": 0}
        south = door.post("/api/twins/south/readings", json=body(53.0), headers=key)
        assert south.json() == {"new": 1, "known": 0}


def test_two_at_once_with_one_key_write_once(works: Works) -> None:
    """One is done; the other is told that it is being done, or is answered the same."""
    go = threading.Barrier(2)

    def post(door: Any) -> httpx.Response:
        go.wait()
        found: httpx.Response = door.post(READINGS, json=body(50.0), headers={"Idempotency-Key": "k"})
        return found

    with works.door() as door, ThreadPoolExecutor(2) as pool:
        answers = [job.result() for job in [pool.submit(post, door), pool.submit(post, door)]]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.text for answer in answers if answer.status_code == 200} == {'{"new":1,"known":0}'}


def proposed(works: Works) -> int:
    """Return an open proposal on the north tank."""
    north = works.north
    north.act_through(MemorySink())
    return int(north.propose(Intervention("more", (Dose("bucket", 5.0, works.clock()),)), "to see").seq)


class Dying(Exception):
    """The process dies."""


@pytest.mark.parametrize("at", ["asked/1", "answered/1"])
def test_a_death_between_the_work_and_the_answer_does_not_double(works: Works, at: str) -> None:
    """Sent again after it, the decision is answered as decided, and stands once."""
    seq = proposed(works)
    where, said = f"/api/twins/north/proposals/{seq}/decision", {"decision": "approve"}
    append = works.thread.append

    def dying(drafts: Any, now: Any) -> Any:
        if any(draft.kind == at for draft in drafts):
            raise Unavailable("the process died")
        return append(drafts, now)

    works.thread.append = dying  # type: ignore[method-assign]
    with works.door() as door:
        assert door.post(where, json=said, headers={"Idempotency-Key": "k"}).status_code == 503
    del works.thread.append  # type: ignore[attr-defined]
    again = Works(works.thread)
    again.clock.now = works.clock.now
    with again.door() as door:
        answer = door.post(where, json=said, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["status"]) == (200, "approved"), answer.text
        replayed = door.post(where, json=said, headers={"Idempotency-Key": "k"})
        assert replayed.content == answer.content
        assert door.post(where, json={"decision": "reject"}).status_code == 403
    assert len(list(works.thread.read("north", kinds=["decided/1"]))) == 1


def test_what_was_answered_is_told_again_only_to_one_who_may_still_see_it(works: Works) -> None:
    """And it lies among the twin's own facts, so that an erasure reaches it; nothing of it in the house."""
    grants = works.north.grant(to="dee", purpose=CARE, read="*", fork="*")
    works.tokens.create(secret_of("dee"), "dee", [CARE], by="ann")
    said = {"name": "x", "scenario": "fill"}
    with works.door("ann") as door:
        door.post(READINGS, json=body(50.0), headers={"Idempotency-Key": "k"})
    assert len(list(works.thread.read("north", kinds=["asked/1", "answered/1"]))) == 2
    assert list(works.thread.read(HOUSE, kinds=["asked/1", "answered/1"])) == []
    with works.door("dee") as door:
        key = {"Idempotency-Key": "k"}
        assert door.post("/api/twins/north/suppose", json=said, headers=key).status_code == 200
        for grant in grants:
            works.north.revoke(grant.id)
        assert door.post("/api/twins/north/suppose", json=said, headers=key).status_code == 403
    with works.door("eve") as door:
        assert door.post(READINGS, json=body(50.0), headers={"Idempotency-Key": "k"}).status_code == 404
    assert not [f for f in works.thread.read("north", kinds=["asked/1"]) if f.by == "eve"]


# tags


def test_who_has_the_same_already_is_told_so(works: Works) -> None:
    """304 until something changes; equal tags, equal bytes."""
    with works.door() as door:
        first = door.get("/api/twins/north/belief")
        tag = first.headers["etag"]
        assert not tag.startswith("W/")
        same = door.get("/api/twins/north/belief", headers={"If-None-Match": f'"other", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        door.post(READINGS, json=body(50.0))
        after = door.get("/api/twins/north/belief", headers={"If-None-Match": tag})
        assert (after.status_code, after.headers["etag"] == tag) == (200, False)


def test_a_decision_can_be_made_only_on_what_one_saw(works: Works) -> None:
    """412 when anything is known since; looking at it is no change."""
    seq = proposed(works)
    where = f"/api/twins/north/proposals/{seq}/decision"
    with works.door() as door:
        old = door.get("/api/twins/north/view").headers["etag"]
        door.post(READINGS, json=body(50.0))
        late = door.post(where, json={"decision": "reject"}, headers={"If-Match": old})
        assert (late.status_code, late.json()["kind"]) == (412, "changed")
        door.get("/api/twins/north/view", headers=bearer("eve"))
        new = door.get("/api/twins/north/view").headers["etag"]
        assert door.post(where, json={"decision": "reject"}, headers={"If-Match": new}).json()["status"] == "rejected"


# events


def event(value: float = 50.0, **more: Any) -> dict[str, Any]:
    """Return a reading as a CloudEvent."""
    return {
        "specversion": "1.0", "id": "1", "source": "/gauges/7", "type": "gemel.observed.v1", "subject": "north",
        "time": iso(LATER), "data": {"name": "gauge", "value": value, "unit": "L"}, **more,
    }  # fmt: skip


ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"


def post(door: Any, what: Any, media: str = ONE, **headers: str) -> httpx.Response:
    """Post an event."""
    found: httpx.Response = door.post(
        "/api/events", content=json.dumps(what), headers={"content-type": media} | headers
    )
    return found


def test_events_come_in_in_each_mode_and_once(works: Works) -> None:
    """Structured, binary, in a batch; source and id together are what an event is."""
    with works.door("stream:gauge") as door:
        assert post(door, event()).json() == {"new": 1, "known": 0}
        assert post(door, event()).json() == {"new": 0, "known": 1}
        named = {f"ce-{name}": value for name, value in event(id="2").items() if name != "data"}
        assert post(door, event()["data"], "application/json", **named).json() == {"new": 1, "known": 0}
        batch = [event(id=str(i)) for i in range(1, 5)]
        assert post(door, batch, MANY).json() == {"new": 2, "known": 2}
    assert len(works.north.readings("gauge", since=LATER - 1)) == 4


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"specversion": "0.3"}, 422), ({"type": "com.example.thing"}, 422), ({"subject": "south"}, 404),
        ({"subject": "nowhere"}, 404), ({"data": {"name": "gauge", "value": "x", "unit": "L"}}, 422),
        ({"data": {"name": "gauge", "value": 9e9, "unit": "L"}}, 422), ({"data": None}, 422), ({"time": "soon"}, 422),
        ({"data": {"name": "tap", "value": 1, "unit": "L/min"}}, 403), ({"id": ""}, 422),
    ],
)  # fmt: skip
def test_of_a_batch_with_one_wrong_event_nothing_is_written(works: Works, change: dict[str, Any], status: int) -> None:
    """Neither the one before it nor the one after."""
    before = len(list(works.thread.read("north", kinds=["observed/1", "acted/1"])))
    with works.door("stream:gauge") as door:
        answer = post(door, [event(id="a"), event(id="b") | change, event(id="c")], MANY)
    assert answer.status_code == status, answer.text
    assert len(list(works.thread.read("north", kinds=["observed/1", "acted/1"]))) == before


def test_what_is_no_event_is_not_taken(works: Works) -> None:
    """415 names what is; a body that is no JSON is bad input."""
    with works.door() as door:
        assert post(door, event(), "text/plain").status_code == 415
        assert post(door, event(), "application/json").status_code == 415
        assert door.post("/api/events", content=b"{no", headers={"content-type": ONE}).status_code == 422
        assert post(door, [], MANY).status_code == 422


def collected(door: Any, actor: str, **asked: Any) -> list[dict[str, Any]]:
    """Return all events that an actor is told, batch by batch."""
    found: list[dict[str, Any]] = []
    after = -1
    next_ = 0
    while after != next_:
        after = next_
        answer = door.get("/api/events", params={"after": after, "limit": 7, **asked}, headers=bearer(actor))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == MANY
        found += answer.json()
        next_ = int(answer.headers["gemel-next"])
    return found


def test_events_go_out_as_far_as_grants_open_them(works: Works) -> None:
    """All of both tanks to their keeper, one gauge to the carer, nothing to a stranger; in order, none twice."""
    with works.door() as door:
        all_, some, none = (collected(door, actor) for actor in ("ann", "bea", "eve"))
        assert {event["subject"] for event in all_} == {"north", "south"}
        assert {event["data"]["name"] for event in all_} == {"gauge", "tap", "bucket"}
        assert [int(event["id"]) for event in all_] == sorted({int(event["id"]) for event in all_})
        assert some == [e for e in all_ if e["subject"] == "north" and e["data"]["name"] == "gauge"]
        assert none == []
        assert door.get("/api/events?twin=south", headers=bearer("bea")).status_code == 404


def test_what_goes_out_can_come_in_elsewhere(works: Works) -> None:
    """Events of one bank are taken by another as they are, once."""
    other = Works()
    other.pass_time(HOUR)
    with works.door() as door:
        post(door, event())
        told = collected(door, "ann", twin="north")
    news = [one for one in told if one["time"] == iso(LATER)]
    with other.door() as door:
        assert post(door, news, MANY).json() == {"new": 1, "known": 0}
        assert post(door, news, MANY).json() == {"new": 0, "known": 1}


@pytest.fixture
def home(works: Works) -> Iterator[str]:
    """Return the address of a real server of the works."""
    with listening(works.app()) as url:
        yield url


def streamed(home: str, actor: str, enough: Callable[[list[Any]], bool], **headers: str) -> list[dict[str, Any]]:
    """Return the events of a stream until there are enough, or all if it ends."""
    found: list[dict[str, Any]] = []
    asked = bearer(actor) | {"Accept": "text/event-stream"} | headers
    with httpx.stream("GET", f"{home}/api/events", headers=asked, timeout=20, trust_env=False) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: {"):
                found.append(json.loads(line[6:]))
            if found and enough(found):
                break
    return found


def test_a_stream_goes_on_where_it_was_broken_off(works: Works, home: str) -> None:
    """By Last-Event-ID: nothing twice, nothing left out, and what comes later comes."""
    first = streamed(home, "bea", lambda found: len(found) == 5)
    later: list[dict[str, Any]] = []

    def listen() -> None:
        last = {"Last-Event-ID": first[-1]["id"]}
        later.extend(streamed(home, "bea", lambda found: found[-1]["data"]["value"] == 50.0, **last))

    listening_ = threading.Thread(target=listen)
    listening_.start()
    httpx.post(f"{home}{READINGS}", json=body(50.0), headers=bearer("ann"), trust_env=False).raise_for_status()
    listening_.join(20)
    with works.door() as door:
        whole = collected(door, "bea", twin="north")
    assert first + later == whole


def test_a_stream_ends_when_the_right_to_it_does(works: Works, home: str) -> None:
    """A grant withdrawn, or a token revoked: the last word says why."""
    for actor, withdraw in (("bea", _regrant_nothing), ("ann", _revoke_token)):
        asked = bearer(actor) | {"Accept": "text/event-stream"}
        url = f"{home}/api/events?twin=north"
        with httpx.stream("GET", url, headers=asked, timeout=20, trust_env=False) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id: ")
            withdraw(works, actor)
            assert [line for line in lines if line][-2] == "event: closed"


def _regrant_nothing(works: Works, actor: str) -> None:
    for grant in works.bank.grants("north"):
        if grant.to == actor:
            works.north.revoke(grant.id)


def _revoke_token(works: Works, actor: str) -> None:
    token = works.tokens.find(secret_of(actor))
    assert token is not None
    works.tokens.revoke(token.id, "ann")


# figures


def test_figures_count_and_name_nobody(works: Works) -> None:
    """Requests by pattern, facts by kind; for this machine, or a token that says metrics; never a name."""
    works.tokens.create(secret_of("prometheus"), "prometheus", [CARE], by="ann", scopes=["metrics"])
    with works.door("ann") as door:
        door.get("/api/twins/north/view")
        door.get("/api/twins/nowhere/view")
        door.post(READINGS, json=body(50.0))
        assert door.get("/metrics").status_code == 403
        text = door.get("/metrics", headers=bearer("prometheus")).text
        assert door.get("/api/twins", headers=bearer("prometheus")).status_code == 403
    assert 'gemel_requests_total{method="GET",route="/api/twins/{twin}/view",status="200"} 1.0' in text
    assert 'gemel_facts_total{kind="observed/1"} 1.0' in text
    for figure in ("gemel_loop_lag_seconds", "gemel_open_streams", "gemel_forecast_seconds", "gemel_request_seconds"):
        assert figure in text
    assert not any(name in text for name in ("north", "nowhere", "ann", "bea"))


@pytest.mark.parametrize(
    ("client", "url", "status"),
    [("127.0.0.1", None, 200), ("10.0.0.9", None, 401), ("127.0.0.1", "https://twins.example", 401)],
)
def test_figures_are_open_to_this_machine_alone(works: Works, client: str, url: str | None, status: int) -> None:
    """And not through a proxy, which is on this machine too."""
    with works.door(None, Access(url=url), client=(client, 5000)) as door:
        assert door.get("/metrics").status_code == status


def test_a_forecast_is_timed_from_its_reading(works: Works) -> None:
    """The loop's forecast after a reading is in the histogram."""
    with works.door(None, client=("127.0.0.1", 5000)) as door:
        steady = [works.north.readings("gauge")[-1].value] * 12
        door.post(READINGS, json=body(*steady), headers=bearer("ann"))
        works.thread.subscribe(works.loop.notice)
        works.loop.notice(list(works.thread.read("north", kinds=["observed/1"], reverse=True, limit=1)))
        asyncio.run(works.loop.turn())
        figures = door.get("/metrics").text
    assert "gemel_forecast_seconds_count 1.0" in figures


# traces


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    """Return where all spans of this process go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def test_a_request_is_traced_from_door_over_gate_to_bank(works: Works, spans: InMemorySpanExporter) -> None:
    """One trace, begun by whoever asked; names only as digests that nobody without the store's keys can try out."""
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with works.door("bea") as door:
        spans.clear()
        door.get("/api/twins/north/view", headers={"traceparent": sent})
    told = spans.get_finished_spans()
    assert {span.name for span in told} == {"gate", "bank", "GET /api/twins/{twin}/view"}
    assert {span.context.trace_id for span in told if span.context} == {0x0AF7651916CD43DD8448EB211C80319C}
    root = next(span for span in told if span.name.startswith("GET"))
    assert root.attributes is not None
    assert root.attributes["http.response.status_code"] == 200
    assert all(span.parent and root.context and span.parent.span_id == root.context.span_id
               for span in told if span is not root)  # fmt: skip
    whole = "".join(span.to_json() for span in told)
    assert "north" not in whole
    assert "bea" not in whole
    assert Tracer(works.bank).digest("north") in whole
    assert Tracer(Works().bank).digest("north") not in whole
