"""The subject's side: who saw what, corrections, receipts, FHIR consents, everything to take away."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.consent import Consent
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.jwk import OKPKey
from tank import BORN, Clock, Tank
from typer.testing import CliRunner

from gemel.bank import Bank, Twin
from gemel.bank.accesses import accesses
from gemel.bank.correction import correct
from gemel.bank.receipts import consent, jwk, opened, receipt, take_consent, thumbprint
from gemel.bank.takeout import takeout
from gemel.cli.main import app
from gemel.consent import PURPOSES, VERBS, Grant
from gemel.consent.fhir import from_fhir, to_fhir
from gemel.errors import BadInput, NotFound, Refused, Tampered
from gemel.facts import DAY, HOUR, MINUTE
from gemel.streams import Item, Place


@pytest.fixture
def bank() -> Bank:
    """Return a bank with a tank of sarah's that dr-lee may read."""
    made = Bank.open("memory:", Clock(BORN + HOUR), {"tank": Tank})
    tank = made.create(Tank, "tank", by="sarah")
    tank.grant(to="dr-lee", purpose="care", read="gauge")
    tank.record([item(50.0, i) for i in range(6)])
    return made


def item(value: float, i: int, id: str | None = None) -> Item:
    """Return one reading of the gauge."""
    return Item("gauge", value, "L", BORN + i * 5 * MINUTE, id or f"r{i}", Place("sheet", i + 1))


def sarahs(bank: Bank) -> Twin:
    """Return the tank as its holder sees it."""
    return bank.find("tank", by="sarah", purpose="self-management")


def values(bank: Bank) -> list[float]:
    """Return what the gauge read."""
    return [reading.value for reading in sarahs(bank).readings("gauge")]


# who saw what


def test_the_holder_sees_who_read_what_for_what_by_which_grant(bank: Bank) -> None:
    """Refusals included; an hour of reading is one line."""
    grant = bank.gate.rights("tank").grants[0]
    seen = bank.find("tank", by="dr-lee", purpose="care")
    for _ in range(5):
        seen.readings("gauge")
    with pytest.raises(Refused):
        bank.find("tank", by="eve", purpose="care")
    found = {(a.actor, a.verb, a.allowed): a for a in accesses(sarahs(bank))}
    read = found["dr-lee", "read", True]
    assert (read.signal, read.purpose, read.grant, read.hours) == ("gauge", "care", grant.id, 1)
    assert not found["eve", "read", False].allowed and "no grant names them" in found["eve", "read", False].reason


def test_only_holders_see_who_read_what(bank: Bank) -> None:
    """A reader may not see the others."""
    with pytest.raises(Refused, match="only those who hold its keys"):
        accesses(bank.find("tank", by="dr-lee", purpose="care"))


def test_accesses_can_be_asked_for_a_time_and_an_actor(bank: Bank) -> None:
    """From when on, until when, of whom."""
    for hour in range(1, 5):
        bank.now.now = BORN + hour * HOUR  # type: ignore[attr-defined]  # the test's clock
        bank.find("tank", by="dr-lee", purpose="care").readings("gauge")
    (all_of_it,) = accesses(sarahs(bank), actor="dr-lee")
    assert (all_of_it.hours, all_of_it.first, all_of_it.last) == (4, BORN + HOUR, BORN + 4 * HOUR)
    (part,) = accesses(sarahs(bank), BORN + 2 * HOUR, BORN + 4 * HOUR, actor="dr-lee")
    assert (part.hours, part.first, part.last) == (2, BORN + 2 * HOUR, BORN + 3 * HOUR)


# correction


def test_a_corrected_reading_is_superseded_and_stays_on_record(bank: Bank) -> None:
    """What was known before is still what was known before."""
    wrong = next(f for f in bank.thread.read("tank", kinds=["observed/1"]) if f.body["key"].startswith("r3"))
    before = bank.now()
    bank.now.now += HOUR  # type: ignore[attr-defined]
    withdrawn, instead = correct(sarahs(bank), wrong.seq, 70.0, "misread")
    assert values(bank) == [50.0, 50.0, 50.0, 70.0, 50.0, 50.0]
    assert instead.cause == withdrawn.cause == (wrong.seq,)
    assert (instead.body["corrects"], instead.body["why"], instead.true_at) == (wrong.seq, "misread", wrong.true_at)
    assert [r.value for r in bank.replica_known_by("tank", before).read() if r.signal == "gauge"] == [50.0] * 6


