"""OIDC: people whom a provider vouches for, by a JWT it signed (OpenID Connect Core 1.0, RFC 9068, RFC 7636)."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, Key, KeySet

from gemel.errors import BadInput, Unavailable
from gemel.facts import SECOND, Time
from gemel.server.errors import Turned

ALGORITHMS = ("RS256", "ES256")
KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}
LEEWAY_S = 30
"""By how many seconds clocks may differ."""

FRESH_S, AGAIN_S, PATIENCE_S = 600.0, 10.0, 5.0
"""Seconds: how old keys may be; between two looks for a key that is new; to wait for the provider."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Provider:
    """Who vouches for people: *claim* of its tokens is the actor, who may ask for *purposes*."""

    issuer: str
    client: str
    purposes: tuple[str, ...]
    claim: str = "sub"
    audience: str | None = None
    secret: str | None = None
    scope: str = "openid email"

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise BadInput(f"{self.issuer} is not https: whoever is on the way could vouch for anybody", field="issuer")


@dataclass(frozen=True)
class Journey:
    """A login that is under way at the provider: where to send the browser, and what must come back with it."""

    url: str
    state: str
    nonce: str
    verifier: str


class Issuer:
    """A provider as we know it: its addresses and keys, looked up when needed and kept for a while."""

    def __init__(
        self, provider: Provider, now: Callable[[], Time], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self.provider, self._now, self._ticks = provider, now, ticks
        self._lock = threading.Lock()
        self._addresses: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._looked = -FRESH_S

    def verify(self, token: str) -> tuple[str, Time]:
        """Return the actor and the end of a bearer JWT meant for us, or raise `Turned`."""
        audience = self.provider.audience or self.provider.client
        claims = self._claims(token, {"aud": {"essential": True, "value": audience}})
        return self._actor(claims), int(claims["exp"]) * SECOND

    def depart(self, redirect: str) -> Journey:
        """Return where to send the browser for the authorization-code flow with PKCE."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._address("authorization_endpoint"), self.provider.client, "code", redirect, self.provider.scope, state,
            nonce=nonce, code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256",
        )  # fmt: skip
        return Journey(str(url), state, nonce, verifier)

    def arrive(self, code: str, journey: Mapping[str, Any], redirect: str) -> str:
        """Return the actor for a code that the provider gave, checked against the journey it belongs to."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
            "client_id": self.provider.client, "code_verifier": str(journey["verifier"]),
        }  # fmt: skip
        auth = httpx.BasicAuth(self.provider.client, self.provider.secret) if self.provider.secret else None
        answer = self._ask("POST", self._address("token_endpoint"), data=form, auth=auth)
        if answer.status_code != 200 or "id_token" not in _json(answer):
            raise Turned(401, "login", f"{self.provider.issuer} did not accept the login")
        wanted = {"aud": {"essential": True, "value": self.provider.client},
                  "nonce": {"essential": True, "value": str(journey["nonce"])}}  # fmt: skip
        return self._actor(self._claims(str(_json(answer)["id_token"]), wanted))

    def _claims(self, token: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims of a token whose signature, issuer and times are right, and that says what is *wanted*."""
        registry = jwt.JWTClaimsRegistry(
            now=self._now() // SECOND, leeway=LEEWAY_S, iss={"essential": True, "value": self.provider.issuer},
            exp={"essential": True}, sub={"essential": True}, **wanted,
        )  # fmt: skip
        try:
            claims = jwt.decode(token, self._key, algorithms=ALGORITHMS).claims
            registry.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _unaccepted(f"{type(error).__name__}: {error}") from None
        return dict(claims)

    def _actor(self, claims: Mapping[str, Any]) -> str:
        claim = self.provider.claim
        value = claims.get(claim)
        if not isinstance(value, str) or not value.strip():
            raise _unaccepted(f"it has no {claim}")
        if claim == "email" and claims.get("email_verified") is not True:
            raise _unaccepted("its email is not verified")
        return value

    # keys and addresses

    def _key(self, guest: GuestProtocol) -> Key:
        """Return the key that a token names; one that is new is looked for, though not again and again."""
        header = guest.headers()
        found = self._chosen(header, self._known(FRESH_S)) or self._chosen(header, self._known(AGAIN_S))
        if found is None:
            raise ValueError(f"the issuer has no key {header.get('kid')!r} for {header.get('alg')}")
        return found

    def _chosen(self, header: Mapping[str, Any], keys: KeySet) -> Key | None:
        kid, kind = header.get("kid"), KEY_TYPES.get(str(header.get("alg")))
        fit = [k for k in keys if k.key_type == kind and k.get("use", "sig") == "sig" and kid in (None, k.kid)]
        return fit[0] if len(fit) == 1 or (fit and kid is not None) else None

    def _known(self, age_s: float) -> KeySet:
        """Return keys that were looked up within *age_s* seconds, or, if the provider is away, those there were."""
        with self._lock:
            if self._keys is not None and self._ticks() - self._looked < age_s:
                return self._keys
            self._looked = self._ticks()
            try:
                self._keys = KeySet.import_key_set(_json(self._ask("GET", self._address("jwks_uri"))))  # type: ignore[arg-type]  # checked there
            except (Unavailable, JoseError, KeyError) as error:
                if self._keys is None:
                    raise Unavailable(f"the keys of {self.provider.issuer} cannot be had: {error}") from None
            return self._keys

    def _address(self, name: str) -> str:
        if self._addresses is None:
            where = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _json(self._ask("GET", where))
            if found.get("issuer") != self.provider.issuer:
                raise Unavailable(f"{where} speaks for {found.get('issuer')}, not for {self.provider.issuer}")
            self._addresses = found
        if name not in self._addresses:
            raise Unavailable(f"{self.provider.issuer} names no {name}")
        return str(self._addresses[name])

    def _ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        near = urlsplit(url).hostname in LOOPBACK
        try:
            return httpx.request(method, url, timeout=PATIENCE_S, trust_env=not near, **more)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.provider.issuer} cannot be reached: {type(error).__name__}") from None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unavailable(f"{answer.url} answered {answer.status_code} and no JSON object")
    return value


def _unaccepted(reason: str) -> Turned:
    headers = {"WWW-Authenticate": 'Bearer realm="gemel", error="invalid_token"'}
    return Turned(401, "login", f"this token is not accepted: {reason}", headers)
