"""The living room of Lily: a real program that starts, shows her, obeys, and stops cleanly; and her bedside alone."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gemel.bank import Bank, Twin
from gemel.dynamics import Dose
from gemel.errors import NotFound, Unavailable
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Intervention
from gemel.loop import Loop, SpeedClock
from gemel.packs.diabetes.asset import LILY, VirtualPerson
from gemel.packs.diabetes.bedside import Bedside
from gemel.packs.diabetes.demo import LivingRoom
from gemel.server.run import run_demo
from gemel.server.schema import View
from gemel.streams.broker import Broker
from gemel.thread import MemoryThread

NOON: Time = 1_795_172_400_000
DEMO = "import sys; from gemel.server.run import run_demo; run_demo('lily', port=0, speed=600.0, store=sys.argv[1])"
PATIENCE_S = 120


def message(*doses: tuple[str, float, Time], key: str = "lily/7") -> bytes:
    """Return a command as the outbox sends it."""
    told = [{"name": name, "value": value, "unit": "U", "at": at} for name, value, at in doses]
    return json.dumps({"id": key, "title": "to see", "doses": told}).encode()


@pytest.fixture
def bedside() -> Bedside:
    """Return Lily's, at noon."""
    return Bedside(VirtualPerson(LILY, 7, NOON, id="lily"))


def reported(bedside: Bedside, until: Time, name: str) -> list[tuple[float, Time, str | None]]:
    """Return what was given, when, and on whose word."""
    return [(value, at, behind) for (what, value, _, at), behind in bedside.advance(until) if what == name]


def test_a_command_is_obeyed_once_and_told_by_its_id(bedside: Bedside) -> None:
    """Sent twice, given once."""
    command = message(("bolus", 0.5, NOON))
    assert [bedside.receive(command, NOON), bedside.receive(command, NOON)] == [True, False]
    assert reported(bedside, NOON + 10 * MINUTE, "bolus") == [(0.5, NOON, "lily/7#0")]


def test_a_basal_segment_ends_in_the_pump_s_own_profile(bedside: Bedside) -> None:
    """Another rate from now, and after half an hour what the pump gives of itself."""
    usual = bedside.person.pump.rate(NOON)
    bedside.receive(message(("basal", 0.1, NOON + 9), ("basal", 9.0, NOON + 9 + 30 * MINUTE)), NOON)
    told = reported(bedside, NOON + 45 * MINUTE, "basal")
    assert [(value, at) for value, at, _ in told] == [(0.1, NOON), (usual, NOON + 30 * MINUTE)]
    assert all(behind is not None and behind.startswith("lily/7#") for _, _, behind in told)


def test_a_new_rate_replaces_what_waits(bedside: Bedside) -> None:
    """The end of the first segment does not cut the second short."""
    bedside.receive(message(("basal", 0.1, NOON), ("basal", 0.4, NOON + 30 * MINUTE)), NOON)
    bedside.advance(NOON + 20 * MINUTE)
    now = NOON + 20 * MINUTE
    bedside.receive(message(("basal", 0.2, now), ("basal", 0.4, now + 30 * MINUTE), key="lily/8"), now)
    bedside.advance(NOON + 40 * MINUTE)
    assert bedside.person.pump.rate(NOON + 40 * MINUTE) == pytest.approx(0.2)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b'{"id": "x", "doses": [{"name": "bolus"}]}', b"\xff"])
def test_what_is_no_command_is_left_out(bedside: Bedside, payload: bytes) -> None:
    """A pump does not stop for it."""
    assert bedside.receive(payload, NOON) is False


