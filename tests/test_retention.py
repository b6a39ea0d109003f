"""Retention: readings become statistics by policy; what others rest on, what is held, and every proof stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
import tank
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gemel.bank import Bank, holds, retention
from gemel.bank.retention import RETENTION, policy
from gemel.bank.statistics import Part, merged, statistics
from gemel.cli.main import app
from gemel.dynamics import Reading
from gemel.errors import BadInput, GemelError, Refused
from gemel.facts import DAY, HOUR, HOUSE, MINUTE, Draft, Time
from gemel.thread import inclusion_holds, verify_store
from gemel.thread.export import export
from gemel.thread.standalone.verify import check

DAY0 = tank.BORN // DAY * DAY
SPAN = 120
"""Minutes of each day in which the gauge is read."""

KEEPS = {"raw": "2d", "5min": "4d", "1h": "6d", "1d": None}


def level(minute: int) -> float:
    """Return what the gauge reads at a minute."""
    return round(50 + 10 * float(np.sin(minute / 97)) + minute % 7 / 10, 3)


def readings(first: int, last: int, every: int) -> list[Draft]:
    """Return readings from the first minute after DAY0 to before the last, every so many minutes."""
    found = [Reading("gauge", level(i), DAY0 + i * MINUTE) for i in range(first, last, every)]
    return tank.drafts([], found, twin="lily")


def lived_in(where: str | Path = "memory:", days: int = 3, every: int = 1) -> Bank:
    """Return a bank in which lily's gauge was read for some days, known each day."""
    bank = tank.bank(str(where), DAY0)
    bank.create("tank", "lily", by="sarah")
    for day in range(days):
        clock(bank, DAY0 + (day + 1) * DAY)
        bank.append(readings(day * 1440, day * 1440 + SPAN, every))
    return bank


def clock(bank: Bank, now: Time) -> None:
    """Set the time."""
    bank.now.now = now  # type: ignore[attr-defined]  # a clock of the test


@pytest.fixture
def bank(store: str) -> Iterator[Bank]:
    """Return such a bank on each back end."""
    with lived_in(store) as made:
        retention.keep(made, "lily", "sarah", "gauge", KEEPS)
        yield made


def kept(bank: Bank) -> dict[str, int]:
    """Return how many facts of each level can still be read."""
    found: dict[str, int] = {}
    for fact in bank.thread.read("lily", kinds=["observed/1", "summarised/1"]):
        name = str(fact.body.get("level", "raw"))
        found[name] = found.get(name, 0) + 1
    return found


def stats(bank: Bank, width: Time) -> list[Part]:
    """Return the statistics of the three days."""
    seen = bank.find("lily", by="sarah", purpose="self-management")
    return statistics(seen, "gauge", width, DAY0, DAY0 + 3 * DAY)


# policies


def test_a_policy_is_read_from_text() -> None:
    """Levels from fine to coarse, each longer than the one before."""
    made = policy("gauge", {"raw": "90d", "5min": "1y", "1h": "5y", "1d": None})
    assert list(made.steps()) == [("raw", 90 * DAY, "5min"), ("5min", 365 * DAY, "1h"), ("1h", 5 * 365 * DAY, "1d")]
    assert list(policy("gauge", {"raw": "12h"}).steps()) == [("raw", 12 * HOUR, None)]
    assert list(policy("gauge", {"raw": None}).steps()) == []


