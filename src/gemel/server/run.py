"""Run: the server with its loop in one program, or a demonstration with broker and living room; stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from gemel.bank import Bank
from gemel.bank.catalogue import demos
from gemel.bank.companion import wake
from gemel.bank.tokens import Tokens
from gemel.errors import BadInput, Unavailable, unknown
from gemel.facts import MINUTE
from gemel.loop import Demo, Loop, Room, SpeedClock
from gemel.loop.clock import this_morning
from gemel.server.app import Access, create_app
from gemel.server.guard import HOSTS
from gemel.server.limits import Rate
from gemel.server.oidc import Provider
from gemel.server.tracing import export
from gemel.streams.broker import Broker
from gemel.thread import open_thread
from gemel.thread.opening import shown

Tell = Callable[[str], None]
GRACE_S = 2
"""Seconds that open connections have to end when the server stops."""


def say(text: str) -> None:
    """Write one line for people."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Door:
    """Where a server listens, under which address people reach it, and who vouches for them."""

    host: str = "127.0.0.1"
    port: int = 8642
    url: str | None = None
    cert: str | None = None
    key: str | None = None
    proxy: str = "127.0.0.1"
    provider: Provider | None = None
    rate: float = Rate().per_s

    @property
    def near(self) -> bool:
        """Return whether this machine alone reaches it."""
        return self.host.strip("[]") in HOSTS and self.url is None


def serve(
    store: str | Path, *, actor: str, purpose: str, door: Door | None = None, host: str = "127.0.0.1", port: int = 8642,
    otlp: str | None = None, tell: Tell = say,
) -> None:  # fmt: skip
    """Serve the twins of *store* until a signal, to those who log in; *actor* does so by the link that is told."""
    door = door or Door(host, port)
    if otlp is not None:
        export(otlp)
    with listening(door.host, door.port) as sock, Bank.open(str(store)) as bank:
        _fit_for_others(door, bank, store)
        home, loop = door.url or url(sock, door.cert is not None), Loop(bank)

        def link(ticket: str) -> str:
            return f"to log in as {actor}, once: {home}/login?token={ticket}"

        access = Access(
            holder=(actor, purpose), provider=door.provider, url=door.url, actors=Rate(door.rate, 10 * door.rate),
            addresses=Rate(2 * door.rate, 20 * door.rate), used=lambda ticket: tell(f"{actor} logged in; again {link(ticket)}"),
        )  # fmt: skip
        app = create_app(bank, loop, access, cookie=_cookie(door, sock))

        def ready() -> None:
            _wake(bank)
            tell(f"Gemel serves {shown(store)} on {home}; Ctrl-C stops it")
            tell(link(app.state.porter.ticket.now))
            if door.url is not None and door.cert is None:
                tell(f"a proxy with TLS must stand before it: {door.url} to {url(sock)}")

        asyncio.run(_program(app, sock, loop, ready, tls=door))


def _wake(bank: Bank) -> None:
    """Wake companions beside what is served, so that nobody waits for them at their first sentence."""
    kinds = {bank.type_of(twin).name for twin in bank.twins()}
    threading.Thread(target=wake, args=(kinds,), name="companions").start()


def _fit_for_others(door: Door, bank: Bank, store: str | Path) -> None:
    """Raise unless what others reach asks who they are, under one name, and encrypted on the way."""
    if door.near:
        return
    if door.url is None or not door.url.startswith("https://"):
        raise BadInput(
            f"cannot listen on {door.host} without --url https://NAME: passwords would go in the clear, so give "
            "--tls-cert and --tls-key, or put a proxy with TLS before it",
            field="host",
        )
    if door.provider is None and not any(token.lives(bank.now()) for token in Tokens(bank).all()):
        raise BadInput(
            "nobody could log in from elsewhere: make a token with "
            f"`gemel token create ACTOR --purpose care --store {shown(store)}`, or name a provider with --oidc-issuer"
        )


def _cookie(door: Door, sock: socket.socket) -> str:
    """Return the cookie's name: bound to the host under TLS; of its own for each port of this machine otherwise."""
    return "__Host-gemel" if door.url is not None else f"gemel-{sock.getsockname()[1]}"


