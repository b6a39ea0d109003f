"""Tracing: spans of OpenTelemetry from request over gate to bank; names of twins and people only as keyed digests."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Iterator
from importlib.metadata import version

from opentelemetry import propagate, trace
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.bank import Bank
from gemel.errors import BadInput


class Tracer:
    """Makes spans; without the extra `telemetry` and `export` they go nowhere and cost next to nothing."""

    def __init__(self, bank: Bank) -> None:
        self._key = hashlib.sha256(bank.thread.sign(b"names in traces").encode()).digest()
        self._spans = trace.get_tracer("gemel.server", version("gemel"))

    def digest(self, name: str) -> str:
        """Return what stands for a name: the same here every time, and nothing to those without the store's keys."""
        return hmac.new(self._key, name.encode(errors="replace"), hashlib.sha256).hexdigest()[:16]

    @contextlib.contextmanager
    def step(self, name: str, twin: str) -> Iterator[None]:
        """Time a step of a request about a twin."""
        attributes = {"gemel.twin": self.digest(twin)}
        with self._spans.start_as_current_span(name, attributes=attributes, record_exception=False):
            yield

    @contextlib.contextmanager
    def request(self, scope: Scope) -> Iterator[trace.Span]:
        """Time a request, as part of the trace that its sender named, if it did."""
        context = propagate.extract(dict(Headers(scope=scope)))
        attributes = {"http.request.method": scope["method"]}
        kind = trace.SpanKind.SERVER
        with self._spans.start_as_current_span(
            scope["method"], context, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


class Traced:
    """Puts each request into a span that bears the route's pattern, never the address itself."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            return await self._timed(scope, receive, send)
        return await self._app(scope, receive, send)

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._tracer.request(scope) as span:

            async def out(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(trace.StatusCode.ERROR)
                await send(message)

            await self._app(scope, receive, out)
            span.update_name(f"{scope['method']} {pattern(scope)}")
            span.set_attribute("http.route", pattern(scope))


def pattern(scope: Scope) -> str:
    """Return the pattern of the route that took a request, without names in it."""
    return str(getattr(scope.get("route"), "path", None) or "other")


def export(endpoint: str) -> None:
    """Send spans of this process to an OTLP/HTTP collector, such as http://127.0.0.1:4318/v1/traces."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise BadInput('--otlp needs an extra: pip install "gemel[telemetry]"') from None
    provider = TracerProvider(resource=Resource.create({"service.name": "gemel", "service.version": version("gemel")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
