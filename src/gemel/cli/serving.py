"""Live: serve a store, run a demonstration."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Purpose, Store, me

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Loopback port; 0 takes a free one.")]
PORT = 8642


def serve(store: Store = STORE, port: Port = PORT, actor: Actor = me(), purpose: Purpose = PURPOSE) -> None:
    """Serve the twins of a store: HTTP, WebSocket and the console, on this machine only."""
    from gemel.server.run import serve as run

    run(store, port=port, actor=actor, purpose=purpose)


def demo(name: Annotated[str, typer.Argument(help="Which demonstration.")] = "lily", port: Port = PORT,
         speed: Annotated[float, typer.Option("--speed", min=1, max=3600, help="Times faster than real time.")] = 60.0,
         store: Annotated[str | None, typer.Option("--store", help="Keep the demonstration here; by default nowhere.")] = None) -> None:  # fmt: skip
    """Run a demonstration with a virtual person, her devices and her twin."""
    from gemel.server.run import run_demo

    run_demo(name, port=port, speed=speed, store=store)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (serve, demo):
        app.command()(command)
