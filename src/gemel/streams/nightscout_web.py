"""Asking a Nightscout site over HTTP: API v3 by what was modified, or API v1 by date; who asks, and page after page.

Shapes: Nightscout's own OpenAPI file and tutorial of API v3 (`lib/api3/swagger.yaml`, `lib/api3/doc`), and of API v1
(`lib/server/swagger.yaml`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from gemel.errors import BadInput, Unavailable
from gemel.facts import DAY, SECOND, Time, iso, time_of
from gemel.streams.contract import Place
from gemel.streams.nightscout_docs import Document, document_of

if TYPE_CHECKING:
    import httpx  # loaded when a site is asked: who reads files need not wait for it

Collection = Literal["entries", "treatments", "profile"]
COLLECTIONS: tuple[Collection, ...] = ("entries", "treatments", "profile")

PAGE = 1000
"""Records asked for at once; a site may give fewer."""

NEAR = ("localhost", "127.0.0.1", "::1")
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Site:
    """Where a site is, and what opens it: an access *token*, or the API *secret*; `repr` shows neither."""

    url: str
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("no address of a Nightscout site; write https://NAME", field="url")
        if parts.username or parts.query:
            raise BadInput("the address of a site bears no secrets; give token= or secret=", field="url")
        if parts.scheme == "http" and (self.token or self.secret) and parts.hostname not in NEAR:
            raise BadInput("over http anybody on the way could read the token: write https://", field="url")
        if self.token and self.secret:
            raise BadInput("give a token or the API secret, not both", field="token")

    @property
    def name(self) -> str:
        """Return which site this is."""
        return f"nightscout:{urlsplit(self.url).netloc}"

    def client(self) -> httpx.Client:
        """Return a client; httpx would log the addresses of requests, and one of them bears the token."""
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)
        return httpx.Client(base_url=self.url.rstrip("/"), timeout=PATIENCE_S, transport=self.transport)


@dataclass
class Pull:
    """One reader of a site: which API it speaks, what was seen of each collection; `next` returns what is new since."""

    site: Site
    since: Time | None = None
    version: int | None = None
    now: Time = 0
    _seen: dict[Collection, Time] = field(default_factory=dict)
    _headers: dict[str, str] = field(default_factory=dict)

    def next(self, back: Time = DAY) -> list[Document]:
        """Return the records that are new or changed since the last call; of API v1 also all of the last *back* ms.

        Raises `Unavailable` where the site does not answer now, `BadInput` where it never will.
        """
        with self.site.client() as client:
            if self.version is None:
                self._greet(client)
            pull = self._changed if self.version == 3 else self._dated
            found: list[Document] = []
            for name in COLLECTIONS:
                found += pull(client, name, back)
            return found

    def greet(self) -> None:
        """Find out which API the site speaks, and what time it is there, `now`."""
        with self.site.client() as client:
            self._greet(client)

    def _greet(self, client: httpx.Client) -> None:
        self._headers = self._shown(client)
        answer = self._ask(client, "/api/v3/version", {}, missing=True)
        self.version = 1 if answer is None or self.site.secret else 3
        status = _result(answer) if answer is not None else None
        told = status.get("srvDate") if isinstance(status, dict) else None
        if told is None:
            status = self._ask(client, "/api/v1/status.json", {})
            told = status.get("serverTimeEpoch") if isinstance(status, dict) else None
        self.now = int(told) if isinstance(told, (int, float)) and not isinstance(told, bool) else 0

    def _shown(self, client: httpx.Client) -> dict[str, str]:
        """Return the headers that say who asks: a token is exchanged for one that ends, a secret goes as its SHA-1."""
        if self.site.secret:
            return {"api-secret": hashlib.sha1(self.site.secret.encode(), usedforsecurity=False).hexdigest()}
        if not self.site.token:
            return {}
        found = self._ask(client, f"/api/v2/authorization/request/{quote(self.site.token, safe='')}", {}, missing=True)
        bearer = found.get("token") if isinstance(found, dict) else None
        if not isinstance(bearer, str):
            raise BadInput(f"{self.site.name} does not know this token", field="token")
        return {"Authorization": f"Bearer {bearer}"}

    def _ask(self, client: httpx.Client, path: str, params: Mapping[str, str | int], missing: bool = False) -> Any:
        """Return what the site answers, None for nothing; a login that has ended is renewed once."""
        answer = self._get(client, path, params)
        if answer.status_code == 401 and self.version is not None and self.site.token:
            self._headers = {}
            self._headers = self._shown(client)
            answer = self._get(client, path, params)
        if answer.status_code == 204 or (missing and answer.status_code == 404):
            return None
        self._check(answer)
        try:
            return answer.json()
        except ValueError:
            raise BadInput(
                f"{self.site.name} answers {path.split('/request/')[0]} with something that is no JSON"
            ) from None

    def _get(self, client: httpx.Client, path: str, params: Mapping[str, str | int]) -> httpx.Response:
        import httpx

        try:
            return client.get(path, params=dict(params), headers=self._headers)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.site.name} does not answer: {type(error).__name__}") from None

    def _check(self, answer: httpx.Response) -> None:
        status, name = answer.status_code, self.site.name
        if status in (401, 403):
            raise BadInput(
                f"{name} does not let this reader in ({status}): it needs a token that may read", field="token"
            )
        if status == 429 or status >= 500:
            raise Unavailable(f"{name} answers {status}")
        if status != 200:
            raise BadInput(f"{name} answers {status}: is this the address of a Nightscout site?", field="url")

    def _changed(self, client: httpx.Client, name: Collection, back: Time) -> list[Document]:
        """Return what was modified since, what was deleted included (API v3)."""
        start = 0 if self.since is None or name == "profile" else self.since
        found: list[Document] = []
        while True:
            after = self._seen.get(name, start)
            page = _result(self._ask(client, f"/api/v3/{name}/history/{after}", {"limit": PAGE}))
            records = _records(page, self.site.name)
            found += [self._document(name, one, len(found) + row) for row, one in enumerate(records, 1)]
            latest = max((_modified(one) for one in records), default=after)
            if latest <= after:
                return found
            self._seen[name] = latest

    def _dated(self, client: httpx.Client, name: Collection, back: Time) -> list[Document]:
        """Return what is dated since, from the latest backwards (API v1, which tells of no deletions)."""
        if name == "profile":
            records = _records(self._ask(client, "/api/v1/profile.json", {}), self.site.name)
            return [self._document(name, one, row) for row, one in enumerate(records, 1)]
        low = max(self._seen.get(name, self.since or 0) - (back if name in self._seen else 0), 0)
        kept: dict[str, Any] = {}
        high: Time | None = None
        while True:
            records = _records(self._ask(client, f"/api/v1/{name}.json", _find(name, low, high)), self.site.name)
            fresh = {str(one.get("_id", one)): one for one in records if str(one.get("_id", one)) not in kept}
            kept |= fresh
            times = [_dated_at(name, one) for one in fresh.values()]
            self._seen[name] = max([self._seen.get(name, 0), *times])
            if not fresh:
                break
            high = min(times)
        return [self._document(name, one, row) for row, one in enumerate(kept.values(), 1)]

    def _document(self, name: Collection, fields: Any, row: int) -> Document:
        return document_of(fields, Place(f"{urlsplit(self.site.url).netloc}/{name}", row))


def _find(name: Collection, low: Time, high: Time | None) -> Mapping[str, str | int]:
    """Return the query for one page: `date` is a number, `created_at` a text in UTC, compared as text."""
    key = "date" if name == "entries" else "created_at"
    ends = {"$gte": low} | ({} if high is None else {"$lte": high})
    if name != "entries":  # texts with and without milliseconds sort differently within one second
        return {"count": PAGE} | {f"find[{key}][{op}]": _text(at + SECOND * (op == "$lte")) for op, at in ends.items()}
    return {"count": PAGE} | {f"find[{key}][{op}]": at for op, at in ends.items()}


def _text(at: Time) -> str:
    return iso(at - at % SECOND).replace("Z", ".000Z")


def _dated_at(name: Collection, one: Mapping[str, Any]) -> Time:
    value = one.get("date") if name == "entries" else one.get("created_at")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    try:
        return time_of(str(value))
    except BadInput:
        return 0


def _result(answer: Any) -> Any:
    return answer.get("result") if isinstance(answer, dict) and "result" in answer else answer


def _records(found: Any, name: str) -> list[dict[str, Any]]:
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadInput(f"{name} gives no list of records")
    return found


def _modified(one: Mapping[str, Any]) -> Time:
    found = one.get("srvModified")
    return int(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else 0
