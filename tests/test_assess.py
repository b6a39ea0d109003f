"""The assessment of a service from its log: what it promises to managers, and that its figures are those of the log."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import Done
from test_cli import run as run

from gemel.errors import BadInput
from gemel.packs.service.assess.answers import IDS, Answer, Answers, read_answers, write_answers
from gemel.packs.service.assess.assessment import assessed
from gemel.packs.service.assess.evidence import Evidence, evidence_of
from gemel.packs.service.assess.findings import SAYS
from gemel.packs.service.assess.foresight import Foresight, area
from gemel.packs.service.assess.kpis import wilson
from gemel.packs.service.assess.losses import repeats_of
from gemel.packs.service.assess.questions import QUESTIONS, STEPS
from gemel.packs.service.assess.report import page
from gemel.packs.service.assess.rows import Unknown, hour_of_week, rows_of
from gemel.packs.service.log import MISSING, Log, Names
from gemel.packs.service.logs import open_log

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
HEAD = "case,activity,resource,enabled_time,start_time,end_time,cost\n"

Row = tuple[str, str, str, float | None, float | None, float | None]
"""Case, activity, resource, and minutes after `T0` at which it was queued, began, was over."""


def names_of(texts: list[str]) -> Names:
    """Return a column of names, empty ones as none."""
    names = tuple(dict.fromkeys(text for text in texts if text))
    return Names(np.array([names.index(text) if text else -1 for text in texts], np.int32), names)


def log_of(rows: list[Row], **more: Any) -> Log:
    """Return a log of rows that stand in order."""
    start = round(T0.timestamp() * 1000)
    times = [[MISSING if at is None else start + round(at * 60_000) for at in row[3:]] for row in rows]
    queued, began, over = np.array(times, np.int64).reshape(-1, 3).T
    case, activity, resource = (names_of([str(row[i]) for row in rows]) for i in range(3))
    return Log(case, activity, resource, queued, began, over, np.zeros(len(rows), bool), **more)


def written(path: Path, cases: int = 30, zone: str = "Z") -> Path:
    """Write a log of two stations as CSV: each case waits 5 min more at the desk than the one before."""
    lines = []
    for i in range(cases):
        came = T0 + timedelta(hours=3 * i)
        seen, done = came + timedelta(minutes=5 * i), came + timedelta(minutes=5 * i + 10)
        told = [
            one.strftime("%Y-%m-%dT%H:%M:%S") + zone
            for one in (came, seen, done, done, done, done + timedelta(minutes=2))
        ]
        lines += [f"c{i},Desk,Ann,{told[0]},{told[1]},{told[2]},4", f"c{i},Till,Bob,{told[3]},{told[4]},{told[5]},1"]
    path.write_text(HEAD + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Return a small log."""
    return written(tmp_path / "calls.csv")


# the questions


def test_there_are_three_questions_at_each_of_five_steps_each_answered_or_asked() -> None:
    """Fifteen questions; each has something that the data say of it, and something to ask."""
    assert [step.name for step in STEPS] == ["Assess", "Analyze", "Identify", "Co-design", "Evaluate"]
    assert [sum(one.step == step.name for one in QUESTIONS) for step in STEPS] == [3] * 5
    assert list(SAYS) == list(IDS) and len(set(IDS)) == 15
    assert all(one.text.endswith("?") and one.ask.endswith("?") for one in QUESTIONS)


ROWS = st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.integers(0, 5000), st.integers(0, 99))


@settings(max_examples=25)
@given(rows=st.lists(ROWS, min_size=1, max_size=25), told=st.sampled_from(["all", "ends", "begins"]))
def test_any_log_is_assessed_whatever_it_leaves_out(rows: list[tuple[str, str, int, int]], told: str) -> None:
    """Each question is answered by data or open, the page is whole, and nothing is NaN in words."""
    some = sorted(rows, key=lambda row: (row[0], row[2]))
    log = log_of(
        [
            (case, name, "", None, None if told == "ends" else at, None if told == "begins" else at + took)
            for case, name, at, took in some
        ]
    )
    found = assessed(evidence_of(log), Answers("some.csv"))
    text = page(found, 0)
    assert {one.question.id for one in found.verdicts} == set(IDS)
    assert all(one.finding.said for one in found.verdicts)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S).lower().split()
    json.dumps(found.body())


