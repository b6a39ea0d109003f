"""The tools of twins over MCP: what is listed, that each call is gated as the actor, and that nothing acts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from tank import drafts, lived

from gemel.bank import Bank
from gemel.bank.tools import GENERAL
from gemel.errors import NotFound, Refused
from gemel.facts import HOUR, MINUTE, Time
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.asset import LILY, VirtualPerson
from gemel.packs.diabetes.sunny import TOOLS as SUNNY
from gemel.server.agents import Offer
from gemel.streams import Item, Place
from gemel.thread import SqliteThread

pytest.importorskip("mcp", reason="the extra agents is not installed")

from mcp import Client, MCPError, StdioServerParameters

START: Time = (time.time_ns() // 1_000_000 - 3 * HOUR) // (5 * MINUTE) * (5 * MINUTE)
"""The server is another process and has the clock of this machine: Lily's last three hours."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lily's twin on disk: sarah holds the keys, bea may read glucose only, for care."""
    folder = tmp_path_factory.mktemp("mcp") / "store"
    with Bank(SqliteThread(folder), lambda: START + 3 * HOUR) as bank:
        twin = bank.create(Person, "lily", by="sarah")
        told = VirtualPerson(LILY, 7, START, id="lily").advance(START + 3 * HOUR)
        twin.record([Item(name, value, unit, at, None, Place("room")) for name, value, unit, at in told])
        twin.grant(to="bea", purpose="care", read="glucose")
    return folder


def parameters(store: Path, actor: str, purpose: str) -> StdioServerParameters:
    args = ["-m", "gemel.cli", "mcp", "--store", str(store), "--as", actor, "--purpose", purpose]
    return StdioServerParameters(command=sys.executable, args=args, env=dict(os.environ))


def asked(store: Path, actor: str, purpose: str, *calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The tools that an MCP client is shown over standard input and output, and what comes of calls: results or errors."""

    async def session() -> tuple[list[Any], list[Any]]:
        async with Client(parameters(store, actor, purpose), read_timeout_seconds=120) as client:
            tools, found = (await client.list_tools()).tools, list[Any]()
            for name, given in calls:
                try:
                    found.append(await client.call_tool(name, given))
                except MCPError as error:
                    found.append(error)
            return tools, found

    return anyio.run(session)


def text(result: Any) -> str:
    return str(result.content[0].text)


def test_an_agent_sees_every_tool_with_its_schema_and_whether_it_changes_anything(store: Path) -> None:
    tools, (history, refused, bad, unknown, proposed) = asked(
        store, "sarah", "self-management", ("history", {"hours": 90.0 * 24}), ("hand_over", {}), ("forecast", {"hours": "x"}),
        ("decide", {}), ("propose", {"scenario": "bolus", "why": "a test", "values": {"amount": 10.0}}),
    )  # fmt: skip
    shown = {tool.name: tool for tool in tools}
    offered = [tool for tool in (*GENERAL, *SUNNY) if not tool.by_hand]
    assert {tool.name for tool in offered} <= set(shown)
    for tool in offered:
        held = shown[tool.name]
        assert held.input_schema["properties"]["twin"]["enum"] == ["lily"]
        assert held.annotations.read_only_hint is not tool.changes
        assert ("never acts" in held.description) is tool.changes
    assert not history.is_error and json.loads(text(history)) == history.structured_content
    assert history.structured_content["signal"] == "glucose"
    assert refused.is_error and "kind" in text(refused)
    assert bad.is_error and "forecast" in text(bad)
    assert isinstance(unknown, MCPError) and "unknown tool 'decide'" in unknown.message
    assert not proposed.is_error and proposed.structured_content["status"] in ("open", "refused")  # nothing acts
    with Bank(SqliteThread(store), lambda: START + 3 * HOUR + MINUTE) as bank:
        assert not list(bank.thread.read("lily", kinds=["sent/1", "delivered/1"]))


def test_what_a_person_settles_by_hand_an_agent_can_neither_see_nor_call_even_for_a_holder(store: Path) -> None:
    tools, settled = asked(
        store, "sarah", "self-management", ("set_companion", {"large_model": True}), ("tune_play", {"on": False})
    )
    assert not {tool.name for tool in tools} & {"set_companion", "tune_play"}
    assert all(isinstance(one, MCPError) and "unknown tool" in one.message for one in settled)


def test_each_call_is_gated_as_the_actor_and_on_record(store: Path) -> None:
    tools, (seen, refused) = asked(store, "bea", "care", ("history", {"twin": "lily"}), ("plan", {}))
    assert tools and not seen.is_error
    assert refused.is_error and "bea may not read" in text(refused)
    with Bank(SqliteThread(store), lambda: START + 3 * HOUR + MINUTE) as bank:
        told = [fact.body for fact in bank.thread.read("lily", kinds=["accessed/1"]) if fact.by == "bea"]
    assert {body["allowed"] for body in told} == {True, False}


def test_who_may_see_nothing_is_offered_nothing_and_a_twin_is_named_where_there_are_several() -> None:
    from tank import Tank

    from gemel.testing.live import FakeClock
    from gemel.thread import MemoryThread

    bank = Bank(MemoryThread(), FakeClock(START), {"tank": Tank})
    for name in ("north", "south"):
        bank.create("tank", name, by="ann")
    bank.append(drafts(*lived(1.0), twin="north"))
    assert Offer(bank, "eve", "care").tools == {}
    with pytest.raises(NotFound, match="none"):
        Offer(bank, "eve", "care").call("status", {"twin": "north"})
    with pytest.raises(Refused):
        Offer(bank, "eve", "care", "north")
    both = Offer(bank, "ann", "care")
    assert "twin" in both.takes(both.tools["status"])["required"]
    with pytest.raises(NotFound, match="north, south"):
        both.call("status", {})
    assert both.call("status", {"twin": "south"})["latest"] is None
    assert "twin" not in Offer(bank, "ann", "care", "north").takes(both.tools["status"])["required"]


def test_without_the_extra_the_command_says_how_to_install_it(store: Path) -> None:
    hidden = "import sys; sys.modules['mcp'] = None; from gemel.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", hidden, "mcp", "--store", str(store), "--as", "sarah"], capture_output=True, text=True,
        timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert run.returncode == 3 and "pip install 'gemel[agents]'" in run.stderr and not run.stdout
