"""What is refused with care and handed to a person: rules on words, asked before any model and again of what is to be said."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gemel.packs.diabetes.sunny.gate import parts
from gemel.packs.diabetes.sunny.normal import normal

SUPPOSED = re.compile(r"(so |and )?(what if|suppose|imagine|what (would|will) happen)\b(?!.*[.!?;] )")
"""One supposition is judged whole: "and take 2 units" is no wish in it."""

HANDED = ("help",)
"""Kinds that are no danger, and are handed over because somebody asks for it."""


@dataclass(frozen=True)
class Rule:
    """One kind of what must not be answered: patterns of normalised text, exceptions, and how grave it is."""

    kind: str
    urgent: bool
    patterns: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...] = ()

    def meets(self, said: str) -> bool:
        """Return whether normalised text is of this kind."""
        return any(one.search(said) for one in self.patterns) and not any(one.search(said) for one in self.unless)


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of `safety.toml`, the gravest first."""
    told = tomllib.loads(files(__package__).joinpath("safety.toml").read_text(encoding="utf-8"))["rule"]
    return tuple(
        Rule(one["kind"], one["urgent"], _compiled(one["patterns"]), _compiled(one.get("unless", ()))) for one in told
    )


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def unsafe(text: str, names: Sequence[str] = ()) -> str | None:
    """Return the kind of the gravest rule that *text*, or one of its parts, meets, or None."""
    whole = normal(text, names)
    said = (whole, *(part for part in parts(whole) if not SUPPOSED.match(whole)))
    return next((rule.kind for rule in rules() if any(rule.meets(one) for one in said)), None)


def urgent(kind: str) -> bool:
    """Return whether somebody must be told at once."""
    return any(rule.kind == kind and rule.urgent for rule in rules())


TOLD = re.compile(
    r"\b(take|give|inject|bolus|deliver|dose|add|have|need|needs|try|use)\b[^.!?]{0,40}?\b\d+([.,]\d+)? ?(u|units?|ie|iu)\b"
    r"|\b(your|the|a) (dose|bolus|correction)( dose)? (is|should be|would be|of)\b[^.!?]{0,20}\d"
    r"|\b\d+([.,]\d+)? ?(u|units?) (is|would be|should be|will be) (right|enough|fine|ok|okay|good|safe|correct)\b"
    r"|\b(skip|stop|leave out|turn off) (your|the|all) (insulin|bolus|basal|pump|injections?)\b"
    r"|\b(don't|do not|no need to) tell (your|a|any|the)\b"
)


def unsaid(text: str) -> bool:
    """Return whether an answer must not be said: it names a dose to take, or advises against insulin or grown-ups."""
    return any(
        TOLD.search(part) and not re.search(r"\bif (you|she|he)\b", part) for part in re.split(r"[.!?]\s", normal(text))
    )
