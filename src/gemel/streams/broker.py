"""An MQTT broker inside this process, for one machine; for more than that, run one that keeps sessions on disk."""

from __future__ import annotations

import logging
from asyncio import StreamReader, StreamWriter
from types import TracebackType
from typing import Self

from amqtt.broker import Broker as Amqtt
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from gemel.errors import BadInput, Unavailable

_LOOPBACK = ("127.0.0.1", "localhost")


class OnLoopback(BaseAuthPlugin):  # type: ignore[misc] # amqtt carries no types
    """Lets in whoever reaches the loopback address, and keeps their sessions when they go.

    amqtt's own plugin for anonymous clients marks them so, and then forgets their sessions within a second.
    """

    async def authenticate(self, *, session: Session) -> bool:
        """Return whether the client is on this machine."""
        return str(session.remote_address).startswith("127.")


class _Closing(Amqtt):  # type: ignore[misc] # amqtt carries no types
    """Closes each connection when its client is done with; amqtt leaves those of resumed sessions open."""

    async def stream_connected(self, reader: StreamReader, writer: StreamWriter, listener_name: str) -> None:
        """Serve one client."""
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()


class Broker:
    """An MQTT 3.1.1 broker on *port* of the loopback address (0: any free one) while its context lasts.

    Messages are in memory: a restart loses those that a client has not yet fetched. It keeps them for a reader with
    an id that is away, but what a reader had been handed and not acknowledged when it went is not handed out again.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        if host not in _LOOPBACK:
            raise BadInput(f"the built-in broker lets anyone in, so it stays on {_LOOPBACK[0]}, not {host!r}")
        self.port = port
        self._broker: Amqtt | None = None

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"mqtt://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # it logs each client that goes as a warning
        listener = ListenerConfig(bind=f"127.0.0.1:{self.port}")
        plugins: dict[str, dict[str, object]] = {f"{__name__}.{OnLoopback.__name__}": {}}
        self._broker = _Closing(BrokerConfig(listeners={"default": listener}, plugins=plugins))
        try:
            await self._broker.start()
        except BrokerError as error:
            raise Unavailable(f"no MQTT broker on port {self.port}: {error}") from None
        server = self._broker._servers["default"].instance  # amqtt does not tell which port it got
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None
