"""Pushing: a few words to somebody's phone or mailbox, by an ntfy server, a webhook or e-mail; each way is a `Sink`.

Whoever runs the machine names the hosts that may be reached and the mail server: without that, nothing is sent anywhere. No name
and no error bears an address, for a topic or a path is as good as a secret.

Shapes: publishing as JSON, priorities and tags as in ntfy's manual (docs.ntfy.sh/publish); e-mail as in RFC 5322.
"""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from gemel.errors import BadInput, Unavailable, unknown
from gemel.streams.contract import Sink

NTFY, WEBHOOK, EMAIL = "ntfy", "webhook", "email"
WAYS = (NTFY, WEBHOOK, EMAIL)

NEAR = ("localhost", "127.0.0.1", "::1")
PATIENCE_S = 10.0
LONGEST = 300
"""Characters of an address."""

PRIORITY = {"urgent": 5, "warning": 4, "info": 3}
"""How loud ntfy is: 3 is usual, 5 makes itself heard."""
QUIETLY = 2


@dataclass(frozen=True)
class Mail:
    """A mail server, `smtps://user:password@host:port` or `smtp://…` (STARTTLS, unless on this machine), and who writes."""

    url: str = field(repr=False)
    sender: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise BadInput("no address of a mail server; write smtps://user:password@host", field="GEMEL_MAIL_URL")
        if not _mailbox(self.sender):
            raise BadInput("say from which e-mail address notices come", field="GEMEL_MAIL_FROM")

    def send(self, letter: EmailMessage) -> None:
        """Hand a letter to the server."""
        parts = urlsplit(self.url)
        secure, host = ssl.create_default_context(), str(parts.hostname)
        with self._connected(secure) as server:
            if parts.scheme == "smtp" and host not in NEAR:
                server.starttls(context=secure)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(letter)

    def _connected(self, secure: ssl.SSLContext) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        if parts.scheme == "smtps":
            return smtplib.SMTP_SSL(str(parts.hostname), parts.port or 465, timeout=PATIENCE_S, context=secure)
        return smtplib.SMTP(str(parts.hostname), parts.port or 587, timeout=PATIENCE_S)


@dataclass(frozen=True)
class Carriers:
    """What this machine may carry notices by: `hosts` for ntfy and webhooks, and a mail server; by default nothing."""

    hosts: tuple[str, ...] = ()
    mail: Mail | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """Return how somebody can be reached from here."""
        return (*((NTFY, WEBHOOK) if self.hosts else ()), *((EMAIL,) if self.mail else ()))

    def sink(self, way: str, address: str) -> Pushed:
        """Return what reaches an address; raise `BadInput` for one that is none, or that this machine may not reach."""
        if way not in self.ways:
            raise unknown("way of reaching somebody here", way, self.ways)
        if way == EMAIL:
            return _Letter(_addressee(address), self.mail)
        self._allowed(address)
        return _Ntfy(address) if way == NTFY else _Webhook(address)

    def _allowed(self, address: str) -> None:
        parts = urlsplit(address)
        if len(address) > LONGEST or parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("no address; write https://HOST/PATH", field="address")
        if parts.username or parts.password:
            raise BadInput("an address bears no user and no password", field="address")
        if parts.scheme == "http" and parts.hostname not in NEAR:
            raise BadInput("over http anybody on the way could read it: write https://", field="address")
        if parts.netloc.lower() not in self.hosts:
            raise BadInput(
                f"{parts.netloc} is not among the hosts that this machine may reach: {', '.join(self.hosts)}",
                field="address",
            )


class Pushed(Sink):
    """A sink that can also be used where nothing is asynchronous; it raises `Unavailable` without a secret in it."""

    @abstractmethod
    def say(self, message: Mapping[str, Any], key: str) -> None:
        """Send a message: `title`, `text`, `severity` and whether it is `over`."""

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Send a message, on a thread of its own."""
        await asyncio.to_thread(self.say, message, key)


@dataclass(frozen=True)
class _Webhook(Pushed):
    """Takes JSON at an address; a repeat bears the same `id`, and the same `Idempotency-Key`."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Return the host."""
        return f"webhook at {urlsplit(self.url).netloc}"

    def say(self, message: Mapping[str, Any], key: str) -> None:
        """Post the message."""
        _post(self.name, self.url, {**message, "id": key}, {"Idempotency-Key": key})


@dataclass(frozen=True)
class _Ntfy(Pushed):
    """A topic of an ntfy server, `https://host/topic`; the topic goes in the body, so that no log of addresses has it."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not urlsplit(self.url).path.rstrip("/").rpartition("/")[2]:
            raise BadInput("no topic; write https://HOST/TOPIC", field="address")

    @property
    def name(self) -> str:
        """Return the host."""
        return f"ntfy at {urlsplit(self.url).netloc}"

    def say(self, message: Mapping[str, Any], key: str) -> None:
        """Publish the message."""
        root, _, topic = self.url.rstrip("/").rpartition("/")
        loud = QUIETLY if message["over"] else PRIORITY[str(message["severity"])]
        body = {"topic": topic, "title": message["title"], "message": message["text"], "priority": loud}
        _post(self.name, f"{root}/", body, {"Idempotency-Key": key})


def _post(name: str, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Post JSON; httpx would log the address, and follows no redirect to another host."""
    import httpx  # loaded when something is posted: who is reached by no phone need not wait for it

    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with httpx.Client(timeout=PATIENCE_S, follow_redirects=False) as client:
            answer = client.post(url, json=dict(body), headers=dict(headers))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise Unavailable(f"{name} cannot be reached") from None
    if not answer.is_success:
        raise Unavailable(f"{name} answered {answer.status_code}")


@dataclass(frozen=True)
class _Letter(Pushed):
    """An e-mail; a repeat bears the same Message-ID."""

    to: str = field(repr=False)
    mail: Mail | None = field(repr=False)

    @property
    def name(self) -> str:
        """Return that it is e-mail."""
        return "e-mail"

    def say(self, message: Mapping[str, Any], key: str) -> None:
        """Write the letter."""
        assert self.mail is not None
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = self.mail.sender, self.to, str(message["title"])
        letter["Message-ID"] = f"<{key.replace('/', '.')}@gemel.{_mailbox(self.mail.sender).partition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(f"{message['text']}\n")
        try:
            self.mail.send(letter)
        except (smtplib.SMTPException, OSError, ValueError):
            raise Unavailable("the mail server did not take the letter") from None


def _mailbox(text: str) -> str:
    """Return the bare address of somebody, empty where there is none."""
    found = parseaddr(text)[1]
    local, at, host = found.partition("@")
    return found if local and at and "." in f"{host}." and not set(found) & set(" \r\n,;<>") else ""


def _addressee(text: str) -> str:
    if not text or len(text) > LONGEST or _mailbox(text) != text:
        raise BadInput("no e-mail address; write name@host", field="address")
    return text
