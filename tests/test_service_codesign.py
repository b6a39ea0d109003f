"""Co-design: weights from ratings and pairs, roles equally heard, disagreements named, and errors with file, row and field."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from gemel.errors import BadInput, NotFound
from gemel.packs.service import codesign as work

HEADER = "respondent,role,metric,importance"


def survey(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    """Write a survey and return where."""
    path = tmp_path / "survey.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def crowd(rng: np.random.Generator, sizes: dict[str, int], means: dict[str, dict[str, float]]) -> list[str]:
    """Return rows of respondents who rate about what their role does."""
    return [
        f"{role}{i},{role},{metric},{float(np.clip(rng.normal(means[role][metric], 0.8), 1, 7)):.3f}"
        for role, n in sizes.items() for i in range(n) for metric in means[role]
    ]  # fmt: skip


def test_each_role_is_heard_equally_however_many_answer(tmp_path: Path) -> None:
    """One manager of 6 : 2 and three customers of 2 : 6 make it even."""
    rows = ["m,manager,cost,6", "m,manager,wait,2"]
    rows += [row for i in range(3) for row in (f"c{i},customer,cost,2", f"c{i},customer,wait,6")]
    found = work.ranking(work.read(survey(tmp_path, *rows)))
    assert [one.weight.value for one in found.weights] == [pytest.approx(0.5)] * 2
    assert found.respondents == {"customer": 3, "manager": 1}
    assert found.weights[0].roles["manager"].value in (0.75, 0.25)
    assert found.disagreements == ("manager: one answer alone, so no interval",)


def test_what_roles_disagree_on_is_named_and_what_they_agree_on_is_not(tmp_path: Path) -> None:
    """Customers want short waits, managers low cost; both care for satisfaction alike."""
    means = {
        "customer": {"wait": 6.5, "cost": 2.0, "csat": 5.0},
        "manager": {"wait": 2.0, "cost": 6.5, "csat": 5.0},
        "staff": {"wait": 4.25, "cost": 4.25, "csat": 5.0},
    }
    rows = crowd(np.random.default_rng(1), {"customer": 12, "manager": 8, "staff": 10}, means)
    found = work.ranking(work.read(survey(tmp_path, *rows)))
    assert "cost: it counts more for managers than for customers" in " ".join(found.disagreements)
    assert not any(text.startswith("csat") for text in found.disagreements)
    assert sum(one.weight.value for one in found.weights) == pytest.approx(1)


def test_intervals_hold_the_true_weight_as_often_as_they_say(tmp_path: Path) -> None:
    """Over 150 surveys of two roles of 8 and 5, about 95 of 100 intervals hold the weight of the whole crowd."""
    means = {"customer": {"wait": 5.0, "cost": 3.0}, "staff": {"wait": 4.0, "cost": 4.0}}
    rng, held = np.random.default_rng(2), []
    for _ in range(150):
        found = work.ranking(work.read(survey(tmp_path, *crowd(rng, {"customer": 8, "staff": 5}, means))))
        held.append({one.metric: one.weight for one in found.weights}["wait"].holds((5 / 8 + 4 / 8) / 2))
    assert 0.89 <= np.mean(held) <= 1.0


@settings(max_examples=25, deadline=None)
@given(arrays(float, (4, 4), elements=st.integers(0, 6).map(float)))
def test_pairs_are_weighed_by_the_likelihood_of_bradley_and_terry(wins: np.ndarray) -> None:
    """SciPy finds no strengths that are likelier."""
    np.fill_diagonal(wins, 0.0)
    wins += 0.5 * (1 - np.eye(4))

    def unlikely(logs: np.ndarray) -> float:
        return float(np.sum(wins * np.logaddexp(0, logs[None, :] - logs[:, None])))

    best = minimize(unlikely, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert work.bradley_terry(wins) == pytest.approx(np.exp(best) / np.exp(best).sum(), abs=1e-4)


def test_pairs_rank_what_is_preferred(tmp_path: Path) -> None:
    """Waiting above cost above praise, by all: in that order, though no one ever lost a pair."""
    pairs = [("wait", "cost"), ("wait", "praise"), ("cost", "praise")]
    rows = [f"{role}{i},{role},{a},{b}" for role in ("customer", "staff") for i in range(4) for a, b in pairs]
    found = work.ranking(work.read(survey(tmp_path, *rows, header="respondent,role,metric,over")))
    assert [one.metric for one in found.weights] == ["wait", "cost", "praise"]
    assert found.kind == "pairs"
    assert found.weights[0].weight.value < 1


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (HEADER, ["a,customer,wait,8"], "row 2, field 'importance': '8' is not a number from 1 to 7"),
        (HEADER, ["a,customer,wait,5", "a,customer,cost,"], "row 3, field 'importance': is empty"),
        (HEADER, ["a,boss,wait,5"], "row 2, field 'role': unknown role 'boss'; possible: customer, staff, manager"),
        (HEADER, ["a,customer,wait,5", "a,staff,cost,5"], "row 3, field 'role': a answered as customer before"),
        (HEADER, ["a,customer,wait,5", "a,customer,wait,6"], "row 3, field 'metric': a answered that before"),
        (HEADER, [",customer,wait,5"], "row 2, field 'respondent': is empty"),
        (HEADER, ["a,customer,wait,5"], "at least two metrics"),
        (HEADER, [], "holds no answer"),
        (
            "who,role,metric,importance",
            ["a,customer,wait,5"],
            "field 'respondent': there is no such column; there are: who",
        ),
        ("respondent,role,metric,over", ["a,customer,wait,wait"], "row 2, field 'over': wait cannot be above itself"),
    ],
)
def test_what_cannot_be_is_named_by_file_row_and_field(
    tmp_path: Path, header: str, rows: list[str], said: str
) -> None:  # fmt: skip
    """Each fault in a survey, as a person meets it."""
    with pytest.raises(BadInput) as error:
        work.read(survey(tmp_path, *rows, header=header))
    assert said in str(error.value)
    assert "survey.csv" in str(error.value)


def test_a_role_that_was_not_asked_everything_is_named(tmp_path: Path) -> None:
    """To be heard equally each role rates each metric."""
    rows = ["a,customer,wait,5", "a,customer,cost,4", "b,staff,wait,5"]
    with pytest.raises(BadInput, match="no staff rated cost"):
        work.ranking(work.read(survey(tmp_path, *rows)))


def test_json_is_read_as_tables_are(tmp_path: Path) -> None:
    """A list of answers; what is none is named by its place."""
    rows = [{"respondent": "a", "role": "staff", "metric": m, "importance": n} for m, n in (("wait", 6), ("cost", 2))]
    path = tmp_path / "survey.json"
    path.write_text(json.dumps({"answers": rows}))
    assert work.read(path).metrics == ("wait", "cost")
    path.write_text("[1]")
    with pytest.raises(BadInput, match="row 1: 1 is no answer"):
        work.read(path)
    path.write_text("{")
    with pytest.raises(BadInput, match="this is no JSON"):
        work.read(path)
    with pytest.raises(NotFound, match="there is no file"):
        work.read(tmp_path / "other.csv")


def test_the_command_writes_a_questionnaire_and_ranks_what_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gemel codesign --template`, filled in by two, comes out as the dashboard's ranking."""
    from gemel.cli import main

    def gemel(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gemel", "codesign", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    sheet, filled, out = tmp_path / "sheet.csv", tmp_path / "filled.csv", tmp_path / "dashboard.json"
    assert gemel("--template", "-o", sheet)[0] == 0
    asked = list(csv.DictReader(sheet.read_text().splitlines()))
    with filled.open("w", newline="") as file:
        table = csv.DictWriter(file, asked[0])
        table.writeheader()
        for who, role in (("ann", "customer"), ("bob", "customer"), ("cem", "staff"), ("dee", "staff")):
            for i, row in enumerate(asked):
                table.writerow({**row, "respondent": who, "role": role, "importance": 1 + (i + len(who)) % 7})
    code, said, _ = gemel(filled, "--json", "-o", out)
    assert (code, json.loads(said)) == (0, json.loads(out.read_text()))
    assert [one["rank"] for one in json.loads(said)["metrics"]] == list(range(1, len(asked) + 1))
    assert "interval of 95 %" in gemel(filled)[1]
    assert gemel()[0] == 2
    assert "field 'survey': either a survey or --template" in gemel(filled, "--template")[2]
    assert "there is no such folder" in gemel(filled, "-o", tmp_path / "no" / "x.json")[2]
