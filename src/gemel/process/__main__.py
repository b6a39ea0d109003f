"""Compile the engine, about a minute, so that the first forecast of a service need not: `python -m gemel.process`."""

from gemel.process.engine import compiled

compiled()
