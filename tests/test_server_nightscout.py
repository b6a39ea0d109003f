"""`gemel.server.nightscout`: apps upload to a twin as they would to a Nightscout site, within what its grants open."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from serving import HOME, TestClient, listening
from tank import Clock

from gemel.bank import Bank
from gemel.bank.correction import correct
from gemel.bank.tokens import Tokens
from gemel.errors import BadInput, GemelError, Unavailable
from gemel.facts import HOUR, MINUTE, Time, iso, time_of
from gemel.loop import Loop
from gemel.packs.diabetes import Person
from gemel.server.app import Access, create_app
from gemel.server.nightscout_auth import create
from gemel.streams import Item, Place, nightscout
from gemel.streams.nightscout_site import nightscout_site
from gemel.thread import MemoryThread

NOON: Time = time_of("2026-06-01T12:00:00Z")
PHONE = "stream:phone"
API = "/nightscout/lily/api"


@dataclass
class Home:
    """Lily's twin, held by sarah; the phone may write and read what it uploads; the watcher may read glucose alone."""

    clock: Clock = field(default_factory=lambda: Clock(NOON))

    def __post_init__(self) -> None:
        self.bank = Bank(MemoryThread(), self.clock, {"diabetes.person": Person})
        self.loop = Loop(self.bank, [])
        self.tokens = Tokens(self.bank)
        lily = self.bank.create(Person, "lily", by="sarah")
        self.bank.create(Person, "tom", by="sarah")
        lily.grant(to=PHONE, purpose="care", write="*", read="*")
        lily.grant(to="stream:watcher", purpose="care", read="glucose")
        lily.grant(to="stream:cgm", purpose="care", write="glucose")
        self.secrets = {
            actor: create(self.bank, self.tokens, "lily", actor, ["care"], by="sarah")
            for actor in (PHONE, "stream:watcher", "stream:cgm", "stream:stranger")
        }
        self.app = create_app(self.bank, self.loop, Access(ticks=lambda: 0.0))

    def shown(self, actor: str = PHONE) -> dict[str, str]:
        """Return the header an app sends: the SHA-1 of its secret."""
        return {"api-secret": hashlib.sha1(self.secrets[actor][0].encode()).hexdigest()}

    @contextlib.contextmanager
    def door(self, actor: str | None = PHONE) -> Iterator[TestClient]:
        """Yield a client that shows an actor's secret, or none."""
        headers = {} if actor is None else self.shown(actor)
        with TestClient(self.app, base_url=HOME, headers=headers, raise_server_exceptions=False) as door:
            yield door

    def said(self, name: str) -> list[tuple[float, int]]:
        """Return what the twin was told: values and minutes since noon."""
        replica = self.bank.replica("lily")
        return [
            (value, (at - NOON) // MINUTE) for at, what, value, _ in [*replica.readings, *replica.doses] if what == name
        ]

    def size(self) -> int:
        """Return how much is known of the twin, but for who looked at it."""
        return len([fact for fact in self.bank.thread.read("lily") if fact.kind != "accessed/1"])

    def facts(self, kind: str) -> list[Any]:
        """Return the twin's facts of a kind."""
        return list(self.bank.thread.read("lily", kinds=[kind]))


@pytest.fixture
def home() -> Home:
    return Home()


def sgv(minute: int, value: float = 120, **more: Any) -> dict[str, Any]:
    """Return a sensor value as uploaders send it."""
    at = NOON + minute * MINUTE
    return {
        "type": "sgv",
        "sgv": value,
        "date": at,
        "dateString": iso(at),
        "direction": "Flat",
        "device": "made",
        **more,
    }


def treatment(minute: int, event: str, **more: Any) -> dict[str, Any]:
    """Return a treatment as uploaders send it."""
    return {"eventType": event, "created_at": iso(NOON + minute * MINUTE), "enteredBy": "made", **more}


PROFILE = {
    "defaultProfile": "Day", "startDate": "2026-05-01T00:00:00Z", "units": "mg/dl",
    "store": {"Day": {"timezone": "UTC", "basal": [{"time": "00:00", "value": 0.8}], "units": "mg/dl"}},
}  # fmt: skip


# who may


def test_without_a_secret_or_with_a_wrong_one_nothing_opens(home: Home) -> None:
    """The same 401 for a twin that is there, one that is not, and one that the secret is not for; in Nightscout's shape."""
    with home.door(None) as door:
        for path in (f"{API}/v1/entries.json", f"{API}/v3/entries", "/nightscout/nobody/api/v1/entries.json"):
            answer = door.get(path)
            assert (answer.status_code, answer.json()["status"], answer.json()["message"]) == (401, 401, "Unauthorized")
            assert door.get(path, headers={"api-secret": "0" * 40}).status_code == 401
        assert door.get("/nightscout/tom/api/v1/entries.json", headers=home.shown()).status_code == 401
        assert door.get(f"{API}/v3/version").status_code == 200


def test_a_secret_is_kept_as_a_hash_and_a_revoked_one_opens_nothing(home: Home) -> None:
    """Neither the secret nor its SHA-1 is in the store; `gemel token revoke` ends it at once."""
    secret, token = home.secrets[PHONE]
    told = json.dumps([dict(fact.body) for fact in home.bank.thread.read()])
    assert secret not in told
    assert home.shown()["api-secret"] not in told
    with home.door() as door:
        assert door.get(f"{API}/v1/status.json").status_code == 200
        home.tokens.revoke(token.id, "sarah")
        assert door.get(f"{API}/v1/status.json").status_code == 401


def test_what_a_grant_does_not_open_is_403_with_the_reason(home: Home) -> None:
    """The watcher sees entries, and can neither see treatments nor write; the stranger has no grant at all."""
    with home.door() as door:
        door.post(f"{API}/v1/entries.json", json=[sgv(0)])
    with home.door("stream:watcher") as door:
        assert len(door.get(f"{API}/v1/entries/sgv.json?count=5").json()) == 1
        for answer in (door.get(f"{API}/v1/treatments.json"), door.post(f"{API}/v1/entries.json", json=[sgv(5)])):
            assert (answer.status_code, answer.json()["message"]) == (403, "Forbidden")
            assert "stream:watcher may not" in answer.json()["description"]
    with home.door("stream:stranger") as door:
        assert door.post(f"{API}/v3/treatments", json=treatment(0, "Bolus", insulin=1)).status_code == 403
    assert home.said("glucose") == [(120, 0)]


def test_the_secret_is_taken_as_header_query_or_bearer(home: Home) -> None:
    """As apps show it: hashed in a header, plain as `token`, or exchanged for a login first."""
    secret = home.secrets[PHONE][0]
    with home.door(None) as door:
        login = door.get(f"{API}/v2/authorization/request/{secret}").json()
        assert login["exp"] > NOON // 1000
        bearer = {"Authorization": f"Bearer {login['token']}"}
        assert door.get(f"{API}/v3/status", headers=bearer).json()["result"]["apiPermissions"]["treatments"] == "crud"
        assert door.get(f"{API}/v1/status.json?token={secret}").json()["status"] == "ok"
        assert door.get(f"{API}/v1/verifyauth", headers=home.shown()).json()["message"]["canWrite"] is True
        assert door.get(f"{API}/v1/verifyauth").json()["message"]["message"] == "UNAUTHORIZED"
        assert door.get(f"{API}/v2/authorization/request/nothing").status_code == 401
        assert door.get("/api/twins", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_holder_makes_a_secret_while_the_server_runs(home: Home) -> None:
    """By a token with the scope `tokens`; nobody else does."""
    for actor, scopes in (("sarah", ["read", "tokens"]), ("mallory", ["read", "tokens"])):
        home.tokens.create(f"gemel_{actor:-<40}", actor, ["care"], by="sarah", scopes=scopes)
    body = {"actor": "stream:new", "purposes": ["care"]}
    with home.door(None) as door:
        shown = {"Authorization": f"Bearer gemel_{'sarah':-<40}"}
        made = door.post("/nightscout/lily/secret", json=body, headers=shown)
        assert made.status_code == 201
        assert door.get(f"{API}/v1/status.json?token={made.json()['secret']}").status_code == 200
        wrong = {"Authorization": f"Bearer gemel_{'mallory':-<40}"}
        assert door.post("/nightscout/lily/secret", json=body, headers=wrong).status_code == 404


# what apps send


def test_xdrip_uploads_entries_and_sees_them_back(home: Home) -> None:
    """A list to v1, with fields of its own; asked for by count and by date."""
    with home.door() as door:
        more = {"filtered": 0, "unfiltered": 0, "rssi": 100, "noise": 1, "sysTime": "x"}
        answer = door.post(f"{API}/v1/entries", json=[sgv(m, 100 + m, **more) for m in (0, 5, 10)])
        assert answer.status_code == 200
        assert [len(one["_id"]) for one in answer.json()] == [24] * 3
        latest = door.get(f"{API}/v1/entries/sgv.json?count=2").json()
        assert [(one["sgv"], one["direction"]) for one in latest] == [(110, "Flat"), (105, "Flat")]
        since = door.get(f"{API}/v1/entries.json", params={"find[date][$gte]": str(NOON + 5 * MINUTE), "count": "10"})
        assert [one["sgv"] for one in since.json()] == [110, 105]
        assert door.get(f"{API}/v1/entries/current.json").json()[0]["sgv"] == 110
    assert home.said("glucose") == [(100, 0), (105, 5), (110, 10)]
    assert {fact.by for fact in home.facts("observed/1")} == {PHONE}


def test_aaps_uploads_one_document_at_a_time_to_v3(home: Home) -> None:
    """201 with an identifier; the same pump event again is 200 and names the first; the dose is there once."""
    bolus = {
        "eventType": "Correction Bolus", "insulin": 0.25, "created_at": iso(NOON), "date": NOON, "type": "SMB",
        "isValid": True, "isSMB": True, "pumpId": 4148, "pumpType": "MADE_UP", "pumpSerial": "0001", "app": "AAPS",
    }  # fmt: skip
    with home.door() as door:
        first = door.post(f"{API}/v3/treatments", json=bolus)
        again = door.post(f"{API}/v3/treatments", json=bolus | {"utcOffset": 120})
        assert (first.status_code, again.status_code) == (201, 200)
        name = first.json()["identifier"]
        assert first.headers["Location"] == f"/api/v3/treatments/{name}"
        assert (again.json()["isDeduplication"], again.json()["deduplicatedIdentifier"]) == (True, name)
        assert door.get(f"{API}/v3/treatments/{name}").json()["result"]["insulin"] == 0.25
        patched = door.patch(f"{API}/v3/treatments/{name}", json={"insulin": 0.3})
        assert patched.status_code == 200
    assert home.said("bolus") == [(0.3, 0)]
    assert [fact.body["value"] for fact in home.facts("acted/1")] == [0.25, 0.3]


def test_loop_uploads_batches_and_takes_one_back(home: Home) -> None:
    """Names come back in the order of the batch; a deletion is a correction in the thread, and stays on record."""
    batch = [
        treatment(0, "Carb Correction", carbs=15, syncIdentifier="loop-1", enteredBy="loop://phone"),
        treatment(0, "Bolus", insulin=2.0, syncIdentifier="loop-2", enteredBy="loop://phone"),
        treatment(1, "Carb Correction", carbs=30, syncIdentifier="loop-3", enteredBy="loop://phone"),
    ]
    with home.door() as door:
        sent = door.post(f"{API}/v1/treatments.json", json=batch).json()
        assert [one["syncIdentifier"] for one in sent] == ["loop-1", "loop-2", "loop-3"]
        put = door.put(f"{API}/v1/treatments.json", json=batch[2] | {"_id": sent[2]["_id"], "carbs": 25})
        assert (put.status_code, put.json()["carbs"], put.json()["_id"]) == (200, 25, sent[2]["_id"])
        assert door.delete(f"{API}/v1/treatments/{sent[2]['_id']}").json()["n"] == 1
        assert door.delete(f"{API}/v1/treatments/{sent[2]['_id']}").json()["n"] == 0
        left = door.get(f"{API}/v1/treatments.json?count=10").json()
        assert {one["syncIdentifier"] for one in left} == {"loop-1", "loop-2"}
    assert home.said("carbs") == [(15, 0)]
    assert [fact.body["value"] for fact in home.facts("acted/1") if fact.body["name"] == "carbs"] == [15, 30, 25]
    assert len(home.facts("retracted/1")) == 2


def test_trio_uploads_profile_treatments_and_status(home: Home) -> None:
    """A temporary rate overrides the profile and ends; targets and notes are kept and give no dose; delete by query."""
    with home.door() as door:
        assert door.post(f"{API}/v1/profile.json", json=PROFILE).status_code == 200
        door.post(f"{API}/v1/entries.json", json=[sgv(-10), sgv(-5)])
        sent = [
            treatment(-4, "Temp Basal", rate=0.2, absolute=0.2, duration=10, id="trio-1"),
            treatment(-3, "Temporary Target", targetTop=110, targetBottom=110, duration=60, id="trio-2"),
            treatment(-2, "Meal Bolus", insulin=3.5, carbs=40, id="trio-3"),
        ]
        assert door.post(f"{API}/v1/treatments.json", json=sent).status_code == 200
        status = {"device": "Trio", "created_at": iso(NOON), "pump": {"reservoir": 90}, "openaps": {"iob": {"iob": 1}}}
        assert door.post(f"{API}/v1/devicestatus.json", json=status).status_code == 200
        assert door.get(f"{API}/v1/devicestatus.json?count=1").json()[0]["pump"] == {"reservoir": 90}
        door.post(f"{API}/v1/entries.json", json=[sgv(m) for m in (0, 5, 10)])
        gone = door.delete(f"{API}/v1/treatments.json", params={"find[id][$eq]": "trio-3"})
        assert gone.json()["n"] == 1
        assert door.get(f"{API}/v1/profile.json").json()[0]["store"]["Day"]["basal"][0]["value"] == 0.8
    assert home.said("basal")[-2:] == [(0.2, -4), (0.8, 6)]
    assert (home.said("bolus"), home.said("carbs")) == ([], [])


LANTUS, RAPID = {"insulin": "Lantus", "units": 22.0}, {"insulin": "Novorapid", "units": 5.0}


def test_long_acting_and_priming_insulin_is_kept_and_is_no_dose(home: Home) -> None:
    """As xDrip+ and AndroidAPS send it; of a mixed injection the rapid part counts; the documents are given back."""
    listed = [
        treatment(0, "<none>", insulin=22.0, insulinInjections=json.dumps([LANTUS]), uuid="u1"),
        treatment(1, "<none>", insulin=27.0, insulinInjections=json.dumps([RAPID, LANTUS]), uuid="u2"),
    ]
    marked = [
        treatment(2, "Meal Bolus", insulin=18, isBasalInsulin=True, type="NORMAL"),
        treatment(3, "Meal Bolus", insulin=1.2, type="PRIMING"),
    ]
    with home.door() as door:
        assert door.put(f"{API}/v1/treatments", json=listed).status_code == 200
        assert [door.post(f"{API}/v3/treatments", json=one).status_code for one in marked] == [201, 201]
        given = door.get(f"{API}/v1/treatments.json").json()
    assert [one["insulin"] for one in given] == [1.2, 18, 27, 22]
    assert home.said("bolus") == [(5, 1)]


def test_a_dose_that_turns_out_to_be_long_acting_is_taken_back(home: Home) -> None:
    """An update that marks it does so."""
    with home.door() as door:
        name = door.post(f"{API}/v3/treatments", json=treatment(0, "Bolus", insulin=18)).json()["identifier"]
        assert home.said("bolus") == [(18, 0)]
        door.patch(f"{API}/v3/treatments/{name}", json={"isBasalInsulin": True})
    assert home.said("bolus") == []


def test_long_acting_insulin_that_was_once_taken_for_a_bolus_goes_with_its_document(home: Home) -> None:
    """Stores from before it was told apart hold such a dose under the document's name."""
    slow = treatment(0, "<none>", insulin=22.0, insulinInjections=json.dumps([LANTUS]), _id="0f" * 12)
    with home.door() as door:
        door.put(f"{API}/v1/treatments", json=slow)
        home.loop.take("lily", [Item("bolus", 22.0, "U", NOON, slow["_id"], Place("treatments", 1))], PHONE, "care")
        assert home.said("bolus") == [(22, 0)]
        door.delete(f"{API}/v1/treatments/{slow['_id']}")
    assert home.said("bolus") == []


def test_a_meter_that_says_hi_is_taken_and_one_that_says_2000_is_not(home: Home) -> None:
    """601 is kept as it was sent and is a reading of 600; 0 is kept and is none."""
    entry = {"type": "mbg", "date": NOON}
    with home.door() as door:
        assert door.post(f"{API}/v1/entries.json", json=[entry | {"mbg": 601}]).status_code == 200
        assert door.post(f"{API}/v1/entries.json", json=[entry | {"mbg": 0, "date": NOON + MINUTE}]).status_code == 200
        assert door.post(f"{API}/v1/entries.json", json=[entry | {"mbg": 2000, "date": NOON + HOUR}]).status_code == 400
        assert [one["mbg"] for one in door.get(f"{API}/v1/entries.json").json()] == [0, 601]
    assert home.said("glucose") == [(600, 0)]


def test_a_v1_write_of_a_deleted_document_brings_it_back(home: Home) -> None:
    """Nightscout deletes for good in v1: doses and readings are there again, each time, as they are said last."""
    dose, reading = treatment(0, "Meal Bolus", insulin=2.5, carbs=20, _id="0f" * 12), sgv(0, _id="1f" * 12)
    with home.door() as door:
        for insulin in (2.5, 2.5, 3):
            put = door.put(f"{API}/v1/treatments", json=dose | {"insulin": insulin})
            assert (put.status_code, put.json()["isValid"]) == (200, True)
            assert door.post(f"{API}/v1/entries", json=[reading]).json()[0]["isValid"] is True
            assert (home.said("bolus"), home.said("carbs")) == ([(insulin, 0)], [(20, 0)])
            assert home.said("glucose") == [(120, 0)]
            assert [one["insulin"] for one in door.get(f"{API}/v1/treatments.json").json()] == [insulin]
            size = home.size()
            door.put(f"{API}/v1/treatments", json=dose | {"insulin": insulin})
            assert home.size() == size
            assert door.delete(f"{API}/v1/treatments/{dose['_id']}").json()["n"] == 1
            assert door.delete(f"{API}/v1/entries/{reading['_id']}").json()["n"] == 1
            assert (home.said("bolus"), home.said("carbs"), home.said("glucose")) == ([], [], [])
        door.put(f"{API}/v1/treatments", json=dose | {"insulin": 3, "isValid": False})
        assert home.said("bolus") == []
        door.put(f"{API}/v1/treatments", json=dose)
        door.put(f"{API}/v1/treatments", json=dose | {"insulin": 4})
    assert home.said("bolus") == [(4, 0)]


def test_a_dose_that_an_update_left_out_comes_back_with_the_next(home: Home) -> None:
    """Through v3 as well: the document was never deleted."""
    with home.door() as door:
        name = door.post(f"{API}/v3/treatments", json=treatment(0, "Bolus", insulin=2)).json()["identifier"]
        for insulin, left in ((0, []), (3, [(3, 0)]), (None, []), (3, [(3, 0)])):
            door.patch(f"{API}/v3/treatments/{name}", json={"insulin": insulin})
            assert home.said("bolus") == left


def test_a_temporary_rate_that_is_written_again_holds_again(home: Home) -> None:
    """Its start and its end are in the twin's basal rate once more; so is what a deleted one had cut."""
    first = treatment(0, "Temp Basal", absolute=0.1, duration=10, _id="2f" * 12)
    late = treatment(5, "Temp Basal", absolute=1.5, duration=15, _id="3f" * 12)
    with home.door() as door:
        door.post(f"{API}/v1/profile.json", json=PROFILE)
        door.post(f"{API}/v1/entries.json", json=[sgv(-10), sgv(30)])
        door.put(f"{API}/v1/treatments", json=first)
        for _ in range(2):
            assert home.said("basal")[-2:] == [(0.1, 0), (0.8, 10)]
            door.put(f"{API}/v1/treatments", json=late)
            assert home.said("basal")[-3:] == [(0.1, 0), (1.5, 5), (0.8, 20)]
            door.delete(f"{API}/v1/treatments/{late['_id']}")
        door.delete(f"{API}/v1/treatments/{first['_id']}")
        assert home.said("basal") == [(0.8, -24 * 60)]
        door.put(f"{API}/v1/treatments", json=first)
    assert home.said("basal")[-2:] == [(0.1, 0), (0.8, 10)]


def test_what_a_person_took_back_no_app_brings_back(home: Home) -> None:
    """A dose that sarah says was not given stays away when its document is deleted and written again."""
    dose = treatment(0, "Bolus", insulin=2.5, _id="0f" * 12)
    with home.door() as door:
        door.put(f"{API}/v1/treatments", json=dose)
        correct(home.bank.find("lily", by="sarah", purpose="care"), home.facts("acted/1")[0].seq, None, "never given")
        door.delete(f"{API}/v1/treatments/{dose['_id']}")
        assert door.put(f"{API}/v1/treatments", json=dose).json()["isValid"] is True
    assert home.said("bolus") == []


def test_several_values_of_in_are_one_list(home: Home) -> None:
    """A document with any of them is found; `$nin` finds those with none; also to delete."""
    events = ("Meal Bolus", "Suspend Pump", "Note")
    with home.door() as door:
        door.post(f"{API}/v1/treatments.json", json=[treatment(m, event) for m, event in enumerate(events)])
        for brackets in ("[]", ""):
            for op, found in (("$in", ["Suspend Pump", "Meal Bolus"]), ("$nin", ["Note"])):
                asked = [(f"find[eventType][{op}]{brackets}", event) for event in events[:2]]
                told = door.get(f"{API}/v1/treatments.json", params=asked).json()
                assert [one["eventType"] for one in told] == found
        both = [("find[eventType][$in][0]", "Note"), ("find[eventType][$in][1]", "Meal Bolus")]
        assert door.delete(f"{API}/v1/treatments.json", params=both).json()["n"] == 2


def test_a_temporary_rate_that_came_late_cuts_what_was_thought_to_hold(home: Home) -> None:
    """The return to the profile at 10 min is taken back when a rate from 5 min to 20 min arrives."""
    with home.door() as door:
        door.post(f"{API}/v1/profile.json", json=PROFILE)
        door.post(f"{API}/v1/entries.json", json=[sgv(-10)])
        door.post(f"{API}/v1/treatments.json", json=treatment(0, "Temp Basal", absolute=0.1, duration=10, id="a"))
        door.post(f"{API}/v1/entries.json", json=[sgv(12)])
        assert home.said("basal")[-2:] == [(0.1, 0), (0.8, 10)]
        door.post(f"{API}/v1/treatments.json", json=treatment(5, "Temp Basal", absolute=1.5, duration=15, id="b"))
        door.post(f"{API}/v1/entries.json", json=[sgv(30)])
    assert home.said("basal")[-3:] == [(0.1, 0), (1.5, 5), (0.8, 20)]


def test_what_is_sent_twice_is_there_once(home: Home) -> None:
    """By name, or by time, type and amount; through v1 and v3; a thousand retries change nothing."""
    meal = treatment(0, "Meal Bolus", insulin=4, carbs=50)
    with home.door() as door:
        for _ in range(3):
            door.post(f"{API}/v1/treatments.json", json=[meal, meal])
            door.post(f"{API}/v1/entries.json", json=[sgv(0), sgv(0)])
        size = home.size()
        assert door.post(f"{API}/v3/treatments", json=meal).status_code == 200
        assert door.post(f"{API}/v3/entries", json=sgv(0)).json()["isDeduplication"] is True
        assert len(door.get(f"{API}/v1/treatments.json").json()) == 1
    assert home.size() == size
    assert (home.said("bolus"), home.said("carbs"), home.said("glucose")) == ([(4, 0)], [(50, 0)], [(120, 0)])


def test_ten_uploads_in_a_row_are_taken(home: Home) -> None:
    """No limit is in an app's way."""
    with home.door() as door:
        answers = [door.post(f"{API}/v1/entries.json", json=[sgv(m)]).status_code for m in range(-50, 0, 5)]
    assert answers == [200] * 10
    assert len(home.said("glucose")) == 10


def test_one_bad_document_does_not_keep_the_others_out(home: Home) -> None:
    """What cannot be used is told in the answer and as an alert; alone it is 400; an error code is no reading."""
    with home.door() as door:
        answer = door.post(f"{API}/v1/entries.json", json=[sgv(0), sgv(5, 5000), sgv(10), sgv(15, 5)])
        assert answer.status_code == 200
        assert "outside 20 to 600" in answer.json()[1]["error"]
        assert [fact.body["active"] for fact in home.facts("alert/1")] == [True]
        alone = door.post(f"{API}/v3/treatments", json=treatment(0, "Bolus", insulin=-2))
        assert (alone.status_code, alone.json()["status"]) == (400, 400)
        assert door.post(f"{API}/v3/entries", json={"sgv": 100}).json()["message"].endswith("Bad or missing date field")
        assert (
            door.post(f"{API}/v1/entries.json", content="{", headers={"Content-Type": "application/json"}).status_code
            == 400
        )
        assert door.get(f"{API}/v3/nothing").status_code == 404
        door.post(f"{API}/v1/entries.json", json=[sgv(20)])
        assert [fact.body["active"] for fact in home.facts("alert/1")][-1] is False
    assert home.said("glucose") == [(120, 0), (120, 10), (120, 20)]


@pytest.mark.parametrize(
    "extra", ['"noise": NaN', '"noise": 1e999', '"notes": "\\ud800"', '"pumpId": 123456789012345678901234567890',
              '"a": ' + "[" * 500 + "]" * 500,
              '"notes": "' + "x" * 300_000 + '"', '"date": "yesterday"', '"date": 5', '"isValid": "no"', '"_id": {"$oid": 3}'],
)  # fmt: skip
def test_a_strange_document_is_answered_and_never_breaks_anything(home: Home, extra: str) -> None:
    """Not a number, half a letter, too long, too deep: 400 with the reason, or kept; and the next upload is taken."""
    body = '{"type": "sgv", "sgv": 120, "date": ' + str(NOON) + ", " + extra + "}"
    with home.door() as door:
        for version, path in (("v1", "entries.json"), ("v3", "entries")):
            answer = door.post(f"{API}/{version}/{path}", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 201, 400), answer.text
        assert door.post(f"{API}/v1/entries.json", json=[sgv(5)]).status_code == 200
        assert door.get(f"{API}/v1/entries.json").status_code == 200
    assert home.said("glucose")[-1] == (120, 5)


def test_an_upload_leaves_doses_alone_that_came_another_way(home: Home) -> None:
    """A basal rate that the same actor wrote through our own API is not the app's to take back."""
    item = Item("basal", 2.0, "U/h", NOON - 30 * MINUTE, "own", Place("items", 1))
    home.loop.take("lily", [item], PHONE, "care")
    with home.door() as door:
        door.post(f"{API}/v1/profile.json", json=PROFILE)
        door.post(f"{API}/v1/entries.json", json=[sgv(-60), sgv(0)])
    assert (2.0, -30) in home.said("basal")


def test_erasing_a_twin_erases_what_apps_sent(home: Home) -> None:
    """The documents are among the twin's facts, and go with them."""
    with home.door() as door:
        door.post(f"{API}/v1/treatments.json", json=[treatment(0, "Note", notes="made up", id="n1")])
        home.bank.erase("lily", by="sarah", reason="made up")
        assert door.get(f"{API}/v1/treatments.json").status_code in (401, 403, 404)
    assert home.facts("nightscout/1") == []


def test_a_deletion_in_v3_is_a_mark_that_history_tells(home: Home) -> None:
    """isValid is false, reading is 410, the dose is taken back even after a correction, and it does not come again."""
    with home.door() as door:
        name = door.post(f"{API}/v3/treatments", json=treatment(0, "Bolus", insulin=2, date=NOON)).json()["identifier"]
        door.patch(f"{API}/v3/treatments/{name}", json={"insulin": 2.5})
        seen = door.get(f"{API}/v3/lastModified").json()["result"]["collections"]["treatments"]
        assert door.get(f"{API}/v3/treatments/history/{seen}").json()["result"] == []
        assert door.delete(f"{API}/v3/treatments/{name}").json() == {"status": 200}
        assert door.get(f"{API}/v3/treatments/{name}").status_code == 410
        assert door.put(f"{API}/v3/treatments/{name}", json=treatment(0, "Bolus", insulin=9)).status_code == 410
        assert door.get(f"{API}/v3/treatments").json()["result"] == []
        told = door.get(f"{API}/v3/treatments/history/{seen}")
        assert [(one["identifier"], one["isValid"]) for one in told.json()["result"]] == [(name, False)]
        assert told.headers["ETag"].strip('W/"') > str(seen)
        assert door.delete(f"{API}/v3/treatments/none").status_code == 404
    assert home.said("bolus") == []
    assert len(home.facts("retracted/1")) == 2


def test_v3_searches_by_filter_sort_limit_and_fields(home: Home) -> None:
    """As its description says; a strange operator is 400."""
    with home.door() as door:
        door.post(f"{API}/v1/entries.json", json=[sgv(m, 100 + m) for m in range(0, 30, 5)])
        asked = f"{API}/v3/entries?sort$desc=date&limit=2&skip=1&fields=sgv,type&sgv$lt=125&type$in=sgv|mbg"
        assert door.get(asked).json() == {
            "status": 200,
            "result": [{"sgv": 115, "type": "sgv"}, {"sgv": 110, "type": "sgv"}],
        }
        after = f"{API}/v3/entries?date$gte={NOON + 20 * MINUTE}&sort=date"
        assert [one["sgv"] for one in door.get(after).json()["result"]] == [120, 125]
        assert len(door.get(f"{API}/v3/entries?created_at$gt={iso(NOON + 20 * MINUTE)}").json()["result"]) == 1
        assert door.get(f"{API}/v3/entries?sgv$near=3").status_code == 400
        assert door.get(f"{API}/v3/entries?device$re=ma.*e").json()["result"] != []


def test_a_sensor_that_may_write_glucose_alone_does_so(home: Home) -> None:
    """Its entries are in; its treatments are refused, and its entries set no basal rate."""
    with home.door() as door:
        door.post(f"{API}/v1/profile.json", json=PROFILE)
    with home.door("stream:cgm") as door:
        assert door.post(f"{API}/v1/entries.json", json=[sgv(0)]).status_code == 200
        assert door.post(f"{API}/v1/treatments.json", json=[treatment(0, "Bolus", insulin=1)]).status_code == 403
    assert (home.said("glucose"), home.said("bolus"), home.said("basal")) == ([(120, 0)], [], [])


def test_a_restart_forgets_no_document(home: Home) -> None:
    """They are folded from the twin's facts."""
    with home.door() as door:
        door.post(f"{API}/v1/treatments.json", json=[treatment(0, "Note", notes="made up", id="n1")])
    home.app = create_app(home.bank, home.loop, Access(ticks=lambda: 0.0))
    with home.door() as door:
        assert [one["notes"] for one in door.get(f"{API}/v1/treatments.json").json()] == ["made up"]


# a site as a source


def test_a_site_is_read_whole_and_a_second_time_adds_nothing(home: Home) -> None:
    """Our own server, asked as a site over the loopback: v3 with a token, v1 with the secret; page after page."""
    at = [sgv(-m, 100 + m % 50) for m in range(0, 1100, 1)]
    with home.door() as door:
        for start in (0, 550):
            assert door.post(f"{API}/v1/entries.json", json=at[start : start + 550]).status_code == 200
        door.post(f"{API}/v1/treatments.json", json=[treatment(-5, "Meal Bolus", insulin=3, carbs=30)])
        slow = treatment(-4, "<none>", insulin=22, insulinInjections=json.dumps([LANTUS]))
        door.post(f"{API}/v1/treatments.json", json=[slow])
        name = door.post(f"{API}/v3/treatments", json=treatment(-6, "Bolus", insulin=9)).json()["identifier"]
        door.delete(f"{API}/v3/treatments/{name}")
    bank = Bank(MemoryThread(), home.clock, {"diabetes.person": Person})
    copy = bank.create(Person, "copy", by="sarah")
    with listening(home.app) as url:
        loaded = copy.load(nightscout(f"{url}/nightscout/lily", token=home.secrets[PHONE][0]))
        again = copy.load(nightscout(f"{url}/nightscout/lily", token=home.secrets[PHONE][0]))
        old = copy.load(nightscout(f"{url}/nightscout/lily", secret=home.secrets[PHONE][0]))
        with pytest.raises(BadInput, match="token"):
            copy.load(nightscout(f"{url}/nightscout/lily", token="gemel-wrong"))
        with pytest.raises(BadInput, match="does not let this reader in"):
            copy.load(nightscout_site(f"{url}/nightscout/lily"))
    replica = bank.replica("copy")
    assert (len(replica.readings), [dose[2] for dose in replica.doses]) == (1100, [3, 30])
    assert (loaded.new > 1100, again.new, old.new) == (True, 0, 0)


def test_a_site_is_listened_to_and_tells_what_is_new(home: Home) -> None:
    """What is uploaded while one listens comes; what is deleted is taken back; a site that is gone is told of."""
    import asyncio

    problems: list[GemelError] = []

    async def listen(url: str, door: TestClient) -> list[tuple[str, float, bool]]:
        source = nightscout_site(f"{url}/nightscout/lily", token=home.secrets[PHONE][0], every_s=0.01)
        found: list[tuple[str, float, bool]] = []
        stream = source.items()
        async with asyncio.timeout(20):
            async for item in stream:
                found.append((item.name, item.value, item.retracted))
                if len(found) == 1:
                    made = treatment(1, "Bolus", insulin=1.5, identifier="one")
                    await asyncio.to_thread(door.post, f"{API}/v1/treatments.json", json=[made])
                elif len(found) == 2:
                    await asyncio.to_thread(door.delete, f"{API}/v1/treatments/one")
                else:
                    break
        return found

    with home.door() as door:
        door.post(f"{API}/v1/entries.json", json=[sgv(0)])
        with listening(home.app) as url:
            assert asyncio.run(listen(url, door)) == [
                ("glucose", 120, False),
                ("bolus", 1.5, False),
                ("bolus", 1.5, True),
            ]

    async def nobody() -> None:
        source = nightscout_site("http://127.0.0.1:9", every_s=0.01)
        assert hasattr(source, "watched")
        told = asyncio.Event()

        def heard(problem: GemelError) -> None:
            problems.append(problem)
            told.set()

        task = asyncio.ensure_future(anext(source.watched(heard, lambda: None).items()))  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            await told.wait()
        task.cancel()

    asyncio.run(nobody())
    assert isinstance(problems[0], Unavailable)


@pytest.mark.parametrize(
    ("url", "more", "problem"),
    [
        ("ftp://x", {}, "no address"), ("https://u:p@x", {}, "bears no secrets"), ("https://x?token=1", {}, "bears no secrets"),
        ("http://example.org", {"token": "t"}, "write https"), ("https://x", {"token": "t", "secret": "s"}, "not both"),
    ],
)  # fmt: skip
def test_an_address_that_would_give_a_secret_away_is_refused(url: str, more: dict[str, str], problem: str) -> None:
    """Before anything is sent; and no error or representation shows the secret."""
    with pytest.raises(BadInput, match=problem):
        nightscout_site(url, **more)
    assert "very-secret" not in repr(nightscout_site("https://x", token="very-secret", every_s=HOUR / 1000))
