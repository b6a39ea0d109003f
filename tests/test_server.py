"""The HTTP and WebSocket door: every endpoint, one shape of error, what each actor may see and do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect
from test_loop import CARE, SMALL, START, World, adviser, granted, item

from gemel.bank.tokens import Tokens
from gemel.errors import Unavailable
from gemel.facts import HOUR, MINUTE
from gemel.loop import Loop
from gemel.server import schema as s
from gemel.server.app import Access, create_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have httpx2
    from starlette.testclient import TestClient, WebSocketTestSession

HOME = "http://127.0.0.1:8642"
Client = Callable[..., TestClient]


@pytest.fixture
def world() -> World:
    """Return a world whose agent has proposed something, with a forecast on record."""
    made = granted(World([adviser()]))
    made.turn()
    return made


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """Return a function that opens the door for an actor."""
    opened: list[TestClient] = []

    def open_door(actor: str = "sarah", purpose: str = "self-management") -> TestClient:
        app = create_app(world.bank, world.loop, Access(), speed=60.0)
        door = TestClient(app, base_url=HOME, raise_server_exceptions=False, headers=shown(world, actor, purpose))
        door.__enter__()
        opened.append(door)
        return door

    yield open_door
    for door in opened:
        door.__exit__(None, None, None)


def shown(world: World, actor: str, purpose: str) -> dict[str, str]:
    """Return the header of one who shows a token of *actor*."""
    secret = f"gemel_{actor:-<32}{purpose}"
    Tokens(world.bank).create(secret, actor, [purpose], by="sarah")
    return {"Authorization": f"Bearer {secret}"}


def fails(answer: Any, status: int, kind: str) -> str:
    """Return the message of a failure that has the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = s.Problem.model_validate(answer.json())
    assert (problem.status, problem.kind) == (status, kind)
    assert "Traceback" not in answer.text
    return problem.detail


# looking


def test_meta_says_who_asks_and_what_for(client: Client) -> None:
    """And that this is no medical device."""
    meta = s.Meta.model_validate(client().get("/api/meta").json())
    assert (meta.actor, meta.purpose, meta.demo) == ("sarah", "self-management", False)
    assert "not a medical device" in meta.notice


def test_twins_are_listed_as_the_actor_may_see_them(client: Client, world: World) -> None:
    """A stranger sees none, and leaves no trace of a refusal."""
    [lily] = client().get("/api/twins").json()
    assert (lily["id"], lily["label"], lily["open_proposals"]) == ("lily", "Lily", 1)
    assert lily["latest"] == [START, world.lily.readings("glucose")[-1].value]
    assert client("eve").get("/api/twins").json() == []


def test_the_view_shows_past_now_and_future(client: Client, world: World) -> None:
    """One primary signal, its readings, doses, the forecast on record, the open proposal."""
    view = s.View.model_validate(client().get("/api/twins/lily/view", params={"hours": 1}).json())
    assert [name for name, signal in view.signals.items() if signal.primary] == ["glucose"]
    assert [at for at, _ in view.readings["glucose"]] == list(range(START - HOUR, START + 1, 5 * MINUTE))
    assert view.actions["basal"] == [(START - 2 * HOUR, 0.5)]
    assert view.forecast is not None
    assert view.forecast.seq == world.facts("forecast/1")[-1].seq
    assert len(view.forecast.at) == len(view.forecast.quantiles["0.5"]) == 24
    assert [p.status for p in view.proposals] == [s.Status.OPEN]
    assert (view.now, view.speed, view.fallback) == (START, 60.0, None)
    assert set(view.metrics) >= {"time_in_range"}


def test_the_view_shows_how_forecasts_came_true(client: Client, world: World) -> None:
    """Scores per horizon beside hold-last-value, and each forecast with what happened."""
    world.live(70 * MINUTE)
    view = s.View.model_validate(client().get("/api/twins/lily/view").json())
    assert [score.horizon_min for score in view.scores] == [30, 60]
    assert all(score.n > 0 and score.hold_rmse >= 0 for score in view.scores)
    assert all(past.happened is not None and past.low80 <= past.median <= past.high80 for past in view.past_forecasts)


