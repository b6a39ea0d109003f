"""Companions: who talks with people about a twin. A pack offers one for its type; it asks the twin's tools as whoever talks.

What is put on record of a conversation is that it was: the intent, the tools that were asked, and whether it was handed to a
person. The words are kept only where a holder has asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from gemel.bank import catalogue
from gemel.bank.tools import Answer, local, named, offered
from gemel.consent import ALL
from gemel.errors import BadInput, NotFound
from gemel.facts import Draft, Fact, Time
from gemel.streams.clock import zone

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

TALKED = "talked/1"
"""That somebody talked: {intent, tools, handed_over, by}, and, where a holder asked for it, what was said and answered."""

COMPANION = "companion/1"
"""What a holder said of the companion; the last one holds, and what it leaves out stays as it was.

`timezone` says where the twin lives, for settings by the hour as for talking.
"""

LONGEST = 500
"""Characters of one sentence."""

Ask = Callable[[str, Mapping[str, Any]], Answer]
"""Asks one of the twin's tools by name, as whoever talks; raises `Refused` where consent does."""

RECALLED = 50
"""How many exchanges are read back at most."""

State = Mapping[str, Any]
"""What a companion remembers between two sentences, as JSON types; `{}` at first."""


@dataclass(frozen=True)
class Call:
    """A tool that was asked: with what, and what it answered; `refused` is the reason where it did not."""

    tool: str
    given: Mapping[str, Any]
    answer: Answer
    refused: str = ""


@dataclass(frozen=True)
class Used:
    """A number of an answer: as it stands there, and in which call's answer, where, it was found."""

    shown: str
    call: int
    path: str


@dataclass(frozen=True)
class Reply:
    """What a companion says: the intent it understood, the calls behind it, every number's origin, who was handed what.

    `by` is who put the words together: `rules`, `templates` or `model`.
    """

    text: str
    intent: str
    calls: tuple[Call, ...] = ()
    numbers: tuple[Used, ...] = ()
    handed_over: str = ""
    by: str = "templates"
    note: str = ""

    def body(self) -> dict[str, Any]:
        """Return the reply as JSON types."""
        return {
            "text": self.text, "intent": self.intent, "handed_over": self.handed_over, "by": self.by, "note": self.note,
            "tools": [{"tool": c.tool, "given": dict(c.given), "refused": c.refused} for c in self.calls],
            "numbers": [{"shown": u.shown, "call": u.call, "path": u.path} for u in self.numbers],
        }  # fmt: skip


@dataclass(frozen=True)
class Exchange:
    """One sentence and its answer, as they stand on record; `tools` are those that were asked."""

    at: Time
    said: str
    answered: str
    intent: str
    tools: tuple[str, ...]
    handed_over: str
    by: str


class Companion(Protocol):
    """Somebody to talk with about a twin; it knows nothing but what its tools answer."""

    @property
    def name(self) -> str:
        """Return how it is called."""
        ...

    def reply(self, state: State, sentence: str, ask: Ask, now: Time, who: Speaker) -> tuple[State, Reply]:
        """Return what is remembered next, and the answer to *sentence*; nothing but *ask* reaches the twin."""
        ...

    def wake(self) -> None:
        """Load what the first sentence would have to wait for; nothing is asked and nothing said."""
        ...

    def tidy(self, twin: Twin) -> None:
        """End what the companion began and a person has taken care of since."""
        ...

    def keeps_words(self, twin: Twin) -> bool:
        """Return whether a holder wants what is said to be kept."""
        ...


@dataclass(frozen=True)
class Speaker:
    """Who talks about whom: `of` is the twin, `own` says that they are the same.

    `at` is when they spoke, ms, by the clock of the conversation; None where that is the twin's.
    """

    actor: str
    of: str
    at: Time | None = None

    @property
    def own(self) -> bool:
        """Return whether somebody talks about themselves."""
        return self.actor == self.of


def offset(told: Iterable[Fact], at: Time) -> Time:
    """Return local time minus UTC at a moment, ms, where facts `COMPANION` say that the twin lives; 0 where none does."""
    zones = [str(fact.body["timezone"]) for fact in told if "timezone" in fact.body]
    apart = local(at, zone(zones[-1])).utcoffset() if zones else None
    return 0 if apart is None else round(apart.total_seconds() * 1000)


def companion(type_name: str) -> Companion:
    """Return the companion that a pack offers for a twin type."""
    found: Companion | None = catalogue.companion(type_name)
    if found is None:
        raise NotFound(f"twins of type {type_name} have no companion to talk with")
    return found


def wake(type_names: Iterable[str]) -> None:
    """Wake the companions of twins of these types, where packs offer any; it may take seconds."""
    for friend in {id(one): one for one in map(catalogue.companion, type_names) if one is not None}.values():
        friend.wake()


def talk(
    twin: Twin, state: State, sentence: str, by: Companion | None = None, spoken: Time | None = None
) -> tuple[State, Reply]:
    """Return what the twin's companion remembers next and says to *sentence*; every tool is asked as the twin's actor.

    *spoken* is when it was said, by a clock of the conversation's own: in a demo the twin's hours are a person's minutes.
    """
    if not sentence.strip() or len(sentence) > LONGEST:
        raise BadInput(f"say something, in at most {LONGEST} characters", field="say")
    friend = by or companion(twin.type.name)
    tools = offered(twin.type.name)

    def ask(name: str, given: Mapping[str, Any]) -> Answer:
        return named(tools, name).call(twin, given)

    friend.tidy(twin)
    after, reply = friend.reply(state, sentence, ask, twin.bank.now(), Speaker(twin.actor, twin.id, spoken))
    body: dict[str, Any] = {
        "intent": reply.intent, "tools": [call.tool for call in reply.calls], "handed_over": reply.handed_over,
        "by": reply.by,
    }  # fmt: skip
    if friend.keeps_words(twin):
        body |= {"said": sentence, "answered": reply.text}
    twin.bank.append([Draft(twin.id, TALKED, body, twin.bank.now(), twin.actor)])
    return after, reply


def recalled(twin: Twin, by: Companion | None = None) -> list[Exchange] | None:
    """Return what the twin's actor said of late and was answered, oldest first; None where no holder wants words kept.

    Nobody is shown the words of another here.
    """
    friend = by or companion(twin.type.name)
    if not friend.keeps_words(twin):
        return None
    twin.bank.gate.require(twin.actor, "read", twin.id, ALL, twin.purpose)
    talked = twin.bank.thread.read(twin.id, kinds=[TALKED], reverse=True)
    own = (fact for fact in talked if fact.by == twin.actor and "said" in fact.body)
    return [_exchange(fact) for fact in islice(own, RECALLED)][::-1]


def _exchange(fact: Fact) -> Exchange:
    body = fact.body
    return Exchange(
        fact.true_at, str(body["said"]), str(body["answered"]), str(body["intent"]), tuple(map(str, body["tools"])),
        str(body["handed_over"]), str(body["by"]),
    )  # fmt: skip
