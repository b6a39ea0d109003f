"""Sunny: one sentence in, one answer out, made of what the twin's tools say. Not a medical device.

Rules come first, then what the last answer waits for, then the intent. What goes out is looked at again: a dose, or a number
that no tool returned, is not said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gemel.bank import Twin
from gemel.bank.companion import Ask, Reply, Speaker, State
from gemel.errors import BadInput, GemelError, Refused
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.sunny import (
    caring,
    eating,
    food_answers,
    glucose_answers,
    handing,
    other_answers,
    reported,
    safety,
)
from gemel.packs.diabetes.sunny.glucose_answers import fitting
from gemel.packs.diabetes.sunny.large_model import LargeModel, from_environment
from gemel.packs.diabetes.sunny.model_words import unsayable
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.numbers import MODEL, sources
from gemel.packs.diabetes.sunny.settings import manner
from gemel.packs.diabetes.sunny.turn import Asking, Turn
from gemel.packs.diabetes.sunny.understand import UNSAFE, Understanding, Understood, understanding
from gemel.packs.diabetes.sunny.words import Words

WAITS: Time = 10 * MINUTE
"""How long an open question stands."""
KEPT = ("food", "lesson")
"""What is remembered from one sentence to the next, beside an open question."""

SMALL = ("greeting", "thanks", "bye", "abilities", "off_topic", "wonder", "chat", "people")
"""Intents that need no tool."""

ANSWERS: Mapping[str, Callable[[Turn], str]] = {
    "now": fitting(glucose_answers.now), "ahead": fitting(glucose_answers.ahead), "history": glucose_answers.history,
    "why": glucose_answers.why, "proposals": glucose_answers.proposal, "sport": fitting(glucose_answers.sport),
    "what_if": fitting(food_answers.what_if), "log_food": food_answers.log_food, "food": food_answers.food,
    "suggest_food": fitting(food_answers.suggest_food), "alerts": other_answers.alerts, "plan": other_answers.plan,
    "settings": other_answers.settings, "play": other_answers.play, "learn": other_answers.learn,
    "feelings": other_answers.feelings, "help": caring.help_wanted,
    **dict.fromkeys(SMALL, other_answers.small),
}  # fmt: skip
"""What answers each intent."""

OWN = ("log_food", "learn", "help", "feelings", "settings", *SMALL)
"""Intents that are answered here even where a large model is in use: they write, wait, call somebody, or need no model."""


class Sunny:
    """A child's companion; it holds no conversation itself: what it remembers is handed to it with each sentence."""

    name = "Sunny"

    def __init__(
        self,
        understands: Callable[[], Understanding] = understanding,
        language: str = "en",
        model: Callable[[], LargeModel | None] = from_environment,
    ) -> None:
        self._understands, self._language, self._model = understands, language, model

    def reply(self, state: State, sentence: str, ask: Ask, now: Time, who: Speaker) -> tuple[State, Reply]:
        """Return what is remembered next, and the answer to *sentence*; nothing but *ask* reaches the twin."""
        turn = self.turn(state, sentence, ask, now, who)
        meant = self._settled(turn)
        if isinstance(meant, str):
            return remembered(turn), checked(turn, meant)
        larger, note = self._larger(turn, meant)
        if larger is not None:
            return remembered(turn), larger
        meant = _by_rule(turn, meant)
        turn.intent = meant.intent
        own = _ask_back(turn, meant) if not meant.clear else _spoken(turn, ANSWERS[meant.intent])
        said = checked(turn, own)
        return remembered(turn), replace(said, note="; ".join(part for part in (said.note, note, self.weaker) if part))

    def turn(self, state: State, sentence: str, ask: Ask, now: Time, who: Speaker) -> Turn:
        """Return a turn that begins: how the person reads numbers is asked first."""
        asking = Asking(ask)
        manners = asking("companion")
        words = Words(str(manners["unit"]), str(manners["timezone"]), str(manners["emergency"]), self._language)
        return Turn(sentence, "", state, asking, now, who, words, allows_model=bool(manners["large_model"]))

    @property
    def weaker(self) -> str:
        """Return what Sunny does not understand here, empty where the small model is installed."""
        return self._understands().meaning.weaker

    def wake(self) -> None:
        """Load the small model, what it was fitted on and the table of foods."""
        self._understands().understand("hello")
        eating.foods().find("apple")

    def tidy(self, twin: Twin) -> None:
        """End alerts of hers that somebody has taken care of."""
        handing.close(twin)

    def keeps_words(self, twin: Twin) -> bool:
        """Return whether a holder wants what is said to be kept."""
        return manner(twin).keep_words

    def danger(self, turn: Turn) -> tuple[str | None, Understood]:
        """Return what must not be answered in a sentence, by rules and then by meaning, and what it means."""
        kind = safety.unsafe(turn.sentence, (turn.who.of,))
        meant = self._understands().understand(turn.sentence, (turn.who.of,))
        kind = kind or reported.danger(turn.slots.glucose)
        if kind is None and not _short(turn) and not _says_an_answer(turn) and not _only_glucose(turn):
            kind = meant.wanted
        return kind, replace(meant, intent="now", chance=1.0, near=1.0) if _only_glucose(turn) else meant

    def _settled(self, turn: Turn) -> str | Understood:
        """Return the answer where rules give it or a question was open, else what the sentence means."""
        kind, meant = self.danger(turn)
        if kind is not None:
            turn.intent = UNSAFE + kind
            return caring.refused(turn, kind)
        waited = _answer_to_question(turn)
        return meant if waited is None else waited

    def _larger(self, turn: Turn, meant: Understood) -> tuple[Reply | None, str]:
        """Return what a large model says, if one is named, a holder allows it and its answer may be said; else why not."""
        here = meant.intent in OWN or turn.slots.glucose is not None
        model = self._model() if turn.allows_model and not here else None
        if model is None:
            return None, ""
        turn.intent = meant.intent
        try:
            text = model.answer(turn)
        except GemelError as error:
            return None, str(error)
        said, why = checked(turn, text, MODEL), unsayable(text, lambda one: self._understands().understand(one).unsafe)
        if said.by == MODEL and not why:
            return replace(said, note=turn.say("model.sent")), ""
        return None, f"the large model's answer was {said.note or f'not said: {why}'}"