def test_the_view_says_what_the_loop_does_instead(client: Client, world: World) -> None:
    """A silent sensor: no forecast, an alert, and why."""
    world.clock.pass_time(HOUR)
    world.turn()
    view = s.View.model_validate(client().get("/api/twins/lily/view").json())
    assert view.forecast is None
    assert "no glucose reading for 60 min" in str(view.fallback)
    assert [(a.active, a.severity) for a in view.alerts] == [(True, "warning")]


def test_a_twin_with_no_reading_can_be_looked_at(client: Client, world: World) -> None:
    """An empty page, not an error."""
    world.bank.create(SMALL, "new", by="sarah")
    view = s.View.model_validate(client().get("/api/twins/new/view").json())
    assert (view.readings["glucose"], view.forecast) == ([], None)


def test_a_twin_at_rest_is_shown_as_of_its_last_reading(world: World) -> None:
    """An imported record that nothing feeds has a past, and a forecast from where it ends."""
    world.clock.pass_time(1000 * HOUR)
    app = create_app(world.bank, Loop(world.bank), Access())
    with TestClient(app, base_url=HOME, headers=shown(world, "sarah", CARE)) as door:
        view = s.View.model_validate(door.get("/api/twins/lily/view").json())
    assert (view.now, view.speed) == (START, 0.0)
    assert view.forecast is not None
    assert view.forecast.made_at == START


def test_a_reader_sees_what_the_grant_names_and_no_more(client: Client, world: World) -> None:
    """Glucose alone: no heart rate, no doses, no proposals."""
    world.lily.grant(to="dr-lee", purpose=CARE, read="glucose")
    view = s.View.model_validate(client("dr-lee", CARE).get("/api/twins/lily/view").json())
    assert set(view.signals) == set(view.readings) == {"glucose"}
    assert (view.actions, view.proposals, view.scores) == ({}, [], [])
    fails(client("dr-lee", CARE).get("/api/twins/lily/belief"), 403, "refused")


def test_why_leads_down_to_the_readings(client: Client, world: World) -> None:
    """From proposal over forecast to observed values, each with a sentence."""
    seq = world.facts("proposed/1")[0].seq
    tree = s.Why.model_validate(client().get(f"/api/twins/lily/why/{seq}").json())
    [forecast] = tree.causes
    assert (tree.kind, forecast.kind) == ("proposed/1", "forecast/1")
    assert any(cause.text.startswith("Glucose 1") for cause in forecast.causes if cause.kind == "observed/1")


def test_a_refused_fact_does_not_tell_what_it_is_about(client: Client, world: World) -> None:
    """Neither a dose, nor who looked at the glucose that one may see oneself: found by trying numbers."""
    world.lily.grant(to="dr-lee", purpose=CARE, read="glucose")
    door = client("dr-lee", CARE)
    door.get("/api/twins/lily/view")
    [dose] = world.facts("acted/1")
    look = next(f for f in world.facts("accessed/1") if f.body["signal"] == "glucose")
    for fact in (dose, look):
        message = fails(door.get(f"/api/twins/lily/why/{fact.seq}"), 403, "refused")
        assert message == f"dr-lee may not read fact {fact.seq} of lily"


def test_the_belief_is_told_by_its_digest(client: Client) -> None:
    """The same twice, another after a reading."""
    door = client()
    first = door.get("/api/twins/lily/belief").json()
    assert first == door.get("/api/twins/lily/belief").json()
    assert first["at"] == START
    assert 50 < first["mean"]["glucose.plasma"] < 200
    door.post("/api/twins/lily/readings", json={"items": [reading(START + 5 * MINUTE)]})
    assert door.get("/api/twins/lily/belief").json()["digest"] != first["digest"]


def test_health_names_what_the_loop_could_not_do(client: Client, world: World) -> None:
    """By twin."""
    door = client()
    assert door.get("/api/health").json()["status"] == "ok"
    world.loop._broke("lily", "turn", Unavailable("the disk is full"))
    assert door.get("/api/health").json()["troubles"] == {"lily": "the disk is full"}
    assert "the disk is full" in door.get("/api/twins/lily/view").json()["fallback"]


# deciding


