"""Every seam of the core holds for a service's twin: erasure, a customer's own side, bundles, correction, retention, versions."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from postgres import NewStore
from psycopg import sql
from test_service_twin import START, digest, events, items, network

from gemel.bank import Bank
from gemel.bank.bundle_in import receive
from gemel.bank.bundle_out import send
from gemel.dynamics import Event
from gemel.errors import NotFound, Refused
from gemel.facts import HOUR, HOUSE, MINUTE, Time
from gemel.packs.service.kind import service_type
from gemel.packs.service.own import own
from gemel.testing.live import FakeClock
from gemel.twintype import TwinType

NOW: Time = START + HOUR
SECRETS = ("case-anna", "nurse-berta", "is-diabetic", "pool-of-carla")


def secret_type() -> TwinType:
    """Return a type whose definition names a person."""
    from dataclasses import replace

    from gemel.process import Calendar, Pool

    made = network()
    return service_type(replace(made, pools=(*made.pools, Pool("pool-of-carla", Calendar.always(1)))), members=8)


def told() -> list[Event]:
    """Return events that name a customer, her nurse and what is wrong with her."""
    at, who = START + 30 * MINUTE, {"customers": "guest", "note": "is-diabetic"}
    return [
        *events(3), Event("case-anna", "arrived", at, attributes=who), Event("case-anna", "queued", at + MINUTE, "desk"),
        Event("case-anna", "started", at + 2 * MINUTE, "desk", "nurse-berta"),
    ]  # fmt: skip


@contextmanager
def shop(store: str, found: list[Event] | None = None, kind: TwinType | None = None) -> Iterator[Bank]:
    """Return a bank with a shop of mia's."""
    with Bank.open(store, FakeClock(NOW)) as bank:
        bank.create(kind or secret_type(), "shop", by="mia").record(items(told() if found is None else found))
        yield bank


def everything(store: str) -> bytes:
    """Return all that lies on disk, or in every table."""
    if not store.startswith("postgres"):
        return b"".join(path.read_bytes() for path in Path(store).rglob("*") if path.is_file())
    asked = {name: values[0] for name, values in parse_qs(urlsplit(store).query).items()}
    with psycopg.connect(host=asked["host"], port=asked["port"], user="gemel", dbname="gemel") as db:
        names = [
            row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [asked["schema"]])
        ]
        tables = [sql.Identifier(asked["schema"], name) for name in names]
        rows = [row for table in tables for row in db.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall()]
    assert len(rows) > 10
    return b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)


# erasure


def test_an_erased_service_leaves_no_name_of_anybody_anywhere(store: str) -> None:
    """Cases, staff, attributes, and the people named in its definition: not on disk, not in the house, not in memory."""
    with shop(store) as bank:
        bank.followed("shop")
        bank.remember("shop")
        assert bank.thread.kept("shop", "belief")
        assert [secret for secret in SECRETS if secret.encode() in everything(store)] == []
        bank.erase("shop", by="mia", reason="it closed")
        house = json.dumps([dict(fact.body) for fact in bank.thread.read(HOUSE)])
        known = [one for one in bank.lineages.known() if one.name == "service.shop"]
        assert (known, "service.shop" in bank.types) == ([], False)
        assert [secret for secret in SECRETS if secret in house] == []
        assert list(bank.thread.read(kinds=["defined/1", "happened/1"])) == []
    assert [secret for secret in SECRETS if secret.encode() in everything(store)] == []
    with Bank.open(store, FakeClock(NOW)) as again:
        assert [one for one in again.lineages.known() if one.name == "service.shop"] == []


def test_the_definition_stays_with_the_last_twin_that_is_of_it(store: str) -> None:
    with shop(store) as bank:
        bank.create("service.shop", "branch", by="max").record(items(events(2)))
        bank.erase("shop", by="mia", reason="it closed")
        before = bank.followed("branch")[-1].at
    with Bank.open(store, FakeClock(NOW)) as again:
        assert again.type_of("branch").hash == secret_type().hash
        assert again.followed("branch")[-1].at == before


