"""Both back ends keep every promise of the contract; what only one of them can promise is in the files beside this."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from gemel.errors import BadInput, NotFound
from gemel.testing.thread import ThreadContract
from gemel.thread import MemoryThread, SqliteThread, Thread, open_thread


class TestMemoryThread(ThreadContract):
    """In memory."""

    def make(self) -> Thread:
        """Return an empty thread."""
        return open_thread("memory:")


class TestSqliteThread(ThreadContract):
    """In a folder."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Thread:
        """Return an empty thread."""
        return open_thread(Path(tempfile.mkdtemp(dir=self.folder)) / "store")


def test_addresses_say_what_is_opened(tmp_path: Path) -> None:
    """A folder, or memory."""
    with open_thread(tmp_path / "a" / "b") as folder, open_thread("memory:") as memory:
        assert (SqliteThread, MemoryThread) == (type(folder), type(memory))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "postgresql://me:se%zz@host/db",
            "the address of the PostgreSQL store cannot be understood; possible: postgresql:",
        ),
        ("postgresql://host/db?schema=pg_temp", "field 'schema': 'pg_temp' cannot be a schema"),
        ("mysql://host/db", "unknown kind of store mysql://; possible: a folder, such as family.gemel"),
        (__file__, "test_thread.py is a file; possible: a folder"),
    ],
)
def test_other_addresses_are_refused_with_what_is_possible(address: str, message: str) -> None:
    """No address falls through to a folder of that name."""
    with pytest.raises(BadInput) as refused:
        open_thread(address)

    assert message in str(refused.value)


def test_reading_only_makes_no_store(tmp_path: Path) -> None:
    """A mistyped path is an error, not an empty store."""
    with pytest.raises(NotFound, match=r"no store in .*typo: thread\.db is missing"):
        open_thread(tmp_path / "typo", readonly=True)

    assert list(tmp_path.iterdir()) == []
