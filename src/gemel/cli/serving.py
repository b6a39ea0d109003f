"""Live: serve a store, run a demonstration."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Purpose, Store

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")]
Demo = Annotated[str, typer.Argument(metavar="[NAME]", help="Which demonstration.")]
Speed = Annotated[float, typer.Option("--speed", min=1, max=3600, help="Times faster than real time.")]
Kept = Annotated[str | None, typer.Option("--store", help="Keep the demonstration here; by default nowhere.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on; others than this machine's need --url.")]
Url = Annotated[str | None, typer.Option("--url", help="Address under which people reach it: https://NAME.")]
Cert = Annotated[str | None, typer.Option("--tls-cert", help="TLS certificate (PEM); else a proxy stands before it.")]
Key = Annotated[str | None, typer.Option("--tls-key", help="Key of the certificate (PEM).")]
Proxy = Annotated[str, typer.Option("--proxy", help="Address of the proxy whose word on who asks is taken.")]
Rate = Annotated[
    float, typer.Option("--rate", min=0, help="Requests per second and actor; a write counts five; 0: any.")
]
Otlp = Annotated[str | None, typer.Option("--otlp", help="Send traces to this OTLP/HTTP collector.")]
Issuer = Annotated[
    str | None, typer.Option("--oidc-issuer", help="Provider of OpenID Connect that vouches for people.")
]
Client = Annotated[str | None, typer.Option("--oidc-client", help="Our id there; a secret is in GEMEL_OIDC_SECRET.")]
Claim = Annotated[str, typer.Option("--oidc-claim", help="Claim that is the actor: sub, email, …")]
Audience = Annotated[str | None, typer.Option("--oidc-audience", help="Audience of bearer tokens; else the client id.")]
Purposes = Annotated[
    list[str] | None, typer.Option("--oidc-purpose", help="What people from there may ask for; else --purpose.")
]
PORT = 8642


def serve(
    *, store: Store = STORE, port: Port = PORT, actor: Actor, purpose: Purpose = PURPOSE, host: Host = "127.0.0.1",
    url: Url = None, tls_cert: Cert = None, tls_key: Key = None, proxy: Proxy = "127.0.0.1", rate: Rate = 100.0,
    otlp: Otlp = None, oidc_issuer: Issuer = None, oidc_client: Client = None, oidc_claim: Claim = "sub",
    oidc_audience: Audience = None, oidc_purpose: Purposes = None,
) -> None:  # fmt: skip
    """Serve the twins of a store to those who log in: HTTP, WebSocket and the console."""
    from gemel.errors import BadInput
    from gemel.server.oidc import Provider
    from gemel.server.run import Door
    from gemel.server.run import serve as run

    provider = None
    if (oidc_issuer is None) != (oidc_client is None):
        raise BadInput("a provider needs both --oidc-issuer and --oidc-client")
    if oidc_issuer is not None and oidc_client is not None:
        secret = os.environ.get("GEMEL_OIDC_SECRET")
        for_what = tuple(oidc_purpose or [purpose])
        provider = Provider(oidc_issuer, oidc_client, for_what, oidc_claim, oidc_audience, secret)
    door = Door(host, port, url, tls_cert, tls_key, proxy, provider, rate)
    run(store, actor=actor, purpose=purpose, door=door, otlp=otlp)


def demo(name: Demo = "lily", *, port: Port = PORT, speed: Speed = 60.0, store: Kept = None) -> None:
    """Run a demonstration with a virtual person, her devices and her twin; it asks nobody to log in."""
    from gemel.server.run import run_demo

    run_demo(name, port=port, speed=speed, store=store)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (serve, demo):
        app.command()(command)
