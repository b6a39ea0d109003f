"""Login: a cookie for a token, for the link that the program printed, or for the provider's word; and its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from gemel.bank.tokens import SCOPES
from gemel.consent import VERBS
from gemel.errors import GemelError, NotFound
from gemel.server import schema as s
from gemel.server.asker import Asker, Entry, nobody
from gemel.server.sessions import LASTS, Session, Ticket

Said = Annotated[str, Query(max_length=4096)]
CALLBACK = "/login/callback"
routes = APIRouter()


class Porter:
    """How people log in: the link's holder, and where the provider sends people back to."""

    def __init__(
        self, entry: Entry, holder: tuple[str, str] | None, url: str | None, used: Callable[[str], object]
    ) -> None:
        self.entry, self.holder, self.url, self.used = entry, holder, url, used
        self.ticket = Ticket()

    @property
    def secure(self) -> bool:
        """Return whether cookies travel over TLS alone."""
        return bool(self.url and self.url.startswith("https:"))

    def give(self, answer: Response, cookie: str, value: str, seconds: int) -> None:
        """Put a cookie onto *answer* that no script reads and no other site's form sends."""
        answer.set_cookie(cookie, value, seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def welcome(self, answer: Response, session: Session) -> None:
        """Put the cookie of *session* onto *answer*."""
        self.give(answer, self.entry.cookie, self.entry.sessions.cookie(session), LASTS // 1000)


def porter_of(asked: Request) -> Porter:
    """Return the porter of the app that was asked."""
    porter: Porter = asked.app.state.porter
    return porter


@routes.get("/api/login")
def doors(asked: Request) -> s.Doors:
    """How one may log in here."""
    porter = porter_of(asked)
    provider = None if porter.entry.issuer is None else "login/provider"
    return s.Doors(link=porter.holder is not None, provider=provider)


@routes.post("/api/login", status_code=204)
def by_token(body: s.Login, asked: Request, answer: Response) -> None:
    """Exchange a token for a cookie."""
    porter = porter_of(asked)
    asker = porter.entry.bearer(body.token.strip())
    porter.welcome(answer, _begin(porter, asker, "token"))


@routes.post("/api/logout", status_code=204)
def logout(asked: Request, answer: Response) -> None:
    """End the login: its cookie opens nothing any more, wherever it was copied to."""
    porter, asker = porter_of(asked), asked.state.asker
    if asker.session is not None:
        porter.entry.sessions.end(asker.session)
    answer.delete_cookie(porter.entry.cookie, path="/", secure=porter.secure, httponly=True, samesite="lax")


@routes.get("/login", include_in_schema=False)
def by_link(asked: Request, token: Said) -> Response:
    """Log in the one who reads the terminal: the link works once."""
    porter = porter_of(asked)
    if porter.holder is None or not porter.ticket.redeem(token):
        return _home("#login=used")
    actor, purpose = porter.holder
    answer = _home()
    porter.welcome(answer, porter.entry.sessions.begin(actor, (purpose,), SCOPES, "link"))
    porter.used(porter.ticket.now)
    return answer


@routes.get("/login/provider", include_in_schema=False)
def to_provider(asked: Request) -> Response:
    """Send the browser to the provider; what must come back is in a cookie of ten minutes."""
    porter = porter_of(asked)
    if porter.entry.issuer is None:
        raise NotFound("no provider is configured: gemel serve --oidc-issuer URL --oidc-client ID")
    journey = porter.entry.issuer.depart(_callback(asked))
    answer = RedirectResponse(journey.url, 303)
    porter.give(answer, f"{porter.entry.cookie}-journey", porter.entry.sessions.seal(asdict(journey)), 600)
    return answer


@routes.get(CALLBACK, include_in_schema=False)
def from_provider(asked: Request, state: Said = "", code: Said = "") -> Response:
    """Log in the one the provider sent back, if this browser set out for it."""
    porter, desk = porter_of(asked), asked.app.state.desk
    name = f"{porter.entry.cookie}-journey"
    journey = porter.entry.sessions.unseal(asked.cookies.get(name, ""))
    issuer = porter.entry.issuer
    if issuer is None or journey is None or not state or journey.get("state") != state or not code:
        return _home("#" + urlencode({"login": "failed"}))
    try:
        actor = issuer.arrive(code, journey, _callback(asked))
        asker = porter.entry.of_provider(actor, desk.bank.now() + LASTS)
        answer = _home()
        porter.welcome(answer, _begin(porter, asker, "provider"))
    except GemelError as error:
        answer = _home("#" + urlencode({"login": "failed", "why": str(error)[:300]}))
    answer.delete_cookie(name, path="/")
    return answer


def _begin(porter: Porter, asker: Asker, how: str) -> Session:
    scopes = tuple(scope for scope in asker.scopes if scope in VERBS)
    if not scopes:
        raise nobody("this token is for a program, not for the page")
    return porter.entry.sessions.begin(asker.actor, asker.purposes, scopes, how, asker.until, asker.token)


def _callback(asked: Request) -> str:
    porter = porter_of(asked)
    home = porter.url or str(asked.base_url)
    return home.rstrip("/") + CALLBACK


def _home(fragment: str = "") -> RedirectResponse:
    return RedirectResponse(f"/{fragment}", 303)
