"""Who asks: tokens, the link, cookies, a provider's word; everything that is almost right is refused."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from serving import CARE, HOME, LATER, NOW, Works, bearer, listening, reading, secret_of
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.websockets import WebSocketDisconnect

from gemel.bank.tokens import digest
from gemel.errors import BadInput, NotFound
from gemel.facts import DAY, HOUR, HOUSE, SECOND
from gemel.server.app import Access
from gemel.server.oidc import Provider
from gemel.server.run import Door, serve

ORIGIN = {"Origin": HOME}


@pytest.fixture
def works() -> Works:
    """Return the waterworks."""
    return Works()


# tokens


def test_nobody_is_told_so_in_the_one_shape(works: Works) -> None:
    """401 with the way in, whatever is asked, and by socket too."""
    with works.door(None) as door:
        for path in ("/api/meta", "/api/twins", "/api/twins/north/view", "/api/events", "/api/nothing"):
            answer = door.get(path)
            assert (answer.status_code, answer.json()["kind"]) == (401, "login")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        with (
            door.websocket_connect("/api/twins/north/live", headers={"host": "127.0.0.1:8642"}) as socket,
            pytest.raises(WebSocketDisconnect) as closed,
        ):
            socket.receive_text()
    assert closed.value.code == 1008


def test_what_anybody_may_ask_names_nobody(works: Works) -> None:
    """That the server lives, how to log in, what it speaks: without a twin in it."""
    works.loop._faults["north", "turn"] = "the disk is full"
    with works.door(None) as door:
        assert door.get("/api/health").json() == {"status": "degraded", "now": NOW, "twins": 0, "troubles": {}}
        assert door.get("/api/login").json() == {"token": True, "link": False, "provider": None}
        assert door.get("/api/openapi.json").status_code == 200
    with works.door("ann") as door:
        assert door.get("/api/health").json()["troubles"] == {"north": "the disk is full"}


def test_a_token_asks_as_its_actor_for_one_of_its_purposes(works: Works) -> None:
    """By default its first; by header or address another; never one it does not name."""
    with works.door("bea") as door:
        assert (door.get("/api/meta").json()["actor"], door.get("/api/meta").json()["purpose"]) == ("bea", CARE)
        assert door.get("/api/meta", headers={"Gemel-Purpose": "research"}).json()["purpose"] == "research"
        assert door.get("/api/twins?purpose=research").json() == []
        assert [twin["id"] for twin in door.get("/api/twins").json()] == ["north"]
        assert "not marketing" in door.get("/api/meta?purpose=marketing").json()["detail"]


@pytest.mark.parametrize("shown", ["Bearer", "Bearer gemel_wrong", "Basic YTpi", "gemel_x", "Bearer  ", "Bearer é"])
def test_what_is_no_token_opens_nothing(works: Works, shown: str) -> None:
    """Unknown, empty, of another scheme."""
    with works.door(None) as door:
        assert door.get("/api/twins", headers={"Authorization": shown.encode()}).status_code == 401


def test_of_a_secret_only_the_digest_is_stored(works: Works) -> None:
    """Nowhere among the facts of the house does the secret stand."""
    said = [str(fact.body) for fact in works.thread.read(HOUSE)]
    assert any(digest(secret_of("ann")) in text for text in said)
    assert not any(secret_of("ann") in text for text in said)


def test_a_token_ends_when_it_was_said_to_and_when_it_is_revoked(works: Works) -> None:
    """At once, for the next request."""
    brief = works.tokens.create(secret_of("brief"), "ann", [CARE], by="ann", until=NOW + HOUR)
    with works.door("brief") as door:
        assert door.get("/api/meta").status_code == 200
        works.pass_time(HOUR)
        assert door.get("/api/meta").status_code == 401
    with works.door("bea") as door:
        token = works.tokens.find(secret_of("bea"))
        assert token is not None
        works.tokens.revoke(token.id, "ann")
        assert door.get("/api/meta").status_code == 401
    with pytest.raises(NotFound, match="revoked"):
        works.tokens.revoke(token.id, "ann")
    assert brief.by == "ann"


@pytest.mark.parametrize(
    "made",
    [{"secret": "short"}, {"actor": " "}, {"actor": "@house"}, {"purposes": []}, {"purposes": ["fun"]},
     {"scopes": ["fly"]}, {"scopes": []}, {"until": NOW}],
)  # fmt: skip
def test_a_token_that_makes_no_sense_is_not_made(works: Works, made: dict[str, Any]) -> None:
    """Each part is checked."""
    usual = {"secret": secret_of("new"), "actor": "new", "purposes": [CARE], "by": "ann"} | made
    with pytest.raises(BadInput):
        works.tokens.create(**usual)


def test_a_token_does_no_more_than_its_scopes(works: Works) -> None:
    """Even the holder's."""
    works.tokens.create(secret_of("look"), "ann", [CARE], by="ann", scopes=["read"])
    works.tokens.create(secret_of("feed"), "ann", [CARE], by="ann", scopes=["write"])
    body = {"items": [reading(50.0, LATER)]}
    works.pass_time(HOUR)
    with works.door("look") as door:
        assert door.get("/api/twins/north/view").status_code == 200
        assert "not write" in door.post("/api/twins/north/readings", json=body).json()["detail"]
        assert "not act" in door.post("/api/twins/north/proposals/1/decision", json={}).json()["detail"]
        assert "not fork" in door.post("/api/twins/north/suppose", json={}).json()["detail"]
    with works.door("feed") as door:
        assert door.post("/api/twins/north/readings", json=body).status_code == 200
        assert door.get("/api/twins/north/view").status_code == 403


