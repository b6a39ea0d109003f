"""Assessment: the fifteen questions with what the data say, what people said, and what is open; and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gemel.packs.service.assess.answers import Answer, Answers
from gemel.packs.service.assess.evidence import Evidence
from gemel.packs.service.assess.findings import Finding, findings_of, missing_of
from gemel.packs.service.assess.questions import QUESTIONS, SOURCE, Question


@dataclass(frozen=True)
class Verdict:
    """A question, what the data say to it, and what somebody answered."""

    question: Question
    finding: Finding
    answer: Answer | None

    @property
    def state(self) -> str:
        """Return `people` if somebody answered, `data` if the data are enough, else `open`."""
        return "people" if self.answer is not None else "data" if self.finding.enough else "open"


@dataclass(frozen=True)
class Assessment:
    """A whole assessment of one log."""

    log: str
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    next: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        questions = [_body(one) for one in self.verdicts]
        return {
            "log": self.log,
            "source": SOURCE,
            "questions": questions,
            "next": list(self.next),
            "evidence": self.evidence.body(),
        }


def _body(one: Verdict) -> dict[str, Any]:
    answer = None if one.answer is None else {"text": one.answer.text, "by": one.answer.by, "at": one.answer.at}
    return {
        "id": one.question.id, "step": one.question.step, "question": one.question.text, "ask": one.question.ask,
        "state": one.state, "data": list(one.finding.said), "answer": answer,
    }  # fmt: skip


def assessed(evidence: Evidence, answers: Answers) -> Assessment:
    """Return the assessment that evidence and answers make together."""
    found = findings_of(evidence)
    verdicts = tuple(Verdict(one, found[one.id], answers.given.get(one.id)) for one in QUESTIONS)
    return Assessment(answers.log, evidence, verdicts, tuple(_next(evidence, verdicts)))


def _next(evidence: Evidence, verdicts: tuple[Verdict, ...]) -> list[str]:
    asked = [one.question.text for one in verdicts if one.state == "open"]
    found = (
        [
            f"Answer the {len(asked)} open questions: `gemel assess LOG` asks them one by one and goes on where it stopped."
        ]
        if asked
        else []
    )
    found += [f"Record {text}." for text in missing_of(evidence)[:4]]
    if evidence.opportunities:
        one = evidence.opportunities[0]
        found.append(f"Look at {one.where} with those who work there: {'; '.join(one.levers) or 'find the cause'}.")
    return [
        *found,
        "Let customers and staff choose and weigh the metrics.",
        "Make a twin of the service and try the change on it before anybody feels it.",
    ]