def test_every_question_is_on_the_page_with_its_state(calls: Path) -> None:
    """What is open stands with the question to ask, what was answered with the answer and who gave it."""
    given_ = Answers("calls.csv").plus("table", Answer("the <head> of claims", "ann", "2026-03-04T00:00:00.000Z"))
    found = assessed(evidence_of(open_log(calls).log), given_)
    text = page(found, 0)
    for one in found.verdicts:
        assert f'id="q-{one.question.id}"' in text
        assert (one.question.ask in text) == (one.state == "open")
    assert "the &lt;head&gt; of claims<small>ann, 2026-03-04</small>" in text


# the figures


def test_a_wait_is_from_ready_to_begin_or_from_the_end_of_the_step_before() -> None:
    """Queued at 0 and begun at 5: 5 min; not queued: from the last end before; a first row that tells nothing: none."""
    log = log_of([
        ("a", "x", "", 0, 5, 10), ("a", "y", "", None, 12, 20), ("a", "z", "", None, 12, 13),
        ("b", "x", "", None, 100, 110), ("b", "y", "", None, 110, 110), ("b", "z", "", None, 111, 112),
    ])  # fmt: skip
    assert (rows_of(log).wait / 60).tolist() == pytest.approx([5, 2, 2, np.nan, 0, 1], nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=40))
def test_the_end_before_is_that_which_a_plain_search_finds(rows: list[tuple[int, int, int]]) -> None:
    """Against a loop: the latest end in the case at or before the beginning; of rows at once, of one that stands earlier."""
    some = sorted(rows)
    found = rows_of(log_of([(str(case), "x", "", None, at, at + took) for case, at, took in some])).ready
    for i, (case, at, _) in enumerate(some):
        ends = [
            a + t
            for j, (c, a, t) in enumerate(some)
            if c == case and j != i and (a + t < at or (a + t == at and j < i))
        ]
        expected = T0.timestamp() + 60 * max(ends) if ends else np.nan
        assert found[i] == pytest.approx(expected, nan_ok=True)


def test_hours_of_the_week_are_those_of_the_wall_clock() -> None:
    """2026-03-29 00:30 UTC is 01:30 in Paris, an hour later 03:30: the clocks went forward."""
    at = np.array([datetime(2026, 3, 29, hour, 30, tzinfo=UTC).timestamp() for hour in (0, 1)] + [np.nan])
    assert hour_of_week(at, "Europe/Paris").tolist() == [6 * 24 + 1, 6 * 24 + 3, -1]


def test_pain_points_count_what_breaks_the_promise(calls: Path) -> None:
    """Waits are 0, 5, … 145 min; over the promised 100 min: 105 … 145, nine customers, 25 min over on average."""
    seen = evidence_of(open_log(calls).log, {"Desk": 6000.0}, hour_cost=40.0)
    worst = seen.pains[0]
    assert (worst.touchpoint, worst.customers.value, worst.excess.value / 60) == ("Desk", 9, pytest.approx(25.0))
    assert (worst.score.value, worst.score.unit) == (pytest.approx(9 * 25 / 60 * 40), "of money")
    kept = next(one for one in seen.kpis if one.name == "Promise kept: Desk")
    assert (kept.value, kept.low, kept.high) == (pytest.approx(21 / 30), *wilson(21, 30))


def test_where_nothing_was_promised_the_usual_wait_takes_its_place(calls: Path) -> None:
    """Half of the waits 0, 5, … 145 min are over their median, 72.5 min: by 2.5, 7.5, … 72.5, 562.5 min in all."""
    seen = evidence_of(open_log(calls).log)
    assert [(one.touchpoint, one.customers.value) for one in seen.pains] == [("Desk", 15)]
    assert (seen.pains[0].score.value, seen.pains[0].score.unit) == (pytest.approx(562.5 / 60), "h")


