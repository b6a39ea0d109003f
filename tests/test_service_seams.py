"""Every seam of the core holds for a service's twin: erasure, a customer's own side, bundles, correction, retention, versions."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psycopg
import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import NewStore
from psycopg import sql
from test_service_twin import START, crowd, digest, events, gauges, items, network
from typer.testing import CliRunner

from gemel.bank import Bank, holds, retention
from gemel.bank.bundle_in import receive
from gemel.bank.bundle_out import send
from gemel.bank.cohort import Question
from gemel.bank.correction import correct
from gemel.bank.erasure_case import erase_case, names
from gemel.bank.lineage import made_of
from gemel.bank.record import record
from gemel.bank.sentence import sentence
from gemel.bank.takeout import takeout
from gemel.bank.versions import View, digest_of
from gemel.cli.main import app
from gemel.consent.fhir import from_fhir, to_fhir
from gemel.dynamics import Dose, Event
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import DAY, HOUR, HOUSE, MINUTE, Draft, Fact, Time, iso
from gemel.intervention import Intervention
from gemel.loop import Outbox
from gemel.loop.gauges import Gauges
from gemel.packs.service.kind import service_type, staffed
from gemel.packs.service.own import own
from gemel.process import Calendar, Pool
from gemel.server.feed import belief_view
from gemel.streams import Item, Place
from gemel.streams import told as told_of
from gemel.testing.live import FakeClock, MemorySink
from gemel.thread import checkpoint_holds, inclusion_holds
from gemel.thread.receipt import receipt_holds
from gemel.twintype import TwinType

NOW: Time = START + HOUR
SECRETS = ("case-anna", "nurse-berta", "is-diabetic", "pool-of-carla")


def secret_type() -> TwinType:
    """Return a type whose definition names a person."""
    made = network()
    return service_type(replace(made, pools=(*made.pools, Pool("pool-of-carla", Calendar.always(1)))), members=8)


def told() -> list[Event]:
    """Return events that name a customer, her nurse and what is wrong with her."""
    at, who = START + 55 * MINUTE, {"customers": "guest", "note": "is-diabetic"}
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


# looking back, correcting, taking away


def test_an_event_is_taken_back_by_a_new_fact_and_the_past_still_tells_it(store: str) -> None:
    with shop(store, [*events(3), *crowd(1, START + 40 * MINUTE)]) as bank:
        seen, clock = bank.find("shop", by="mia", purpose="service"), bank.now
        assert gauges(bank, NOW)["inside"] == 1.0
        then = bank.now()
        clock.now = NOW + MINUTE  # type: ignore[attr-defined]  # a clock of the test
        for fact in [fact for fact in bank.thread.read("shop", kinds=["happened/1"]) if fact.body["case"] == "c0"]:
            correct(seen, fact.seq, None, "it was a dog")
        assert gauges(bank, NOW)["inside"] == 0.0
        wanted = digest_of(bank.replica_known_by("shop", then).belief().belief)  # type: ignore[union-attr]  # it is known
        assert wanted != digest_of(bank.followed("shop")[-1].belief)
        with pytest.raises(BadInput, match="has no value"):
            correct(seen, next(bank.thread.read("shop", kinds=["happened/1"])).seq, 3.0, "no")


def test_an_event_that_its_source_tells_anew_is_corrected(store: str) -> None:
    """Under the id it had: another time, another station; it was silently kept as it was first told."""
    with shop(store, []) as bank:
        seen = bank.find("shop", by="mia", purpose="service")
        first = Event("ann", "arrived", START + MINUTE, attributes={"customers": "guest"})
        for event in (first, replace(first, at=START + 5 * MINUTE), replace(first, at=START + 5 * MINUTE)):
            seen.record([told_of(event, "till-1", Place("test"))])
        assert [event.at for event in bank.replica("shop").happened()] == [START + 5 * MINUTE]
        assert len(list(bank.thread.read("shop", kinds=["happened/1"]))) == 2


def test_a_twin_is_seen_when_something_happens_in_it(store: str) -> None:
    def found(bank: Bank, asked: str, at: Time | None = None) -> list[str]:
        return [one.id for one in bank.search(asked, by="mia", purpose="service", at=at).found]

    with shop(store, events(1)) as bank:
        assert (found(bank, "*[seen>2026-01-05T08:00Z]"), found(bank, "*[silent>58min]")) == (["shop"], [])
        last = START + 40 * MINUTE
        bank.as_writer("shop", "mia", "service").record(items(crowd(1, last)))
        assert found(bank, "*[silent<21min]") == ["shop"] == found(bank, "*[silent<21min]", at=NOW)
        bank.as_writer("shop", "mia", "service").record([replace(one, retracted=True) for one in items(crowd(1, last))])
        assert found(bank, "*[silent<21min]") == []


def test_a_diff_tells_what_happened_between_two_views(store: str) -> None:
    with shop(store, [*events(3), *crowd(4, START + 50 * MINUTE)], service_type(network(), members=8)) as bank:
        seen = bank.find("shop", by="mia", purpose="service")
        made = seen.diff(View(START + 40 * MINUTE), View(NOW))
        changes = {change.name: (change.before, change.after) for change in made.changes}
        assert changes["queue.desk"] == (0.0, 4.0) and changes["inside"] == (0.0, 4.0)
        assert [(entry.name, entry.added, entry.taken_back) for entry in made.data] == [("events", 8, 0)]
        assert "8 events" in str(made) and json.dumps(made.body())


def test_versions_and_kept_forks_open_exactly_again(store: str) -> None:
    with shop(store, [*events(3), *crowd(4, START + 50 * MINUTE)], service_type(network(), members=8)) as bank:
        seen = bank.find("shop", by="mia", purpose="service")
        made = seen.name_version("busy", "the queue")
        seen.keep_fork("two more", "staff staff", {"people": 2, "after": 0, "hours": 1})
        before = seen.open_fork("two more").run("queue.desk", 1.0)
        bank.now.now = NOW + HOUR  # type: ignore[attr-defined]  # a clock of the test
        seen.record(items(crowd(5, NOW + 10 * MINUTE)))
    with Bank.open(store, FakeClock(NOW + HOUR)) as bank:
        seen = bank.find("shop", by="mia", purpose="service")
        assert digest_of(seen.belief(version="busy").belief) == made.digest
        assert np.array_equal(seen.open_fork("two more").run("queue.desk", 1.0)[1], before[1])


def test_what_is_taken_away_is_complete_and_readable(store: str, tmp_path: Path) -> None:
    with shop(store) as bank:
        seen, path = bank.find("shop", by="mia", purpose="service"), tmp_path / "shop.zip"
        for fact in Gauges(bank).drafts("shop", NOW):
            bank.append([fact])
        count = takeout(seen, path)
        with zipfile.ZipFile(path) as archive:
            rows = [json.loads(line) for line in archive.read("facts.jsonl").splitlines()]
        assert len(rows) == count and {"happened/1", "defined/1", "observed/1"} <= {row["kind"] for row in rows}
        told_all = [sentence(fact, seen.type) for fact in bank.thread.read("shop")]
        assert "case-anna: desk started by nurse-berta" in told_all and "Defined" not in told_all


def test_no_row_of_a_service_leaks_from_a_cohort(store: str) -> None:
    """Events are nothing that a cohort is asked about, and rows need a grant to read."""
    with shop(store) as bank:
        for asked in ("events", "case:case-anna"):
            with pytest.raises(NotFound):
                bank.cohort("service.shop", by="eve", purpose="research").ask(Question("count", asked))
        with pytest.raises(Refused):
            bank.cohort("service.shop", by="eve", purpose="research").ask(Question("rows", "inside"))


def test_events_that_have_had_their_time_go_and_the_present_stays(store: str) -> None:
    """Of whole cases: not of one who is still heard of, nor of one on whom a choice rested; who is there stays there."""
    late = START + 3 * DAY
    staff = [
        Event("", "up", START, resource=who, attributes={"pool": "staff"}) for who in ("ann", "bob")
    ] + [Event("", "down", START + HOUR, resource="bob", attributes={"pool": "staff"})]  # fmt: skip
    long = [Event("long", "arrived", START, attributes={"customers": "guest"}), Event("long", "queued", late, "desk")]
    with shop(store, [*events(30), *staff, *long, *crowd(2, late)], service_type(network(), members=8)) as bank:
        bank.now.now = late + HOUR  # type: ignore[attr-defined]  # a clock of the test
        of = {str(fact.body["case"]): fact.seq for fact in bank.thread.read("shop", kinds=["happened/1"])}
        chose = {"chosen": "x", "options": [], "propensity": 1.0, "held_out": False}
        bank.append([Draft("shop", "chosen/1", chose, late, "agent:x", (of["g7"],))])
        before, here = gauges(bank, late + HOUR), bank.followed("shop")[-1].belief.values["here.staff"].tolist()
        bank.remember("shop")
        retention.keep(bank, "shop", "mia", "events", {"raw": "1d"})
        (step,) = retention.thin(bank, "shop", "mia")
        left = [fact.body for fact in bank.thread.read("shop", kinds=["happened/1"])]
        assert {body["case"] for body in left} == {"g7", "long", "c0", "c1", ""} and step.facts == 29 * 5 + 2
        assert sum(body["case"] == "g7" for body in left) == 5
        assert [body["resource"] for body in left if not body["case"]] == ["ann"]
        assert gauges(bank, late + HOUR) == before
        assert bank.followed("shop")[-1].belief.values["here.staff"].tolist() == here
        assert not bank.thread.kept("shop", "belief") and bank.thread.verify().intact
        with pytest.raises(BadInput, match="no statistics"):
            retention.keep(bank, "shop", "mia", "events", {"raw": "1d", "1h": "9d"})


# foresight


def test_what_is_learned_of_a_service_looks_back_only(store: str) -> None:
    """From gauges, which are no cycles themselves, and though some beliefs hold levers that others do not."""
    with shop(store, [*events(45), *crowd(6, START + 96 * MINUTE)], service_type(network(), members=8)) as bank:
        clock, shown = bank.now, Gauges(bank)
        for step in range(1, 30):
            clock.now = START + step * 5 * MINUTE  # type: ignore[attr-defined]  # a clock of the test
            bank.append(shown.drafts("shop", clock()))
        lever = Item("staff.staff", 1.0, "count", START + 50 * MINUTE, None, Place("test"))
        bank.as_writer("shop", "mia", "service").record([lever])
        whole, came = record(bank.replica("shop"), "oldest.desk"), START + 95 * MINUTE
        assert len(whole.at) == 29 and np.isfinite(whole.said).all()
        early = bank.replica_known_by("shop", None)
        keys = [event[-1] for event in early.events if event[0] >= came]
        early.take([Fact("shop", "retracted/1", {"key": key}, 0, 0, "", (), 0) for key in keys])
        before = whole.at <= came
        assert (record(early, "oldest.desk").said[before] == whole.said[before]).all()
        bank.learn("shop", "oldest.desk", "mia", clock())
        assert bank.forecast("shop", "oldest.desk", 1.0, clock()).quantiles.min() >= 0.0


def test_one_case_is_erased_and_the_rest_stays(store: str) -> None:
    """Nothing names her any more, on record, in memory or in what is kept; proofs hold; the receipt can be checked."""
    with shop(store) as bank:
        seen = bank.find("shop", by="mia", purpose="service")
        seen.grant(to="anna", purpose="service", read="case:case-anna")
        own(bank.find("shop", by="anna", purpose="service"), "case-anna")
        doses = (Dose("staff.staff", 1.0, NOW),)
        seen.propose(Intervention("call case-anna back", doses), "she waits", cause=[3])
        seen.propose(Intervention("one more", doses), "12 wait", cause=[3])
        bank.append(Gauges(bank).drafts("shop", NOW))
        bank.followed("shop")
        bank.remember("shop")
        proofs, checkpoint = [bank.thread.prove(seq) for seq in range(1, 15)], bank.thread.checkpoint(NOW)
        bank.now.now += 1  # type: ignore[attr-defined]  # a clock of the test
        with pytest.raises(Refused, match="only who holds its keys"):
            erase_case(bank, "shop", "case-anna", "anna", "me")
        done = erase_case(bank, "shop", "case-anna", "mia", "she asked")
        assert receipt_holds(done.body, bank.thread.public_key) and done.body["case"] == "case-anna"
        told_all = [json.dumps(dict(fact.body)) for fact in bank.thread.read()]
        assert not any("case-anna" in text or "is-diabetic" in text for text in told_all)
        assert not bank.thread.kept("shop", "belief") and gauges(bank, NOW)["inside"] == 0.0
        assert [one.intervention.title for one in seen.proposals()] == ["one more"]
        assert seen.readings("inside") and len(bank.replica("shop").happened()) == 15
        with pytest.raises(Refused):
            bank.find("shop", by="anna", purpose="service")
        with pytest.raises(NotFound, match="nothing is on record about 'case-anna'"):
            erase_case(bank, "shop", "case-anna", "mia", "again")
        assert bank.thread.verify().intact and checkpoint_holds(checkpoint, bank.thread.public_key)
        assert all(inclusion_holds(proof, checkpoint.root) for proof in proofs)
        holds.place(bank, "shop", "law", "a trial", ["events"])
        with pytest.raises(Refused, match="a trial"):
            erase_case(bank, "shop", "g0", "mia", "she asked")


def test_a_short_number_in_a_text_names_no_case() -> None:
    def fact(body: dict[str, object]) -> Fact:
        return Fact("shop", "alert/1", body, 0, 0, "", (), 1)

    assert not names(fact({"text": "in 12 min a wait may grow past 10 min"}), "12")
    assert names(fact({"text": "call 4711-b back"}), "4711-b") and not names(fact({"text": "x-4711-b"}), "4711-b")
    assert all(names(fact({"x": [one]}), "12") for one in ("12", "case:12", "urgency.12", "events|1|12|arrived||"))


# the promises of the design, for a twin whose state events fix

FEW = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PAST = [*events(4), *crowd(3, START + 20 * MINUTE)]


@FEW
@given(order=st.permutations(PAST), cut=st.integers(1, len(PAST) - 1))
def test_its_belief_does_not_depend_on_order_company_or_restarts(
    new_store: NewStore, order: list[Event], cut: int
) -> None:
    kind = service_type(network(), members=8)
    with shop(new_store(), PAST, kind) as quiet:
        wanted = digest(quiet)
    where = new_store()
    with shop(where, order[:cut], kind) as bank:
        bank.followed("shop")
    for part in (order[cut:], []):
        with Bank.open(where, FakeClock(NOW)) as again:
            again.as_writer("shop", "mia", "service").record(items(part))
            assert digest(again) == wanted


@FEW
@given(late=st.lists(st.integers(0, 40), min_size=1, max_size=3, unique=True))
def test_known_by_gives_its_belief_of_that_day(new_store: NewStore, late: list[int]) -> None:
    with shop(new_store(), PAST, service_type(network(), members=8)) as bank:
        that_day, then = digest(bank), bank.now()
        bank.now.now += HOUR  # type: ignore[attr-defined]  # a clock of the test
        found = [Event(f"late{i}", "arrived", START + i * MINUTE, attributes={"customers": "guest"}) for i in late]
        bank.as_writer("shop", "mia", "service").record(items(found))
        followed = bank.replica_known_by("shop", then).belief()
        assert digest(bank) != that_day
        assert followed is not None and belief_view(followed).digest == that_day


@FEW
@given(granted=st.sets(st.sampled_from(["events", "inside", "case:g0"]), min_size=1))
def test_only_what_a_grant_names_of_it_is_shown(new_store: NewStore, granted: set[str]) -> None:
    with shop(new_store(), PAST, service_type(network(), members=8)) as bank:
        bank.find("shop", by="mia", purpose="service").grant(to="lee", purpose="service", read=sorted(granted))
        seen = bank.find("shop", by="lee", purpose="service")
        asks = {
            "inside": lambda: seen.readings("inside"), "case:g0": lambda: own(seen, "g0"), "events": lambda: own(seen, "g1"),
        }  # fmt: skip
        opened = granted | ({"case:g0"} if "events" in granted else set())
        for name, ask in asks.items():
            if name in opened:
                assert ask() is not None
            else:
                with pytest.raises(Refused):
                    ask()
        for whole in (seen.belief, seen.situation, seen.proposals, lambda: seen.fork("x")):
            with pytest.raises(Refused):
                whole()


def test_a_fork_of_it_sends_nothing_and_leaves_it_as_it_was(store: str) -> None:
    with shop(store, PAST, service_type(network(), members=8)) as bank:
        sink, seen = MemorySink(), bank.find("shop", by="mia", purpose="service")
        seen.act_through(sink)
        before, facts = digest(bank), len(list(bank.thread.read("shop")))
        fork = seen.fork("more").suppose(staffed("staff", 2))
        fork.run("queue.desk", 2.0)
        asyncio.run(Outbox(bank).flush("shop"))
        told_since = {fact.kind for fact in list(bank.thread.read("shop"))[facts:]}
        assert (digest(bank), sink.sent, told_since - {"accessed/1"}) == (before, [], set())
        bank.erase("shop", by="mia", reason="it closed")
        with pytest.raises((NotFound, Refused)):
            fork.run("queue.desk", 1.0)


# what people type, and what other systems take


def test_grants_on_events_and_cases_are_taken_by_every_door(tmp_path: Path) -> None:
    """Command line and FHIR; a case of a twin of readings, or no case at all, is refused."""
    store, clock = str(tmp_path / "s"), FakeClock(NOW)
    with Bank.open(store, clock) as bank:
        bank.create(secret_type(), "shop", by="mia").record(items(told()))

    def gemel(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--store", store])

    for signal in ("events", "case:case-anna"):
        made = gemel(
            "grant", "shop", "--to", "anna", "--verb", "read", "--signal", signal, "--purpose", "service", "--as", "mia"
        )
        assert made.exit_code == 0, made.output
        assert gemel("may", "anna", "read", "shop", signal, "--purpose", "service").exit_code == 0
    assert gemel("may", "eve", "read", "shop", "case:case-anna", "--purpose", "service").exit_code == 1
    assert "case:CASE" in str(gemel("may", "anna", "read", "shop", "case:", "--purpose", "service").exception)
    assert (
        gemel("journey", "shop", "case-anna", "--as", "anna", "--purpose", "service", "--at", iso(NOW)).exit_code == 0
    )
    with Bank.open(store, clock) as bank:
        for grant in bank.grants("shop"):
            assert from_fhir(to_fhir(grant), "shop")[0].signals == grant.signals
    gone = gemel("erase", "shop", "--case", "case-anna", "--yes", "--as", "mia", "--json")
    assert gone.exit_code == 0 and json.loads(gone.stdout)["case"] == "case-anna"
    again = gemel("journey", "shop", "case-anna", "--as", "mia", "--purpose", "service", "--at", iso(NOW))
    assert isinstance(again.exception, NotFound)


def test_a_forged_definition_makes_no_type(tmp_path: Path) -> None:
    """A definition that makes another type than it says is no definition."""
    with shop(str(tmp_path / "s")) as bank:
        fact = next(iter(bank.thread.read("shop", kinds=["defined/1"])))
        forged = {**fact.body, "hash": "0" * 64}
        assert made_of(fact) is not None
        assert made_of(replace(fact, body=forged)) is None