def _by_rule(turn: Turn, meant: Understood) -> Understood:
    """Return what an unclear sentence means where its words say so: food with insulin is tried out, what was eaten logged."""
    both = turn.slots.grams is not None and turn.slots.units is not None
    eaten = turn.slots.food and re.search(r"\b(ate|eaten)\b", normal(turn.sentence))
    rule = "what_if" if both else "log_food" if eaten else ""
    known = not meant.clear and rule in (meant.intent, meant.other)
    return replace(meant, intent=rule, chance=1.0, near=1.0, other_chance=0.0) if known else meant


def _spoken(turn: Turn, answer: Callable[[Turn], str]) -> str:
    """Return an answer; what consent refuses, and what cannot be found out, is said kindly."""
    try:
        return answer(turn)
    except Refused:
        return turn.say("say.refused")
    except (GemelError, KeyError):
        return turn.say("say.trouble")


def _pending(turn: Turn) -> Mapping[str, Any] | None:
    held = turn.state.get("pending")
    return held if isinstance(held, Mapping) and turn.spoken - int(held["at"]) <= WAITS else None


def _short(turn: Turn) -> bool:
    """Return whether a sentence is a yes, a no or a letter, which means nothing without a question."""
    said = normal(turn.sentence).strip(" .!")
    return len(said) < 2 or said in (*turn.words.listed("yes_no.yes"), *turn.words.listed("yes_no.no"))


def _only_glucose(turn: Turn) -> bool:
    """Return whether a sentence says a glucose, for which there are rules, and nothing else."""
    return turn.slots.glucose is not None and reported.only(normal(turn.sentence))


