"""Erasure: nobody can read an erased subject anywhere, every older proof holds, and a signed receipt says what was done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tank
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import Server
from typer.testing import CliRunner

from gemel.bank import Bank, Foresight, erasure, holds, memory
from gemel.bank.erasure import ERASED, ERASING, MARKED
from gemel.cli.main import app
from gemel.errors import GemelError, NotFound, Refused
from gemel.facts import HOUR, HOUSE, Draft
from gemel.loop import Loop
from gemel.streams import Item, Place
from gemel.thread import checkpoint_holds, growth_holds, inclusion_holds, open_thread, verify_store
from gemel.thread.contract import Checkpoint
from gemel.thread.receipt import receipt_holds
from gemel.thread.standalone.verify import check, read_key

NOW = tank.BORN + 12 * HOUR


def lived_in(where: str | Path) -> Bank:
    """Return a bank in which lily and max have lived, and max's forecasts have learned from lily."""
    bank = tank.bank(str(where), NOW)
    for name in ("lily", "max"):
        bank.create("tank", name, by="sarah")
        bank.append(tank.drafts(*tank.lived(3), twin=name))
    note = memory.foresight_note(Foresight(()), tank.Tank.hash, NOW, ("lily",))
    bank.thread.keep("max", "foresight-gauge", note)
    bank.thread.keep("lily", "belief", b"what is believed of her")
    return bank


@pytest.fixture
def bank(store: str) -> Iterator[Bank]:
    """Return such a bank on each back end."""
    with lived_in(store) as made:
        yield made


def held_in_memory(thing: object, seen: set[int] | None = None, depth: int = 0) -> str:
    """Return all text within reach of an object of ours."""
    seen = set() if seen is None else seen
    if id(thing) in seen or depth > 8:
        return ""
    seen.add(id(thing))
    if isinstance(thing, str):
        return thing
    if isinstance(thing, dict):
        return " ".join(held_in_memory(part, seen, depth + 1) for pair in thing.items() for part in pair)
    if isinstance(thing, (list, tuple, set, frozenset)):
        return " ".join(held_in_memory(part, seen, depth + 1) for part in thing)
    own = type(thing).__module__.startswith("gemel.") and not type(thing).__module__.startswith("gemel.thread")
    return held_in_memory(vars(thing), seen, depth + 1) if own and hasattr(thing, "__dict__") else ""


# what it does


def test_an_erased_twin_is_gone_and_its_receipt_says_so(bank: Bank) -> None:
    """It cannot be found, read, made again; what others learned of it is marked and dropped; the receipt holds."""
    proof, signed = bank.thread.prove(3), bank.thread.checkpoint(NOW)
    bank.now.now += 1  # type: ignore[attr-defined]  # a clock of the test

    done = bank.erase("lily", by="sarah", reason="she asked for it")

    assert bank.twins() == ["max"] and "lily" not in bank and bank.thread.erased("lily")
    with pytest.raises(NotFound, match="unknown twin 'lily'"):
        bank.find("lily", by="sarah", purpose="self-management")
    for make in (
        lambda: bank.create("tank", "lily", by="sarah"),
        lambda: bank.append(tank.drafts(*tank.lived(1), "lily")),
    ):
        with pytest.raises(Refused, match="lily was erased; nothing can be added to it"):
            make()
    with pytest.raises(NotFound, match="was erased already"):
        bank.erase("lily", by="sarah", reason="again")
    assert bank.thread.kept("lily", "belief") is None
    assert memory.learned_from(bank.thread.kept("max", "foresight-gauge")) == ()
    marked = next(iter(bank.thread.read("max", kinds=[MARKED])))
    assert marked.body["why"] == "fitted on data of lily, who was erased"

    body, public = dict(done.body), bank.thread.public_key
    assert receipt_holds(body, public)
    assert body["models"] == [{"twin": "max", "model": "foresight-gauge"}]
    said = {name: body[name] for name in ("twin", "asked_by", "reason", "asked_at", "erased_at")}
    assert said == {
        "twin": "lily",
        "asked_by": "sarah",
        "reason": "she asked for it",
        "asked_at": NOW + 1,
        "erased_at": NOW + 1,
    }
    after = Checkpoint(**body["after"])
    before = Checkpoint(**body["before"], at=0, signature="")
    assert checkpoint_holds(after, public) and growth_holds(before, after, body["growth"])
    fact = bank.thread.get(done.seq)
    assert (fact.twin, fact.kind, fact.by, dict(fact.body)) == (HOUSE, ERASED, "sarah", body)

    assert inclusion_holds(proof, signed.root) and proof == bank.thread.prove(3, signed.size)
    assert bank.thread.verify().problems == ()