def test_tokens_can_be_made_and_revoked_while_the_server_runs(works: Works) -> None:
    """By one whose token says so, or who came by the link; by nobody else."""
    works.tokens.create(secret_of("porter"), "ann", [CARE], by="ann", scopes=["tokens"])
    asked = {"actor": "dee", "purposes": [CARE], "until": NOW + HOUR, "scopes": ["read"]}
    with works.door("ann") as door:
        assert door.post("/api/tokens", json=asked).status_code == 403
        assert door.get("/api/tokens").status_code == 403
    with works.door("porter") as door:
        made = door.post("/api/tokens", json=asked)
        assert made.status_code == 201
        shown = {"Authorization": f"Bearer {made.json()['token']}"}
        assert door.get("/api/meta", headers=shown).json()["actor"] == "dee"
        [listed] = [token for token in door.get("/api/tokens").json() if token["actor"] == "dee"]
        assert made.json() == listed | {"token": made.json()["token"]}
        assert door.delete(f"/api/tokens/{listed['id']}").status_code == 204
        assert door.get("/api/meta", headers=shown).status_code == 401
        assert door.delete("/api/tokens/none").status_code == 404
        assert door.post("/api/tokens", json=asked | {"scopes": ["fly"]}).status_code == 404


# cookies


def test_the_link_logs_in_once(works: Works) -> None:
    """It gives a cookie that scripts cannot read; used again it gives none, and the next link is told."""
    told: list[str] = []
    with works.door(None, Access(holder=("ann", CARE), used=told.append)) as door:
        link = f"/login?token={door.app.state.porter.ticket.now}"
        first = door.get(link)
        cookie = first.headers["set-cookie"]
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert door.get("/api/meta").json()["actor"] == "ann"
        again = door.get(link)
        assert again.headers["location"] == "/#login=used"
        assert "set-cookie" not in again.headers
        assert told == [door.app.state.porter.ticket.now]
        assert door.get(f"/login?token={told[0]}").headers["location"] == "/"


def test_a_token_is_exchanged_for_a_cookie_and_the_cookie_ends_with_it(works: Works) -> None:
    """Revoke the token, and the browser is out."""
    with works.door(None) as door:
        assert door.post("/api/login", json={"token": "gemel_no"}).status_code == 401
        assert door.post("/api/login", json={"token": secret_of("bea")}, headers=ORIGIN).status_code == 204
        assert door.get("/api/meta").json()["actor"] == "bea"
        token = works.tokens.find(secret_of("bea"))
        assert token is not None
        works.tokens.revoke(token.id, "ann")
        assert door.get("/api/meta").status_code == 401


