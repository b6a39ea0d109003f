"""Compile the engine, about a minute, so that the first forecast of a service need not: `python -m gemel.process`."""

import logging

from gemel.process.compiled import compiled

logging.basicConfig(level=logging.INFO, format="%(message)s")
compiled()