def run_demo(
    name: str, *, port: int = 8642, speed: float = 60.0, store: str | Path | None = None, open_browser: bool = False,
    tell: Tell = say,
) -> None:  # fmt: skip
    """Run a demonstration until a signal: counterpart, devices, broker, twin, page; without *store* nothing stays."""
    demo = _demo(name)
    if speed <= 0:
        raise BadInput(f"a speed of {speed:g} is not above 0", field="speed")
    with (
        listening("127.0.0.1", port) as sock,
        _folder(store) as folder,
        contextlib.closing(open_thread(folder)) as thread,
    ):
        last = next(iter(thread.read(reverse=True, limit=1)), None)
        clock = SpeedClock(max(this_morning(), last.known_at + MINUTE if last else 0), speed)
        bank = Bank(thread, clock)
        tell(f"{demo.title}: simulating the days before …")
        room = demo.furnish(clock)
        room.prepare(bank)

        def ready() -> None:
            _wake(bank)
            tell(f"{demo.title}, on {url(sock)} at {speed:g} times real time; Ctrl-C stops it")
            tell(f"no login: whoever is on this machine is {demo.actor}, for this is a demonstration")
            if open_browser:
                webbrowser.open(url(sock))

        asyncio.run(_demonstrate(demo, room, bank, clock, sock, ready))


def _demo(name: str) -> Demo:
    found = demos()
    if name not in found:
        raise unknown("demonstration", name, found)
    demo: Demo = found[name]
    return demo


@contextlib.contextmanager
def _folder(store: str | Path | None) -> Iterator[str]:
    """Return the store's folder, or one that goes away."""
    if store is not None:
        yield str(store)
        return
    with tempfile.TemporaryDirectory(prefix="gemel-demo-", ignore_cleanup_errors=True) as folder:
        yield folder


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Return a listening socket, or say that the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host.strip("[]"), port))
            sock.listen(128)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on port {port} of {host}: {error.strerror}; choose another with --port"
            ) from None
        yield sock


def url(sock: socket.socket, tls: bool = False) -> str:
    """Return the address of the page."""
    host, port = sock.getsockname()[:2]
    return (
        f"{'https' if tls else 'http'}://[{host}]:{port}"
        if ":" in host
        else f"{'https' if tls else 'http'}://{host}:{port}"
    )


async def _demonstrate(
    demo: Demo, room: Room, bank: Bank, clock: SpeedClock, sock: socket.socket, ready: Callable[[], None]
) -> None:
    async with Broker() as broker:
        room.connect(bank, broker.url)
        loop = Loop(bank)
        app = create_app(bank, loop, Access(open_as=(demo.actor, demo.purpose), others=demo.others), speed=clock.speed)
        clock.go()
        await _program(app, sock, loop, ready, lambda stop: room.live(broker.url, stop))


async def _program(
    app: FastAPI, sock: socket.socket, loop: Loop, ready: Callable[[], None],
    *more: Callable[[asyncio.Event], Coroutine[Any, Any, None]], tls: Door | None = None,
) -> None:  # fmt: skip
    """Run server, loop and what else there is until a signal, or until one of them fails; then end them all."""
    stop = asyncio.Event()
    server = Server(_config(app, tls or Door()), ready)
    jobs = [server.serve(sockets=[sock]), loop.run(stop), *(job(stop) for job in more)]
    with _signals(stop):
        tasks = [asyncio.create_task(job) for job in jobs]
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        app.state.desk.close()
        server.should_exit = True
        await asyncio.gather(*tasks, waiting)


def _config(app: FastAPI, door: Door) -> uvicorn.Config:
    behind = door.url is not None and door.cert is None
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", ws="websockets-sansio", timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=door.cert, ssl_keyfile=door.key, proxy_headers=behind, forwarded_allow_ips=door.proxy,
        server_header=False,
    )  # fmt: skip


class Server(uvicorn.Server):
    """Leaves signals to the program, and says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set *stop*, where this thread may ask for that."""
    loop, caught = asyncio.get_running_loop(), []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, stop.set)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
