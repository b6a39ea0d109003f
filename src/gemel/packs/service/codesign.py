"""Co-design: which figures count, chosen and weighted by customers, staff and managers, each role equally heard.

A small survey goes in, either ratings (importance 1 to 7) or pairs (this metric rather than that); the dashboard's ranking
comes out: weights that add up to 1, with intervals over respondents, and where roles disagree. Pairs are weighed by Bradley &
Terry's model (Hunter 2004, 10.1214/aos/1079120141), with half a win each way added to every pair, as of one more person who
cannot decide.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from gemel.errors import BadInput, NotFound
from gemel.packs.service.estimate import LEVEL, Estimate

ROLES = ("customer", "staff", "manager")
LOW, HIGH = 1, 7
GROUPS = 100
"""Of more respondents than these, groups are left out instead of each, to see how much rests on whom."""

CATALOGUE: Mapping[str, str] = {
    "wait": "waits are as short as promised",
    "abandonment": "nobody gives up waiting",
    "service_level": "most are served at once",
    "fcr": "it is settled the first time",
    "aht": "contacts take no longer than needed",
    "ces": "it is easy for customers",
    "csat": "customers are satisfied",
    "nps": "customers would recommend us",
    "clv": "customers stay and are worth it",
    "fairness": "no group waits longer than others",
    "workload": "staff are not overworked",
    "lead_time": "trouble is foreseen early enough",
    "prevented": "failures are prevented",
    "trust": "times that are told are kept",
    "cost": "it costs no more than it must",
}
"""Metrics that a questionnaire asks for; a survey may have others."""


@dataclass(frozen=True)
class Answers:
    """A survey: of each respondent the role and the answers, as (metric, importance) or as (metric, the one it is above)."""

    kind: str
    metrics: tuple[str, ...]
    roles: Mapping[str, str]
    given: Mapping[str, tuple[tuple[str, float | str], ...]]


@dataclass(frozen=True)
class Weight:
    """How much a metric counts: over all roles, equally heard, and for each of them."""

    metric: str
    rank: int
    weight: Estimate
    roles: Mapping[str, Estimate]


@dataclass(frozen=True)
class Ranking:
    """A dashboard's ranking: weights in order, who was asked, and where roles disagree, in sentences."""

    kind: str
    respondents: Mapping[str, int]
    weights: tuple[Weight, ...]
    disagreements: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Return the ranking as JSON types."""
        metrics = [
            {"metric": one.metric, "rank": one.rank, "weight": one.weight.value,
             "interval95": [one.weight.low, one.weight.high], "roles": {role: _plain(e) for role, e in one.roles.items()}}
            for one in self.weights
        ]  # fmt: skip
        return {
            "kind": self.kind, "respondents": dict(self.respondents), "metrics": metrics,
            "disagreements": list(self.disagreements),
        }  # fmt: skip

    def __str__(self) -> str:
        heads = "".join(f"{role:>10}" for role in self.respondents)
        lines = [f"{'':4}{'metric':16}{'weight':>8}   interval of 95 %{heads}"]
        for one in self.weights:
            span = "     no interval" if np.isnan(one.weight.low) else f"{one.weight.low:.3f} to {one.weight.high:.3f}"
            cells = "".join(f"{one.roles[role].value:10.3f}" for role in self.respondents)
            lines.append(f"{one.rank:>3} {one.metric:16}{one.weight.value:8.3f}   {span}{cells}")
        return "\n".join([*lines, *self.disagreements])


def _plain(one: Estimate) -> dict[str, Any]:
    return {"weight": one.value, "interval95": [one.low, one.high], "n": one.n}


def template() -> str:
    """Return a questionnaire: one line for each metric, to be copied for each respondent and filled in."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["respondent", "role", "metric", "importance", "question"])
    for metric, question in CATALOGUE.items():
        table.writerow(
            ["", "", metric, "", f"How important is it, from {LOW} (not at all) to {HIGH} (very), that {question}?"]
        )
    return out.getvalue()


# reading