def test_a_receipt_that_was_changed_does_not_hold(bank: Bank) -> None:
    """Not with another reason, another key, or nothing."""
    body = dict(bank.erase("lily", by="sarah", reason="she asked").body)
    public = bank.thread.public_key
    assert receipt_holds(json.loads(json.dumps(body)), public)
    for changed in (
        {**body, "reason": "other"},
        {**body, "facts": 0},
        {**body, "more": 1},
        {**body, "signature": "00"},
        {},
    ):
        assert not receipt_holds(changed, public)
    assert not receipt_holds(body, "00" * 32)


def test_a_stranger_can_check_a_receipt_and_verify_finds_a_key_put_back(tmp_path: Path) -> None:
    """With one file and no Gemel; and a copied key folder that brings an erased subject back is tampering."""
    with lived_in(tmp_path / "store") as bank:
        old = (tmp_path / "store/keys/subjects").read_bytes()
        done = bank.erase("lily", by="sarah", reason="she asked")
        public = bank.thread.public_key
        now = (tmp_path / "store/keys/subjects").read_bytes()
    assert done.file is not None
    report = check(done.file, read_key(public))
    assert report.problems == [] and "lily was erased, as asked by sarah: she asked" in report.remarks
    done.file.write_text(done.file.read_text().replace("she asked", "he asked"))
    assert check(done.file).problems == ["the receipt is not as it was signed"]

    assert verify_store(tmp_path / "store").problems == ()
    (tmp_path / "store/keys/subjects").write_bytes(old + now[len(old) :])
    problems = verify_store(tmp_path / "store").problems
    assert any(
        problem.startswith("lily was erased, by fact") and "its key is there again" in problem for problem in problems
    )


def test_only_who_holds_the_keys_erases(bank: Bank) -> None:
    """A grant of everything is not enough; a name misspelt, or the house, is no twin."""
    bank.find("lily", by="sarah", purpose="care").grant(to="dr-lee", purpose="care", read="*", write="*", act="*")
    with pytest.raises(Refused, match="dr-lee may not erase lily: only who holds its keys may"):
        bank.erase("lily", by="dr-lee", reason="tidying up")
    for name in ("lilly", HOUSE):
        with pytest.raises(NotFound, match="unknown twin"):
            bank.erase(name, by="sarah", reason="why not")
    with pytest.raises(GemelError, match="states its reason"):
        bank.erase("lily", by="sarah", reason=" ")
    assert "lily" in bank


def test_a_hold_stands_in_the_way_until_it_is_released(bank: Bank) -> None:
    """With its reason, and for whom it names alone."""
    hold = holds.place(bank, "lily", "registrar", "court order 12/26", ["gauge"])
    with pytest.raises(
        Refused, match=rf"lily may not be erased: hold {hold.seq} on gauge by registrar .*: court order 12/26"
    ):
        bank.erase("lily", by="sarah", reason="she asked")
    bank.erase("max", by="sarah", reason="he asked")
    holds.release(bank, hold.seq, "registrar", "the case is closed")
    with pytest.raises(NotFound, match="no hold"):
        holds.release(bank, hold.seq, "registrar", "again")
    assert bank.erase("lily", by="sarah", reason="she asked").body["twin"] == "lily"
    assert [fact.by for fact in bank.thread.read(HOUSE, kinds=["held/1", "released/1"])] == ["registrar"] * 2


