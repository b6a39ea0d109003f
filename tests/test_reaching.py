"""Being reached away from the page: asked for by oneself, confirmed by a code, sent at least once, and nothing by default."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_string
from pathlib import Path

import pytest
from post import Post
from serving import HOME, TestClient, bearer, secret_of
from typer.testing import CliRunner

from gemel.bank import Bank, Twin, reaching
from gemel.bank.team import leave
from gemel.bank.tokens import Tokens
from gemel.cli.main import app as gemel_app
from gemel.errors import BadInput, GemelError, NotFound, Refused, Unavailable
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.loop import Loop
from gemel.loop.pushing import Pusher, carriers
from gemel.packs.diabetes import Person
from gemel.server.app import Access, create_app
from gemel.streams.push import Carriers, Mail
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

SMALL = replace(Person, members=8)
NOW: Time = 20_605 * 24 * HOUR + 10 * HOUR
TOPIC = "lily-7Qd2xW"


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.server.shutdown()
    made.server.server_close()


@dataclass
class Ticks:
    """Seconds that pass when told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Family:
    """Lily's twin with her mother's keys, a nurse in school hours, and what carries notices."""

    carriers: Carriers
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    ticks: Ticks = field(default_factory=Ticks)

    def __post_init__(self) -> None:
        self.bank = Bank(MemoryThread(), self.clock, {SMALL.name: SMALL})
        self.lily = self.bank.create(SMALL, "lily", by="sarah")
        self.lily.grant(to="nora", purpose="care", read="alerts", hours="08:00-15:00 UTC")
        self.lily.alert_to("sarah", purpose="self-management", quiet="21:00-07:00 UTC", again="10 min")
        self.lily.alert_to("nora", severity="urgent", hours="08:00-15:00 UTC")
        self.pusher = Pusher(self.bank, self.carriers, self.ticks)
        self.loop = Loop(self.bank, [], pusher=self.pusher)

    def seen(self, actor: str) -> Twin:
        return self.bank.find("lily", by=actor, purpose="care" if actor == "nora" else "self-management")

    def reach(self, actor: str, kind: str, address: str, words: bool = False) -> reaching.Way:
        sink = self.carriers.sink(kind, address)
        way = reaching.ask(self.seen(actor), kind, address, words, "c0de", sink.say)
        return reaching.confirm(self.seen(actor), way.id, "c0de")

    def alert(self, severity: str = "urgent", active: bool = True) -> Fact:
        body = {"name": "low", "severity": severity, "text": "glucose is 58 mg/dL", "active": active}
        fact = self.bank.append([Draft("lily", "alert/1", body, self.clock(), "loop:alarms")]).facts[0]
        self.turn()
        return fact

    def turn(self, minutes: float = 0) -> int:
        self.clock.now += round(minutes * MINUTE)
        self.ticks.now += 60 * minutes
        self.loop.attend("lily", [])
        return asyncio.run(self.pusher.flush("lily"))

    def pushed(self) -> list[str]:
        return [str(fact.body["outcome"]) for fact in self.bank.thread.read("lily", kinds=[reaching.PUSHED])]


@pytest.fixture
def family(post: Post) -> Family:
    return Family(Carriers((post.host,)))


def texts(post: Post) -> list[str]:
    """Return what came, the code left out."""
    return [str(body.get("message", body.get("text"))) for _, body in post.taken[1:]]


def test_nobody_is_reached_who_did_not_ask_or_has_not_said_the_code(family: Family, post: Post) -> None:
    family.alert()
    sink = family.carriers.sink("ntfy", f"http://{post.host}/{TOPIC}")
    way = reaching.ask(family.seen("sarah"), "ntfy", f"http://{post.host}/{TOPIC}", False, "c0de", sink.say)
    assert family.turn(11) == 0 and len(post.taken) == 1 and "c0de" in post.taken[0][1]["message"]
    with pytest.raises(BadInput, match="not the code"):
        reaching.confirm(family.seen("sarah"), way.id, "c1de")
    with pytest.raises(NotFound):
        reaching.confirm(family.seen("nora"), way.id, "c0de")
    family.clock.now += 1
    reaching.confirm(family.seen("sarah"), way.id, "c0de")
    assert family.turn(11) == 1  # told again ten minutes later; what was told before she asked is not sent


def test_a_code_ends_after_an_hour(family: Family, post: Post) -> None:
    way = reaching.ask(family.seen("sarah"), "webhook", f"http://{post.host}/x", False, "c0de", lambda *_: None)
    family.clock.now += HOUR + 1
    with pytest.raises(Refused, match="ended"):
        reaching.confirm(family.seen("sarah"), way.id, "c0de")


def test_ntfy_gets_topic_title_and_priority_and_a_webhook_an_id_that_repeats_share(family: Family, post: Post) -> None:
    family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")
    family.reach("nora", "webhook", f"http://{post.host}/hook/abc", words=True)
    family.alert()
    (path, ntfy), (hook, told) = sorted(post.taken[2:])
    assert (path, ntfy["topic"], ntfy["priority"]) == ("/", TOPIC, 5)
    assert (hook, told["title"], told["text"]) == ("/hook/abc", "lily: urgent", "glucose is 58 mg/dL")
    assert re.fullmatch(r"\d+/[0-9a-f]{12}", told["id"]) and family.pushed() == ["delivered"] * 2


