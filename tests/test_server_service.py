"""What the server says of a service: the same as its twin believes, to those whose grants open it and to nobody else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clinic import CARE, NOW, Clinic, bearer, network

from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE
from gemel.intervention import Intervention
from gemel.process.gauges import gauges_of
from gemel.process.present import Present

OF = "/api/twins/clinic/service"


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Return a clinic of which cleo may see her own journey, with gauges written down and one proposal."""
    made = Clinic(days=0.25, seed=9)
    made.weekly()
    doses = Dose("staff.nurses", 1.0, NOW + 10 * MINUTE), Dose("staff.nurses", 0.0, NOW + 130 * MINUTE)
    made.twin.propose(Intervention("one more nurse", doses), "triage is about to break its promise")
    made.twin.grant(to="cleo", purpose=CARE, read=f"case:{made.inside()[0]}")
    return made


def asked(clinic: Clinic, actor: str, path: str = "", status: int = 200) -> Any:
    """Return what *actor* is answered."""
    with clinic.door(actor) as door:
        answer = door.get(f"{OF}{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def present(clinic: Clinic) -> Present:
    """Return who is where, as the bank believes."""
    found: Present = clinic.bank.belief_at("clinic", NOW).values["present"][0, 0]
    return found


def test_the_map_shows_what_the_belief_says(clinic: Clinic) -> None:
    """Queues, who is served, longest waits and who is inside are the gauges of the present; places hold its tokens."""
    told, now = asked(clinic, "ann"), present(clinic)
    gauges = gauges_of(network(), now)
    for station in told["stations"]:
        name = station["name"]
        assert (station["queue"], station["busy"]) == (gauges[f"queue.{name}"], gauges[f"busy.{name}"])
        assert station["oldest"] == pytest.approx(gauges[f"oldest.{name}"], abs=0.1)
    assert told["inside"] == len(now.cases)
    assert sum(place["here"] for place in told["places"]) == sum(token.node != "sorted" for token in now.tokens)
    assert told["now"] == NOW


def test_fans_risks_and_workload_are_of_one_run(clinic: Clinic) -> None:
    """They are what an ensemble of the dynamics says when it is run with the same seed, and quantiles never cross."""
    told, belief = asked(clinic, "ann"), clinic.bank.belief_at("clinic", NOW)
    service = clinic.bank.type_of("clinic").dynamics
    run = service.run(belief, 0, [], NOW + 2 * HOUR, clinic.bank.seed, MINUTE)  # type: ignore[attr-defined]
    station = next(one for one in told["stations"] if one["name"] == "triage")
    queue = run.gauges["queue.triage"][4::5]
    assert station["queue_fan"]["0.9"] == pytest.approx(np.quantile(queue, 0.9, axis=1), abs=0.06)
    rows = np.array([station["oldest_fan"][level] for level in ("0.025", "0.1", "0.5", "0.9", "0.975")])
    assert (np.diff(rows, axis=0) >= 0).all()
    broken = (run.gauges["oldest.triage"][:60] > 600) | (run.gauges["breaches.triage"][:60] > 0)
    assert station["risk"]["chance"] == pytest.approx(broken.any(axis=0).mean(), abs=1e-3)
    nurses = next(one for one in told["pools"] if one["name"] == "nurses")
    assert nurses["busy_ahead"] == pytest.approx(run.gauges["busy.pool.nurses"][4::5].mean(axis=1), abs=0.01)


def test_flows_on_the_map_agree_with_arrivals(clinic: Clinic) -> None:
    """Who comes in within the hour goes to reception: as many as the run's arrivals, and none on ways that lead nowhere."""
    told, belief = asked(clinic, "ann"), clinic.bank.belief_at("clinic", NOW)
    service = clinic.bank.type_of("clinic").dynamics
    run = service.run(belief, 0, [], NOW + 2 * HOUR, clinic.bank.seed, MINUTE)  # type: ignore[attr-defined]
    came_in = next(way["per_hour"] for way in told["ways"] if way["start"] == "in")
    assert came_in == pytest.approx(run.gauges["came"][59].mean(), rel=0.03)
    places = {place["id"] for place in told["places"]}
    assert {end for way in told["ways"] for end in (way["start"], way["end"])} <= places


def test_the_day_is_the_mean_of_what_gauges_read(clinic: Clinic) -> None:
    """An hour of the day holds the time-weighted mean of its readings, in the zone that was asked for."""
    told = asked(clinic, "ann", "/day?zone=UTC")
    at = np.arange(NOW - HOUR // 2, NOW, 5 * MINUTE)  # the hour that began at ten
    read = [(r.at, r.value) for r in clinic.twin.readings("queue.triage")]
    held = [next((v for t, v in reversed(read) if t <= one), 0.0) for one in at]
    row = next(one for one in told["stations"] if one["name"] == "triage")
    assert row["queue"][10] == pytest.approx(np.mean(held), abs=0.01)
    assert asked(clinic, "ann", "/day?zone=Asia/Kolkata")["stations"][1]["queue"][15] is not None
    assert told["pools"][1]["there"] == [3.0] * 24
    assert told["since"] <= NOW - 7 * DAY + 5 * MINUTE
    assert "time zone" in asked(clinic, "ann", "/day?zone=Mars/Olympus", 422)["detail"]


def test_a_customer_sees_her_own_case_and_nobody_elses(clinic: Clinic) -> None:
    """A grant for one case opens that one; another case, one that never was, the map and the days stay closed."""
    own, other = clinic.inside()[:2]
    told = asked(clinic, "cleo", "/cases")
    assert [case["id"] for case in told["cases"]] == [own]
    assert told["total"] == 1
    journey = asked(clinic, "cleo", f"/cases/{own}")
    assert journey["id"] == own
    assert journey["past"]
    assert all(event["resource"] == "" for event in journey["past"])
    refused = [asked(clinic, "cleo", f"/cases/{name}", 403)["detail"].replace(name, "") for name in (other, "nobody")]
    assert refused[0] == refused[1]
    for path in ("", "/day", "/proposals", "/frontier"):
        assert other not in str(asked(clinic, "cleo", path, 403))
    with clinic.door("cleo") as door:
        assert [one["id"] for one in door.get("/api/twins").json()] == ["clinic"]


def test_events_of_cases_are_told_as_cloud_events_to_who_may_read_them(clinic: Clinic) -> None:
    """The feed tells what happened to those who may read events; a customer with one case gets no names of staff by it."""

    def kinds(actor: str) -> set[str]:
        with clinic.door(actor) as door:
            return {event["type"] for event in door.get("/api/events?twin=clinic&limit=50").json()}

    assert "gemel.happened.v1" in kinds("ann")
    assert "gemel.happened.v1" not in kinds("cleo")


def test_a_stranger_is_told_nothing(clinic: Clinic) -> None:
    """To who was granted nothing the clinic does not exist, and nobody at all must log in."""
    for path in ("", "/day", "/cases", f"/cases/{clinic.inside()[0]}", "/proposals", "/frontier"):
        asked(clinic, "eve", path, 404)
    with clinic.door(None) as door:
        assert door.get(OF).status_code == 401
        assert door.get(OF, headers=bearer("ann")).status_code == 200


def test_who_may_read_one_stations_gauges_sees_that_station(clinic: Clinic) -> None:
    """Neither other stations nor ways to them, nor staff, nor who is inside."""
    told = asked(clinic, "bea")
    assert [station["name"] for station in told["stations"]] == ["imaging"]
    assert {place["id"] for place in told["places"]} == {"in", "station:imaging", "out"}
    assert (told["pools"], told["moves"], told["inside"]) == ([], [], None)
    for word in ("triage", "reception", "nurses"):
        assert word not in str(told)
    assert [station["name"] for station in asked(clinic, "bea", "/day")["stations"]] == ["imaging"]
    asked(clinic, "bea", "/cases", 403)


def test_remaining_times_and_ways_on_fit_together(clinic: Clinic) -> None:
    """Quantiles rise, chances of ways on add up to at most one, and nothing that comes next lies in the past."""
    told = asked(clinic, "ann", "/cases")
    assert told["total"] == len(present(clinic).cases)
    for case in told["cases"][:6]:
        low, mid, high = case["remaining"]
        assert 0 <= low <= mid <= (high if high is not None else np.inf)
        journey = asked(clinic, "ann", f"/cases/{case['id']}")
        assert sum(way["chance"] for way in journey["pathways"]) <= 1.001
        assert all(step["at"][1] > NOW and 0 < step["chance"] <= 1 for step in journey["ahead"])
    gone = next(event.case for event in clinic.events if event.phase == "left")
    assert asked(clinic, "ann", f"/cases/{gone}")["case"] is None
    asked(clinic, "ann", "/cases/nobody", 404)


def test_a_proposal_is_compared_with_the_same_luck(clinic: Clinic) -> None:
    """One more nurse shortens the wait for triage in most futures, and the usual course is that of the map."""
    told, usual = asked(clinic, "ann", "/proposals"), asked(clinic, "ann")
    assert [one["title"] for one in told] == ["one more nurse"]
    wait = next(one for one in told[0]["metrics"] if one["name"] == "longest wait triage")
    assert wait["difference"] == pytest.approx(wait["changed"] - wait["usual"], abs=0.02)
    assert wait["difference"] < 0
    assert wait["share"] > 0.4  # in many futures nobody waits longer either way
    triage = next(one for one in usual["stations"] if one["name"] == "triage")
    assert told[0]["signal"] == "oldest.triage"
    assert told[0]["usual"]["median"] == pytest.approx(triage["oldest_fan"]["0.5"], abs=0.2)


def test_a_twin_that_is_no_service_has_no_map() -> None:
    """It says so, and not that something failed."""
    from serving import Works

    with Works().door("ann") as door:
        for path in ("", "/day", "/cases", "/cases/1", "/proposals", "/frontier"):
            answer = door.get(f"/api/twins/north/service{path}")
            assert answer.status_code == 404
            assert "no service" in answer.json()["detail"]


def test_a_service_of_which_nothing_is_known_yet_is_shown_empty() -> None:
    """Before the first event there is a map, with nobody on it."""
    clinic = Clinic(days=0.0)
    told = asked(clinic, "ann")
    assert told["inside"] == 0
    assert sum(place["here"] for place in told["places"]) == 0
    assert asked(clinic, "ann", "/cases")["cases"] == []
    assert asked(clinic, "ann", "/day")["stations"][0]["queue"] == [None] * 24
