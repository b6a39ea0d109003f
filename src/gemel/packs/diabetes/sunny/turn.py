"""One turn of a conversation: what was said and understood, and the tools, each call of which is kept for the reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import Any

from gemel.bank.companion import Ask, Call, Speaker, State
from gemel.bank.tools import Answer
from gemel.errors import Refused
from gemel.facts import Time
from gemel.packs.diabetes.sunny.slots import Slots, slots
from gemel.packs.diabetes.sunny.times import Ahead
from gemel.packs.diabetes.sunny.words import Words
from gemel.streams.clock import zone

FARTHEST_MIN = 240.0
"""How far ahead food, insulin or sport can be tried: what comes after it must be foreseen too."""


@dataclass
class Asking:
    """Asks tools and remembers each call, refusals too."""

    ask: Ask
    calls: list[Call] = field(default_factory=list)

    def __call__(self, tool: str, /, **given: Any) -> Answer:
        try:
            answer = self.ask(tool, given)
        except Refused as refusal:
            self.calls.append(Call(tool, given, {}, str(refusal)))
            raise
        self.calls.append(Call(tool, given, answer))
        return answer


@dataclass
class Turn:
    """What an answer is made of; `then` is what is remembered for the next sentence.

    `agreed` are rows of the plan that an answer says: what the care team has set is no dose that is told.
    """

    sentence: str
    intent: str
    state: State
    asking: Asking
    now: Time
    who: Speaker
    words: Words
    then: dict[str, Any] = field(default_factory=dict)
    allows_model: bool = False
    agreed: list[str] = field(default_factory=list)

    @cached_property
    def slots(self) -> Slots:
        """Return what the sentence names beside its intent."""
        return slots(self.sentence, self.now, self.place)

    @property
    def spoken(self) -> Time:
        """Return when this was said by the clock of the conversation, which in a demo runs slower than the twin's."""
        return self.now if self.who.at is None else self.who.at

    def without_plan(self, text: str) -> str:
        """Return a text without the plan's rows."""
        for row in self.agreed:
            text = text.replace(row, "")
        return text

    @property
    def place(self) -> tzinfo:
        """Return the person's time zone."""
        return zone(self.words.timezone)

    def wait(self, what: str, **about: Any) -> None:
        """Remember what the next sentence may answer."""
        self.then["pending"] = {"what": what, "at": self.spoken, **about}

    def say(self, name: str, /, **given: object) -> str:
        """Return a sentence by its name."""
        return self.words.say(name, **given)

    @property
    def unit(self) -> str:
        """Return the unit in which glucose is told."""
        return self.words.unit

    def glucose(self, value: float) -> str:
        """Return mg/dL as the person reads it."""
        return self.words.glucose(value)


def together(*parts: str) -> str:
    """Return sentences as one text."""
    return " ".join(part for part in parts if part)


def too_far(turn: Turn, *times: Ahead | None) -> str:
    """Return that a time is over, or too far ahead to be tried; nothing if all are near enough."""
    named = [one for one in times if one is not None]
    if any(one.over for one in named):
        return turn.say("what_if.over")
    return turn.say("what_if.far") if any(one.minutes > FARTHEST_MIN for one in named) else ""


def nearest(rows: list[Mapping[str, Any]], minutes: float) -> Mapping[str, Any]:
    """Return the step of a forecast that is nearest to so many minutes ahead."""
    return min(rows, key=lambda row: abs(row["min"] - minutes))