def test_nothing_of_it_stays_in_memory(bank: Bank) -> None:
    """Whatever was asked of it before: belief, forecast, proposals, a fork in somebody's hands, the loop."""
    bank.now.now = tank.BORN + 3 * HOUR  # type: ignore[attr-defined]
    seen = bank.find("lily", by="sarah", purpose="self-management")
    loop = Loop(bank, agents=[])
    loop.attend("lily", list(bank.thread.read("lily")))
    seen.grant(to="dr-needle", purpose="care", read="*")
    seen.forecast("gauge", 1.0)
    seen.situation()
    seen.proposals()
    fork = seen.fork("as usual")
    bank.learn("lily", "gauge", "sarah", bank.now())
    loop._fresh["lily"] = list(bank.thread.read("lily", limit=2))
    loop._broke("lily", "turn", OSError("needle"))
    assert "lily" in held_in_memory([vars(loop), vars(bank)])

    bank.erase("lily", by="sarah", reason="she asked")

    assert "lily" not in held_in_memory([vars(loop), vars(bank)]) and "needle" not in held_in_memory(vars(loop))
    for ask in (lambda: fork.run("gauge", 1.0), lambda: seen.forecast("gauge", 1.0), lambda: seen.fork("again")):
        with pytest.raises(GemelError):
            ask()


def test_what_is_being_learned_from_it_is_not_kept(bank: Bank) -> None:
    """An erasure in the midst of learning: the note is not written, nor used."""
    bank.now.now = tank.BORN + 3 * HOUR  # type: ignore[attr-defined]
    bank.find("lily", by="sarah", purpose="care").grant(to="sarah", purpose="research", study="*")
    bank.beliefs.unlearn("max")

    def erase_midway(what: str, done: int, whole: int) -> None:
        if what == "weighing past errors" and not bank.thread.erased("lily"):
            bank.erase("lily", by="sarah", reason="she asked")

    bank.learn("max", "gauge", "sarah", bank.now(), erase_midway)

    assert bank.thread.erased("lily")
    assert memory.learned_from(bank.thread.kept("max", "foresight-gauge")) == ()
    assert not bank.beliefs._foresights


class Talking:
    """A stream that goes on until it is stopped."""

    name = "gauge"

    def __init__(self) -> None:
        self.said, self.stopped = asyncio.Event(), asyncio.Event()

    async def items(self) -> AsyncIterator[Item]:
        """Say one thing, then wait for ever."""
        try:
            yield Item("gauge", 50.0, "L", NOW, None, Place("gauge"))
            self.said.set()
            await asyncio.Event().wait()
        finally:
            self.stopped.set()


def test_its_streams_end_at_once_and_nobody_complains(bank: Bank) -> None:
    """While the loop runs: the stream is stopped, no turn fails over it, and max goes on."""

    async def run() -> None:
        stream, stop, loop = Talking(), asyncio.Event(), Loop(bank, agents=[])
        bank.find("lily", by="sarah", purpose="care").listen(stream)
        running = asyncio.create_task(loop.run(stop, every_s=0.02))
        async with asyncio.timeout(60):
            await stream.said.wait()
            await asyncio.to_thread(bank.erase, "lily", by="sarah", reason="she asked")
            await stream.stopped.wait()
        await loop.turn()
        assert loop.troubles == {} and not loop.attends("lily") and bank.live_twins() == []
        stop.set()
        await running

    asyncio.run(run())


# files


def test_exports_in_the_store_are_deleted_and_others_are_named(tmp_path: Path) -> None:
    """A person can act on what the receipt names."""
    with lived_in(tmp_path / "store") as bank:
        inside, outside = tmp_path / "store/exports/lily.gemel", tmp_path / "elsewhere.gemel"
        inside.parent.mkdir()
        for path in (inside, outside):
            path.write_text("lily's")
            bank.append(
                [Draft(HOUSE, "exported/1", {"twins": ["lily"], "path": str(path), "to": "dr-lee"}, NOW, "sarah")]
            )

        done = bank.erase("lily", by="sarah", reason="she asked")

        assert not inside.exists() and outside.exists()
        assert done.body["exports_deleted"] == [str(inside)] and done.body["exports_elsewhere"] == [
            {"path": str(outside), "to": "dr-lee", "keys": False}
        ]
        assert f"NOT deleted, as it is outside the store: {outside}, made for dr-lee" in str(done)
        assert done.file is not None and receipt_holds(json.loads(done.file.read_text()), bank.thread.public_key)


words = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=9, max_size=30)


@settings(max_examples=15)
@given(
    needles=st.lists(words, min_size=8, max_size=8, unique=True),
    numbers=st.lists(st.floats(1e8, 1e9), min_size=4, max_size=4),
)
def test_a_scan_of_every_file_finds_none_of_her(
    tmp_path_factory: pytest.TempPathFactory, needles: list[str], numbers: list[float]
) -> None:
    """Needles in every field and in notes: in no file of the store while it is open, when closed, or after erasure."""
    folder = tmp_path_factory.mktemp("erased") / "store"
    body, by, key, attribute, text, alert, note, name = (f"needle{word}" for word in needles)
    array = np.array(numbers)
    with tank.bank(str(folder), NOW) as bank:
        bank.create("tank", "lily", by="sarah", attributes={attribute: numbers[0]})
        bank.create("tank", "max", by="sarah")
        bank.append([
            Draft("lily", "observed/1", {"name": name, "value": numbers[1], "key": key, body: [body]}, NOW, by, key=key),
            Draft("lily", "proposed/1", {"why": text}, NOW, by), Draft("lily", "alert/1", {"text": alert}, NOW, by),
            Draft("max", "observed/1", {"name": "gauge", "value": 1.0, "key": "k"}, NOW, "gauge"),
        ])  # fmt: skip
        bank.thread.keep("lily", "belief", note.encode() + array.tobytes())
        wanted = [word.encode() for word in (body, by, key, attribute, text, alert, note, name)]
        wanted += [json.dumps(number).encode() for number in numbers] + [number.tobytes() for number in array]
        assert found(folder, wanted) == []
        secret = [held for _, pair in bank.thread._keys.held() for held in pair or ()]  # type: ignore[attr-defined]
        hers = secret[0]
        assert found(folder, [hers]) == ["keys/subjects"]
        bank.erase("lily", by="sarah", reason="she asked")
        assert found(folder, [*wanted, hers]) == []
        assert list((folder / "notes").glob("*/*")) == []
    assert found(folder, [*wanted, hers]) == []
    assert verify_store(folder).problems == ()


def test_a_scan_of_the_server_finds_none_of_her(postgres: Server, tmp_path: Path) -> None:
    """PostgreSQL's tables, indices, write-ahead log and server log: what she said was never there, nor any key."""
    needles = [f"needle{word}{NOW}" for word in ("body", "by", "key", "attribute", "note")]
    body, by, key, attribute, note = needles
    with tank.bank(postgres.address(tmp_path), NOW) as bank:
        bank.create("tank", "lily", by="sarah", attributes={attribute: 1.0})
        bank.append([Draft("lily", "observed/1", {"name": body, "value": 1.0, "key": key}, NOW, by, key=key)])
        bank.thread.keep("lily", "belief", note.encode())
        keys = [bytes(secret) for secret in bank.thread.secrets("lily")]
        bank.erase("lily", by="sarah", reason="she asked")
        assert bank.thread.verify().problems == ()
    postgres.restart()
    files = [path for path in (*postgres.folder.rglob("*"), *tmp_path.rglob("*")) if path.is_file()]
    wanted = [*(word.encode() for word in needles), *keys]
    assert len(files) > 100
    assert [str(path) for path in files if any(one in path.read_bytes() for one in wanted)] == []
    assert any(b"observed/1" in path.read_bytes() for path in files)


def found(folder: Path, wanted: list[bytes]) -> list[str]:
    """Return the files in which any of some bytes lie."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"thread.db", "subjects", "signing"}
    return [str(path.relative_to(folder)) for path in files if any(one in path.read_bytes() for one in wanted)]


# a crash in the middle

CRASH = """
import os, signal, sys
from pathlib import Path
from gemel.bank import erasure
from gemel.thread.notes import FolderNotes
import tank

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def crash(folder, where):
    bank = tank.bank(str(folder), tank.BORN)
    if where == "notes":
        FolderNotes.drop = die
    elif where == "file":
        erasure._file = die
    else:
        steps = list(erasure.STEPS)
        steps.insert(int(where), die)
        erasure.STEPS = tuple(steps)
    bank.erase("lily", by="sarah", reason="she asked")