def test_an_approved_action_reaches_her_body_and_is_told_back() -> None:
    """Proposal, approval, broker, pump, and the report of it as a fact with the command's name."""
    clock = SpeedClock(NOON, 600.0)
    bank, room = Bank(MemoryThread(), clock), LivingRoom(clock)
    room.prepare(bank)

    async def lived() -> list[str]:
        async with Broker() as broker, asyncio.timeout(PATIENCE_S):
            room.connect(bank, broker.url)
            stop, loop = asyncio.Event(), Loop(bank, [])
            clock.go()
            living = [asyncio.create_task(loop.run(stop)), asyncio.create_task(room.live(broker.url, stop))]
            mother = bank.find("lily", by="sarah", purpose="self-management")
            given: list[str] = []
            while not given:
                await asyncio.to_thread(_pause_basal, mother)
                facts = bank.thread.read("lily", kinds=["acted/1"])
                given = [str(f.body["key"]) for f in facts if "#" in str(f.body["key"])]
                await asyncio.sleep(0.2)
            stop.set()
            await asyncio.gather(*living)
            return given

    assert all(key.startswith("lily/") and key.endswith("|basal") for key in asyncio.run(lived()))


def _pause_basal(mother: Twin) -> None:
    """Pause her basal, unless that has been decided already."""
    now = mother.bank.now()
    if not any(p.status in ("approved", "sent", "delivered") for p in mother.proposals()):
        pause = Intervention("pause", (Dose("basal", 0.0, now), Dose("basal", 0.4, now + 30 * MINUTE)))
        mother.decide(mother.propose(pause, "to see").seq, approve=True)


# the whole program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return the demonstration, started."""
    command = [sys.executable, "-c", DEMO, str(tmp_path / "store")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def home(program: subprocess.Popen[str]) -> str:
    """Return the address that it prints once, when it answers."""
    assert program.stdout is not None
    for line in program.stdout:
        if "http://" in line:
            return next(word for word in line.split() if word.startswith("http://"))
    raise AssertionError(program.stderr.read() if program.stderr else "")


def until(url: str, seen: Callable[[View], bool]) -> View:
    """Return the first view that shows what is wanted."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        view = View.model_validate(httpx.get(f"{url}/api/twins/lily/view?hours=24", timeout=60, trust_env=False).json())
        if seen(view):
            return view
        time.sleep(0.2)
    raise AssertionError(f"not seen in {PATIENCE_S} s; {view.fallback}, {view.alerts}")


def test_it_shows_lily_and_stops_cleanly(program: subprocess.Popen[str]) -> None:
    """A past with scored forecasts at the start, then new readings and forecasts; SIGINT ends it without a word."""
    url = home(program)
    first = until(url, lambda view: bool(view.readings["glucose"]) and bool(view.scores))
    assert [score.horizon_min for score in first.scores] == [30, 60, 120]
    assert len(first.readings["glucose"]) > 200
    assert first.actions["carbs"]
    start = first.readings["glucose"][-1][0]
    later = until(url, lambda view: view.readings["glucose"][-1][0] > start)
    newest = later.readings["glucose"][-1][0]
    until(url, lambda view: view.forecast is not None and view.forecast.made_at >= newest)
    assert later.speed == 600.0
    assert httpx.get(f"{url}/api/meta", trust_env=False).json()["demo"] is True
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")


def test_it_goes_on_where_it_was(program: subprocess.Popen[str], tmp_path: Path) -> None:
    """Stopped and started on the same store: the same child, later."""
    url = home(program)
    before = until(url, lambda view: view.forecast is not None)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == 0
    command = [sys.executable, "-c", DEMO, str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as again:
        after = until(home(again), lambda view: view.forecast is not None)
        again.send_signal(signal.SIGTERM)
    assert after.now > before.now
    assert set(after.readings["glucose"]) >= {p for p in before.readings["glucose"] if p[0] > after.now - 23 * HOUR}


def test_a_port_that_is_taken_is_named() -> None:
    """Before anything else is done."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"port {port}"):
            run_demo("lily", port=port)


def test_a_demonstration_that_there_is_not_is_named() -> None:
    """With those that there are."""
    with pytest.raises(NotFound, match="lily"):
        run_demo("tom", port=0)
