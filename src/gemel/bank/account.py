"""Account: for each intervention the state, forecast, alternatives, choice, actor and outcome, from the chain of causes.

A principal sees what agents, people or software, did on her behalf; also what was left alone by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.bank.intake import HAPPENED
from gemel.bank.proposals import Proposal
from gemel.bank.sentence import sentence
from gemel.bank.twin import Twin
from gemel.bank.why import Because, walk
from gemel.errors import BadInput
from gemel.facts import Fact, Time, iso

CHOSEN = "chosen/1"
"""What an agent chose of what, with the chance it had: `chosen`, `options`, `propensity`, `held_out`, maybe `situation`."""

DEPTH, SIZE, SHOWN = 4, 80, 6
"""How far the causes of a proposal are walked, and how many readings are told of it."""

SOFTWARE = ("agent:", "loop:", "guard:", "gate", "stream:")
"""How the names of actors begin that are no people."""


@dataclass(frozen=True)
class Account:
    """One intervention, or one that chance left undone (`status` is then "left alone"); texts are whole sentences."""

    seq: int
    at: Time
    title: str
    status: str
    by: str
    decided_by: str
    purpose: str
    why: str
    state: tuple[str, ...]
    forecast: tuple[str, ...]
    alternatives: tuple[str, ...]
    chance: float | None
    history: tuple[str, ...]
    outcome: str
    cases: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Return the account as JSON types."""
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return own | {"software": [actor for actor in (self.by, self.decided_by) if _software(actor)]}

    def __str__(self) -> str:
        chance = "" if self.chance is None else f" (it had a chance of {self.chance:.0%})"
        rows = [
            ("state", self.state), ("forecast", self.forecast), ("alternatives", self.alternatives),
            ("choice", [f"{self.title}{chance}: {self.why}" if self.why else f"{self.title}{chance}"]),
            ("actor", [self._actors()]), ("then", self.history), ("outcome", [self.outcome]),
        ]  # fmt: skip
        lines = [f"{self.seq:>6}  {iso(self.at)}  {self.title}: {self.status}"]
        for name, texts in rows:
            lines += [f"        {name if i == 0 else '':13}{text}" for i, text in enumerate(texts or ["not on record"])]
        return "\n".join(lines)

    def _actors(self) -> str:
        proposed = f"{_kind(self.by)} proposed it for {self.purpose}" if self.purpose else f"{_kind(self.by)} chose"
        return f"{proposed}; {_kind(self.decided_by)} decided" if self.decided_by else proposed


def _software(actor: str) -> bool:
    return actor.startswith(SOFTWARE)


def _kind(actor: str) -> str:
    return f"{actor} (software)" if _software(actor) else actor


def accounts(
    seen: Twin, *, case: str | None = None, actor: str | None = None, since: Time | None = None
) -> list[Account]:
    """Return the account of each intervention in the order they were made: those about one *case*, by one *actor*."""
    told = [*_proposed(seen, since), *_left_alone(seen, since)]
    chosen = [
        one for one in sorted(told, key=lambda one: one.seq)
        if (case is None or case in one.cases) and (actor is None or actor in (one.by, one.decided_by))
    ]  # fmt: skip
    if case is not None and not chosen and not _happened(seen, case):
        raise BadInput(f"nothing is on record about {case!r} of {seen.id}", field="case")
    return chosen


def _happened(seen: Twin, case: str) -> bool:
    return any(fact.body.get("case") == case for fact in seen.bank.thread.read(seen.id, kinds=[HAPPENED]))


def _proposed(seen: Twin, since: Time | None) -> Iterator[Account]:
    outcomes: dict[int, Fact] = {}
    for fact in seen.bank.thread.read(seen.id, kinds=["outcome/1"]):
        if "proposal" in fact.body:
            outcomes[int(fact.body["proposal"])] = fact
    for proposal in seen.proposals():
        if since is None or proposal.made_at >= since:
            yield _account(seen, proposal, outcomes.get(proposal.seq))


def _account(seen: Twin, proposal: Proposal, outcome: Fact | None) -> Account:
    ground = list(_flat(walk(seen, proposal.seq, DEPTH, SIZE)))[1:]
    choice = next((cause.fact for cause in ground if cause.fact.kind == CHOSEN), None)
    facts = [seen.bank.thread.get(seq) for seq in proposal.history[1:]]
    return Account(
        proposal.seq, proposal.made_at, proposal.intervention.title, proposal.status, proposal.by, proposal.decided_by,
        proposal.purpose, proposal.why, *_grounds(ground), _alternatives(choice),
        None if choice is None else float(choice.body["propensity"]),
        tuple(f"{iso(fact.known_at)} {sentence(fact, seen.type)}" for fact in facts),
        "not known yet" if outcome is None else sentence(outcome, seen.type),
        tuple(sorted(_cases(ground, proposal.intervention.body()))),
    )  # fmt: skip


def _left_alone(seen: Twin, since: Time | None) -> Iterator[Account]:
    """Yield what chance left undone: it is part of what is done on somebody's behalf."""
    for fact in seen.bank.thread.read(seen.id, kinds=[CHOSEN]):
        if fact.body.get("held_out") and title_of(fact.body["chosen"]) == "nothing":
            if since is not None and fact.true_at < since:
                continue
            ground = list(_flat(walk(seen, fact.seq, DEPTH, SIZE)))[1:]
            yield Account(
                fact.seq, fact.true_at, "nothing", "left alone", fact.by, "", "", "chance left it alone, to learn from it",
                *_grounds(ground), _alternatives(fact), float(fact.body["propensity"]), (), "see the hold-out's figures",
                tuple(sorted(_cases(ground, fact.body))),
            )  # fmt: skip


def title_of(chosen: object) -> str:
    """Return what a choice is called: the name itself, the title of a body, or nothing."""
    if isinstance(chosen, Mapping):
        return str(chosen.get("title", chosen))
    return "nothing" if chosen is None else str(chosen)


def _flat(tree: Because) -> Iterator[Because]:
    yield tree
    for cause in tree.causes:
        yield from _flat(cause)


def _grounds(ground: Sequence[Because]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was read or happened, the last of it, and what was foreseen or alarmed for."""
    state = [one for one in ground if one.fact.kind in ("observed/1", "acted/1", HAPPENED)]
    last = sorted(state, key=lambda one: (one.fact.true_at, one.fact.seq))[-SHOWN:]
    return tuple(one.text for one in last), tuple(
        one.text for one in ground if one.fact.kind in ("forecast/1", "alert/1")
    )


def _alternatives(choice: Fact | None) -> tuple[str, ...]:
    if choice is None:
        return ()
    refused = choice.body.get("refused", {})
    return tuple(_option(option, refused) for option in choice.body.get("options", ()))


def _option(option: object, refused: Mapping[str, str]) -> str:
    title = title_of(option)
    score = f", score {float(option['score']):.3g}" if isinstance(option, Mapping) and "score" in option else ""
    reason = f", refused: {refused[title]}" if title in refused else ""
    return f"{title}{score}{reason}"


def _cases(ground: Sequence[Because], body: Mapping[str, Any]) -> set[str]:
    """Return the cases that an intervention is about: those it names, and those whose events it rests on."""
    named = {str(one.fact.body["case"]) for one in ground if one.fact.kind == HAPPENED and one.fact.body.get("case")}
    own = {str(one) for one in body.get("cases", ())}
    return named | own