@pytest.mark.parametrize(
    "keeps",
    [
        {"5min": "1y"}, {"raw": "90"}, {"raw": "0d"}, {"raw": "1y", "5min": "90d"}, {"raw": None, "1d": None},
        {"raw": "1d", "2h": None}, {"raw": "1d", "5min": "1d"}, {"raw": "-1d"}, {"raw": 90},
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(keeps: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="retention"):
        policy("gauge", keeps)


def test_only_the_holder_sets_it_and_the_type_says_it_else(bank: Bank) -> None:
    """Set per twin, as a fact; what the type says holds where nobody said otherwise."""
    with pytest.raises(Refused, match="only who holds its keys may"):
        retention.keep(bank, "lily", "bob", "gauge", {"raw": "1d"})
    with pytest.raises(BadInput, match="unknown signal 'tap'"):
        retention.keep(bank, "lily", "sarah", "tap", {"raw": "1d"})
    assert [fact.by for fact in bank.thread.read("lily", kinds=[RETENTION])] == ["sarah"]
    object.__setattr__(tank.Tank, "retention", {"gauge": {"raw": "1d"}})
    try:
        bank.create("tank", "max", by="bob")
        assert [one.keeps for one in retention.policies(bank, "max")] == [(("raw", DAY),)]
        assert retention.policies(bank, "lily") == [policy("gauge", KEEPS)]
    finally:
        object.__setattr__(tank.Tank, "retention", {})


# thinning


def test_readings_thin_step_by_step_and_their_statistics_stay_exact(bank: Bank) -> None:
    """Raw, 5 minutes, hours, days: at each step the hourly and daily statistics are those of all the readings."""
    proof, signed = bank.thread.prove(7), bank.thread.checkpoint(bank.now())
    before = {width: stats(bank, width) for width in (HOUR, DAY)}
    values = np.array([level(i) for i in range(SPAN)])
    first = before[DAY][0]
    assert (first.n, first.mean, first.sd) == (SPAN, pytest.approx(values.mean()), pytest.approx(values.std()))
    assert (first.low, first.high, first.first, first.last) == (values.min(), values.max(), values[0], values[-1])
    expected = [
        (DAY0 + 3 * DAY, {"raw": 2 * SPAN, "5min": 1}), (DAY0 + 5 * DAY, {"5min": 2, "1h": 1}),
        (DAY0 + 7 * DAY, {"1h": 2, "1d": 1}), (DAY0 + 99 * DAY, {"1d": 3}),
    ]  # fmt: skip
    for now, levels in expected:
        clock(bank, now)
        planned = retention.thin(bank, "lily", "keeper", dry_run=True)
        done = retention.thin(bank, "lily", "keeper")
        assert planned[0] == done[0] and sum(step.facts for step in done) > 0
        while any(step.facts for step in done):
            done = retention.thin(bank, "lily", "keeper")
        assert kept(bank) == levels
        assert bank.thread.verify().problems == ()
        for width in (HOUR, DAY) if "1d" not in levels else (DAY,):
            same(stats(bank, width), before[width])
    assert inclusion_holds(proof, signed.root)
    covers = list(bank.thread.read(HOUSE, kinds=["thinned/1"]))
    assert {fact.body["twin"] for fact in covers} == {"lily"} and {fact.by for fact in covers} == {"keeper"}


def same(found: list[Part], expected: list[Part]) -> None:
    """Compare statistics."""
    assert [(part.start, part.n, part.low, part.high, part.first, part.last) for part in found] == [
        (part.start, part.n, part.low, part.high, part.first, part.last) for part in expected
    ]
    assert [value for part in found for value in (part.mean, part.sd)] == pytest.approx(
        [value for part in expected for value in (part.mean, part.sd)], rel=1e-9, abs=1e-9
    )


@settings(max_examples=60)
@given(values=st.dictionaries(st.integers(0, 3 * 1440), st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_merging_by_any_way_gives_what_numpy_gives(values: dict[int, float]) -> None:
    """In any order, at once or over hours."""
    read = [(m * MINUTE, v) for m, v in values.items()]
    single = [Part(at, 1, v, 0.0, v, v, v, v, at, at, at, "k") for at, v in read]
    at_once, by_hours = merged(single, DAY), merged(merged(merged(reversed(single), 5 * MINUTE), HOUR), DAY)
    for part in (*at_once, *by_hours):
        held = np.array([v for at, v in sorted(read) if at // DAY * DAY == part.start])
        told = (part.n, part.low, part.high, part.first, part.last)
        assert told == (len(held), held.min(), held.max(), held[0], held[-1])
        assert part.mean == pytest.approx(held.mean(), rel=1e-9, abs=1e-6)
        assert part.sd == pytest.approx(held.std(), rel=1e-6, abs=1e-3)


def test_what_others_rest_on_stays_and_the_rest_goes(bank: Bank) -> None:
    """Evidence of forecasts, proposals, decisions, outcomes, alerts; also through a chain; the count says so."""
    seqs = [fact.seq for fact in bank.thread.read("lily", kinds=["observed/1"], limit=20)]
    chain = list(seqs[:3])
    for kind in ("forecast/1", "proposed/1", "decided/1", "outcome/1", "alert/1"):
        made = Draft(
            "lily", kind, {"proposal": 1, "name": "x", "active": False}, DAY0, "x", (chain[-1], seqs[len(chain) + 3])
        )
        chain.append(bank.append([made]).facts[0].seq)
    wanted = {cause for fact in bank.thread.read("lily") for cause in fact.cause}
    clock(bank, DAY0 + 3 * DAY)

    done = retention.thin(bank, "lily", "keeper")

    assert done[0].evidence == len(wanted & set(seqs)) == 6
    assert done[0].facts == SPAN - 6 and kept(bank)["raw"] == 2 * SPAN + 6
    assert all(bank.thread.get(seq) for seq in wanted)
    assert str(done[0]).endswith("24 statistics of 5min; 6 more stay, as others rest on them")
    assert [part.n for part in stats(bank, DAY)] == [SPAN] * 3


def test_a_hold_stops_it(bank: Bank) -> None:
    """Of what it names; released, it goes on."""
    hold = holds.place(bank, "lily", "registrar", "court order", ["gauge"])
    clock(bank, DAY0 + 9 * DAY)
    assert str(retention.thin(bank, "lily", "keeper")[0]) == "gauge, raw: nothing goes while a hold is on it"
    assert kept(bank) == {"raw": 3 * SPAN}
    holds.release(bank, hold.seq, "registrar", "closed")
    retention.thin(bank, "lily", "keeper")
    assert kept(bank) == {"1h": 1, "1d": 2} or "raw" not in kept(bank)


def test_what_was_taken_back_leaves_no_trace_in_statistics(bank: Bank) -> None:
    """It goes like the rest, and is not counted; what was thinned is known when it is imported again."""
    wrong = next(iter(bank.thread.read("lily", kinds=["observed/1"])))
    bank.append([Draft("lily", "retracted/1", {"key": wrong.body["key"], "name": "gauge"}, DAY0, "gauge")])
    clock(bank, DAY0 + 3 * DAY)
    retention.thin(bank, "lily", "keeper")
    assert [part.n for part in stats(bank, DAY)] == [SPAN - 1, SPAN, SPAN]
    assert bank.append(readings(0, SPAN, 1)).duplicates == SPAN
    late = Draft(
        "lily", "observed/1", {"name": "gauge", "value": 1.0, "key": "late"}, DAY0 + 30_000, "gauge", key="late"
    )
    bank.append([late])
    retention.thin(bank, "lily", "keeper")
    assert next((part.n, part.low) for part in stats(bank, DAY)) == (SPAN, 1.0)
    assert kept(bank)["raw"] == 2 * SPAN


def test_an_export_after_thinning_holds_for_a_stranger(tmp_path: Path) -> None:
    """What was thinned is there as a hash alone; the entries that are left are those that were signed."""
    with lived_in(tmp_path / "store") as bank:
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "5min": None})
        retention.thin(bank, "lily", "keeper")
        export(bank.thread, tmp_path / "export")
    assert check(tmp_path / "export").problems == []
    held = next((tmp_path / "export/records").rglob("0*"))
    held.write_bytes(held.read_bytes()[:-300])
    assert check(tmp_path / "export").problems != []


# beliefs


def digest(bank: Bank) -> tuple[Any, ...]:
    """Return the belief, bit by bit."""
    followed = bank.followed("lily")[-1]
    return followed.at, *(np.asarray(value).tobytes() for value in followed.belief.values.values())


def test_a_sensor_read_every_five_minutes_is_believed_as_before(tmp_path: Path) -> None:
    """Each statistic is then one reading, with its time and key: the belief is the same bit by bit, snapshot or none."""
    with lived_in(tmp_path / "store", every=5) as bank:
        before, then = digest(bank), bank.replica_known_by("lily", DAY0 + DAY).readings
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "5min": None})
        clock(bank, DAY0 + 3 * DAY)
        retention.thin(bank, "lily", "keeper")
        assert kept(bank) == {"raw": SPAN // 5, "5min": 2}
        assert digest(bank) == before
        assert bank.replica_known_by("lily", DAY0 + DAY).readings == then
    with tank.bank(str(tmp_path / "store"), DAY0 + 3 * DAY) as bank:
        assert digest(bank) == before and bank.replica("lily").folded == 0
        for note in (tmp_path / "store/notes").rglob("belief*"):
            note.unlink()
        bank.beliefs.refold("lily")
        assert digest(bank) == before and bank.replica("lily").folded > 60


def test_a_mean_of_five_minutes_stands_for_its_readings(bank: Bank) -> None:
    """As one reading at their mean time; hours and days are for looking back, and not folded."""
    clock(bank, DAY0 + 3 * DAY)
    before = bank.followed("lily")[-1].belief
    retention.thin(bank, "lily", "keeper")
    first = bank.replica("lily").readings[0]
    assert first[:3] == (DAY0 + 2 * MINUTE, "gauge", pytest.approx(np.mean([level(i) for i in range(5)])))
    assert len(bank.replica("lily").readings) == 24 + 2 * SPAN
    after = bank.followed("lily")[-1].belief
    for name in ("tank.level", "tank.rain"):
        spread = float(np.std(before.values[name]))
        assert abs(float(np.mean(after.values[name]) - np.mean(before.values[name]))) < spread
    clock(bank, DAY0 + 99 * DAY)
    for _ in range(4):
        retention.thin(bank, "lily", "keeper")
    assert bank.replica("lily").readings == []


# tampering, crashes


def test_contents_that_are_missing_without_a_cover_are_tampering(tmp_path: Path) -> None:
    """Emptied by hand, or a column of a thinned row changed: verify names the fact."""
    with lived_in(tmp_path / "store") as bank:
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "5min": None})
        retention.thin(bank, "lily", "keeper")
    path = str(tmp_path / "store/thread.db")
    assert verify_store(tmp_path / "store").problems == ()
    plants = {
        300: ("UPDATE fact SET sealed = x'' WHERE rowid = 300", "without its contents"),
        5: ("UPDATE fact SET true_at = true_at + 1 WHERE rowid = 5", "without its contents"),
        6: ("UPDATE fact SET leaf = zeroblob(32) WHERE rowid = 6", "hash"),
    }
    for seq, (statement, expected) in plants.items():
        db = apsw.Connection(path)
        whole = db.execute("SELECT true_at, leaf, sealed FROM fact WHERE rowid = ?", (seq,)).fetchone()
        db.execute(statement)
        db.close()
        problems = verify_store(tmp_path / "store").problems
        assert any(expected in problem for problem in problems), (seq, problems)
        assert expected == "hash" or any(f"fact {seq} " in problem for problem in problems), problems
        db = apsw.Connection(path)
        db.execute("UPDATE fact SET true_at = ?, leaf = ?, sealed = ? WHERE rowid = ?", (*whole, seq))  # type: ignore[misc]
        db.close()
        assert verify_store(tmp_path / "store").problems == ()


CRASH = """
import os, signal, sys
import tank
from gemel.bank import retention
from gemel.thread.sqlite import SqliteThread
bank = tank.bank(sys.argv[1], int(sys.argv[2]))
SqliteThread.thin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
retention.thin(bank, "lily", "keeper")
"""


def test_thinning_killed_half_way_is_finished_at_the_next_start(tmp_path: Path) -> None:
    """The statistics are there, the readings still are: they go, and nothing is counted twice."""
    with lived_in(tmp_path / "store") as bank:
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "5min": None})
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", CRASH, str(tmp_path / "store"), str(DAY0 + 3 * DAY)]
    assert subprocess.run(command, env=env, check=False).returncode == -signal.SIGKILL
    assert verify_store(tmp_path / "store").problems == ()
    with tank.bank(str(tmp_path / "store"), DAY0 + 3 * DAY) as bank:
        assert kept(bank) == {"raw": 2 * SPAN, "5min": 1}
        assert [part.n for part in stats(bank, DAY)] == [SPAN] * 3
        retention.thin(bank, "lily", "keeper")
        assert kept(bank) == {"raw": SPAN, "5min": 2}
        assert bank.thread.verify().problems == ()
        bank.erase("lily", by="sarah", reason="she asked")
    with tank.bank(str(tmp_path / "store"), DAY0 + 3 * DAY):
        assert verify_store(tmp_path / "store").problems == ()


def test_gemel_retain_and_thin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line: set, look, do; and nothing to do is said."""
    monkeypatch.setattr("gemel.bank.bank.installed", lambda: {"tank": tank.Tank})
    store, run = str(tmp_path / "store"), CliRunner()
    lived_in(store, every=30).close()

    def gemel(*words: str) -> Any:
        done = run.invoke(app, [*words, "--store", store, "--as", "sarah"])
        if isinstance(done.exception, GemelError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    assert gemel("thin") == "no policy says that anything may be thinned\n"
    with pytest.raises(BadInput, match="no span of time"):
        gemel("retain", "lily", "gauge", "raw=soon")
    said = gemel("retain", "lily", "gauge", "raw=90d", "1h=1y", "1d=ever")
    assert said == "gauge of lily is kept raw until 90d, then 1h until 1y, then 1d for ever\n"
    looked = gemel("thin", "--dry-run", "--json")
    assert looked["twins"]["lily"][0]["facts"] == 12 and looked["dry_run"]
    assert gemel("thin", "lily").startswith("lily: gauge, raw: 12 facts into 6 statistics of 1h\n")
    assert gemel("thin", "lily", "--json")["twins"]["lily"][0]["facts"] == 0
