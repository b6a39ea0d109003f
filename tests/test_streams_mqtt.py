"""MQTT end to end over the broker inside the process: at least once, through restarts, and no bad payload stops it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput, GemelError, Unavailable
from gemel.streams import Item, Live, Sink, key_of, mqtt, mqtt_sink
from gemel.streams.broker import Broker
from gemel.streams.mqtt_payload import item_of, payload_of

READING = {"name": "glucose", "value": 123, "unit": "mg/dL", "at": "2026-11-20T08:00:00+01:00"}
PATIENCE_S = 20
QUICK = (0.01, 0.1)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test that may not last for ever."""

    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(limited())


class Listener:
    """Reads a live source: `connected` is set by each subscription, `problems` hold what it complained of."""

    def __init__(self, url: str, client_id: str | None = None) -> None:
        self.connected = asyncio.Event()
        self.broken = asyncio.Event()
        self.problems: list[GemelError] = []
        self.source = mqtt(
            url, "lily/#", on_problem=self._problem, on_connect=self.connected.set, client_id=client_id, backoff=QUICK
        )
        self.items: AsyncIterator[Item] = self.source.items()

    def _problem(self, problem: GemelError) -> None:
        self.problems.append(problem)
        if isinstance(problem, Unavailable):
            self.broken.set()

    async def ready(self) -> asyncio.Task[Item]:
        """Ask for the next item, and return once the subscription holds."""
        asked = asyncio.ensure_future(anext(self.items))
        await self.connected.wait()
        return asked


def test_what_a_sink_sends_a_source_receives() -> None:
    """Name, value, unit, time, and the key as the record's id."""

    async def test() -> None:
        async with Broker() as broker:
            listener, sink = Listener(broker.url), mqtt_sink(broker.url, "lily/cgm")
            asked = await listener.ready()
            await sink.send(READING, "reading-1")
            item = await asked
            assert (item.name, item.value, item.unit, item.at) == ("glucose", 123.0, "mg/dL", 1795158000000)
            assert (item.by.file, key_of(item)) == ("lily/cgm", "reading-1|glucose")
            assert isinstance(listener.source, Live)
            assert isinstance(sink, Sink)
            await listener.items.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_bad_payload_is_reported_and_the_next_is_read() -> None:
    """Whatever someone publishes, the loop goes on."""

    async def test() -> None:
        async with Broker() as broker:
            listener = Listener(broker.url)
            asked = await listener.ready()
            await mqtt_sink(broker.url, "lily/odd").send({"hello": "world"}, "odd")
            await mqtt_sink(broker.url, "lily/cgm").send(READING, "good")
            assert (await asked).source_id == "good"
            assert [type(problem) for problem in listener.problems] == [BadInput]
            assert "lily/odd" in str(listener.problems[0])
            await listener.items.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_source_comes_back_when_the_broker_does() -> None:
    """It says that the broker went, subscribes again, and reads on."""

    async def test() -> None:
        async with Broker() as first:
            listener = Listener(first.url)
            asked = await listener.ready()
            await mqtt_sink(first.url, "lily/cgm").send(READING, "before")
            assert (await asked).source_id == "before"
            asked = asyncio.ensure_future(anext(listener.items))
            listener.connected.clear()
        await listener.broken.wait()
        async with Broker(first.port) as second:
            await listener.connected.wait()
            await mqtt_sink(second.url, "lily/cgm").send(READING, "after")
            assert (await asked).source_id == "after"
            await listener.items.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_sink_waits_for_a_broker_that_is_down() -> None:
    """A message given to the sink during an outage arrives after it."""

    async def test() -> None:
        async with Broker() as first:
            pass
        sending = asyncio.ensure_future(mqtt_sink(first.url, "lily/pump", backoff=QUICK).send(READING, "late"))
        async with Broker(first.port) as second:
            watcher = Listener(second.url)
            asked = await watcher.ready()
            await sending
            await mqtt_sink(second.url, "lily/pump").send(READING, "later")
            assert (await asked).source_id in ("late", "later")
            await watcher.items.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_sink_that_cannot_send_says_so() -> None:
    """After its patience it raises Unavailable: the outbox writes `failed` and tries again."""

    async def test() -> None:
        async with Broker() as gone:
            pass
        with pytest.raises(Unavailable, match="did not take the message"):
            await mqtt_sink(gone.url, "lily/pump", patience_s=0.2, backoff=QUICK).send(READING, "k")

    run(test)