for where in sys.argv[2:]:
    child = os.fork()
    if child == 0:
        crash(Path(sys.argv[1]) / where, where)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, where
"""


def test_an_erasure_killed_at_any_step_is_finished_at_the_next_start(tmp_path: Path) -> None:
    """The wish is written first; one start later there is nothing left to read, and one receipt."""
    places = [*map(str, range(len(erasure.STEPS) + 1)), "notes", "file"]
    lived_in(tmp_path / "before").close()
    for where in places:
        shutil.copytree(tmp_path / "before", tmp_path / where)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", CRASH, str(tmp_path), *places], check=True, env=env)
    for where in places:
        with contextlib.closing(open_thread(tmp_path / where, readonly=True)) as before:
            assert len(list(before.read(HOUSE, kinds=[ERASING]))) == 1
            assert len(list(before.read(HOUSE, kinds=[ERASED]))) == (where == "file")
        with tank.bank(str(tmp_path / where), NOW + 1) as bank:
            assert bank.thread.erased("lily") and bank.twins() == ["max"], where
        with tank.bank(str(tmp_path / where), NOW + 2) as bank:
            facts = list(bank.thread.read(HOUSE, kinds=[ERASING, ERASED]))
            assert [fact.kind for fact in facts] == [ERASING, ERASED]
            assert facts[1].body["models"] == [{"twin": "max", "model": "foresight-gauge"}]
            assert [len(list(bank.thread.read("max", kinds=[MARKED])))] == [1]
            assert memory.learned_from(bank.thread.kept("max", "foresight-gauge")) == ()
            receipts = list((tmp_path / where / "receipts").iterdir())
            assert [json.loads(path.read_text()) for path in receipts] == [facts[1].body]
        assert len(list((tmp_path / where / "notes").glob("*/*"))) == 1, where
        assert verify_store(tmp_path / where).problems == ()


# from the command line


def test_gemel_erase_asks_for_the_name_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer erases nothing; --json prints one object; the keys restored from a backup do not bring her back."""
    monkeypatch.setenv("GEMEL_PASSPHRASE", "correct horse battery")
    monkeypatch.setattr("gemel.thread.key_backup.COST", 1 << 4)
    monkeypatch.setattr("gemel.bank.bank.installed", lambda: {"tank": tank.Tank})
    store, run = str(tmp_path / "store"), CliRunner()
    lived_in(store).close()

    def gemel(*words: str, answer: str = "") -> Any:
        done = run.invoke(app, [*words, "--store", store], input=answer)
        if isinstance(done.exception, GemelError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    assert gemel("keys", "backup", str(tmp_path / "b"), "--json")["file"] == str(tmp_path / "b")
    with pytest.raises(Refused, match="nothing was erased: that was not lily"):
        gemel("erase", "lily", "--as", "sarah", answer="lilly\n")
    with pytest.raises(Refused, match="only who holds its keys may"):
        gemel("erase", "lily", "--as", "bob", "--yes")
    held = gemel("hold", "lily", "--reason", "court order", "--as", "registrar", "--json")
    with pytest.raises(Refused, match="court order"):
        gemel("erase", "lily", "--as", "sarah", "--yes")
    gemel("release", str(held["hold"]), "--reason", "closed", "--as", "registrar")

    done = gemel(
        "erase", "lily", "--as", "sarah", "--yes", "--reason", "moved", "--receipt", str(tmp_path / "r"), "--json"
    )

    assert (done["twin"], done["reason"], done["asked_by"]) == ("lily", "moved", "sarah")
    with contextlib.closing(open_thread(store, readonly=True)) as thread:
        assert receipt_holds(json.loads((tmp_path / "r").read_text()), thread.public_key)
    for path in (tmp_path / "store/keys").iterdir():
        path.unlink()
    restored = gemel("keys", "restore", str(tmp_path / "b"), "--json")
    assert (restored["restored"], restored["erased"]) == (2, 1)
    with contextlib.closing(open_thread(store, readonly=True)) as thread:
        assert thread.erased("lily") and thread.twins() == [HOUSE, "max"]
    assert "max was erased" in gemel("erase", "max", "--as", "sarah", answer="max\n")
