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
from gemel.packs.diabetes.sunny.words import Words
from gemel.streams.clock import zone


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
    """What an answer is made of; `then` is what is remembered for the next sentence."""

    sentence: str
    intent: str
    state: State
    asking: Asking
    now: Time
    who: Speaker
    words: Words
    then: dict[str, Any] = field(default_factory=dict)
    allows_model: bool = False

    @cached_property
    def slots(self) -> Slots:
        """Return what the sentence names beside its intent."""
        return slots(self.sentence, self.now, self.place)

    @property
    def place(self) -> tzinfo:
        """Return the person's time zone."""
        return zone(self.words.timezone)

    def wait(self, what: str, **about: Any) -> None:
        """Remember what the next sentence may answer."""
        self.then["pending"] = {"what": what, "at": self.now, **about}

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


def nearest(rows: list[Mapping[str, Any]], minutes: float) -> Mapping[str, Any]:
    """Return the step of a forecast that is nearest to so many minutes ahead."""
    return min(rows, key=lambda row: abs(row["min"] - minutes))
