"""Guards of a service: what must not be done, whoever proposes it, and who decides on the rest.

Money is capped by the day, and no class of customers pays for another's speed beyond a bound. They sit outside every agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.intervention import Guard, Intervention, Situation
from gemel.packs.service.actions import KINDS, Action
from gemel.packs.service.advise import Proposal
from gemel.packs.service.fairness import SURE, harmed
from gemel.twintype import Autonomy


@dataclass(frozen=True)
class Rules:
    """What a service allows: money per day, seconds that a class's mean wait may grow, and autonomy by kind of action.

    `sure` is the confidence with which no class waits longer than that (`fairness.harmed`). `holdout` is the chance that nothing
    is done although it could be: what would have been is learned from those.
    """

    money_per_day: float = 600.0
    worse_s: float = 30.0
    sure: float = SURE
    autonomy: Mapping[str, Autonomy] = field(default_factory=dict)
    holdout: float = 0.1

    def of(self, kind: str) -> Autonomy:
        """Return who decides on a kind of action."""
        return self.autonomy.get(kind, KINDS[kind].autonomy)


def spent(done: Sequence[Action], now: Time) -> float:
    """Return the money spent since midnight (UTC) before *now*."""
    return sum(action.cost for action in done if now - now % DAY <= action.at <= now)


def too_dear(proposal: Proposal, rules: Rules, before: float) -> str | None:
    """Refuse what would take more than a day's money, *before* being spent already."""
    if before + proposal.cost > rules.money_per_day:
        return f"{before:.0f} spent today and {proposal.cost:.0f} more would be above {rules.money_per_day:.0f}"
    return None


def refusal(proposal: Proposal, rules: Rules, before: float) -> str | None:
    """Return why a proposal must not be done, or nothing: money, or a class that pays for another (`fairness.harmed`)."""
    return too_dear(proposal, rules, before) or harmed(proposal.harm, rules.worse_s, rules.sure)


def sorted_out(
    ranked: Sequence[Proposal], rules: Rules, before: float
) -> tuple[list[Proposal], dict[str, str]]:  # fmt: skip
    """Return those that gain and may be done, the best first, and by title why the others that gain may not."""
    worth = [option for option in ranked if option.score > 0]
    refused = {option.title: reason for option in worth if (reason := refusal(option, rules, before))}
    return [option for option in worth if option.title not in refused], refused


@dataclass(frozen=True)
class Decided:
    """What was chosen of what could be, with the chance that it had: the record from which its effect can be learned."""

    at: Time
    options: tuple[Proposal, ...]
    refused: Mapping[str, str]
    chosen: Proposal | None
    propensity: float
    held_out: bool
    by: str = ""

    def body(self) -> dict[str, Any]:
        """Return the decision as JSON types."""
        chosen = None if self.chosen is None else self.chosen.body()
        return {
            "at": self.at, "options": [option.body() for option in self.options], "refused": dict(self.refused),
            "chosen": chosen, "propensity": self.propensity, "held_out": self.held_out, "by": self.by,
        }  # fmt: skip


Approve = Callable[[Proposal], bool]


def decide(
    ranked: Sequence[Proposal], rules: Rules, done: Sequence[Action], now: Time, rng: np.random.Generator, *,
    approve: Approve = lambda proposal: False, by: str = "agent:advise", hold: bool | None = None,
) -> Decided:  # fmt: skip
    """Return the best that guards and autonomy allow, or nothing where none gains, is allowed, or is held out by chance.

    *hold* says that the draw was made before, for a whole block of time; its chance is `rules.holdout` all the same.
    """
    allowed, refused = sorted_out(ranked, rules, spent(done, now))
    free = [option for option in allowed if _may(option, rules, approve)]
    if not free:
        return Decided(now, tuple(ranked), refused, None, 1.0, False, by)
    held = bool(rng.random() < rules.holdout) if hold is None else hold
    share = rules.holdout if held else 1.0 - rules.holdout
    return Decided(now, tuple(ranked), refused, None if held else free[0], share, held, by)


def _may(proposal: Proposal, rules: Rules, approve: Approve) -> bool:
    """Return whether a proposal may be done: the least autonomy of its actions decides."""
    least = min(rules.of(action.kind) for action in proposal.actions)
    return least >= Autonomy.ACT or (least == Autonomy.APPROVE and approve(proposal))


# guards of the live loop: what any intervention is checked for, whoever proposes it

LATE: Time = 15 * MINUTE
"""How long ago an intervention may have been due: orders take their time."""

AHEAD: Time = 24 * HOUR
"""How far ahead an intervention may reach."""

PEOPLE = 6
"""Net people that one intervention may add or take from a pool."""


def in_reach(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse what is not a number, past, or further away than a day."""
    for dose in intervention.doses:
        if not np.isfinite(dose.amount):
            return f"{dose.lever} of {dose.amount} is not an amount"
        if not situation.now - LATE <= dose.at <= situation.now + AHEAD:
            return f"{dose.lever} is not within the next day"
    return None


def few_people(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse to move more people than are moved in a service within a day."""
    for dose in intervention.doses:
        if dose.lever.startswith("staff.") and abs(float(dose.amount)) > PEOPLE:
            return f"{dose.lever} by {float(dose.amount):+g} is more than {PEOPLE}"
    return None


def money(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse people beyond the rota, stations opened and gifts that would take more than a day's money together."""
    midnight = situation.now - situation.now % DAY
    today = [dose for dose in situation.doses if dose.at >= midnight]
    doses, until, most = [*today, *intervention.doses], situation.now + AHEAD, Rules().money_per_day
    hours, cost = extra_hours(doses, until), money_of(doses, until)
    if cost <= most:
        return None
    return f"{hours:.1f} h beyond the rota, stations opened and gifts cost {cost:.0f}; {most:.0f} are allowed a day"


def money_of(doses: Sequence[Dose], until: Time) -> float:
    """Return what levers cost up to *until*, at the prices of their kinds: people beyond the rota, stations opened, gifts."""
    given = sum(float(dose.amount) for dose in doses if dose.lever.startswith("compensate."))
    staff, opened = extra_hours(doses, until) * KINDS["add"].price, open_hours(doses) * KINDS["open"].price
    return staff + opened + given


def open_hours(doses: Sequence[Dose]) -> float:
    """Return the hours for which stations were opened that then close again: the others opened as they always do."""
    since, total = dict[str, Time](), 0.0
    for dose in sorted((dose for dose in doses if dose.lever.startswith("open.")), key=lambda dose: dose.at):
        if float(dose.amount):
            since.setdefault(dose.lever, dose.at)
        else:
            total += (dose.at - since.pop(dose.lever, dose.at)) / HOUR
    return total


def extra_hours(doses: Sequence[Dose], until: Time) -> float:
    """Return people × hours beyond the rota by the staff levers of all pools together: who moves is not beyond it."""
    staff = sorted((dose for dose in doses if dose.lever.startswith("staff.")), key=lambda dose: dose.at)
    now: dict[str, float] = {}
    total = 0.0
    for dose, later in zip(staff, [*(d.at for d in staff[1:]), until][: len(staff)], strict=True):
        now[dose.lever] = float(dose.amount)
        total += max(sum(now.values()), 0.0) * max(later - dose.at, 0) / HOUR
    return total


GUARDS: Mapping[str, Guard] = {"in reach": in_reach, "few people": few_people, "money": money}
"""What `kind.service_type` puts before every lever; promises of fairness are kept by `refusal`, which sees the forks."""