def test_an_approved_proposal_is_sent_and_delivered(client: Client, world: World) -> None:
    """From a click to the sink, and back to the page."""
    seq = world.facts("proposed/1")[0].seq
    door = client()
    decided = door.post(f"/api/twins/lily/proposals/{seq}/decision", json={"decision": "approve", "note": "as ever"})
    assert s.Proposal.model_validate(decided.json()).status is s.Status.APPROVED
    world.flush()
    assert world.sink.keys == [f"lily/{seq}"]
    [shown] = door.get("/api/twins/lily/view").json()["proposals"]
    assert (shown["status"], shown["agent"]) == ("delivered", "adviser")
    assert "not open" in fails(
        door.post(f"/api/twins/lily/proposals/{seq}/decision", json={"decision": "reject"}), 403, "refused"
    )


def test_a_rejected_proposal_says_by_whom(client: Client, world: World) -> None:
    """And nothing is sent."""
    seq = world.facts("proposed/1")[0].seq
    answer = client().post(f"/api/twins/lily/proposals/{seq}/decision", json={"decision": "reject", "note": "no"})
    world.flush()
    assert (answer.json()["status"], answer.json()["reason"]) == ("rejected", "rejected by sarah: no")
    assert world.sink.sent == []


def test_a_guard_has_the_last_word(client: Client, world: World) -> None:
    """More insulin on a sensor that has fallen silent: refused on approval, on record, not sent."""
    seq = world.lily.propose(world.lily.bank.proposals("lily")[0].intervention.__class__(
        "more", (world.proposed(0.9).intervention.doses[0],)), "to see").seq  # fmt: skip
    world.clock.pass_time(20 * MINUTE)
    answer = client().post(f"/api/twins/lily/proposals/{seq}/decision", json={"decision": "approve"})
    world.flush()
    assert answer.json()["status"] == "refused"
    assert world.facts("decided/1")[-1].by.startswith("guard:")
    assert world.sink.sent == []


def test_a_reader_may_not_decide(client: Client, world: World) -> None:
    """Reading is not acting."""
    world.lily.grant(to="dr-lee", purpose=CARE, read="*")
    seq = world.facts("proposed/1")[0].seq
    answer = client("dr-lee", CARE).post(f"/api/twins/lily/proposals/{seq}/decision", json={"decision": "approve"})
    assert "may not act" in fails(answer, 403, "refused")


# supposing


def test_a_fork_is_laid_over_the_view_until_it_is_removed(client: Client, world: World) -> None:
    """It moves on with the twin, and is paired with the usual course."""
    door = client()
    forms = [s.Scenario.model_validate(form) for form in door.get("/api/twins/lily/scenarios").json()]
    assert {"meal", "basal"} <= {form.name for form in forms}
    asked = {"name": "lunch", "scenario": "meal", "values": {"carbs": 60, "after": 10}}
    made = s.ForkView.model_validate(door.post("/api/twins/lily/suppose", json=asked).json())
    assert made.metrics["mean"] > made.usual["mean"]
    world.live(5 * MINUTE)
    [shown] = door.get("/api/twins/lily/view").json()["forks"]
    assert shown["at"][0] == made.at[0] + 5 * MINUTE
    assert door.delete("/api/twins/lily/forks/lunch").status_code == 204
    assert door.get("/api/twins/lily/view").json()["forks"] == []
    assert "lunch" in fails(door.delete("/api/twins/lily/forks/lunch"), 404, "not_found")


def test_forks_are_the_actors_own(client: Client, world: World) -> None:
    """What Sarah supposes, Dr Lee does not see."""
    world.lily.grant(to="dr-lee", purpose=CARE, read="*", fork="*")
    client().post("/api/twins/lily/suppose", json={"name": "x", "scenario": "meal"})
    assert client("dr-lee", CARE).get("/api/twins/lily/view").json()["forks"] == []


def test_who_may_not_fork_supposes_nothing(client: Client, world: World) -> None:
    """Reading is not copying."""
    world.lily.grant(to="dr-lee", purpose=CARE, read="*")
    answer = client("dr-lee", CARE).post("/api/twins/lily/suppose", json={"name": "x", "scenario": "meal"})
    fails(answer, 403, "refused")