def test_a_reading_can_be_taken_back(bank: Bank) -> None:
    """And with it gone, it cannot be corrected again."""
    seq = next(iter(bank.thread.read("tank", kinds=["observed/1"]))).seq
    correct(sarahs(bank), seq, None, "it was another tank")
    assert len(values(bank)) == 5
    with pytest.raises(Refused, match="corrected already"):
        correct(sarahs(bank), seq, 3.0, "no")


def test_a_correction_can_be_corrected(bank: Bank) -> None:
    """The last word counts."""
    seq = next(iter(bank.thread.read("tank", kinds=["observed/1"]))).seq
    second = correct(sarahs(bank), seq, 60.0, "once")[-1]
    correct(sarahs(bank), second.seq, 65.0, "twice")
    assert values(bank)[0] == 65.0


@pytest.mark.parametrize(("value", "unit", "why", "error"), [
    (700.0, None, "x", "gauge of 700 L cannot be"), (5.0, "kg", "x", "cannot turn 'kg' into 'L'"), (5.0, None, " ", "says why"),
])  # fmt: skip
def test_a_correction_that_cannot_be_changes_nothing(
    bank: Bank, value: float, unit: str | None, why: str, error: str
) -> None:
    """It is checked as a reading is."""
    seq, size = next(iter(bank.thread.read("tank", kinds=["observed/1"]))).seq, len(list(bank.thread.read("tank")))
    with pytest.raises(BadInput, match=error):
        correct(sarahs(bank), seq, value, why, unit)
    assert len(list(bank.thread.read("tank", kinds=["observed/1", "retracted/1"]))) == 6 <= size


def test_who_may_not_write_may_not_correct(bank: Bank) -> None:
    """Reading is not writing."""
    seq = next(iter(bank.thread.read("tank", kinds=["observed/1"]))).seq
    with pytest.raises(Refused):
        correct(bank.find("tank", by="dr-lee", purpose="care"), seq, 3.0, "I think so")


def test_what_is_no_reading_cannot_be_corrected(bank: Bank) -> None:
    """A grant is revoked, not corrected."""
    with pytest.raises(BadInput, match="no reading, dose or event"):
        correct(sarahs(bank), 1, 3.0, "x")


def test_a_record_edited_at_its_source_supersedes_what_was_imported(bank: Bank) -> None:
    """Under the same id, with another value or time; importing it again changes nothing."""
    tank = sarahs(bank)
    edited = [item(50.0, i) for i in range(4)] + [item(55.0, 4), replace(item(50.0, 5), at=BORN + 27 * MINUTE)]
    assert tank.record(edited).new == 2
    assert values(bank) == [50.0, 50.0, 50.0, 50.0, 55.0, 50.0]
    assert sarahs(bank).readings("gauge")[-1].at == BORN + 27 * MINUTE
    assert tank.record(edited).new == 0


def test_what_a_person_corrected_no_import_turns_back(bank: Bank) -> None:
    """The source goes on saying what was wrong."""
    seq = next(iter(bank.thread.read("tank", kinds=["observed/1"]))).seq
    correct(sarahs(bank), seq, 60.0, "misread")
    assert sarahs(bank).record([item(50.0, 0)]).new == 0
    assert values(bank)[0] == 60.0


# receipts


def test_a_receipt_is_a_jws_that_others_verify(bank: Bank) -> None:
    """joserfc reads it, with the key in its header, whose thumbprint is its key id."""
    grant = bank.gate.rights("tank").grants[0]
    jws = receipt(sarahs(bank), grant.id)
    key = OKPKey.import_key(jwk(bank.thread.public_key))  # type: ignore[arg-type]
    said = jose.deserialize_compact(jws, key, algorithms=["Ed25519"])
    assert json.loads(said.payload) == opened(jws, bank.thread.public_key)
    assert said.headers()["kid"] == key.thumbprint() == thumbprint(bank.thread.public_key)


