"""Figures: what the server counts of itself, for Prometheus; no names, of people or of twins, are among them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.facts import Fact, Time
from gemel.server.tracing import pattern

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
QUICK = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LAG_EVERY_S = 0.5


class Figures:
    """Counters of one app."""

    def __init__(self) -> None:
        self._registry = held = CollectorRegistry()
        self.requests = Counter("gemel_requests", "Requests answered", ["method", "route", "status"], registry=held)
        self.took = Histogram("gemel_request_seconds", "Until answered", ["route"], buckets=QUICK, registry=held)
        self.facts = Counter("gemel_facts", "Facts appended", ["kind"], registry=held)
        self.sockets = Gauge("gemel_open_streams", "Live sockets and event streams that are open", registry=held)
        self.lag = Gauge("gemel_loop_lag_seconds", "By how much the event loop is late", registry=held)
        self.foretold = Histogram("gemel_forecast_seconds", "From a stored reading to its stored forecast", buckets=QUICK,
                                  registry=held)  # fmt: skip
        self._read: dict[str, Time] = {}

    def heard(self, facts: Sequence[Fact]) -> None:
        """Count facts; a forecast is as late as the last reading before it is old."""
        for fact in facts:
            self.facts.labels(fact.kind).inc()
            if fact.kind == "observed/1":
                self._read[fact.twin] = fact.known_at
            elif fact.kind == "forecast/1" and fact.twin in self._read:
                self.foretold.observe(max(fact.known_at - self._read.pop(fact.twin), 0) / 1000)

    @contextmanager
    def open_stream(self) -> Iterator[None]:
        """Count a stream while it is open."""
        self.sockets.inc()
        try:
            yield
        finally:
            self.sockets.dec()

    async def watch_lag(self) -> None:
        """Look again and again at how late the event loop wakes."""
        while True:
            due = time.monotonic() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.lag.set(max(time.monotonic() - due, 0.0))

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)


class Counted:
    """Counts requests and how long they take."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.monotonic()

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = pattern(scope)
                self._figures.requests.labels(scope["method"], route, message["status"]).inc()
                self._figures.took.labels(route).observe(time.monotonic() - began)
            await send(message)

        return await self._app(scope, receive, out)
