"""Who asks at a Nightscout address: a secret that belongs to one twin and one actor, or one of our own tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterator, Sequence

from starlette.requests import Request

from gemel.bank import Bank
from gemel.bank.tokens import Token, Tokens
from gemel.errors import BadInput, GemelError
from gemel.facts import Time
from gemel.server.asker import PREFIX, Asker, Entry
from gemel.server.errors import Turned
from gemel.server.limits import LOOK, WRITE, WRONG, Buckets, Rate

SCOPES = ("read", "write")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def create(
    bank: Bank, tokens: Tokens, twin: str, actor: str, purposes: Sequence[str], *, by: str, until: Time | None = None
) -> tuple[str, Token]:
    """Make a secret with which an app reaches *twin* as *actor*, and return it with its token; only a hash is kept.

    Apps send its SHA-1, so that is what the token is of, and the twin's name: at another twin's address it opens
    nothing. What is opened still is for grants to say; `gemel token revoke` closes it.
    """
    if twin not in bank:
        raise BadInput(f"there is no twin {twin!r}", field="twin")
    secret = f"gemel-{secrets.token_hex(16)}"
    made = tokens.create(_proof(twin, sha1(secret)), actor, purposes, by=by, until=until, scopes=SCOPES)
    return secret, made


def sha1(secret: str) -> str:
    """Return what Nightscout's apps send of a secret; one that looks like it already is taken as it is."""
    known = secret.lower()
    return known if _SHA1.fullmatch(known) else hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()


def _proof(twin: str, shown: str) -> str:
    """Return what the token is of: no header can bear a line break, so it is shown nowhere but here."""
    return f"{PREFIX}nightscout\n{twin}\n{shown}"


class Doorkeeper:
    """Finds who asks, and how often; whoever is not known hears the same of a twin that is there and one that is not."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._actors, self._addresses = Buckets(Rate(), time.monotonic), Buckets(Rate(), time.monotonic)

    def admit(self, twin: str, asked: Request) -> Asker:
        """Return who asks; raise `Turned` where nobody that is known does, or too often."""
        address = asked.client.host if asked.client else ""
        self._addresses.take(address, LOOK)
        writes = asked.method not in ("GET", "HEAD")
        asker = next(self._known(twin, asked), None)
        if asker is None:
            self._addresses.charge(address, WRONG)
            raise Turned(401, "login", "Unauthorized")
        self._actors.take(asker.actor, WRITE if writes else LOOK)
        scope = "write" if writes else "read"
        if scope not in asker.scopes:
            raise Turned(403, "refused", f"this token opens {', '.join(asker.scopes)}, not {scope}")
        return asker

    def _known(self, twin: str, asked: Request) -> Iterator[Asker]:
        scheme, _, bearer = asked.headers.get("authorization", "").partition(" ")
        shown = [
            asked.headers.get("api-secret", ""), asked.query_params.get("secret", ""),
            asked.query_params.get("token", ""), bearer.strip() if scheme.lower() == "bearer" else "",
        ]  # fmt: skip
        for one in shown:
            if one and (asker := self.who(twin, one)) is not None:
                yield asker

    def who(self, twin: str, shown: str) -> Asker | None:
        """Return whose secret this is at that twin's address, None if it opens nothing."""
        try:
            if shown.startswith(PREFIX):
                return self._entry.bearer(shown)
            return self._entry.bearer(_proof(twin, sha1(shown)))
        except GemelError:
            return None
