"""The command line: what each command promises to scripts, to people who err, and to people who may not."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
HEADER = "time,glucose (mg/dL),bolus,basal,carbs"
TYPE = ("--type", "diabetes.person", "--twin")


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """Return the one JSON object on standard output."""
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that runs `gemel` in this process, as ann, on a store of this test."""
    from gemel.cli import main

    monkeypatch.setenv("GEMEL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("GEMEL_ACTOR", "ann")
    monkeypatch.delenv("GEMEL_TRACEBACK", raising=False)

    def gemel(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["gemel", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(code, said.out, said.err)

    return gemel


def rows(hours: int = 36, start: datetime = START) -> list[list[str]]:
    """Return an invented record: two waves of glucose, a meal and its bolus every six hours, one basal rate."""
    made = []
    for i in range(hours * 12):
        value = round(140 + 45 * math.sin(i / 25) + 20 * math.sin(i / 7) + 3 * math.sin(i * 1.7))
        given = ["4" if i % 72 == 12 else "", "0.8" if i == 0 else "", "45" if i % 72 == 15 else ""]
        made.append([(start + timedelta(minutes=5 * i)).isoformat(), str(value), *given])
    return made


def write(path: Path, lines: list[list[str]], header: str = HEADER) -> Path:
    """Write a table and return where."""
    path.write_text("\n".join([header, *(",".join(line) for line in lines)]) + "\n")
    return path


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of 36 hours."""
    return write(tmp_path_factory.mktemp("lived") / "lived.csv", rows())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, lived: Path) -> Path:
    """Return a store with that record in it; tests read it, and add no facts about bob's body."""
    store = tmp_path_factory.mktemp("kept") / "store"
    words = ["import", lived, *TYPE, "bob", "--as", "ann", "--store", store]
    subprocess.run([sys.executable, "-m", "gemel.cli", *map(str, words)], check=True, capture_output=True)
    return store


def facts(store: Path) -> int:
    """Return how many facts a store holds, accesses left out, which are on record too; none if there is no store."""
    file = store / "thread.db"
    if not file.exists():
        return 0
    db = sqlite3.connect(file)
    try:
        return int(db.execute("SELECT count(*) FROM fact WHERE kind <> 'accessed/1'").fetchone()[0])
    finally:
        db.close()


# import


def test_importing_twice_changes_nothing_and_says_so(run: Run, lived: Path, tmp_path: Path) -> None:
    """The second import adds no fact, exits 0, and says "nothing new"."""
    first = run("import", lived, *TYPE, "bob", "--json")
    before = facts(tmp_path / "store")
    again = run("import", lived, *TYPE, "bob")
    assert (first.code, first.body["new"], first.body["known"]) == (0, 432 + 6 + 6 + 1, 0)
    assert (again.code, facts(tmp_path / "store")) == (0, before)
    assert "nothing new" in again.out
    assert run("import", lived, *TYPE, "bob", "--json").body["new"] == 0


def test_a_clock_that_was_wrong_is_put_right_also_in_a_record_that_is_there(
    run: Run, lived: Path, tmp_path: Path
) -> None:
    """What is shifted replaces what stood, once; into a twin of its own it goes the same way; all else stays."""
    run("import", lived, *TYPE, "bob")
    late = run("import", lived, *TYPE, "bob", "--shift", "carbs=-4 h", "--json")
    again = run("import", lived, *TYPE, "bob", "--shift", "carbs=-4 h")
    run("import", lived, *TYPE, "eve", "--shift", "carbs=-4 h")
    run("import", lived, *TYPE, "ann")
    from gemel.bank import Bank

    with Bank.open(str(tmp_path / "store")) as bank:
        bob, eve, ann = (bank.replica(name).plan(0, 2**62) for name in ("bob", "eve", "ann"))
    meals = [dose.at - 4 * 3_600_000 if dose.lever == "carbs" else dose.at for dose in ann]
    assert late.body["new"] == 2 * sum(dose.lever == "carbs" for dose in ann) > 0
    assert "nothing new" in again.out
    assert sorted(d.at for d in bob) == sorted(d.at for d in eve) == sorted(meals)


@pytest.mark.parametrize(
    ("shift", "said"), [("sugar=-4 h", "carbs"), ("carbs=soon", "length of time"), ("carbs=-40 h", "more than a day")],
)  # fmt: skip
def test_a_shift_that_cannot_be_is_refused_and_nothing_is_written(
    run: Run, lived: Path, tmp_path: Path, shift: str, said: str
) -> None:
    found = run("import", lived, *TYPE, "bob", "--shift", shift)
    assert (found.code, facts(tmp_path / "store")) == (2, 0)
    assert said in " ".join(found.err.split()).replace("│ ", "")


def changed(at: int, column: int, value: str) -> list[list[str]]:
    """Return six hours in which one cell is another."""
    lines = rows(6)
    lines[at][column] = value
    return lines


BACKWARDS = [*rows(6)[:40], *rows(6)[20:]]
TWICE_OTHERWISE = [*rows(1), [rows(1)[-1][0], "300", "", "", ""]]
TABLES: dict[str, tuple[str, list[list[str]], list[str]]] = {
    "a unit that glucose has not": ("time,glucose (kg)", [r[:2] for r in rows(6)], ["row 2", "glucose (kg)", "kg"]),
    "mmol/L under a header of mg/dL": (
        "time,glucose (mg/dL)", [[r[0], str(round(float(r[1]) / 18, 1))] for r in rows(6)],
        ["row 2", "glucose (mg/dL)", "mmol/L"],
    ),
    "mg/dL and mmol/L in one column": (HEADER, changed(30, 1, "7.8"), ["row 32", "glucose (mg/dL)", "mmol/L"]),
    "a column nobody knows": ("time,sugar", [r[:2] for r in rows(6)], ["row 1", "header"]),
    "negative insulin": (HEADER, changed(12, 2, "-2"), ["row 14", "bolus", "-2"]),
    "glucose that is no number": (HEADER, changed(3, 1, "high!"), ["row 5", "glucose (mg/dL)"]),
    "a time that is no time": (HEADER, changed(3, 0, "yesterday"), ["row 5", "time"]),
    "time running backwards": (HEADER, BACKWARDS, ["row 42", "backwards"]),
    "two values at one time": (HEADER, TWICE_OTHERWISE, ["row 14", "300"]),
    "a row cut off": (HEADER, [*rows(6), ["2026-03-01T12:00"]], ["row 74", "cut off"]),
    "nothing but a header": (HEADER, [], ["nothing to import"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_refused_with_file_row_and_field_and_leaves_nothing(run: Run, tmp_path: Path, name: str) -> None:
    """Exit 2; the message names where; a twin that was not there still is not."""
    header, lines, named = TABLES[name]
    done = run("import", write(tmp_path / "bad.csv", lines, header), *TYPE, "bob", "--json")
    assert (done.code, done.out, facts(tmp_path / "store")) == (2, "", 0)
    assert [text for text in ["bad.csv", *named] if text not in done.err] == []
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["negative insulin", "time running backwards", "a row cut off"])
def test_a_bad_table_leaves_a_twin_that_is_there_as_it_was(run: Run, lived: Path, tmp_path: Path, name: str) -> None:
    """Not one of the good rows before the bad one is written."""
    run("import", lived, *TYPE, "bob")
    before = facts(tmp_path / "store")
    header, lines, _ = TABLES[name]
    assert run("import", write(tmp_path / "bad.csv", lines, header), *TYPE, "bob").code == 2
    assert facts(tmp_path / "store") == before


ENTRIES = [{"_id": f"e{i}", "type": "sgv", "sgv": 120 + i, "date": 1_772_352_000_000 + 300_000 * i} for i in range(24)]
FILES: dict[str, tuple[str, str, str]] = {
    "no JSON": ("entries.json", "glucose: 120", "JSON"),
    "JSON cut off": ("entries.json", json.dumps(ENTRIES)[:400], "JSON"),
    "JSON that is no Nightscout": ("entries.json", '{"hello": "world"}', "no Nightscout entries"),
    "negative insulin": (
        "treatments.json",
        json.dumps([{"_id": "t", "eventType": "Bolus", "insulin": -2, "created_at": "2026-03-01T08:00:00Z"}]),
        "field 'insulin'",
    ),
    "a workbook that is none": ("Glucose.xlsx", "not a workbook", "Glucose.xlsx"),
    "a folder that is none of those known": ("holiday.txt.bak", "sun", "not recognised"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_folder_is_refused_and_leaves_nothing(run: Run, tmp_path: Path, name: str) -> None:
    """Exit 2, the file is named, no store is made."""
    file, text, named = FILES[name]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / file).write_text(text)
    done = run("import", tmp_path / "folder", *TYPE, "bob")
    assert (done.code, done.out, (tmp_path / "store").exists()) == (2, "", False)
    assert named in done.err
    assert str(tmp_path / "folder") in done.err


def test_nightscout_comes_in_by_file_and_by_folder(run: Run, tmp_path: Path) -> None:
    """The same entries, once from their folder and once by name, are the same facts."""
    (tmp_path / "ns").mkdir()
    (tmp_path / "ns/entries.json").write_text(json.dumps(ENTRIES))
    assert run("import", tmp_path / "ns", *TYPE, "bob", "--json").body["new"] == len(ENTRIES)
    assert run("import", tmp_path / "ns/entries.json", *TYPE, "bob", "--json").body["new"] == 0


def test_a_missing_day_is_imported_and_reported_as_a_gap(run: Run, tmp_path: Path) -> None:
    """Gaps are no fault of the file: they are named, and the rest is there."""
    lines = [*rows(12), *rows(12, START + timedelta(hours=36))]
    done = run("import", write(tmp_path / "gap.csv", lines), *TYPE, "bob", "--json")
    gaps = done.body["report"]["gaps"]
    assert done.code == 0
    assert gaps == [{"name": "glucose", "from": "2026-03-01T17:55:00Z", "to": "2026-03-02T18:00:00Z"}]


def test_rows_that_stand_twice_are_counted_once(run: Run, tmp_path: Path) -> None:
    """Duplicates are dropped and said."""
    lines = [line for line in rows(2) for _ in range(2)]
    done = run("import", write(tmp_path / "twice.csv", lines), *TYPE, "bob", "--json")
    assert (done.code, done.body["report"]["items"]["glucose"]) == (0, 24)
    assert done.body["report"]["duplicates"] >= 24


def test_a_type_that_is_not_there_is_named_with_those_that_are(run: Run, lived: Path) -> None:
    """Exit 2 and what is possible."""
    done = run("import", lived, "--type", "diabetes.parson", "--twin", "bob")
    assert (done.code, "diabetes.person" in done.err) == (2, True)


def test_a_real_record_comes_in_whole(run: Run, data: Path) -> None:
    """One person of UC_HT_T1DM: every signal and lever, and the same again is nothing new."""
    folder = data / "t1d/uc_ht_t1dm/T1DM_04"
    done = run("import", folder, *TYPE, "t04", "--json")
    assert done.code == 0
    assert set(done.body["report"]["items"]) == {"glucose", "heart_rate", "steps", "bolus", "basal", "carbs"}
    assert run("import", folder, *TYPE, "t04", "--json").body["new"] == 0


# asking


def test_a_forecast_is_one_json_object_with_quantiles_in_order(run: Run, kept: Path) -> None:
    """Every five minutes for an hour from the last reading, 7 levels, never crossing."""
    done = run("forecast", "bob", "--hours", 1, "--store", kept, "--json")
    body = done.body
    levels = list(body["quantiles"].values())
    assert (done.code, body["twin"], body["signal"], body["unit"]) == (0, "bob", "glucose", "mg/dL")
    assert len(body["at"]) == 12
    assert all(a <= b for low, high in pairwise(levels) for a, b in zip(low, high, strict=True))


SCENARIO = {
    "metric": "time_in_range", "hours": 4,
    "scenarios": [{"scenario": "bolus", "values": {"amount": 2}}, {"name": "loop", "scenario": "closed_loop"}],
}  # fmt: skip


def test_compare_forks_at_the_end_of_the_record_and_pairs(run: Run, kept: Path, tmp_path: Path) -> None:
    """The usual day is the reference: no effect on itself; each other has an interval around its effect."""
    (tmp_path / "s.json").write_text(json.dumps(SCENARIO))
    done = run("compare", "bob", "--scenario", tmp_path / "s.json", "--store", kept, "--json")
    effects = done.body["effects"]
    assert (done.code, [e["fork"] for e in effects]) == (0, ["as usual", "2 U now", "loop"])
    assert done.body["at"] == round((START + timedelta(hours=36, minutes=-5)).timestamp() * 1000)
    assert (effects[0]["difference"], effects[0]["interval95"]) == (0, [0, 0])
    assert all(e["interval95"][0] <= e["difference"] <= e["interval95"][1] for e in effects)
    assert done.body["best"] in [e["fork"] for e in effects]


BAD_SCENARIOS: dict[str, tuple[object, list[str]]] = {
    "no object": ([], ["scenario file is"]),
    "a scenario nobody knows": ({"scenarios": [{"scenario": "fasting"}]}, ["fasting", "scenarios[0]", "closed_loop"]),
    "a field nobody knows": ({"scenarios": [{"scenario": "bolus", "values": {"dose": 1}}]}, ["dose", "amount"]),
    "a field out of bounds": (
        {"scenarios": [{"scenario": "bolus", "values": {"amount": 99}}]},
        ["99", "values.amount"],
    ),
    "values that are no object": ({"scenarios": [{"scenario": "bolus", "values": 3}]}, ["scenarios[0].values"]),
    "a metric nobody knows": ({**SCENARIO, "metric": "joy"}, ["joy", "time_in_range"]),
    "a metric that is no name": ({**SCENARIO, "metric": ["gmi"]}, ["gmi"]),
    "hours without end": ({**SCENARIO, "hours": 1e9}, ["hours"]),
    "a key nobody knows": ({**SCENARIO, "hour": 3}, ["hour", "scenarios"]),
}


@pytest.mark.parametrize("name", BAD_SCENARIOS)
def test_a_bad_scenario_file_is_refused_with_what_is_possible(run: Run, kept: Path, tmp_path: Path, name: str) -> None:
    """Exit 2, the file and the field are named, nothing on standard output."""
    spec, named = BAD_SCENARIOS[name]
    (tmp_path / "s.json").write_text(json.dumps(spec))
    done = run("compare", "bob", "--scenario", tmp_path / "s.json", "--store", kept, "--json")
    assert (done.code, done.out) == (2, "")
    assert [text for text in ["s.json", *named] if text not in done.err] == []


def test_a_backtest_stands_next_to_its_baselines_and_writes_json(run: Run, kept: Path) -> None:
    """Horizons of 30, 60 and 120 min, each with error, coverage, CRPS and two baselines on the same points."""
    done = run("backtest", "bob", "--store", kept, "--json")
    assert (done.code, list(done.body["horizons"])) == (0, ["30", "60", "120"])
    row = done.body["horizons"]["30"]
    assert {"n", "rmse", "mard", "crps", "cover80", "cover95", "baselines"} <= set(row)
    assert set(row["baselines"]) == {"hold", "ridge_ar"}
    assert 0 < row["rmse"] < 60


def test_a_record_too_short_to_test_is_said_to_be(run: Run, tmp_path: Path) -> None:
    """Two hours teach no baseline: exit 2, and how much it takes."""
    run("import", write(tmp_path / "short.csv", rows(2)), *TYPE, "bob")
    done = run("backtest", "bob")
    assert (done.code, "1.9 h" in done.err, "24 h" in done.err) == (2, True, True)


def test_why_leads_to_a_reading_and_says_it(run: Run, kept: Path) -> None:
    """A reading has no cause; its sentence has value and unit."""
    done = run("why", "bob", 20, "--store", kept, "--json")
    assert (done.code, done.body["seq"], done.body["causes"]) == (0, 20, [])
    assert run("why", "bob", 999_999, "--store", kept).code == 2


UNKNOWN = """
forecast nobody
forecast bob --signal glucos
forecast bob --hours 0
forecast bob --at noon
forecast bob --at 2020-01-01T00:00:00Z
backtest nobody
backtest bob --signal glucos
why nobody 1
why bob x
report nobody -o x.html
report bob -o no/such/folder.html
report bob -o x.html --timezone Mars/Olympus
compare bob
compare bob --scenario none.json
grant bob --to dr --verb until
grant bob --to dr --verb read --signal glucos
grant bob --to dr --verb read --purpose fun
grant bob --to dr --verb read --until soon
revoke bob abc
may dr read nobody *
may dr read bob glucos
verify /nowhere
import
dance
""".strip().splitlines()


@pytest.mark.parametrize("words", UNKNOWN)
def test_what_is_not_there_or_cannot_be_is_exit_2(
    run: Run, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """A sentence on the error stream, nothing on the other."""
    monkeypatch.setenv("GEMEL_STORE", str(kept))
    monkeypatch.chdir(tmp_path)
    done = run(*words.split())
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_commands_that_read_make_no_store(run: Run, tmp_path: Path) -> None:
    """A store that is not there is said not to be, and still is not."""
    done = run("forecast", "bob")
    assert (done.code, "no store" in done.err, (tmp_path / "store").exists()) == (2, True, False)


# consent


def test_a_stranger_is_refused_with_the_reason(run: Run, kept: Path, tmp_path: Path) -> None:
    """Exit 1 from every command that reads or writes; no page is written."""
    (tmp_path / "s.json").write_text(json.dumps(SCENARIO))
    page, table = tmp_path / "page.html", write(tmp_path / "t.csv", rows(1, START + timedelta(days=9)))
    asked = [("forecast", "bob"), ("backtest", "bob"), ("why", "bob", "20"), ("report", "bob", "-o", page),
             ("compare", "bob", "--scenario", tmp_path / "s.json"), ("import", table, *TYPE, "bob"),
             ("grant", "bob", "--to", "eve", "--verb", "read")]  # fmt: skip
    answers = [run(*words, "--store", kept, "--as", "eve") for words in asked]
    assert [(done.code, done.out) for done in answers] == [(1, "")] * len(asked)
    assert all("eve may not" in done.err for done in answers)
    assert not page.exists()


def test_a_grant_opens_what_it_names_until_it_is_taken_back(run: Run, lived: Path) -> None:
    """The granted forecast works for the purpose named; `may` says the same; revoked, both say no."""
    run("import", lived, *TYPE, "bob")
    given = run("grant", "bob", "--to", "dr-lee", "--verb", "read", "--signal", "glucose", "--json").body
    dr = ("--as", "dr-lee", "--purpose", "care")
    assert run("may", "dr-lee", "read", "bob", "glucose").code == 0
    assert run("forecast", "bob", "--hours", 1, *dr).code == 0
    assert run("forecast", "bob", "--hours", 1, "--as", "dr-lee", "--purpose", "marketing").code == 1
    assert run("revoke", "bob", given["grants"][0]["id"]).code == 0
    assert run("may", "dr-lee", "read", "bob", "glucose", "--json").body["allowed"] is False
    assert run("forecast", "bob", "--hours", 1, *dr).code == 1


# the store


def test_verify_names_the_fact_whose_byte_was_flipped(run: Run, lived: Path, tmp_path: Path) -> None:
    """Exit 0 as written, 1 after one byte of a stored fact is another, and the fact is named."""
    run("import", lived, *TYPE, "bob")
    assert run("verify", "--json").body["intact"] is True
    db = sqlite3.connect(tmp_path / "store/thread.db")
    (sealed,) = db.execute("SELECT sealed FROM fact WHERE rowid = 77").fetchone()
    db.execute("UPDATE fact SET sealed = ? WHERE rowid = 77", (bytes([sealed[0] ^ 1, *sealed[1:]]),))
    db.commit()
    db.close()
    done = run("verify", "--json")
    assert (done.code, done.body["intact"]) == (1, False)
    assert any("77" in problem for problem in done.body["problems"])
    assert run("verify").code == 1


def test_a_store_held_by_another_process_is_exit_3_with_what_to_do(run: Run, kept: Path) -> None:
    """Commands that must write say who holds it; those that need not still answer."""
    opens = "import sys; from gemel.thread import open_thread; t = open_thread(sys.argv[1])"
    holder = f"{opens}; print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(kept)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        done = run("forecast", "bob", "--store", kept)
        assert (run("twins", "--store", kept).code, run("verify", kept).code) == (0, 0)
        other.stdin.write("\n")
        other.stdin.flush()
    assert (done.code, done.out) == (3, "")
    assert f"process {other.pid}" in done.err
    assert "stop" in done.err


def test_a_fault_of_the_program_is_a_sentence_too(run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3 and how to learn more, instead of a traceback."""
    monkeypatch.setattr("gemel.bank.Bank.twins", lambda _: 1 // 0)
    done = run("twins", "--store", kept)
    assert (done.code, "ZeroDivisionError" in done.err, "GEMEL_TRACEBACK" in done.err) == (3, True, True)


# as a program


def gemel(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `gemel` as a process of its own."""
    command = [str(Path(sys.executable).with_name("gemel")), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **more}, check=False)


def test_what_is_installed_is_known_without_what_reads_workbooks_asks_sites_or_fits() -> None:
    """Every command that opens a store waits for the libraries of all packs: only for those that it may need."""
    heavy = {
        "openpyxl",
        "httpx",
        "rich",
        "scipy.special",
        "scipy.linalg",
        "scipy.stats",
        "plotly",
        "numba",
        "sklearn",
        "blackjax",
    }
    code = f"import sys; from gemel.bank.catalogue import installed; installed(); print(sorted({heavy!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_help_loads_no_numerics_and_names_every_command() -> None:
    """What makes a start slow stays out until a command needs it."""
    heavy = {"jax", "pint", "scipy", "numpy", "plotly", "fastapi"}
    code = f"import sys, gemel.cli; print(sorted({heavy!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = gemel("--help")
    assert (loaded.stdout, said.returncode) == ("[]\n", 0)
    names = (
        "import",
        "twins",
        "forecast",
        "backtest",
        "compare",
        "report",
        "why",
        "grant",
        "may",
        "verify",
        "serve",
        "demo",
    )
    assert [name for name in names if f" {name} " not in said.stdout] == []


def test_json_stands_alone_on_standard_output_even_with_a_bar(kept: Path) -> None:
    """Progress goes to the error stream; a program reads one object and nothing else."""
    done = gemel("forecast", "bob", "--json", "--store", kept, "--as", "ann", GEMEL_PROGRESS="1")
    assert (done.returncode, json.loads(done.stdout)["twin"]) == (0, "bob")
    quiet = gemel("twins", "--json", "--store", kept)
    assert (quiet.stderr, len(quiet.stdout.splitlines())) == ("", 1)


def test_the_door_has_every_name_it_says() -> None:
    """Names that are fetched when asked for are those that type checkers see."""
    import ast

    import gemel as package

    tree = ast.parse(Path(str(package.__file__)).read_text())
    seen = {a.asname for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names if a.asname}
    assert seen == set(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)
