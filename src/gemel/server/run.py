"""Run: the server with its loop in one program, or a demonstration with broker and living room; stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from gemel.bank import Bank
from gemel.bank.catalogue import demos
from gemel.errors import BadInput, Unavailable, unknown
from gemel.facts import MINUTE
from gemel.loop import Demo, Loop, Room, SpeedClock
from gemel.loop.clock import this_morning
from gemel.server.app import create_app
from gemel.server.loopback import check_host
from gemel.streams.broker import Broker
from gemel.thread import open_thread

Tell = Callable[[str], None]
GRACE_S = 2
"""Seconds that open connections have to end when the server stops."""


def say(text: str) -> None:
    """Write one line for people."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def serve(
    store: str | Path, *, host: str = "127.0.0.1", port: int = 8642, actor: str, purpose: str, tell: Tell = say
) -> None:
    """Serve the twins of *store* until a signal; whoever reaches the port, on this machine alone, is *actor*."""
    with listening(host, port) as sock, Bank.open(str(store)) as bank:
        loop = Loop(bank)
        app = create_app(bank, loop, actor=actor, purpose=purpose)
        ready = f"Gemel serves {store} on {url(sock)}, to this machine only, as {actor} for {purpose}; Ctrl-C stops it"
        asyncio.run(_program(app, sock, loop, lambda: tell(ready)))


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
            tell(f"{demo.title}, on {url(sock)} at {speed:g} times real time; Ctrl-C stops it")
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
    """Return a listening socket on the loopback address, or say that the port is taken."""
    check_host(host)
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


def url(sock: socket.socket) -> str:
    """Return the address of the page."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _demonstrate(
    demo: Demo, room: Room, bank: Bank, clock: SpeedClock, sock: socket.socket, ready: Callable[[], None]
) -> None:
    async with Broker() as broker:
        room.connect(bank, broker.url)
        loop = Loop(bank)
        app = create_app(bank, loop, actor=demo.actor, purpose=demo.purpose, demo=True, speed=clock.speed)
        clock.go()
        await _program(app, sock, loop, ready, lambda stop: room.live(broker.url, stop))


async def _program(
    app: FastAPI, sock: socket.socket, loop: Loop, ready: Callable[[], None],
    *more: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
) -> None:  # fmt: skip
    """Run server, loop and what else there is until a signal, or until one of them fails; then end them all."""
    stop = asyncio.Event()
    server = Server(_config(app), ready)
    jobs = [server.serve(sockets=[sock]), loop.run(stop), *(job(stop) for job in more)]
    with _signals(stop):
        tasks = [asyncio.create_task(job) for job in jobs]
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        server.should_exit = True
        await asyncio.gather(*tasks, waiting)


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", ws="websockets-sansio", timeout_graceful_shutdown=GRACE_S
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
