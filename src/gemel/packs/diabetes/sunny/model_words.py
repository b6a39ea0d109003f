"""What a large model may not say: insulin, a device's settings, secrecy, deeds, or what looks like an unsafe sentence.

Only templates speak of insulin. Words of history are lost to a model with the rest, as its wording cannot be told from advice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from gemel.packs.diabetes.sunny import safety
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.words import strings

ENDS = re.compile(r"(?<=[.!?;])\s+")
INSULIN = re.compile(
    r"\b(insul\w*|units?|einheit(en)?|enhet(er)?|unidad(es)?|unites?|u|ie|iu|\d+([.,]\d+)?(u|ie|iu)"
    r"|bolus\w*|basal\w*|dos(e[sd]?|ing|ages?)|inject\w*|injection\w*|jab(s|bed|bing)?|shots?|syringes?|needles?"
    r"|corrections?|correct (it|this|that|the|your|for|with|down)|pens?|pumps?|pods?|dial\w*|clicks?|cannulas?|infus\w*"
    r"|rapid|(fast|slow|long|short)[ -](one|acting)|lantus|tresiba|levemir|humalog|novorapid|novolog|fiasp|apidra|lyumjev"
    r"|suspend\w*|resum(e|es|ing)|temp(orary)? (rate|target)|sport mode|reservoirs?|cartridges?|ratios?|factors?|settings?"
    r"|medicines?|medications?|tablets?|pills?|buttons?)\b"
    r"|\b(give|gave|take|took|try|use|add) (\w+ ){0,3}(half|twice|double|more|less|same|usual|another|extra|again|one)\b"
    r"|\b(give|take|try|use|add) (\w+ )?\d+([.,]\d+)?\b(?! ?(g|grams?)\b)"
)
"""Words of insulin and of what gives it, each enough, and amounts to take of what has no name."""
SECRECY = re.compile(
    r"\bsecre\w*|\bbetween (us|you and me)\b|\b(hide|hid|hidden|hiding)\b|\bjust (us|you and me)\b|\bto yourself\b"
    r"|\b(not|\w+n't|never|no|without|nobody|noone|cannot|nor|instead of)\b[^,;.!?]{0,30}"
    r"\b(know|knows|tell|telling|told|mention\w*|find out|ask|asking|wake|waking|call|calling|show|showing|worry|bother)\b"
    r"|\b(doctor|nurse|mum|mom|mother|dad|father|parent|teacher|plan|sensor|meter)s? (is|are|was|were|may be|might be) "
    r"(\w+ )?wrong\b"
)
"""Leaving somebody out, or setting oneself above them: what must be known is told, and grown-ups decide."""

CLAIMS = re.compile(
    r"\b(i|we)('ve| have|'ll| will|'m| am)?( just| already| also)* "
    r"(told|tell|telling|called|call|calling|asked|sent|send|sending|wrote|written|write|logged|log|noted|let|gave|given|set|changed)\b"
)
"""That something was done, or will be: a model can do nothing."""


def unsayable(text: str, looks_unsafe: Callable[[str], str | None]) -> str:
    """Return why a model's answer must not be said, or nothing; *looks_unsafe* judges a sentence as it judges a child's."""
    whole = ENDS.split(normal(text))
    own = [one for one in whole if _bare(one) not in _templates()]
    if any(CLAIMS.search(one) for one in whole):
        return "claims"
    if any(INSULIN.search(one) for one in own):
        return "insulin"
    if any(SECRECY.search(one) for one in own):
        return "secrecy"
    left = " ".join(own)
    return safety.unsafe(left) or looks_unsafe(left) or "" if left else ""


@cache
def _templates() -> frozenset[str]:
    """Return the sentences that Sunny herself says, and that need nothing filled in."""
    groups = (group for name, group in strings().items() if name != "yes_no")
    said = (one for group in groups for text in group.values() for one in ENDS.split(normal(str(text))))
    return frozenset(_bare(one) for one in said if "{" not in one)


def _bare(sentence: str) -> str:
    return sentence.strip(" .!?;")