def read(path: Path) -> Answers:
    """Return the survey of a CSV or JSON file; raise `BadInput` with file, row and field for what cannot be."""
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    rows, file = _rows(path), str(path)
    if not rows:
        raise BadInput("the survey holds no answer", file=file)
    kind = "pairs" if any(row.get("over") for _, row in rows) else "ratings"
    roles: dict[str, str] = {}
    given: dict[str, dict[object, tuple[str, float | str]]] = {}
    for line, row in rows:
        who, role, metric = (_word(row, name, file, line) for name in ("respondent", "role", "metric"))
        if role not in ROLES:
            raise BadInput(f"unknown role {role!r}; possible: {', '.join(ROLES)}", file=file, row=line, field="role")
        if roles.setdefault(who, role) != role:
            raise BadInput(f"{who} answered as {roles[who]} before", file=file, row=line, field="role")
        answer = _importance(row, file, line) if kind == "ratings" else _word(row, "over", file, line)
        if answer == metric:
            raise BadInput(f"{metric} cannot be above itself", file=file, row=line, field="over")
        key = metric if kind == "ratings" else frozenset((metric, answer))
        if key in given.setdefault(who, {}):
            raise BadInput(f"{who} answered that before", file=file, row=line, field="metric")
        given[who][key] = (metric, answer)
    metrics = {name: None for one in given.values() for pair in one.values() for name in pair if isinstance(name, str)}
    if len(metrics) < 2:
        raise BadInput("a ranking needs at least two metrics", file=file, field="metric")
    return Answers(kind, tuple(metrics), roles, {who: tuple(one.values()) for who, one in given.items()})


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix.lower() == ".json" or text.lstrip().startswith(("[", "{")):
        return _json_rows(text, str(path))
    table = csv.DictReader(io.StringIO(text))
    for name in ("respondent", "role", "metric"):
        if name not in (table.fieldnames or ()):
            raise BadInput(
                f"there is no such column; there are: {', '.join(table.fieldnames or ()) or 'none'}", file=str(path),
                row=1, field=name,
            )  # fmt: skip
    return [(table.line_num, row) for row in table if any(value for value in row.values())]


def _json_rows(text: str, file: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"this is no JSON: {error.msg}", file=file, row=error.lineno) from None
    rows = found.get("answers") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise BadInput('a survey is a list of answers, or {"answers": […]}', file=file)
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise BadInput(
                f"{row!r} is no answer, such as {{'respondent': …, 'role': …, 'metric': …}}", file=file, row=i
            )
    return list(enumerate(rows, 1))


def _word(row: Mapping[str, Any], name: str, file: str, line: int) -> str:
    found = row.get(name)
    if not isinstance(found, (str, int)) or isinstance(found, bool) or not str(found).strip():
        raise BadInput("is empty" if found in (None, "") else f"{found!r} is no name", file=file, row=line, field=name)
    return str(found).strip()


def _importance(row: Mapping[str, Any], file: str, line: int) -> float:
    found = row.get("importance")
    try:
        value = float(str(found))
    except ValueError:
        value = float("nan")
    if isinstance(found, bool) or not LOW <= value <= HIGH:
        problem = "is empty" if found in (None, "") else f"{found!r} is not a number from {LOW} to {HIGH}"
        raise BadInput(problem, file=file, row=line, field="importance")
    return value


# weighing


def ranking(answers: Answers) -> Ranking:
    """Return how much each metric counts, for each role and for all of them equally, and where they disagree."""
    weigh = _rated if answers.kind == "ratings" else _paired
    present = [role for role in ROLES if role in answers.roles.values()]
    of_role = {role: [answers.given[who] for who, own in answers.roles.items() if own == role] for role in present}
    _all_rated(answers, of_role)
    found = {role: _knifed(given, answers.metrics, weigh) for role, given in of_role.items()}
    value = np.mean([one[0] for one in found.values()], axis=0)
    parts = np.array([one[1] for one in found.values()]) / len(found)
    free = np.array([len(given) - 1 for given in of_role.values()])
    joined = [_estimate(value[i], parts[:, i], free, len(answers.roles)) for i in range(len(answers.metrics))]
    each = {
        role: [_estimate(one[0][i], one[1][i : i + 1], np.array([len(of_role[role]) - 1]), len(of_role[role]))
               for i in range(len(answers.metrics))]
        for role, one in found.items()
    }  # fmt: skip
    order = np.argsort(-value, kind="stable")
    weights = tuple(
        Weight(answers.metrics[i], rank, joined[i], {role: each[role][i] for role in present})
        for rank, i in enumerate(order.tolist(), 1)
    )
    sizes = {role: len(given) for role, given in of_role.items()}
    return Ranking(answers.kind, sizes, weights, _disagreements(answers.metrics, found, sizes))


Given = Sequence[tuple[tuple[str, float | str], ...]]


def _all_rated(answers: Answers, of_role: Mapping[str, Given]) -> None:
    """Raise where a role rated no metric of some name: it has no say on it, and is not equally heard."""
    if answers.kind == "ratings":
        for role, given in of_role.items():
            missing = sorted(set(answers.metrics) - {metric for one in given for metric, _ in one})
            if missing:
                raise BadInput(
                    f"no {role} rated {', '.join(missing)}: each role must, to be heard equally", field="metric"
                )


