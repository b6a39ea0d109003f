"""What only PostgreSQL can promise or break: the contract, a server that goes away, other writers, SQL by strangers."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres import Server

from gemel.testing.thread import ThreadContract
from gemel.thread import Thread, open_thread


class TestPostgresThread(ThreadContract):
    """In a schema of a database."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres: Server, tmp_path: Path) -> None:
        self.server, self.keys = postgres, tmp_path

    def make(self) -> Thread:
        """Return an empty thread."""
        return open_thread(self.server.address(self.keys))
