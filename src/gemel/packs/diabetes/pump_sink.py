"""Pump: the way from an approved intervention to an insulin pump that listens on MQTT. Not a medical device."""

from __future__ import annotations

from gemel.streams import Sink, mqtt_sink

PATIENCE_S = 5.0
"""How long one attempt may take; the outbox makes the next."""


def Pump(url: str, topic: str) -> Sink:  # noqa: N802 - read as the thing
    """Return a sink that publishes each action to *topic* of a broker; its `id` lets the pump drop repeats."""
    return mqtt_sink(url, topic, patience_s=PATIENCE_S)
