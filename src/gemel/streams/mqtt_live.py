"""MQTT, in and out, at least once (QoS 1), through broken connections."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from aiomqtt import Client, Message, MqttError

from gemel.errors import BadInput, GemelError, Unavailable
from gemel.streams.contract import Item, Live, Sink
from gemel.streams.mqtt_payload import is_command, item_of, payload_of

Backoff = tuple[float, float]
"""Seconds before trying again: the first pause, doubled each time, and the longest."""

_log = logging.getLogger(__name__)
_REFUSED = 0x80


@dataclass(frozen=True)
class _Address:
    """Where a broker is; `str` leaves out the password."""

    host: str
    port: int
    secure: bool
    user: str | None
    password: str | None

    def __str__(self) -> str:
        return f"{'mqtts' if self.secure else 'mqtt'}://{self.host}:{self.port}"

    def client(self, identifier: str | None) -> Client:
        """Return a client; one with an *identifier* has a session that outlives its connection."""
        return Client(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            identifier=identifier,
            clean_session=identifier is None,
            tls_context=ssl.create_default_context() if self.secure else None,
        )


def _address(url: str) -> _Address:
    try:
        parts = urlsplit(url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    except ValueError:
        raise BadInput("the broker's URL has no valid port") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise BadInput(
            f"no broker's URL: {parts.scheme}://{parts.hostname or ''}; write mqtt://host:1883 or mqtts://host"
        )
    user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
    return _Address(parts.hostname, port, parts.scheme == "mqtts", user, password)


def _pauses(backoff: Backoff) -> Iterator[float]:
    pause, longest = backoff
    while True:
        yield min(pause, longest)
        pause = min(pause * 2, longest)


def _logged(problem: GemelError) -> None:
    _log.warning("%s", problem)


def _nothing() -> None:
    pass


def mqtt(
    url: str,
    topic_filter: str,
    *,
    on_problem: Callable[[GemelError], None] = _logged,
    on_connect: Callable[[], None] = _nothing,
    client_id: str | None = None,
    backoff: Backoff = (0.2, 30.0),
) -> Live:
    """Return the items in the messages under *topic_filter*, for ever.

    *on_problem* hears of each payload that is no item (`BadInput`) and each broken connection (`Unavailable`);
    *on_connect* is called whenever the subscription holds. With a *client_id* (one per reader) the broker keeps
    messages while this reader is away, and hands out again those that it did not acknowledge.
    """
    return _Mqtt(_address(url), topic_filter, on_problem, on_connect, client_id, backoff)


@dataclass(frozen=True)
class _Mqtt:
    address: _Address
    topic: str
    on_problem: Callable[[GemelError], None]
    on_connect: Callable[[], None]
    client_id: str | None
    backoff: Backoff

    @property
    def name(self) -> str:
        """Return broker and topic."""
        return f"{self.address}/{self.topic}"

    def watched(self, on_problem: Callable[[GemelError], None], on_connect: Callable[[], None]) -> Live:
        """Return the same source, telling others how it fares."""
        return replace(self, on_problem=on_problem, on_connect=on_connect)

    async def items(self) -> AsyncIterator[Item]:
        """Yield items; each is acknowledged to the broker when the next is asked for."""
        pauses = _pauses(self.backoff)
        while True:
            subscribing: asyncio.Future[bool] | None = None
            try:
                async with self.address.client(self.client_id) as client:
                    client._client.manual_ack_set(True)  # aiomqtt has no door to this and to ack
                    subscribing = asyncio.ensure_future(self._subscribe(client))
                    async for message in client.messages:
                        item = self._item(message)
                        if item is not None:
                            yield item
                        client._client.ack(message.mid, message.qos)
            except MqttError as error:
                self.on_problem(Unavailable(f"{self.name}: {error}"))
            finally:
                if subscribing is not None and not subscribing.cancel() and subscribing.result():
                    pauses = _pauses(self.backoff)
            await asyncio.sleep(next(pauses))

    async def _subscribe(self, client: Client) -> bool:
        """Subscribe while messages are read: some brokers first want those of an earlier session acknowledged."""
        try:
            granted = await client.subscribe(self.topic, qos=1)
            if any((code if isinstance(code, int) else code.value) >= _REFUSED for code in granted):
                raise MqttError("the broker refuses the subscription")
        except MqttError as error:
            self.on_problem(Unavailable(f"{self.name}: {error}"))
            client._client.disconnect()  # ends the reading of messages, and so leads to another try
            return False
        self.on_connect()
        return True

    def _item(self, message: Message) -> Item | None:
        try:
            payload = bytes(message.payload)
            return None if is_command(payload) else item_of(payload, str(message.topic))
        except BadInput as problem:
            self.on_problem(problem)
            return None


def mqtt_sink(url: str, topic: str, *, patience_s: float = 30.0, backoff: Backoff = (0.2, 5.0)) -> Sink:
    """Return a sink that publishes each message as JSON to *topic*; the key goes with it as `id`."""
    return _MqttSink(_address(url), topic, patience_s, backoff)


@dataclass(frozen=True)
class _MqttSink:
    """Connects anew for each message: some milliseconds, and never a connection that died unseen."""

    address: _Address
    topic: str
    patience_s: float
    backoff: Backoff

    @property
    def name(self) -> str:
        """Return broker and topic."""
        return f"{self.address}/{self.topic}"

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Return once the broker has acknowledged *message*; it may have come twice, under the same `id`."""
        payload = payload_of(message, key)
        problem = "no answer"
        try:
            async with asyncio.timeout(self.patience_s):
                for pause in _pauses(self.backoff):
                    try:
                        return await self._publish(payload)
                    except MqttError as error:
                        problem = str(error)
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise Unavailable(f"{self.name} did not take the message in {self.patience_s:g} s: {problem}") from None

    async def _publish(self, payload: bytes) -> None:
        async with self.address.client(None) as client:
            await client.publish(self.topic, payload, qos=1)