def test_a_receipt_says_who_may_do_what_for_what_and_since_when(bank: Bank) -> None:
    """After withdrawal it says so."""
    grant = bank.gate.rights("tank").grants[0]
    sarahs(bank).revoke(grant.id)
    record = opened(receipt(sarahs(bank), grant.id), bank.thread.public_key)["record"]
    (purpose,) = record["pii_processing"]["purposes"]
    assert record["pii_principal_id"] == "tank" and record["record_id"] == grant.id
    assert purpose["recipient_third_parties"] == ["dr-lee"] and purpose["processing_method"] == ["read"]
    assert [e["event_type"] for e in record["events"]] == ["consent_given", "consent_withdrawn"]


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_changed_character_of_a_receipt_is_found(data: st.DataObject) -> None:
    """Or it is no longer a receipt."""
    made = Bank.open("memory:", Clock(BORN), {"tank": Tank})
    tank = made.create(Tank, "tank", by="sarah")
    (grant,) = tank.grant(to="dr-lee", purpose="care", read="*")
    jws = receipt(tank, grant.id)
    place = data.draw(st.integers(0, len(jws) - 2))
    other = data.draw(st.sampled_from([c for c in "AQgw_-.x0" if c != jws[place]]))
    with pytest.raises(Tampered):
        opened(jws[:place] + other + jws[place + 1 :], made.thread.public_key)


def test_a_receipt_is_for_holders_and_the_one_it_is_for(bank: Bank) -> None:
    """Nobody else."""
    tank, grant = sarahs(bank), bank.gate.rights("tank").grants[0]
    tank.grant(to="eve", purpose="care", read="gauge")
    assert receipt(bank.find("tank", by="dr-lee", purpose="care"), grant.id)
    with pytest.raises(Refused, match="somebody else"):
        receipt(bank.find("tank", by="eve", purpose="care"), grant.id)
    with pytest.raises(NotFound):
        receipt(tank, "nothing")


# FHIR

NAMES = st.text("abcxyz-é", min_size=1, max_size=8)


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    """Return any grant that a holder can give."""
    since = draw(st.none() | st.integers(0, 10**12))
    until = draw(st.none() | st.integers((since or 0) + 1, 2 * 10**12))
    return Grant(
        "tank", draw(NAMES), draw(st.sampled_from([*PURPOSES, "dpv:Marketing"])),
        tuple(draw(st.lists(st.sampled_from(VERBS), min_size=1, unique=True))),
        tuple(draw(st.lists(NAMES | st.just("*"), min_size=1, unique=True))), until,
        draw(st.dictionaries(NAMES, st.floats(0, 1e6), max_size=2)), since=since,
        hours=draw(st.sampled_from([None, "08:00-15:00 Europe/Paris Mon-Fri"])), onward=draw(st.integers(0, 3)),
    )  # fmt: skip


@given(grants())
@settings(max_examples=60, deadline=None)
def test_a_grant_goes_to_fhir_and_back_unchanged(grant: Grant) -> None:
    """And fhir.resources accepts it."""
    resource = to_fhir(grant, given=5 * DAY)
    Consent.model_validate(resource)
    back, active = from_fhir(json.loads(json.dumps(resource)), "tank")
    word = replace(grant, purpose=back.purpose, id=grant.id)
    assert (back, active) == (word, True)


def test_a_consent_from_elsewhere_opens_and_ends_what_it_says(bank: Bank) -> None:
    """Taken over once, ended by its inactive successor."""
    tank = sarahs(bank)
    resource = to_fhir(Grant("tank", "clinic", "care", ("read",), ("gauge",)))
    grant, new = take_consent(tank, resource)
    assert new and bank.gate.decide("clinic", "read", "tank", "gauge", "care").allowed
    assert take_consent(tank, resource) == (grant, False)
    assert take_consent(tank, {**resource, "status": "inactive"})[1]
    assert not bank.gate.decide("clinic", "read", "tank", "gauge", "care").allowed
    assert consent(tank, grant.id)["status"] == "inactive"


def test_only_holders_take_consents_over(bank: Bank) -> None:
    """A reader cannot grant by way of FHIR."""
    with pytest.raises(Refused, match="only those who hold"):
        take_consent(bank.find("tank", by="dr-lee", purpose="care"), to_fhir(Grant("tank", "x", "care", "read", "*")))


GOOD = to_fhir(Grant("tank", "clinic", "care", ("read",), ("gauge",)))