def _rated(given: Given, metrics: Sequence[str]) -> np.ndarray:
    """Return weights (k,): mean importance of each, as a share of all; NaN where nobody rated one."""
    place = {name: i for i, name in enumerate(metrics)}
    rows = [(place[metric], float(score)) for one in given for metric, score in one]
    code, score = (np.array(column) for column in zip(*rows, strict=True))
    sums, count = np.bincount(code, score, len(metrics)), np.bincount(code, minlength=len(metrics))
    found = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    shares: np.ndarray = found / np.nansum(found)
    return shares


def _paired(given: Given, metrics: Sequence[str]) -> np.ndarray:
    """Return weights (k,) of Bradley & Terry, by Hunter's minorisation."""
    place = {name: i for i, name in enumerate(metrics)}
    wins = np.full((len(metrics), len(metrics)), 0.5)
    np.fill_diagonal(wins, 0.0)
    for one in given:
        for metric, over in one:
            wins[place[metric], place[str(over)]] += 1
    return bradley_terry(wins)


def bradley_terry(wins: np.ndarray, tolerance: float = 1e-10, most: int = 10_000) -> np.ndarray:
    """Return strengths (k,) that add up to 1 from wins (k, k), how often the row was above the column."""
    games, won = wins + wins.T, wins.sum(axis=1)
    strength = np.full(len(wins), 1 / len(wins))
    for _ in range(most):
        new = won / (games / (strength[:, None] + strength[None, :])).sum(axis=1)
        new /= new.sum()
        if np.abs(new - strength).max() < tolerance:
            break
        strength = new
    return np.asarray(new)


Weigh = Callable[[Given, Sequence[str]], np.ndarray]


def _knifed(given: Given, metrics: Sequence[str], weigh: Weigh) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and their standard errors (k,) by leaving each respondent out in turn; NaN for one alone."""
    whole = weigh(given, metrics)
    groups = min(len(given), GROUPS)
    if groups < 2:
        return whole, np.full(len(whole), np.nan)
    left = np.array([weigh([one for i, one in enumerate(given) if i % groups != g], metrics) for g in range(groups)])
    error: np.ndarray = np.sqrt((groups - 1) / groups * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return whole, error


def _estimate(value: float, errors: np.ndarray, free: np.ndarray, n: int) -> Estimate:
    """Return a weight with Student's interval, its freedom by Welch and Satterthwaite."""
    total = float(np.sqrt((errors**2).sum()))
    if not np.isfinite(total):
        return Estimate("weight", float(value), np.nan, np.nan, n, "share")
    reach = 0.0 if total == 0 else float(student.ppf((1 + LEVEL) / 2, _free(errors, free))) * total
    return Estimate("weight", float(value), max(float(value) - reach, 0.0), min(float(value) + reach, 1.0), n, "share")


def _free(errors: np.ndarray, free: np.ndarray) -> float:
    return float((errors**2).sum() ** 2 / (errors**4 / free).sum())


def _disagreements(
    metrics: Sequence[str], found: Mapping[str, tuple[np.ndarray, np.ndarray]], sizes: Mapping[str, int]
) -> tuple[str, ...]:
    """Return a sentence for each metric that two roles weigh differently, beyond chance over all comparisons (Bonferroni)."""
    pairs = list(combinations(found, 2))
    said = [f"{role}: one answer alone, so no interval" for role, n in sizes.items() if n == 1]
    clear = []
    for a, b in pairs:
        errors = np.array([found[a][1], found[b][1]])
        free = np.array([sizes[a] - 1, sizes[b] - 1])
        for i, metric in enumerate(metrics):
            gap, error = float(found[a][0][i] - found[b][0][i]), float(np.hypot(*errors[:, i]))
            if not np.isfinite(error) or gap == 0:
                continue
            p = 0.0 if error == 0 else 2 * float(student.sf(abs(gap) / error, _free(errors[:, i], free)))
            if p < (1 - LEVEL) / (len(pairs) * len(metrics)):
                more, less, side = (a, b, i) if gap > 0 else (b, a, i)
                weights = f"{found[more][0][side]:.3f} against {found[less][0][side]:.3f}"
                clear.append(
                    (-abs(gap), f"{metric}: it counts more for {_many(more)} than for {_many(less)} ({weights})")
                )
    return tuple([text for _, text in sorted(clear)] + said)


def _many(role: str) -> str:
    return role if role == "staff" else f"{role}s"