@pytest.mark.parametrize(
    ("asked", "status", "named"),
    [
        ({"name": "x", "scenario": "holiday"}, 404, "holiday"),
        ({"name": "x", "scenario": "meal", "values": {"carbs": -5}}, 422, "carbs"),
        ({"name": "x", "scenario": "meal", "values": {"carbs": "many"}}, 422, "carbs"),
        ({"name": "x", "scenario": "meal", "values": {"sugar": 5}}, 404, "sugar"),
        ({"name": "", "scenario": "meal"}, 422, "name"),
        ({"name": "x", "scenario": "meal", "extra": 1}, 422, "extra"),
    ],
)
def test_what_cannot_be_supposed_is_named(client: Client, asked: dict[str, Any], status: int, named: str) -> None:
    """The scenario, or the field of its form."""
    kind = {404: "not_found", 422: "bad_input"}[status]
    assert named in fails(client().post("/api/twins/lily/suppose", json=asked), status, kind)


def test_forks_are_few(client: Client) -> None:
    """Beyond six they could not be told apart."""
    door = client()
    for i in range(6):
        assert door.post("/api/twins/lily/suppose", json={"name": f"f{i}", "scenario": "meal"}).status_code == 200
    fails(door.post("/api/twins/lily/suppose", json={"name": "one more", "scenario": "meal"}), 422, "bad_input")


# readings in


def reading(at: int, value: float = 130.0, **more: Any) -> dict[str, Any]:
    """Return one reading as JSON."""
    return {"name": "glucose", "value": value, "unit": "mg/dL", "at": at, **more}


def test_readings_are_taken_once(client: Client, world: World) -> None:
    """New the first time, known the second, in whatever unit."""
    door = client()
    items = [reading(START + 5 * MINUTE), reading(START + 10 * MINUTE, 7.0, unit="mmol/L", id="cgm-7")]
    assert door.post("/api/twins/lily/readings", json={"items": items}).json() == {"new": 2, "known": 0}
    assert door.post("/api/twins/lily/readings", json={"items": items}).json() == {"new": 0, "known": 2}
    assert world.lily.readings("glucose")[-1].value == pytest.approx(126.1, abs=0.1)
    world.turn()
    assert len(world.facts("forecast/1")) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"value": 5000}, "row 2"),
        ({"unit": "furlong"}, "row 2"),
        ({"name": "glucos"}, "glucose"),
        ({"at": "yesterday"}, "items.1.at"),
        ({"at": START + 100 * HOUR}, "row 2"),
        ({"value": "high"}, "items.1.value"),
        ({"colour": "red"}, "items.1.colour"),
    ],
)
def test_a_wrong_reading_is_named_and_nothing_is_half_written(
    client: Client, world: World, change: dict[str, Any], named: str
) -> None:
    """The row or the field, and the right one beside it is not written either."""
    items = [reading(START + 5 * MINUTE), reading(START + 10 * MINUTE) | change]
    answer = client().post("/api/twins/lily/readings", json={"items": items})
    kind = "not_found" if "name" in change else "bad_input"
    assert named in fails(answer, 404 if "name" in change else 422, kind)
    assert world.lily.readings("glucose")[-1].at == START


def test_a_stranger_may_not_write(client: Client, world: World) -> None:
    """Nor does a reader."""
    fails(client("eve", CARE).post("/api/twins/lily/readings", json={"items": [reading(START + 1)]}), 404, "not_found")
    world.lily.grant(to="dr-lee", purpose=CARE, read="*")
    answer = client("dr-lee", CARE).post("/api/twins/lily/readings", json={"items": [reading(START + 1)]})
    assert "may not write" in fails(answer, 403, "refused")
    assert world.lily.readings("glucose")[-1].at == START


