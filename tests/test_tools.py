"""Tools and papers: what may be asked of a twin by name, under the asker's own consent."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from serving import Works

from gemel.bank import Twin
from gemel.bank.tools import GENERAL, named, offered, pdf
from gemel.errors import BadInput, NotFound, Refused


@pytest.fixture(scope="module")
def works() -> Works:
    return Works()


def as_seen(works: Works, actor: str) -> Twin:
    purpose = "self-management" if actor == "ann" else "care"
    return works.bank.find("north", by=actor, purpose=purpose)


def call(works: Works, name: str, actor: str = "ann", **given: Any) -> Any:
    return named(GENERAL, name).call(as_seen(works, actor), given)


def test_each_tool_says_what_it_takes_as_a_json_schema_and_answers_in_json(works: Works) -> None:
    for tool in GENERAL:
        jsonschema.Draft202012Validator.check_schema(tool.schema())
    for name in ("status", "forecast", "history", "what_if", "alerts", "plan", "proposals"):
        assert json.loads(json.dumps(call(works, name))) is not None


def test_a_forecast_by_tool_is_the_forecast(works: Works) -> None:
    said = as_seen(works, "ann").forecast("gauge", 2.0)
    rows = call(works, "forecast", hours=2.0)["steps"]
    assert [row["median"] for row in rows] == [
        round(float(said.at_level(0.5)[i]), 1)
        for i, at in enumerate(said.at)
        if (at - said.made_at) % (30 * 60_000) == 0
    ]


def test_what_is_supposed_by_tool_is_the_fork(works: Works) -> None:
    answer = call(works, "what_if", scenario="fill", values={"amount": 10.0}, hours=1.0)
    assert answer["supposed"]["highest"]["median"] > answer["usual"]["highest"]["median"]
    assert "fill" in call(works, "what_if")["scenarios"]


@pytest.mark.parametrize(
    ("name", "given"),
    [("forecast", {"hours": 1e9}), ("forecast", {"hours": "soon"}), ("forecast", {"horizon": 2}), ("why", {}),
     ("what_if", {"scenario": "flood"}), ("forecast", {"signal": "nothing"})],
)  # fmt: skip
def test_what_a_tool_does_not_take_is_refused_in_a_sentence(works: Works, name: str, given: dict[str, Any]) -> None:
    with pytest.raises((BadInput, NotFound)):
        call(works, name, **given)
    with pytest.raises(NotFound, match="unknown tool"):
        named(GENERAL, "rule the world")


def test_a_tool_opens_nothing_that_its_asker_may_not_see(works: Works) -> None:
    assert call(works, "status", actor="bea")["latest"] is not None
    for name in ("alerts", "plan", "proposals", "what_if"):
        with pytest.raises(Refused):
            call(works, name, actor="bea")
    with pytest.raises(Refused):
        call(works, "propose", actor="bea", scenario="fill", why="it is dry")


def test_only_tools_that_say_so_change_anything(works: Works) -> None:
    size = len([fact for fact in works.bank.thread.read("north") if fact.kind not in ("accessed/1",)])
    for tool in GENERAL:
        if not tool.changes and tool.name not in ("why", "fact"):
            tool.call(as_seen(works, "ann"), {})
    assert len([fact for fact in works.bank.thread.read("north") if fact.kind not in ("accessed/1",)]) == size


def test_the_server_offers_the_same_tools_and_refuses_the_same(works: Works) -> None:
    with works.door("ann") as door:
        assert [one["name"] for one in door.get("/api/twins/north/tools").json()] == [
            tool.name for tool in offered("tank")
        ]
        answer = door.post("/api/twins/north/tools/status", json={"given": {}}).json()
        assert answer["signal"] == "gauge" and answer["latest"] == call(works, "status")["latest"]
        assert door.post("/api/twins/north/tools/status", json={"given": {"x": 1}}).status_code == 422
        assert door.post("/api/twins/north/tools/nothing", json={}).status_code == 404
        assert door.get("/api/twins/north/papers").json() == []
        assert door.get("/api/twins/north/papers/none").status_code == 404
    with works.door("bea") as door:
        assert door.post("/api/twins/north/tools/plan", json={}).status_code == 403


def test_a_page_becomes_a_pdf_and_fetches_nothing_on_the_way() -> None:
    assert pdf("<h1>Lily</h1>").startswith(b"%PDF")
    assert pdf('<img src="http://127.0.0.1:9/x.png"><p>there').startswith(b"%PDF")