def test_the_page_ranks_pain_points_once_and_as_journeys_do() -> None:
    """The table of pain points, that of touchpoints and the first answer tell one ranking; repeats stand beside it."""
    rows: list[Row] = [(f"{i}", name, "", 60 * i, 60 * i + wait, 60 * i + wait + 1)
                       for i in range(9) for name, wait in (("x", i), ("y", 4 * i), ("x", 2 * i))]  # fmt: skip
    found = assessed(evidence_of(log_of(rows)), Answers("some"))
    tables = Parts(page(found, 0)).tables
    ranking = [one.touchpoint for one in found.evidence.journeys.pains]
    assert [row[0] for row in tables["Pain points"][1:]] == ranking
    places = {row[0]: row[6] for row in tables["Touchpoints"][1:]}
    assert [places[name] for name in ranking] == [row[1] for row in tables["Pain points"][1:]]
    assert found.verdicts[0].finding.said[0].startswith(f"1. {ranking[0]}:")
    assert [row[:3] for row in tables["Lost besides"][1:]] == [["x", "done again", "9"]]


def test_scores_become_metrics_with_their_names() -> None:
    """Ten customers say 10, ten say 5: the net promoter score is 0, and a column that is off the scale is none."""
    rows: list[Row] = [(f"{i:02}", "x", "", None, i, i + 1) for i in range(20)]
    about = {"nps": np.repeat([10.0, 5.0], 10), "csat %": np.full(20, 88.0)}
    seen = evidence_of(log_of(rows, about=about))
    found = {one.name: one.value for one in seen.kpis}
    assert found["NPS"] == 0.0 and "CSAT" not in found
    assert seen.felt == ("nps", "csat %")


def test_repeats_are_rows_that_do_again_what_was_done_for_the_case() -> None:
    """x y x x in one case: the third and fourth; the other case's x is its first."""
    log = log_of([("a", name, "", None, i, i + 1) for i, name in enumerate("xyxx")] + [("b", "x", "", None, 9, 10)])
    assert repeats_of(rows_of(log)).tolist() == [False, False, True, True, False]


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    """With ties; its standard error is that of Hanley and McNeil's own example: 0.893, 58 normal and 51 abnormal, .032."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    truth = rng.random(300) < 0.3
    score = np.round(rng.random(300) + 0.3 * truth, 1)
    assert area(score, truth)[0] == pytest.approx(roc_auc_score(truth, score))
    high = np.concatenate([np.full(58, 0.0), np.full(51, 1.0)])
    # Of 58 × 51 pairs, .893: so many abnormal images are rated below all normal ones.
    high[58 : 58 + round(0.107 * 51)] = -1.0
    auc, error = area(high, np.arange(109) >= 58)
    assert auc == pytest.approx(0.893, abs=0.012)
    assert error == pytest.approx(0.032, abs=0.002)


def test_the_interval_of_a_share_is_wilsons() -> None:
    """Against SciPy."""
    from scipy.stats import binomtest

    theirs = binomtest(21, 30).proportion_ci(method="wilson")
    assert wilson(21, 30) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def lines(seed: int, told: bool, cases: int = 600) -> Log:
    """Return cases of three steps; if *told*, the first step's activity says whether the last takes long."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for i in range(cases):
        bad, at = bool(rng.random() < 0.25), 60.0 * i
        first = "hard" if told and bad else "easy"
        last = at + (600 if bad else 60) * (1 + 0.1 * float(rng.random()))
        rows += [
            (f"{i:04}", first, "", None, at, at + 1),
            (f"{i:04}", "mid", "", None, at + 2, at + 3),
            (f"{i:04}", "end", "", None, at + 4, last),
        ]
    return log_of(rows)


def test_what_the_first_step_tells_is_foreseen_and_what_nothing_tells_is_not() -> None:
    """If the first step says it, all long visits are told hours ahead; if chance decides, the interval holds the coin."""
    sure, blind = (evidence_of(lines(7, told), {"*": 7200.0}).foresight for told in (True, False))
    assert isinstance(sure, Foresight) and isinstance(blind, Foresight)
    assert sure.steps[0].auc > 0.99
    assert sure.alarms[1].told == sure.alarms[1].of_long
    assert sure.alarms[1].lead == pytest.approx(7200 - 60, abs=1)
    assert all(one.low <= 0.5 <= one.high for one in blind.steps)