@pytest.mark.parametrize(("change", "field"), [
    ({"resourceType": "Patient"}, "resourceType"),
    ({"status": "draft"}, "status"),
    ({"patient": {"identifier": {"value": "max"}}}, "patient"),
    ({"provision": {**GOOD["provision"], "type": "deny"}}, "provision.type"),
    ({"provision": {**GOOD["provision"], "provision": [{"type": "deny"}]}}, "provision.provision"),
    ({"provision": {**GOOD["provision"], "actor": []}}, "provision.actor"),
    ({"provision": {**GOOD["provision"], "action": [{"coding": [{"code": "access"}]}]}}, "provision.action"),
    ({"provision": {**GOOD["provision"], "extension": [{"url": "urn:other"}]}}, "provision.extension"),
    ({"provision": {**GOOD["provision"], "purpose": [{"code": "HMARKT"}]}}, "provision.purpose"),
])  # fmt: skip
def test_what_a_grant_cannot_say_is_refused_naming_the_element(change: dict[str, object], field: str) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(BadInput) as caught:
        from_fhir({**GOOD, **change}, "tank")
    assert caught.value.field == field


# takeout


def test_everything_can_be_taken_away_in_forms_that_others_read(bank: Bank, tmp_path: Path) -> None:
    """Each fact, valid FHIR with what was corrected marked, receipts that verify."""
    wrong = next(iter(bank.thread.read("tank", kinds=["observed/1"])))
    correct(sarahs(bank), wrong.seq, 60.0, "misread")
    count = takeout(sarahs(bank), tmp_path / "tank.zip")
    with zipfile.ZipFile(tmp_path / "tank.zip") as archive:
        lines = archive.read("facts.jsonl").decode().splitlines()
        bundle = json.loads(archive.read("fhir.json"))
        receipts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".jws")]
        seen = json.loads(archive.read("accesses.json"))
    facts = [f for f in bank.thread.read("tank") if f.seq <= max(json.loads(line)["seq"] for line in lines)]
    assert len(lines) == count == len(facts)
    assert [json.loads(line)["body"] for line in lines] == [dict(fact.body) for fact in facts]
    Bundle.model_validate(bundle)
    states = {e["resource"]["id"]: e["resource"]["status"] for e in bundle["entry"]}
    assert states[str(wrong.seq)] == "entered-in-error" and "amended" in states.values()
    assert len(receipts) == 1 and opened(receipts[0], bank.thread.public_key)
    assert isinstance(seen, list)


def test_only_holders_take_away_and_nothing_is_overwritten(bank: Bank, tmp_path: Path) -> None:
    """Whole or not at all."""
    with pytest.raises(Refused):
        takeout(bank.find("tank", by="dr-lee", purpose="care"), tmp_path / "tank.zip")
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(BadInput, match="there already"):
        takeout(sarahs(bank), tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# the command line


def test_the_commands_say_it_to_people_and_to_programs(tmp_path: Path) -> None:
    """One JSON object each; a receipt that was changed exits with 1."""
    store = tmp_path / "store"
    with Bank.open(str(store)) as bank:
        lily = bank.create("diabetes.person", "lily", by="sarah")
        (grant,) = lily.grant(to="dr-lee", purpose="care", read="glucose")
        lily.record([Item("glucose", 100.0, "mg/dL", BORN, None, Place("x"))])
        bank.find("lily", by="dr-lee", purpose="care").readings("glucose")
        seq = next(iter(bank.thread.read("lily", kinds=["observed/1"]))).seq
    env = {"GEMEL_STORE": str(store), "GEMEL_ACTOR": "sarah"}

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), env=env, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert json.loads(run("accesses", "lily", "--json"))["accesses"][0]["actor"] == "dr-lee"
    assert "dr-lee  read glucose for care, grant" in run("accesses", "lily")
    told = run("correct", "lily", str(seq), "--value", "6.0", "--unit", "mmol/L", "--why", "misread")
    assert f"stands in the place of fact {seq}" in told
    run("receipt", "lily", grant.id, "-o", str(tmp_path / "r.jws"))
    assert "lily lets dr-lee read glucose for care" in run("verify", str(tmp_path / "r.jws"))
    text = (tmp_path / "r.jws").read_text()
    (tmp_path / "r.jws").write_text(text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:])
    changed = CliRunner().invoke(app, ["verify", str(tmp_path / "r.jws")], env=env)
    assert (changed.exit_code, "NOT as written" in changed.stdout) == (1, True)
    run("consent", "lily", "--grant", grant.id, "-o", str(tmp_path / "c.json"))
    assert json.loads(run("consent", "lily", "--import", str(tmp_path / "c.json"), "--json"))["new"] is False
    assert json.loads(run("takeout", "lily", "-o", str(tmp_path / "lily.zip"), "--json"))["facts"] > 3