def test_another_process_finds_the_definition_of_a_twin_made_meanwhile(store: str) -> None:
    with shop(store) as bank, Bank.open(store, FakeClock(NOW), readonly=True) as early:
        bank.create(service_type(network(5.0), members=8), "branch", by="mia")
        assert early.type_of("branch").hash == bank.type_of("branch").hash != early.type_of("shop").hash


# a customer's own side


def test_a_customer_sees_her_own_journey_and_nobody_elses(store: str) -> None:
    with shop(store) as bank:
        mia = bank.find("shop", by="mia", purpose="service")
        mia.grant(to="anna", purpose="service", read="case:case-anna")
        anna = bank.find("shop", by="anna", purpose="service")
        assert own(anna, "case-anna").body()["case"] == "case-anna"
        with pytest.raises(Refused, match="may not read case:g0 of shop"):
            own(anna, "g0")
        facts = list(bank.thread.read("shop", kinds=["happened/1"]))
        hers = [fact.seq for fact in facts if fact.body["case"] == "case-anna"]
        assert [anna.why(seq).seq for seq in hers] == hers
        for fact in (fact for fact in facts if fact.seq not in hers):
            with pytest.raises(Refused):
                anna.why(fact.seq)
        for whole in (
            anna.belief,
            anna.situation,
            anna.proposals,
            lambda: anna.readings("inside"),
            lambda: anna.fork("x"),
        ):
            with pytest.raises(Refused):
                whole()


def test_whoever_may_read_events_sees_any_journey_and_a_stranger_none(store: str) -> None:
    with shop(store) as bank:
        mia = bank.find("shop", by="mia", purpose="service")
        mia.grant(to="desk-lead", purpose="service", read="events")
        lead = bank.find("shop", by="desk-lead", purpose="service")
        assert own(lead, "g0").body()["case"] == "g0"
        mia.grant(to="eve", purpose="service", read="inside")
        with pytest.raises(Refused):
            own(bank.find("shop", by="eve", purpose="service"), "g0")


def test_who_asks_for_a_case_that_is_not_hers_learns_no_name_of_another(store: str) -> None:
    with shop(store) as bank:
        bank.find("shop", by="mia", purpose="service").grant(to="bea", purpose="service", read="case:case-bea")
        with pytest.raises(NotFound) as caught:
            own(bank.find("shop", by="bea", purpose="service"), "case-bea")
        assert "anna" not in str(caught.value) and "g0" not in str(caught.value)


# bundles


def test_a_service_moves_to_a_bank_that_never_saw_it_and_believes_the_same(new_store: NewStore, tmp_path: Path) -> None:
    there, path = new_store(), tmp_path / "shop.gemel"
    with shop(there) as bank:
        send(bank, ["shop"], path, by="mia", purpose="service")
        wanted = digest(bank)
    for other in (str(tmp_path / "other"), new_store()):
        with Bank.open(other, FakeClock(NOW)) as bank:
            receive(bank, path, by="mia")
            assert digest(bank) == wanted and "service.shop" in bank.types
        with Bank.open(other, FakeClock(NOW)) as again:
            assert digest(again) == wanted


def test_a_trial_import_leaves_no_type_behind(tmp_path: Path) -> None:
    path = tmp_path / "shop.gemel"
    with shop(str(tmp_path / "a")) as bank:
        send(bank, ["shop"], path, by="mia", purpose="service")
    with Bank.open(str(tmp_path / "b"), FakeClock(NOW)) as bank:
        receive(bank, path, by="mia", trial=True)
        assert "service.shop" not in bank.types


def test_a_customers_bundle_holds_her_own_case_and_no_other_name(tmp_path: Path) -> None:
    path = tmp_path / "anna.gemel"
    with shop(str(tmp_path / "a")) as bank:
        bank.find("shop", by="mia", purpose="service").grant(to="anna", purpose="service", read="case:case-anna")
        sent = send(bank, ["shop"], path, by="mia", to="anna", purpose="service")
    with zipfile.ZipFile(path) as archive:
        held = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".json") or "facts" in name)
    kinds = [json.loads(line)["kind"] for line in zipfile.ZipFile(path).read("facts.jsonl").splitlines()]
    assert sent.facts == len(kinds) and kinds.count("happened/1") == 3
    assert b"case-anna" in held and b"pool-of-carla" not in held and b'"g0"' not in held