def test_unless_one_asks_for_words_nothing_of_the_twin_leaves(family: Family, post: Post) -> None:
    family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")
    family.alert()
    family.alert(active=False)
    assert texts(post) == ["An urgent alert waits for you: open Gemel.", "An urgent alert is over."]
    assert "glucose" not in json.dumps(post.taken) and "58" not in json.dumps(post.taken)


def test_what_did_not_arrive_is_tried_again_and_then_on_record_as_delivered_once(family: Family, post: Post) -> None:
    family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")
    post.fails = 2
    family.alert()
    assert family.turn() == 0  # not before its time
    assert family.turn(0.1) == 0 and family.turn(0.1) == 1 and family.turn(1) == 0
    assert family.pushed() == ["delivered"] and len(texts(post)) == 1


def test_what_never_arrives_is_given_up_and_says_why_without_the_address(
    family: Family, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    family.reach("nora", "webhook", f"http://{post.host}/hook/{TOPIC}")
    post.fails = 10_000
    family.alert()
    for _ in range(32):
        family.turn(1)
    last = list(family.bank.thread.read("lily", kinds=[reaching.PUSHED]))[-1]
    assert last.body["outcome"] == "failed" and f"webhook at {post.host} answered 503" in last.body["reason"]
    assert TOPIC not in last.body["reason"] + caplog.text


def test_quiet_hours_hold_for_what_is_sent_late_too(family: Family, post: Post) -> None:
    family.clock.now = NOW + 10 * HOUR + 55 * MINUTE
    family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")
    post.fails = 1
    family.alert("warning")
    assert [family.turn(6), family.turn(10)] == [0, 0] and texts(post) == []


def test_what_somebody_takes_care_of_is_not_sent_any_more(family: Family, post: Post) -> None:
    family.reach("nora", "ntfy", f"http://{post.host}/{TOPIC}")
    post.fails = 1
    family.seen("sarah").acknowledge(family.alert().seq)
    assert family.turn(1) == 0 and texts(post) == []


def test_whose_consent_has_ended_is_not_reached_and_who_leaves_has_no_way_any_more(family: Family, post: Post) -> None:
    family.reach("nora", "ntfy", f"http://{post.host}/{TOPIC}")
    for grant in family.bank.grants("lily"):
        family.lily.revoke(grant.id)
    family.alert()
    assert texts(post) == []
    leave(family.lily, "nora")
    assert reaching.reached(family.lily).ways == ()


def test_a_machine_on_which_nothing_is_named_reaches_nobody_anywhere() -> None:
    assert carriers({}).ways == ()
    with pytest.raises(NotFound, match="possible: none"):
        carriers({}).sink("ntfy", "https://ntfy.sh/x")
    named = carriers({"GEMEL_PUSH_HOSTS": "ntfy.example.org", "GEMEL_MAIL_URL": "smtp://u:hush@mail.example.org",
                      "GEMEL_MAIL_FROM": "gemel@example.org"})  # fmt: skip
    assert named.ways == ("ntfy", "webhook", "email") and "hush" not in repr(named)


@pytest.mark.parametrize("address", [
    "https://169.254.169.254/latest", "http://ntfy.example.org/x", "https://u:p@ntfy.example.org/x", "file:///etc/passwd",
    "https://ntfy.example.org:8443/x", "https://ntfy.example.org@evil.example/x", "https:///x", "x" * 400,
])  # fmt: skip
def test_no_address_but_those_that_were_named_is_ever_asked(address: str) -> None:
    for way in ("ntfy", "webhook"):
        with pytest.raises(BadInput):
            Carriers(("ntfy.example.org",)).sink(way, address)


@pytest.mark.parametrize("address", ["nobody", "a@b\nBcc: c@d", "A <a@b.c>", "a@b.c, d@e.f", "@b.c", ""])
def test_a_letter_goes_to_one_address_and_to_no_other(address: str) -> None:
    with pytest.raises(BadInput, match="e-mail"):
        Carriers((), Mail("smtp://127.0.0.1", "gemel@example.org")).sink("email", address)


def test_who_asks_again_and_again_is_stopped(family: Family, post: Post) -> None:
    for k in range(reaching.MOST):
        way = reaching.ask(family.seen("sarah"), "webhook", f"http://{post.host}/{k}", False, f"{k}", lambda *_: None)
        reaching.end(family.seen("sarah"), way.id)
    with pytest.raises(Refused, match="within an hour"):
        reaching.ask(family.seen("sarah"), "webhook", f"http://{post.host}/9", False, "9", lambda *_: None)


def test_a_way_whose_code_cannot_be_sent_is_not_kept(family: Family, post: Post) -> None:
    post.fails = 1
    with pytest.raises(Unavailable, match="503"):
        family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")
    assert reaching.own(family.seen("sarah")) == []


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server on this machine: as much SMTP as a client needs to hand over a letter."""

    allow_reuse_address = True

    def __init__(self) -> None:
        self.letters: list[str] = []
        super().__init__(("127.0.0.1", 0), self.Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().upper():
                if line.startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.letters.append(letter.decode())  # type: ignore[attr-defined]
                self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")
                if line.startswith(b"QUIT"):
                    return


def test_a_letter_says_that_there_is_something_and_bears_the_same_id_when_it_comes_twice() -> None:
    with Mailbox() as box:
        mail = Mail(f"smtp://127.0.0.1:{box.server_address[1]}", "gemel@example.org")
        family = Family(Carriers((), mail))
        way = family.reach("sarah", "email", "sarah@example.org")
        family.alert()
        letter = message_from_string(box.letters[-1])
        assert (letter["To"], letter["Subject"]) == ("sarah@example.org", "Gemel")
        assert "An urgent alert waits for you" in str(letter.get_payload())
        family.carriers.sink("email", way.address).say(reaching.greeting("x"), "7/abc")
        assert message_from_string(box.letters[-1])["Message-ID"] == "<7.abc@gemel.example.org>"
        box.shutdown()


def test_the_loop_sends_what_is_told_while_it_runs(family: Family, post: Post) -> None:
    family.reach("sarah", "ntfy", f"http://{post.host}/{TOPIC}")

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(family.loop.run(stop, every_s=0.05))
        body = {"name": "low", "severity": "urgent", "text": "low", "active": True}
        await asyncio.to_thread(family.bank.append, [Draft("lily", "alert/1", body, family.clock(), "loop:alarms")])
        async with asyncio.timeout(30):
            while len(post.taken) < 2:
                await asyncio.to_thread(family.loop.attend, "lily", [])
        stop.set()
        await running

    asyncio.run(run())
    assert texts(post) == ["An urgent alert waits for you: open Gemel."]


def test_over_http_one_asks_confirms_and_ends_and_sees_ones_own_alone(family: Family, post: Post) -> None:
    for actor, purpose in {"sarah": "self-management", "nora": "care"}.items():
        Tokens(family.bank).create(secret_of(actor), actor, [purpose], by="sarah")
    app = create_app(family.bank, family.loop, Access(ticks=lambda: 0.0))
    sarah, nora = bearer("sarah"), bearer("nora")
    at = "/api/twins/lily/reach"
    with TestClient(app, base_url=HOME, raise_server_exceptions=False) as door:
        assert door.get(at, headers=sarah).json() == {"possible": ["ntfy", "webhook"], "hosts": [post.host], "ways": []}
        asked = {"kind": "ntfy", "address": f"http://{post.host}/{TOPIC}", "words": False}
        way = door.post(at, headers=sarah, json=asked)
        assert way.status_code == 201 and not way.json()["confirmed"] and TOPIC not in way.text
        code = re.search(r"code is (\w+)\.", post.taken[0][1]["message"])
        assert code is not None and len(code[1]) >= 8
        place = f"{at}/{way.json()['id']}"
        assert door.post(f"{place}/confirmation", headers=nora, json={"code": code[1]}).status_code == 404
        assert door.post(f"{place}/confirmation", headers=sarah, json={"code": "0"}).status_code == 422
        assert door.post(f"{place}/confirmation", headers=sarah, json={"code": code[1]}).json()["confirmed"]
        assert door.get(at, headers=nora).json()["ways"] == []
        assert door.delete(place, headers=nora).status_code == 404
        assert door.delete(place, headers=sarah).status_code == 204
        assert door.get(at, headers=sarah).json()["ways"] == []
        elsewhere = {**asked, "address": "https://169.254.169.254/x"}
        assert door.post(at, headers=sarah, json=elsewhere).status_code == 422


def test_on_the_command_line_too(tmp_path: Path, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    store = str(tmp_path / "store")
    with Bank.open(store, types={SMALL.name: SMALL}) as bank:
        bank.create(Person, "lily", by="sarah")

    def gemel(*words: str) -> str:
        done = CliRunner().invoke(gemel_app, [*words, "--store", store, "--as", "sarah"], catch_exceptions=True)
        if isinstance(done.exception, GemelError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    with pytest.raises(NotFound, match="possible: none"):
        gemel("reach", "lily", "--by", "ntfy", "--to", f"http://{post.host}/{TOPIC}")
    monkeypatch.setenv("GEMEL_PUSH_HOSTS", post.host)
    way = json.loads(gemel("reach", "lily", "--by", "ntfy", "--to", f"http://{post.host}/{TOPIC}", "--json"))["way"]
    assert "waits for its code" in gemel("reach", "lily")
    code = re.search(r"code is (\w+)\.", post.taken[0][1]["message"])
    assert code is not None
    gemel("reach-confirm", "lily", way["id"], code[1])
    assert f"{way['id']}  ntfy" in gemel("reach", "lily") and TOPIC not in gemel("reach", "lily")
    gemel("reach-end", "lily", way["id"])
    assert "the page alone" in gemel("reach", "lily")