class OneMessage:
    """A broker of thirty lines, after MQTT 3.1.1: hands one message to each connection until it is acknowledged."""

    def __init__(self, payload: bytes) -> None:
        topic = b"lily/cgm"
        body = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + payload
        self.publish = b"\x32" + bytes([len(body) % 128 | 128, len(body) // 128]) + body
        self.acknowledged = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer CONNECT, SUBSCRIBE and PUBACK; anything else is of no matter here."""
        try:
            while True:
                first, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if first >> 4 == 1:
                    writer.write(b"\x20\x02\x00\x00")
                elif first >> 4 == 8:
                    writer.write(b"\x90\x03" + body[:2] + b"\x01")
                    writer.write(b"" if self.acknowledged.is_set() else self.publish)
                elif first >> 4 == 4:
                    self.acknowledged.set()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def test_an_item_is_acknowledged_when_the_next_is_asked_for() -> None:
    """A reader that dies before has acknowledged nothing, and the broker hands the item out again."""

    async def test() -> None:
        broker = OneMessage(payload_of(READING, "kept?"))
        async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
            url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            first = Listener(url, "reader")
            assert (await anext(first.items)).source_id == "kept?"
            await first.items.aclose()  # type: ignore[attr-defined]
            second = Listener(url, "reader")
            assert (await anext(second.items)).source_id == "kept?"
            assert not broker.acknowledged.is_set()
            asked = asyncio.ensure_future(anext(second.items))
            await broker.acknowledged.wait()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    run(test)


def test_a_reader_with_an_id_gets_what_came_while_it_was_away() -> None:
    """The broker keeps its session."""

    async def test() -> None:
        async with Broker() as broker:
            first = Listener(broker.url, "reader")
            asked = await first.ready()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            await mqtt_sink(broker.url, "lily/cgm").send(READING, "meanwhile")
            second = Listener(broker.url, "reader")
            assert (await anext(second.items)).source_id == "meanwhile"
            asked = asyncio.ensure_future(anext(second.items))
            await mqtt_sink(broker.url, "lily/cgm").send(READING, "now")
            assert (await asked).source_id == "now"
            await second.items.aclose()  # type: ignore[attr-defined]

    run(test)


def test_the_broker_stays_on_loopback() -> None:
    """It lets anyone in, so it must not be reached from outside."""
    with pytest.raises(BadInput, match="stays on"):
        Broker(host="0.0.0.0")


def test_two_brokers_on_one_port_are_unavailable() -> None:
    """A taken port is an error that a user understands."""

    async def test() -> None:
        async with Broker() as broker:
            with pytest.raises(Unavailable, match=f"port {broker.port}"):
                async with Broker(broker.port):
                    pass

    run(test)


@pytest.mark.parametrize("url", ["http://here", "mqtt://", "mqtt://host:port", "host:1883"])
def test_a_url_that_is_no_brokers_is_refused(url: str) -> None:
    """Before anything is connected."""
    with pytest.raises(BadInput):
        mqtt(url, "lily/#")


def test_the_name_of_a_source_holds_no_password() -> None:
    """Names are written into facts."""
    assert mqtt("mqtts://lily:secret@host", "lily/#").name == "mqtts://host:8883/lily/#"
    assert mqtt_sink("mqtt://lily:secret@host", "lily/pump").name == "mqtt://host:1883/lily/pump"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"value": "123"}, "field 'value'"),
        ({"value": True}, "field 'value'"),
        ({"value": None}, "field 'value'"),
        ({"at": "2026-11-20T08:00:00"}, "no offset"),
        ({"at": 1795158000}, "are these seconds?"),
        ({"at": None}, "field 'at'"),
        ({"name": ""}, "field 'name'"),
        ({"unit": 3}, "field 'unit'"),
        ({"id": 3}, "field 'id'"),
        ({"retracted": "yes"}, "field 'retracted'"),
    ],
)
def test_a_payload_that_is_no_item_names_the_field(change: dict[str, object], problem: str) -> None:
    """The topic and the field are in the message."""
    with pytest.raises(BadInput) as caught:
        item_of(json.dumps({**READING, **change}).encode(), "lily/cgm")
    assert problem in str(caught.value)
    assert "lily/cgm" in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(payload: bytes) -> None:
    """Anything at all is an item or BadInput."""
    with pytest.raises(BadInput):
        item_of(payload, "lily/cgm")


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(100_000_000_000, 7_258_118_399_999),
    st.text(min_size=1),
)
def test_a_payload_says_what_was_put_in(value: float, at: int, key: str) -> None:
    """payload_of and item_of are inverse."""
    item = item_of(payload_of({"name": "glucose", "value": value, "unit": "mg/dL", "at": at}, key), "t")
    assert (item.value, item.at, item.source_id) == (value, at, key)


def test_a_message_cannot_bear_another_id_than_its_key() -> None:
    """Two ids for one message would break idempotency."""
    with pytest.raises(BadInput, match="is not its key"):
        payload_of({"id": "a"}, "b")
    with pytest.raises(BadInput, match="is not JSON"):
        payload_of({"value": float("nan")}, "b")


def test_an_event_of_a_case_may_come_in_a_cloud_events_envelope() -> None:
    """The same event, told bare or in an envelope, says the same; the envelope's source and id name it."""
    said = {"case": "4711", "phase": "started", "activity": "triage", "resource": "desk 2"}
    bare = item_of(json.dumps({**said, "at": "2026-11-20T08:00:00Z", "id": "7"}).encode(), "ward")
    envelope = {
        "specversion": "1.0", "type": "gemel.happened.v1", "source": "/ward", "id": "7", "time": "2026-11-20T08:00:00Z",
        "data": said,
    }  # fmt: skip
    wrapped = item_of(json.dumps(envelope).encode(), "ward")
    assert (wrapped.event, wrapped.at) == (bare.event, bare.at)
    assert wrapped.source_id == "/ward 7"
