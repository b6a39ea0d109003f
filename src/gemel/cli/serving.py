"""Live: serve a store, run a demonstration."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Purpose, Store

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Loopback port; 0 takes a free one.")]
Demo = Annotated[str, typer.Argument(metavar="[NAME]", help="Which demonstration.")]
Speed = Annotated[float, typer.Option("--speed", min=1, max=3600, help="Times faster than real time.")]
Kept = Annotated[str | None, typer.Option("--store", help="Keep the demonstration here; by default nowhere.")]
PORT = 8642


def serve(*, store: Store = STORE, port: Port = PORT, actor: Actor, purpose: Purpose = PURPOSE) -> None:
    """Serve the twins of a store: HTTP, WebSocket and the console, on this machine only."""
    from gemel.server.run import serve as run

    run(store, port=port, actor=actor, purpose=purpose)


def demo(name: Demo = "lily", *, port: Port = PORT, speed: Speed = 60.0, store: Kept = None) -> None:
    """Run a demonstration with a virtual person, her devices and her twin."""
    from gemel.server.run import run_demo

    run_demo(name, port=port, speed=speed, store=store)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (serve, demo):
        app.command()(command)
