"""Cedar texts: read into rules, and a text that cannot be read is refused with its line and column."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from gemel.errors import BadInput

_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+|::|==|!=|<=|>=|&&|\|\||\S')

_CUT = "unexpected end of input"
"""What Cedar says of a text that is well so far."""


@lru_cache(256)
def rules(text: str) -> tuple[Any, ...]:
    """Return the rules of a Cedar text, in Cedar's JSON; raise `BadInput` that names line and column."""
    import cedarpy

    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        line, column = _place(text, str(error))
        raise BadInput(f"line {line}, column {column}: {error}", field="policy") from None
    if parsed["templates"]:
        raise BadInput("a policy has no ?principal or ?resource: those are templates, which decide nothing")
    if not parsed["staticPolicies"]:
        raise BadInput("a policy permits or forbids something; this text does neither", field="policy")
    numbered = sorted(parsed["staticPolicies"].items(), key=lambda item: int(item[0].removeprefix("policy")))
    return tuple(rule for _, rule in numbered)


def _place(text: str, problem: str) -> tuple[int, int]:
    """Return line and column (from 1) of the first token with which the text cannot be read any more."""
    tokens = [found for found in _TOKEN.finditer(text) if not found[0].startswith("//")]
    named = re.findall(r"[`']([^`']+)[`']|: (\S+)$", problem)
    words = {word for pair in named for word in pair if word}
    for token in tokens:
        told = _problem(text[: token.end()])
        if told is not None and _CUT not in told:
            return _at(text, next((t.start() for t in _back(tokens, token) if t[0] in words), token.start()))
    return _at(text, len(text.rstrip()))


def _back(tokens: list[re.Match[str]], token: re.Match[str]) -> list[re.Match[str]]:
    """Return the tokens of the same rule up to *token*, first to last: a name may be found wrong only at its end."""
    before = [t for t in tokens if t.start() <= token.start()]
    ends = [i for i, t in enumerate(before[:-1]) if t[0] == ";"]
    return before[ends[-1] + 1 :] if ends else before


def _problem(text: str) -> str | None:
    import cedarpy

    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return str(error)
    return None


def _at(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
