"""Questions: the five steps of a roadmap to a service twin, and the three questions that a manager meets at each.

The steps are those of McColl-Kennedy et al., "Digital twins: a game changer in customer experience", Journal of Service
Management, 2025, doi:10.1108/JOSM-12-2024-0540. The wording of the questions is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = (
    "The five steps follow McColl-Kennedy et al., Digital twins: a game changer in customer experience, Journal of"
    " Service Management, 2025, doi 10.1108/JOSM-12-2024-0540. The questions are worded by Gemel."
)


@dataclass(frozen=True)
class Step:
    """A step of the roadmap, and what it is for."""

    name: str
    purpose: str


@dataclass(frozen=True)
class Question:
    """What a manager should be able to answer: `text`; and what to `ask` people where the data do not tell."""

    id: str
    step: str
    text: str
    ask: str


STEPS = (
    Step("Assess", "See how the service does today: where it hurts, how late we notice, what that costs."),
    Step("Analyze", "See which data there are, how good they are, and which are missing."),
    Step("Identify", "Choose where a twin helps most: what gains, what can be foreseen, what can be done."),
    Step("Co-design", "Decide together: who is at the table, what counts, what people consent to."),
    Step("Evaluate", "Say beforehand how success is measured, which alarms are worth it, how we go on."),
)

QUESTIONS = (
    Question(
        "pain",
        "Assess",
        "Where does it hurt customers most?",
        "Which troubles do customers tell you of that this list does not show?",
    ),
    Question(
        "reactive",
        "Assess",
        "How much of the trouble do we notice only after customers have felt it?",
        "How do you learn of a problem today: by complaint, by report, or before it happens?",
    ),
    Question(
        "cost",
        "Assess",
        "What does the trouble cost, us and our customers?",
        "What does an hour of a customer's waiting cost, and a case done twice, a customer lost?",
    ),
    Question(
        "assets",
        "Analyze",
        "Which equipment, processes, technology systems and people give us which data?",
        "Which systems, devices and people record something that is not in this log?",
    ),
    Question(
        "quality",
        "Analyze",
        "How good are these data?",
        "Who looks after these data, and what is known to be wrong with them?",
    ),
    Question(
        "missing",
        "Analyze",
        "Which data are missing, and could be had?",
        "Which of the missing data exist somewhere, and who could open them?",
    ),
    Question(
        "gain",
        "Identify",
        "Which touchpoints would gain most?",
        "Which of these touchpoints matter most to customers, whatever the hours say?",
    ),
    Question(
        "foresee",
        "Identify",
        "Which problems can be foreseen, and how early?",
        "Which problems do experienced colleagues see coming, and by what signs?",
    ),
    Question(
        "interventions",
        "Identify",
        "Which interventions are feasible, and by whom?",
        "What may be done when trouble is foreseen (move staff, open a station, call back, tell the customer), and who"
        " may decide it?",
    ),
    Question(
        "table",
        "Co-design",
        "Who must be at the table?",
        "Who speaks for customers, the front line, partners, technology and the law?",
    ),
    Question(
        "metrics",
        "Co-design",
        "Which metrics count, and with what weights?",
        "Which of the proposed metrics count for you, and for customers, as points that add up to 100?",
    ),
    Question(
        "consent",
        "Co-design",
        "Whose consent is needed, and how is privacy kept?",
        "Whose data are these, on what legal ground are they used, who may see a single customer or colleague, and how"
        " long are they kept?",
    ),
    Question(
        "success",
        "Evaluate",
        "How shall we know that it worked?",
        "Which figure must change, by how much, and by when?",
    ),
    Question(
        "alarms",
        "Evaluate",
        "How many false alarms are worth one that is right?",
        "Of a hundred cases that would have gone well, how many may be alarmed in vain?",
    ),
    Question(
        "learning",
        "Evaluate",
        "How do we learn from what was done, and carry it further?",
        "Who reviews what the twin did and how often, and where would it go next?",
    ),
)
