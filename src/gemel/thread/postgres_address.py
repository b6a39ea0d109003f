"""Where a PostgreSQL store is: `postgresql://user@host/db?schema=gemel&keys=/path`, and how messages name it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gemel.errors import BadInput
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.key_stores import open_keys

SCHEMA_NAME = "gemel"
_LONGEST = 63
_PATIENT = {
    "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
"""So that a server that vanished without a word is noticed within half a minute; an address may say otherwise."""


@dataclass(frozen=True)
class Address:
    """A server, a database and a schema, which is one store; `shown` says so without the password."""

    parameters: Mapping[str, Any] = field(repr=False)
    schema: str
    keys: str | None
    shown: str

    def open_keys(self, store_id: str, *, readonly: bool = False) -> FolderKeys:
        """Return the store's keys: where the address or `GEMEL_KEYS` says, else among the user's data."""
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        return open_keys(self.keys, data / "gemel/keys" / store_id, readonly=readonly)

    def clean(self, message: object) -> str:
        """Return what libpq or the server said as one line without the password."""
        text = " ".join(str(message).split())
        password = self.parameters.get("password")
        return text.replace(str(password), "***") if password else text


def parse(address: str) -> Address:
    """Return what an address says, or raise `BadInput` without repeating its password."""
    server, _, asked = address.partition("?")
    options = parse_qsl(asked, keep_blank_values=True)
    ours = {name: value for name, value in options if name in ("schema", "keys")}
    rest = urlencode([(name, value) for name, value in options if name not in ours])
    try:
        given = conninfo_to_dict(f"{server}?{rest}" if rest else server)
    except psycopg.ProgrammingError:
        raise BadInput(
            "the address of the PostgreSQL store cannot be understood; possible: postgresql://user@host:5432/database"
            "?schema=gemel&keys=/path, with signs such as / and @ in user and password written as %2F and %40"
        ) from None
    schema = _schema(ours.get("schema", SCHEMA_NAME))
    return Address({**_PATIENT, **given}, schema, ours.get("keys"), _shown(given, schema))


def _schema(name: str) -> str:
    if not name or "\0" in name or name.startswith("pg_") or len(name.encode()) > _LONGEST:
        raise BadInput(
            f"{name[:80]!r} cannot be a schema: 1 to {_LONGEST} bytes, not beginning with pg_", field="schema"
        )
    return name


def _shown(given: Mapping[str, object], schema: str) -> str:
    user, host, port, database = (str(given.get(name) or "") for name in ("user", "host", "port", "dbname"))
    where, socket = ("", f"host={host}&") if host.startswith("/") else (host, "")
    start = f"postgresql://{quote(user)}@" if user else "postgresql://"
    return f"{start}{where}{f':{port}' if port else ''}/{quote(database)}?{socket}schema={quote(schema)}"
