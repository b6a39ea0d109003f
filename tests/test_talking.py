"""What is read back of a conversation: only what a holder wanted kept, and to each their own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from serving import HOME, TestClient, bearer, secret_of

from gemel.bank import Bank, Twin
from gemel.bank.catalogue import roles
from gemel.bank.companion import RECALLED, Ask, Reply, Speaker, State, recalled, talk
from gemel.bank.team import join
from gemel.bank.tokens import Tokens
from gemel.bank.tools import named, offered
from gemel.errors import Refused
from gemel.facts import HOUR, MINUTE, Time
from gemel.loop import Loop
from gemel.packs.diabetes import Person
from gemel.server.app import Access, create_app
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

SMALL = replace(Person, members=8)
NOW: Time = 20_000 * 24 * HOUR + 10 * HOUR


@dataclass
class Parrot:
    """Says what it hears; keeps words where it is told to."""

    keeps: bool = True
    name: str = "Parrot"

    def reply(self, state: State, sentence: str, ask: Ask, now: Time, who: Speaker) -> tuple[State, Reply]:
        return {}, Reply(f"{sentence}!", "echo")

    def wake(self) -> None: ...

    def tidy(self, twin: Twin) -> None: ...

    def keeps_words(self, twin: Twin) -> bool:
        return self.keeps


def family() -> Bank:
    bank = Bank(MemoryThread(), FakeClock(NOW), {SMALL.name: SMALL})
    lily = bank.create(SMALL, "lily", by="sarah")
    join(lily, roles(SMALL.name), "lily", "child")
    lily.grant(to="nora", purpose="care", read="alerts")
    return bank


def seen(bank: Bank, actor: str) -> Twin:
    return bank.find("lily", by=actor, purpose="care" if actor == "nora" else "self-management")


def words(bank: Bank, actor: str, parrot: Parrot) -> list[str] | None:
    found = recalled(seen(bank, actor), parrot)
    return None if found is None else [one.said for one in found]


def test_each_is_shown_their_own_words_in_order_and_nobody_those_of_another() -> None:
    bank, parrot = family(), Parrot()
    for actor, sentence in (("lily", "one"), ("sarah", "two"), ("lily", "three")):
        talk(seen(bank, actor), {}, sentence, parrot)
        bank.now.pass_time(MINUTE)  # type: ignore[attr-defined]
    assert words(bank, "lily", parrot) == ["one", "three"] and words(bank, "sarah", parrot) == ["two"]
    assert [one.answered for one in recalled(seen(bank, "lily"), parrot) or []] == ["one!", "three!"]
    with pytest.raises(Refused):
        words(bank, "nora", parrot)


def test_where_no_holder_wants_words_kept_there_is_nothing_to_read_back() -> None:
    bank = family()
    talk(seen(bank, "lily"), {}, "before", Parrot(keeps=False))
    assert words(bank, "lily", Parrot(keeps=False)) is None
    talk(seen(bank, "lily"), {}, "since", Parrot())
    assert words(bank, "lily", Parrot()) == ["since"]


def test_a_long_conversation_is_read_back_from_its_end() -> None:
    bank, parrot = family(), Parrot()
    for k in range(RECALLED + 3):
        talk(seen(bank, "lily"), {}, str(k), parrot)
    assert words(bank, "lily", parrot) == [str(k) for k in range(3, RECALLED + 3)]


def test_the_server_reads_back_what_a_holder_wanted_kept() -> None:
    bank = family()
    for actor in ("lily", "sarah"):
        Tokens(bank).create(secret_of(actor), actor, ["self-management"], by="sarah")
    app = create_app(bank, Loop(bank, []), Access(ticks=lambda: 0.0))

    def read(door: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = door.get("/api/twins/lily/talk", headers=bearer("lily")).json()
        return found

    with TestClient(app, base_url=HOME) as door:
        talk(seen(bank, "lily"), {}, "hello", Parrot())
        assert read(door) == {"name": "Sunny", "kept": False, "exchanges": []}
        named(offered(SMALL.name), "set_companion").call(seen(bank, "sarah"), {"keep_words": True})
        told = read(door)
        assert told["kept"] and [(one["said"], one["answered"]) for one in told["exchanges"]] == [("hello", "hello!")]
        assert door.get("/api/twins/lily/talk").status_code == 401