def _says_an_answer(turn: Turn) -> bool:
    """Return whether a sentence is one of the answers that a lesson offered, as it was written."""
    said, pending = normal(turn.sentence).strip(" .!"), _pending(turn)
    return pending is not None and said in [normal(str(one)).strip(" .!") for one in pending.get("answers", ())]


def _answer_to_question(turn: Turn) -> str | None:
    """Return what comes of a sentence that answers what was asked back, or None if it does not."""
    said, pending = normal(turn.sentence).strip(" .!"), _pending(turn)
    yes, no = said in turn.words.listed("yes_no.yes"), said in turn.words.listed("yes_no.no")
    if pending is None:
        turn.intent = "yes_no"
        return turn.say("say.nothing_open") if yes or no else None
    turn.intent = str(pending["what"])
    if pending["what"] == "lesson":
        return other_answers.answered(turn, pending)
    if pending["what"] == "log_food" and (yes or no):
        return food_answers.logged(turn, pending) if yes else turn.say("say.cancelled")
    if pending["what"] == "comfort" and (yes or no):
        return _spoken(turn, caring.comforted) if yes else turn.say("feelings.stay")
    if pending["what"] == "meant" and (yes or said in (str(pending["first"]), "first", "the first", "the first one")):
        return _again(turn, str(pending["sentence"]), str(pending["first"]))
    if pending["what"] == "meant" and said in (str(pending["second"]), "second", "the second", "the second one"):
        return _again(turn, str(pending["sentence"]), str(pending["second"]))
    if (
        pending["what"] in ("food", "what_if", "log_what")
        and len(said.split()) <= 8
        and (turn.slots.food or turn.slots.grams)
    ):
        turn.intent = {"log_what": "log_food"}.get(turn.intent, turn.intent)
        return _spoken(turn, ANSWERS[turn.intent]) if not _is_question(said) else None
    return None


def _is_question(said: str) -> bool:
    return said.split(" ")[0] in (
        "what",
        "what's",
        "why",
        "how",
        "who",
        "where",
        "when",
        "will",
        "am",
        "is",
        "can",
        "do",
    )


def _again(turn: Turn, sentence: str, intent: str) -> str:
    """Answer the sentence that was not clear, now that it is."""
    turn.sentence, turn.intent = sentence, intent
    turn.__dict__.pop("slots", None)
    return _spoken(turn, ANSWERS[intent])


def _ask_back(turn: Turn, meant: Understood) -> str:
    """Ask which of two things was meant, once: what is still not clear then is for a person."""
    if turn.state.get("asked_back"):
        turn.intent = UNSAFE + "unsure"
        return caring.refused(turn, "unsure")
    turn.intent, turn.then["asked_back"] = "unclear", True
    turn.wait("meant", sentence=turn.sentence, first=meant.intent, second=meant.other)
    return turn.say("say.unclear", first=turn.say(f"label.{meant.intent}"), second=turn.say(f"label.{meant.other}"))


def remembered(turn: Turn) -> State:
    """Return what is remembered for the next sentence: little, and for a short while."""
    kept = {name: turn.state[name] for name in KEPT if name in turn.state}
    return {**kept, **{name: value for name, value in turn.then.items() if name in (*KEPT, "pending", "asked_back")}}


def checked(turn: Turn, text: str, by: str = "templates") -> Reply:
    """Return the reply, or, where it names a dose or a number that no tool returned, one that says neither."""
    handed = str(turn.then.get("handed_over", ""))
    source = "rules" if turn.intent.startswith(UNSAFE) else by
    said = Reply(text, turn.intent, tuple(turn.asking.calls), (), handed, source)
    used, bare = sources(text, said.calls, by)
    if bare or safety.unsaid(turn.without_plan(text)):
        return replace(
            said, text=turn.say("say.unfounded"), by="rules", note="not said: " + ("dose" if not bare else "unfounded")
        )
    return replace(said, numbers=used)


def sunny(language: str = "en") -> Sunny:
    """Return the companion; raise `BadInput` for a language without strings."""
    if not language.isalpha():
        raise BadInput(f"{language!r} is no language", field="language")
    return Sunny(language=language)