def test_too_short_a_log_says_why_nothing_can_be_foreseen() -> None:
    """Ten cases teach nothing; the page says so and asks."""
    seen = evidence_of(lines(1, True, 10))
    assert seen.foresight == Unknown("10 cases are too few: at least 80 are needed")
    found = assessed(seen, Answers("x"))
    assert {one.question.id: one.state for one in found.verdicts}["foresee"] == "open"
    assert "10 cases are too few" in page(found, 0)


# the page


class Parts(HTMLParser):
    """What a page is made of: its tags in order, all addresses, and the cells of its tables by caption."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._row: list[str] | None = None
        self._text, self._caption = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))
        self._text = "" if tag in ("caption", "td", "th") else self._text
        self._row = [] if tag == "tr" else self._row

    def handle_data(self, data: str) -> None:
        """Gather text."""
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        """Close cells, rows and captions."""
        if tag == "caption":
            self._caption = self._text
            self.tables[self._caption] = []
        elif tag in ("td", "th") and self._row is not None:
            self._row.append(self._text)
        elif tag == "tr" and self._row is not None:
            self.tables[self._caption].append(self._row)


def test_the_page_points_to_nothing_outside_itself(calls: Path) -> None:
    """No address of another host, no script, nothing to fetch; each link leads to a heading that is there."""
    text = page(assessed(evidence_of(open_log(calls).log), Answers("calls.csv")), 0)
    parts = Parts(text)
    assert re.findall(r"(?:https?:)?//[\w.]+", text) == []
    assert [tag for tag, _ in parts.tags if tag in ("script", "link", "img", "iframe")] == []
    assert not re.search(r"url\(|@import", text)
    ids = {attrs["id"] for _, attrs in parts.tags if "id" in attrs}
    assert {str(attrs["href"]).removeprefix("#") for tag, attrs in parts.tags if tag == "a"} <= ids


def test_the_page_can_be_read_without_seeing_it(calls: Path) -> None:
    """One h1, no level of heading is skipped, each drawing has a text and stands in a figure."""
    parts = Parts(page(assessed(evidence_of(open_log(calls).log), Answers("calls.csv")), 0))
    levels = [int(tag[1]) for tag, _ in parts.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    images = [attrs for _, attrs in parts.tags if attrs.get("role") == "img"]
    assert len(images) >= 5 and all(len(str(one["aria-label"])) > 40 for one in images)
    assert ("html", {"lang": "en"}) in parts.tags


def counted(path: Path) -> dict[str, Any]:
    """Return a few figures of LoanApp, counted from the file with nothing of ours."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    at = {
        name: [datetime.fromisoformat(row[name]) for row in rows] for name in ("enabled_time", "start_time", "end_time")
    }
    waits: dict[str, list[float]] = {}
    cases: dict[str, list[datetime]] = {}
    for i, row in enumerate(rows):
        waits.setdefault(row["activity"], []).append((at["start_time"][i] - at["enabled_time"][i]).total_seconds())
        cases.setdefault(row["case_id"], []).extend(at[name][i] for name in at)
    visits = [(max(times) - min(times)).total_seconds() for times in cases.values()]
    return {
        "cases": len(cases), "rows": len(rows), "visit": float(np.median(visits)),
        "resources": len({row["resource"] for row in rows}), "waits": waits,
        "cost": sum(float(row["FixedCost"]) + float(row["ResourceCost"]) for row in rows),
    }  # fmt: skip


@pytest.fixture(scope="module")
def loans(data: Path) -> tuple[Evidence, dict[str, Any]]:
    """Return the evidence of LoanApp and independent counts of it."""
    path = data / "services/simod_LoanApp_simplified_train.csv.gz"
    return evidence_of(open_log(path).log, {"AML check": 600.0}), counted(path)


