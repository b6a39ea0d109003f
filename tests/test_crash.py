"""Killed at any moment, with readings, decisions and sends in flight: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from crash import JAR
from postgres import Server

from gemel.bank import Bank
from gemel.facts import Fact
from gemel.thread import open_thread

CRASHES = int(os.environ.get("GEMEL_CRASHES", "200"))
"""How often it is killed on SQLite; a fifth of that on PostgreSQL, where opening takes longer."""


def crashed(store: str, folder: Path, kills: int) -> tuple[list[Fact], list[str], list[str], Bank]:
    """Return the facts after so many kills, what had been acknowledged, what left for the asset, and the bank."""
    command = [sys.executable, str(Path(__file__).with_name("crash.py")), store, str(folder), str(kills), "7"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told, left = ((folder / name).read_text().split("\n")[:-1] for name in ("told", "left"))
    bank = Bank.open(store, types={"jar": JAR})
    return list(bank.thread.read("jar")), told, left, bank


def check(facts: list[Fact], told: list[str], left: list[str], bank: Bank) -> None:
    """Hold what is stored against what was said."""
    assert bank.thread.verify().intact
    _readings_are_there(facts, [line.split()[1] for line in told if line.startswith("read ")])
    proposals = {proposal.seq: proposal for proposal in bank.proposals("jar")}
    decided = [int(line.split()[1]) for line in told if line.startswith("decided ")]
    assert {int(line.split()[1]) for line in told if line.startswith("proposed ")} <= set(proposals)
    assert all(proposals[seq].status in ("delivered", "failed") for seq in decided)
    _sends_are_right(facts, left)


def _readings_are_there(facts: list[Fact], names: list[str]) -> None:
    """All of a batch or none, each once."""
    keys = Counter(str(fact.body["key"]) for fact in facts if fact.kind == "observed/1")
    assert set(keys.values()) == {1}
    batches = Counter(key.rsplit("|", 1)[0].rsplit(".", 1)[0] for key in keys)
    assert {count for name, count in batches.items() if name != "first"} == {3}
    assert names and set(names) <= set(batches)


def _sends_are_right(facts: list[Fact], left: list[str]) -> None:
    """Nothing left that was not decided and written as sent, once; whatever was delivered did leave."""
    by_kind = {kind: [fact for fact in facts if fact.kind == kind] for kind in {fact.kind for fact in facts}}
    approved = {f.body["proposal"] for f in by_kind["decided/1"] if f.body["verdict"] == "approved"}
    sent = Counter(f.body["proposal"] for f in by_kind["sent/1"])
    went = {int(line.split("/")[1]) for line in left}
    delivered = Counter(f.body["proposal"] for f in by_kind["delivered/1"])
    assert went <= set(sent) <= approved and set(sent.values()) == {1}
    assert set(delivered) <= went and set(delivered.values()) == {1}
    assert delivered


def test_hundreds_of_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """On SQLite; and the next start finds nothing to mend."""
    facts, told, left, bank = crashed(str(tmp_path / "store"), tmp_path, CRASHES)
    with bank:
        check(facts, told, left, bank)
    assert len(left) > len(set(left)), "no send was ever repeated: the kills came too seldom to show anything"


def test_kills_lose_and_double_nothing_in_postgresql(postgres: Server, tmp_path: Path) -> None:
    """The server lives on and takes the next life in."""
    store = postgres.address(tmp_path / "keys")
    facts, told, left, bank = crashed(store, tmp_path, max(CRASHES // 5, 10))
    with bank:
        check(facts, told, left, bank)


def test_an_acknowledged_reading_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """The check itself fires: a store that lacks what was told fails it."""
    facts, told, left, bank = crashed(str(tmp_path / "store"), tmp_path, 12)
    gone = next(line.split()[1] for line in told if line.startswith("read "))
    kept = [f for f in facts if gone not in str(f.body.get("key"))]
    with bank, pytest.raises(AssertionError):
        check(kept, told, left, bank)
    assert open_thread(str(tmp_path / "store"), readonly=True).verify().intact