def test_a_store_that_takes_nothing_is_said(client: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, so that the sender tries again."""

    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    door = client()
    monkeypatch.setattr(world.thread, "append", full)
    answer = door.post("/api/twins/lily/readings", json={"items": [reading(START + 5 * MINUTE)]})
    assert fails(answer, 503, "unavailable") == "the disk is full"


# errors and strangers


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/twins/tom/view", "/api/twins/lily/why/99999", "/api/twins/tom/belief"]
)
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    """In the one shape."""
    fails(client().get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["view", "belief", "scenarios", "why/1"])
def test_a_twin_one_may_not_see_answers_as_one_that_is_not_there(client: Client, world: World, path: str) -> None:
    """Whatever is asked: the same words, and either search is on record."""
    hidden, missing = (client("eve").get(f"/api/twins/{name}/{path}") for name in ("lily", "lila"))
    assert fails(hidden, 404, "not_found").replace("lily", "") == fails(missing, 404, "not_found").replace("lila", "")
    assert set(hidden.headers) == set(missing.headers)
    assert world.facts("accessed/1")[-1].body["allowed"] is False
    [sought] = world.thread.read("@house", kinds=["accessed/1"])
    assert (sought.by, sought.body["allowed"]) == ("eve", False)
    assert "lila" not in str(sought.body)


def test_one_whose_grant_has_ended_is_told_so(client: Client, world: World) -> None:
    """They know of the twin already; the reason says what changed."""
    grants = world.lily.grant(to="dr-lee", purpose=CARE, read="*")
    world.lily.revoke(grants[0].id)
    assert "revoked" in fails(client("dr-lee", CARE).get("/api/twins/lily/view"), 403, "refused")


def test_bad_parameters_are_named(client: Client) -> None:
    """Hours below nothing; a body that is no JSON."""
    assert "hours" in fails(client().get("/api/twins/lily/view?hours=-1"), 422, "bad_input")
    fails(client().post("/api/twins/lily/readings", content=b"{nope"), 422, "bad_input")


def test_nothing_inside_leaks_out(client: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody foresaw has a status and no story."""
    monkeypatch.setattr(world.bank, "find", lambda *_, **__: 1 / 0)
    message = fails(client().get("/api/twins/lily/view"), 500, "internal")
    assert "division" not in message


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "http://127.0.0.1:9999"}]
)
def test_other_pages_are_kept_out(client: Client, headers: dict[str, str]) -> None:
    """Neither a rebound name nor a page from elsewhere reaches the twin, by request or by socket."""
    door = client()
    fails(door.get("/api/twins", headers=headers), 403, "refused")
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        door.websocket_connect("/api/twins/lily/live", headers={"host": "127.0.0.1:8642"} | headers),
    ):
        pass
    assert closed.value.code == 1008


def test_the_page_is_there_or_says_how_to_build_it(client: Client) -> None:
    """Never a bare 404."""
    answer = client().get("/")
    assert "<title>" in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


# live


def socket_of(door: TestClient, path: str) -> WebSocketTestSession:
    """Return the live socket that the page opens."""
    return door.websocket_connect(path, headers={"host": "127.0.0.1:8642"})


def test_the_socket_pushes_each_change(client: Client, world: World) -> None:
    """First the present, then what is new."""
    with socket_of(client(), "/api/twins/lily/live?hours=3") as socket:
        first = s.Push.model_validate_json(socket.receive_text()).view
        assert first.readings["glucose"][-1][0] == START
        world.lily.record([item("glucose", 133, START + 5 * MINUTE)])
        world.clock.pass_time(5 * MINUTE)
        world.turn()
        last = first
        while last.forecast is None or last.forecast.made_at == START:
            last = s.Push.model_validate_json(socket.receive_text()).view
    assert last.readings["glucose"][-1] == (START + 5 * MINUTE, 133.0)


def test_many_changes_are_one_push(client: Client, world: World) -> None:
    """A hundred readings at once wake the page about once."""
    with socket_of(client(), "/api/twins/lily/live") as socket:
        socket.receive_text()
        for at in range(START + MINUTE, START + 100 * MINUTE, MINUTE):
            world.lily.record([item("steps", 5, at)])
        pushes = 1
        world.clock.pass_time(100 * MINUTE)
        while len(s.Push.model_validate_json(socket.receive_text()).view.readings["steps"]) < 99:
            pushes += 1
    assert pushes <= 10


def test_a_stranger_s_socket_is_closed_with_the_reason(client: Client) -> None:
    """After it was opened, so that a browser can read why; and no more is said than of a twin that is not there."""
    with socket_of(client("eve"), "/api/twins/lily/live") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()
    assert closed.value.code == 1008
    assert "there is no twin 'lily' that eve may see" in str(closed.value.reason)


def test_consent_withdrawn_closes_the_socket(client: Client, world: World) -> None:
    """At the next push, not at the next visit."""
    grants = world.lily.grant(to="dr-lee", purpose=CARE, read="*")
    with socket_of(client("dr-lee", CARE), "/api/twins/lily/live") as socket:
        socket.receive_text()
        world.lily.revoke(grants[0].id)
        with pytest.raises(WebSocketDisconnect) as closed:
            while True:
                socket.receive_text()
    assert "revoked" in str(closed.value.reason)