def test_the_figures_of_a_real_log_are_those_that_a_plain_count_gives(loans: tuple[Evidence, dict[str, Any]]) -> None:
    """LoanApp: cases, rows, resources, cost, visits, and at each station the waits."""
    seen, plain = loans
    assert (seen.overview.cases, seen.overview.activities, seen.overview.resources) == (
        plain["cases"],
        plain["rows"],
        plain["resources"],
    )
    assert seen.overview.visit.p50 == pytest.approx(plain["visit"])
    assert seen.cost is not None and seen.cost.total == pytest.approx(plain["cost"])
    for one in seen.stations:
        waits = plain["waits"][one.name]
        assert one.measured is not None
        assert (one.visits, one.measured.total, one.measured.p90) == (
            len(waits), pytest.approx(sum(waits)), pytest.approx(np.percentile(waits, 90)))  # fmt: skip


def test_the_page_prints_the_same_figures(loans: tuple[Evidence, dict[str, Any]]) -> None:
    """The table of pain points holds, for each, the customers and hours that a plain count gives."""
    seen, plain = loans
    tables = Parts(page(assessed(seen, Answers("loans")), 0)).tables
    rows = {row[0]: row for row in tables["Pain points"][1:]}
    over = [wait - 600 for wait in plain["waits"]["AML check"] if wait > 600]
    assert rows["AML check"][4] == f"{sum(over) / 3600:,.1f}"
    usual = float(np.median(plain["waits"]["Reject application"]))
    beyond = [wait - usual for wait in plain["waits"]["Reject application"] if wait > usual]
    assert rows["Reject application"][2:5:2] == [f"{len(beyond):,}", f"{sum(beyond) / 3600:,.1f}"]


# the command


def test_the_whole_assessment_is_one_object(run: Callable[..., Done], calls: Path, tmp_path: Path) -> None:
    """--json prints all questions and figures, and where the page is."""
    out = tmp_path / "r.html"
    done = run("assess", calls, "-o", out, "--promise", "Desk=100", "--promise", "*=60", "--json")
    assert done.code == 0
    assert [one["id"] for one in done.body["questions"]] == list(IDS)
    assert done.body["page"] == str(out) and out.read_text().startswith("<!doctype html>")
    assert done.body["evidence"]["promises"] == {"Desk": 6000.0, "*": 3600.0}
    assert not (tmp_path / "calls.csv.assess.json").exists()


def test_answers_are_kept_and_found_again(run: Callable[..., Done], calls: Path, tmp_path: Path) -> None:
    """An answer given once is there the next time, with who gave it."""
    assert run("assess", calls, "--answer", "table=Ann = Bob").code == 0
    again = run("assess", calls, "--answer", "alarms=ten", "--json").body
    said = {one["id"]: one["answer"] for one in again["questions"] if one["answer"]}
    assert {name: (one["text"], one["by"]) for name, one in said.items()} == {
        "table": ("Ann = Bob", "ann"),
        "alarms": ("ten", "ann"),
    }
    assert json.loads((tmp_path / "calls.csv.assess.json").read_text())["log"] == "calls.csv"


