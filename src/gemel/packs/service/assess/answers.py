"""Answers: what people said to the questions, in a small JSON file that is whole at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.errors import BadInput, unknown
from gemel.packs.service.assess.questions import QUESTIONS

FORMAT = "gemel-assess/1"
IDS = tuple(question.id for question in QUESTIONS)
FIELDS = ("text", "by", "at")


@dataclass(frozen=True)
class Answer:
    """What somebody said, and when (ISO 8601)."""

    text: str
    by: str
    at: str


@dataclass(frozen=True)
class Answers:
    """The answers to the questions about one log, by the question's id."""

    log: str
    given: Mapping[str, Answer] = field(default_factory=dict)

    def plus(self, question: str, answer: Answer) -> Answers:
        """Return these answers and one more; it takes the place of an earlier one to the same question."""
        if question not in IDS:
            raise unknown("question", question, IDS)
        return Answers(self.log, {**self.given, question: answer})

    def body(self) -> dict[str, Any]:
        """Return them as JSON types."""
        said = {name: {"text": one.text, "by": one.by, "at": one.at} for name, one in self.given.items()}
        return {"format": FORMAT, "log": self.log, "answers": said}


def read_answers(path: Path, log: str) -> Answers:
    """Return the answers of a file, none where there is no file; raise `BadInput` naming file and field."""
    if not path.exists():
        return Answers(log)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"is no JSON: {error}", file=str(path), row=getattr(error, "lineno", None)) from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise BadInput(
            f"holds no answers of gemel assess: the format must be {FORMAT!r}", file=str(path), field="format"
        )
    return _checked(path, body, log)


def _checked(path: Path, body: dict[str, Any], log: str) -> Answers:
    about, said = body.get("log", log), body.get("answers", {})
    if about != log:
        raise BadInput(
            f"these answers are about {about!r}, not {log!r}; --answers names another file", file=str(path), field="log"
        )
    if not isinstance(said, dict):
        raise BadInput("is no object of answers by question", file=str(path), field="answers")
    return Answers(log, {name: _answer(path, name, one) for name, one in said.items()})


def _answer(path: Path, name: str, one: Any) -> Answer:
    if name not in IDS:
        raise BadInput(f"is no question; possible: {', '.join(IDS)}", file=str(path), field=f"answers.{name}")
    for part in FIELDS:
        if not isinstance(one, dict) or not isinstance(one.get(part), str):
            raise BadInput("must be a text", file=str(path), field=f"answers.{name}.{part}")
    return Answer(*(one[part] for part in FIELDS))


def write_answers(path: Path, answers: Answers) -> None:
    """Write the answers so that the file is either as before or as now, whatever happens meanwhile."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(answers.body(), file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Raise `BadInput` if answers could not be kept at *path*: better before a question than after it."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BadInput("there is no such folder to keep answers in", file=str(folder))
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise BadInput("answers cannot be written there; --answers names another file", file=str(path))
