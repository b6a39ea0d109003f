"""A PostgreSQL server that the tests start themselves, and fixtures that run a test on every back end that keeps facts.

To run a property test on both back ends, ask for one of these; each brings SQLite and PostgreSQL in turn:

    def test_promise(store: str) -> None:            # the address of one store that does not exist yet
        with open_thread(store) as thread: ...

    def test_property(new_store: NewStore) -> None:  # a function that makes such addresses, for use inside @given
        @given(...)
        def holds(...): open_thread(new_store())

`postgres` is the server itself: `postgres.address(folder)` makes addresses, `postgres.restart()` kills and starts it; the
stores of a test are dropped after it. Fixtures that live longer than a test take `postgres_server` instead. Where no
PostgreSQL is installed, tests that need it are skipped with that reason; `make test` installs Debian's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg import sql

NewStore = Callable[[], str]
ROLE, PASSWORD = "gemel", "open:se/s@me?"
CONFIG = "shared_buffers = 32MB\nmax_connections = 60\nlog_min_messages = fatal\nrecovery_init_sync_method = syncfs\n"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs, or None if none is installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Server:
    """A server in a folder of its own, on a Unix socket there (trusted) and a loopback port (with password)."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder, self.bin, self.port = folder, bin_, _free_port()
        self._numbers, self._made = itertools.count(1), list[str]()
        self._process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", "data", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-N")
        (folder / "data/pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        (folder / "data/postgresql.conf").write_text(
            f"{CONFIG}unix_socket_directories = '{folder}'\nlisten_addresses = '127.0.0.1'\nport = {self.port}\n"
        )
        self.start()
        with self.admin("postgres") as db:
            db.execute(sql.SQL("CREATE ROLE gemel LOGIN PASSWORD {}").format(PASSWORD))
            db.execute("CREATE DATABASE gemel OWNER gemel")

    def _as_user(self) -> list[str]:
        """PostgreSQL refuses to be run by root; `setpriv` also stops it when the tests are killed."""
        if not shutil.which("setpriv"):
            return []
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        changed = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"] if os.getuid() == 0 else []
        return ["setpriv", *changed, "--pdeathsig=QUIT"]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user(), str(self.bin / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [*self._as_user(), str(self.bin / "postgres"), "-D", "data"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), self.admin("postgres"):
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop; by default as `pg_ctl stop -m immediate` does, without a word to anybody."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)

    def restart(self) -> None:
        """Do as `pg_ctl restart -m immediate`: what was not on the disk is gone."""
        self.stop()
        self.start()

    def admin(self, database: str = "gemel") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection of the superuser."""
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)

    def address(self, keys: Path, schema: str | None = None) -> str:
        """Return the address of a store of its own, new unless *schema* is given; its keys lie in *keys*."""
        schema = schema or f"store_{next(self._numbers)}"
        self._made.append(schema)
        asked = urlencode({"host": self.folder, "port": self.port, "schema": schema, "keys": keys / schema})
        return f"postgresql://{ROLE}@/gemel?{asked}"

    def tcp_address(self, keys: Path, schema: str, password: str = PASSWORD) -> str:
        """Return an address with a password in it."""
        asked = urlencode({"schema": schema, "keys": keys / schema})
        return f"postgresql://{ROLE}:{quote(password, safe='')}@127.0.0.1:{self.port}/gemel?{asked}"

    def clear(self) -> None:
        """Drop the stores made so far, so that the server stays small; one that is still in use stays."""
        with self.admin() as db:
            db.execute("SET lock_timeout = '1s'")
            while self._made:
                with contextlib.suppress(psycopg.errors.LockNotAvailable):
                    db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self._made.pop())))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[Server]:
    """Yield the server; the stores of a test go with it."""
    yield postgres_server
    postgres_server.clear()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Yield a server that runs until the tests end, or skip."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="gemel-postgres-"))
    server = None
    try:
        server = Server(folder, found)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Return a function that makes addresses of stores that do not exist yet, on each back end in turn."""
    if request.param == "sqlite":
        numbers = itertools.count(1)
        return lambda: str(tmp_path / f"store_{next(numbers)}")
    server: Server = request.getfixturevalue("postgres")
    return lambda: server.address(tmp_path / "keys")


@pytest.fixture
def store(new_store: NewStore) -> str:
    """Return the address of a store that does not exist yet, on each back end in turn."""
    return new_store()