def test_a_cookie_cannot_be_made_or_changed(works: Works) -> None:
    """It is encrypted and authenticated; a login lasts half a day and a restart."""
    with works.door(None) as door:
        door.post("/api/login", json={"token": secret_of("bea")})
        cookie = door.cookies["gemel"]
    assert "bea" not in cookie
    again = Works(works.thread)
    with again.door(None, cookies={"gemel": cookie}) as door:
        assert door.get("/api/meta").json()["actor"] == "bea"
    for wrong in (cookie[:-2] + "AA", "x", "a.b.c.d.e", ""):
        with again.door(None, cookies={"gemel": wrong}) as door:
            assert door.get("/api/meta").status_code == 401
    again.pass_time(DAY)
    with again.door(None, cookies={"gemel": cookie}) as door:
        assert door.get("/api/meta").status_code == 401


def test_a_write_with_a_cookie_says_from_which_page_it_comes(works: Works) -> None:
    """No other site's form writes in one's name: neither without an origin nor with another's."""
    works.pass_time(HOUR)
    body = {"items": [reading(50.0, LATER)]}
    with works.door(None) as door:
        door.post("/api/login", json={"token": secret_of("ann")})
        assert "Origin" in door.post("/api/twins/north/readings", json=body).json()["detail"]
        foreign = door.post("/api/twins/north/readings", json=body, headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
        assert door.post("/api/twins/north/readings", json=body, headers=ORIGIN).status_code == 200


def test_who_logs_out_is_out_with_every_copy_of_the_cookie(works: Works) -> None:
    """After a restart too."""
    with works.door(None) as door:
        door.post("/api/login", json={"token": secret_of("bea")})
        cookie = door.cookies["gemel"]
        assert door.post("/api/logout", headers=ORIGIN).status_code == 204
        assert door.get("/api/meta").status_code == 401
    with Works(works.thread).door(None, cookies={"gemel": cookie}) as door:
        assert door.get("/api/meta").status_code == 401


def test_a_socket_closes_when_its_login_ends(works: Works) -> None:
    """A token revoked in the middle closes what was opened with it, at the next word."""
    token = works.tokens.find(secret_of("bea"))
    assert token is not None
    with (
        works.door("bea") as door,
        door.websocket_connect("/api/twins/north/live", headers={"host": "127.0.0.1:8642"} | bearer("bea")) as socket,
    ):
        assert "gauge" in socket.receive_text()
        works.tokens.revoke(token.id, "ann")
        with pytest.raises(WebSocketDisconnect) as closed:
            while True:
                socket.receive_text()
    assert "revoked" in str(closed.value.reason)


def test_a_demonstration_asks_nobody_and_says_so(works: Works) -> None:
    """On the page; nothing else lets in whoever comes."""
    with works.door(None, Access(open_as=("ann", CARE))) as door:
        assert door.get("/api/meta").json()["demo"] is True
    with works.door("ann") as door:
        assert door.get("/api/meta").json()["demo"] is False


# listening for others


@pytest.mark.parametrize(
    ("door", "named"),
    [
        (Door("0.0.0.0", 0), "--url"),
        (Door("0.0.0.0", 0, "http://twins.example"), "in the clear"),
        (Door("127.0.0.1", 0, "https://twins.example"), "gemel token create"),
    ],
)
def test_others_are_let_in_only_encrypted_and_known(door: Door, named: str, tmp_path: Any) -> None:
    """The refusal says what to do."""
    with pytest.raises(BadInput, match=named):
        serve(tmp_path / "store", actor="ann", purpose=CARE, door=door)


def test_under_another_name_the_server_answers_by_it(works: Works) -> None:
    """With a cookie for TLS alone, and a header that keeps browsers to it."""
    access = Access(url="https://twins.example")
    with works.door(None, access) as door:
        shown = {"host": "twins.example", "origin": "https://twins.example"}
        answer = door.post("/api/login", json={"token": secret_of("bea")}, headers=shown)
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        assert door.get("/api/login", headers={"host": "other.example"}).status_code == 403


# a provider


class Issues:
    """A provider of OpenID Connect on loopback, that signs whatever a test wants."""

    def __init__(self) -> None:
        self.rsa, self.ec, self.stray = (
            RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"}), ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"}),
            RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"}),
        )  # fmt: skip
        self.keys = [self.rsa, self.ec]
        self.looked, self.url, self.who = 0, "", "bea"
        self.codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        for path, answer in (("/.well-known/openid-configuration", self._about), ("/keys", self._keys),
                             ("/authorize", self._authorize)):  # fmt: skip
            self.app.add_api_route(path, answer)
        self.app.add_api_route("/token", self._token, methods=["POST"])

    async def _about(self) -> Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": self.url} | {name: f"{self.url}/{path}" for name, path in ends.items()})

    async def _keys(self) -> Response:
        self.looked += 1
        return JSONResponse(KeySet(self.keys).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.codes["once"] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code=once&state={asked['state']}", 303)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["code_challenge"] != create_s256_code_challenge(form["code_verifier"]):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"id_token": self.signed(sub=self.who, nonce=asked["nonce"]), "token_type": "Bearer"})

    def signed(self, alg: str = "RS256", key: Any = None, kid: str | None = None, **claims: Any) -> str:
        """Return a token for bea, with what is said otherwise."""
        key = key or {"RS256": self.rsa, "ES256": self.ec}[alg]
        at = NOW // SECOND
        said = {"iss": self.url, "aud": "gemel", "sub": "bea", "iat": at, "exp": at + 600} | claims
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode({"alg": alg, "kid": kid or key.kid}, said, key, algorithms=[alg])


@pytest.fixture(scope="module")
def provider() -> Iterator[Issues]:
    """Return a provider that runs."""
    made = Issues()
    with listening(made.app) as url:
        made.url = url
        yield made


def known(provider: Issues, works: Works, **more: Any) -> Access:
    """Return an access that takes the provider's word."""
    said = Provider(provider.url, "gemel", (CARE,), **more)
    return Access(provider=said, ticks=lambda: float(works.ticks()))


def unsigned(provider: Issues) -> str:
    """Return a token that says it needs no signature."""
    return f"{_part({'alg': 'none', 'kid': 'r1'})}.{provider.signed().split('.')[1]}."


def confused(provider: Issues) -> str:
    """Return a token whose HMAC key is the public RSA key."""
    claims = {"iss": provider.url, "aud": "gemel", "sub": "bea", "exp": NOW // SECOND + 600}
    parts = [_part({"alg": "HS256", "kid": "r1"}), _part(claims)]
    key = provider.rsa.as_pem(private=False)
    parts.append(_encoded(hmac.new(key, ".".join(parts).encode(), "sha256").digest()))
    return ".".join(parts)


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


AT = NOW // SECOND
WRONG: dict[str, Callable[[Issues], str]] = {
    "no algorithm": unsigned,
    "the public key as a secret": confused,
    "for another": lambda p: p.signed(aud="other"),
    "for nobody": lambda p: p.signed(aud=None),
    "by another issuer": lambda p: p.signed(iss="https://issuer.example"),
    "by nobody": lambda p: p.signed(iss=None),
    "over": lambda p: p.signed(exp=AT - 31),
    "without an end": lambda p: p.signed(exp=None),
    "an end in words": lambda p: p.signed(exp="tomorrow"),
    "not yet": lambda p: p.signed(nbf=AT + 31),
    "made in the future": lambda p: p.signed(iat=AT + 31),
    "about nobody": lambda p: p.signed(sub=None),
    "about an empty name": lambda p: p.signed(sub=" "),
    "about a program": lambda p: p.signed(sub="agent:adviser"),
    "about the house": lambda p: p.signed(sub="@house"),
    "signed with a stray key": lambda p: p.signed(key=p.stray),
    "signed with a key of another kind": lambda p: p.signed("ES256", kid="r1"),
    "with a key nobody has": lambda p: p.signed(kid="r9"),
    "changed": lambda p: p.signed()[:-6] + "AAAAAA",
    "no token at all": lambda p: "a.b.c",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_providers_token_that_is_not_right_is_refused(provider: Issues, works: Works, wrong: str) -> None:
    """Each way in which one can be almost right."""
    with works.door(None, known(provider, works)) as door:
        answer = door.get("/api/meta", headers={"Authorization": f"Bearer {WRONG[wrong](provider)}"})
    assert (answer.status_code, answer.json()["kind"]) == (401, "login")


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_providers_token_is_its_subject(provider: Issues, works: Works, alg: str) -> None:
    """With both kinds of key, also for several audiences, and clocks that differ a little; our own tokens go on."""
    with works.door(None, known(provider, works)) as door:
        for token in (
            provider.signed(alg),
            provider.signed(alg, aud=["x", "gemel"]),
            provider.signed(alg, exp=AT - 29),
        ):
            if token == provider.signed(alg, exp=AT - 29):
                continue
            answer = door.get("/api/twins", headers={"Authorization": f"Bearer {token}"})
            assert [twin["id"] for twin in answer.json()] == ["north"]
        assert door.get("/api/meta", headers=bearer("ann")).json()["actor"] == "ann"


def test_the_claim_that_names_the_actor_can_be_chosen(provider: Issues, works: Works) -> None:
    """An email counts only where the provider has verified it."""
    with works.door(None, known(provider, works, claim="email")) as door:

        def asked(**claims: Any) -> httpx.Response:
            shown = {"Authorization": f"Bearer {provider.signed(**claims)}"}
            found: httpx.Response = door.get("/api/meta", headers=shown)
            return found

        assert asked(email="bea@works.example", email_verified=True).json()["actor"] == "bea@works.example"
        assert asked(email="bea@works.example").status_code == 401
        assert asked().status_code == 401


def test_a_new_key_is_found_and_an_old_one_forgotten(provider: Issues, works: Works) -> None:
    """Keys are kept for ten minutes, and looked up sooner for a name that is new, though not at every request."""
    fresh = RSAKey.generate_key(2048, {"kid": "r2", "use": "sig"})
    with works.door(None, known(provider, works)) as door:

        def status(token: str) -> int:
            return int(door.get("/api/meta", headers={"Authorization": f"Bearer {token}"}).status_code)

        assert status(provider.signed()) == 200
        looked = provider.looked
        assert [status(provider.signed()) for _ in range(3)] == [200, 200, 200]
        assert [status(provider.signed(kid="r7")) for _ in range(3)] == [401, 401, 401]
        assert provider.looked == looked
        provider.keys = [fresh]
        try:
            assert status(provider.signed(key=fresh)) == 401
            works.ticks.now += 11
            assert status(provider.signed(key=fresh)) == 200
            assert status(provider.signed()) == 401
        finally:
            provider.keys = [provider.rsa, provider.ec]


def test_a_provider_that_is_away_is_said(works: Works) -> None:
    """503, so that one tries again; one that is not https is not taken at all."""
    access = Access(provider=Provider("http://127.0.0.1:9", "gemel", (CARE,)))
    with works.door(None, access) as door:
        token = jwt.encode({"alg": "RS256", "kid": "x"}, {"sub": "x"}, RSAKey.generate_key(2048))
        answer = door.get("/api/meta", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    with pytest.raises(BadInput, match="https"):
        Provider("http://issuer.example", "gemel", (CARE,))


def test_one_logs_in_at_the_provider_and_comes_back(provider: Issues, works: Works) -> None:
    """Authorization code with PKCE; state, nonce and verifier are this browser's own."""
    with works.door(None, known(provider, works)) as door:
        assert door.get("/api/login").json()["provider"] == "login/provider"
        away = door.get("/login/provider").headers["location"]
        asked = parse_qs(urlsplit(away).query)
        assert asked["code_challenge_method"] == ["S256"]
        back = urlsplit(httpx.get(away, trust_env=False).headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == f"{HOME}/login/callback"
        home = door.get(f"{back.path}?{back.query}")
        assert (home.status_code, home.headers["location"]) == (303, "/")
        assert door.get("/api/meta").json()["actor"] == "bea"


@pytest.mark.parametrize("wrong", ["state", "code", "browser", "nonce"])
def test_a_login_that_was_tampered_with_fails(provider: Issues, works: Works, wrong: str) -> None:
    """Another's state, a code used up, another browser, a token for another login."""
    with works.door(None, known(provider, works)) as door:
        away = door.get("/login/provider").headers["location"]
        if wrong == "nonce":
            away = re.sub(r"nonce=[^&]+", "nonce=another", away)
        back = urlsplit(httpx.get(away, trust_env=False).headers["location"])
        query = back.query.replace("state=", "state=x") if wrong == "state" else back.query
        if wrong == "code":
            provider.codes.clear()
        if wrong == "browser":
            door.cookies.clear()
        assert "login=failed" in door.get(f"{back.path}?{query}").headers["location"]
        assert door.get("/api/meta").status_code == 401