WRONG = {
    "no such log": (["nowhere.csv"], "nowhere.csv"),
    "no such folder": (["calls.csv", "-o", "no/where.html"], "no such folder"),
    "unknown station": (["calls.csv", "--promise", "Dsk=5"], "unknown station 'Dsk'; possible: *, Desk, Till"),
    "promise without minutes": (["calls.csv", "--promise", "Desk"], "field 'promise'"),
    "promise in words": (["calls.csv", "--promise", "Desk=soon"], "'soon' is no number of minutes"),
    "unknown zone": (["calls.csv", "--zone", "Mars/Olympus"], "Mars/Olympus"),
    "unknown question": (["calls.csv", "--answer", "why=so"], "unknown question 'why'"),
    "unknown column": (["calls.csv", "--map", "case=Ticket"], "Ticket"),
    "bad time": (["bad.csv"], "bad.csv, row 3, field"),
    "answers of another log": (["calls.csv", "--answers", "other.json"], "other.json, field 'log'"),
    "answers that are none": (["calls.csv", "--answers", "bad.csv"], "bad.csv, row 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_with_its_place(
    run: Callable[..., Done], calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Exit code 2, file, row and field, and no page is left behind."""
    monkeypatch.chdir(tmp_path)
    good = calls.read_text().splitlines()
    (tmp_path / "bad.csv").write_text(
        "\n".join([*good[:2], good[2].replace("2026-03-02T08:10:00Z", "tomorrow", 1)]) + "\n"
    )
    write_answers(tmp_path / "other.json", Answers("other.csv"))
    words, said = WRONG[case]
    done = run("assess", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert list(tmp_path.glob("*.html")) == []


@given(st.dictionaries(st.sampled_from(IDS), st.text(min_size=1), max_size=15))
def test_what_was_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, said: dict[str, str]) -> None:
    """Any text, in any language, line breaks and all."""
    path = tmp_path_factory.mktemp("answers") / "a.json"
    answers = Answers(
        "l", {name: Answer(text.encode("utf-8", "replace").decode(), "ann", "t") for name, text in said.items()}
    )
    write_answers(path, answers)
    assert read_answers(path, "l") == answers


def test_an_answer_that_is_no_text_is_told() -> None:
    """The file and the field are named."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"gemel-assess-{os.getpid()}.json"
    path.write_text(json.dumps({"format": "gemel-assess/1", "log": "l", "answers": {"table": {"text": 4}}}))
    try:
        with pytest.raises(BadInput, match=r"field 'answers\.table\.text': must be a text"):
            read_answers(path, "l")
    finally:
        path.unlink()


def test_a_write_that_fails_leaves_the_old_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full while the second answer is written: the first is still there, and nothing else."""
    path = tmp_path / "a.json"
    first = Answers("l").plus("table", Answer("one", "ann", "t"))
    write_answers(path, first)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_answers(path, first.plus("alarms", Answer("two", "ann", "t")))
    assert read_answers(path, "l") == first
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


class Terminal:
    """`gemel` on a terminal of its own."""

    def __init__(self, *words: object) -> None:
        self.end, inner = pty.openpty()
        environment = {**os.environ, "GEMEL_ACTOR": "ann", "TERM": "dumb", "COLUMNS": "200"}
        command = [sys.executable, "-m", "gemel.cli", *map(str, words)]
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
        )
        os.close(inner)
        self.text = ""

    def until(self, words: str) -> None:
        """Read until *words* were said."""
        limit = time.monotonic() + 60
        while words not in self.text:
            ready, _, _ = select.select([self.end], [], [], limit - time.monotonic())
            assert ready, f"{words!r} was never said: {self.text[-400:]}"
            try:
                self.text += os.read(self.end, 4096).decode()
            except OSError:
                raise AssertionError(f"ended without {words!r}: {self.text[-400:]}") from None
        self.text = self.text.split(words, 1)[1]

    def say(self, text: str) -> None:
        """Type a line."""
        os.write(self.end, f"{text}\n".encode())

    def close(self) -> int:
        """Return how it ended."""
        code = self.process.wait(60)
        os.close(self.end)
        return code


def test_killed_in_the_middle_it_keeps_what_was_answered_and_goes_on(calls: Path, tmp_path: Path) -> None:
    """Skip one, answer one, kill -9 while the next is asked: the answer is there; going on asks what is open."""
    kept, asks = tmp_path / "calls.csv.assess.json", {one.id: one.ask for one in QUESTIONS}
    first = Terminal("assess", calls)
    first.until(asks["reactive"])
    first.say("")
    first.until(asks["assets"])
    first.say("a telephone exchange")
    first.until(asks["missing"])
    first.process.send_signal(signal.SIGKILL)
    assert first.close() == -signal.SIGKILL
    assert list(read_answers(kept, "calls.csv").given) == ["assets"]

    again = Terminal("assess", calls)
    again.until(asks["reactive"])
    again.say("by complaint")
    again.until(asks["missing"])
    again.say("stop")
    again.until("answers are kept in")
    assert again.close() == 0
    given_ = read_answers(kept, "calls.csv").given
    assert {name: (one.text, one.by) for name, one in given_.items()} == {
        "assets": ("a telephone exchange", "ann"),
        "reactive": ("by complaint", "ann"),
    }
