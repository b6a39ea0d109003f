"""What somebody ate, in words, taken apart: how much, in which measure, of what; what goes with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gemel.packs.food.measures import COUNTED, SAME, SIZES, VESSELS, VOLUMES, WEIGHTS
from gemel.packs.food.spelling import CHANGING, together

FRACTIONS = {"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅛": " 1/8"}
COUNTS = {
    "a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "twenty": 20.0, "dozen": 12.0, "couple": 2.0, "few": 3.0,
    "several": 4.0, "half": 0.5, "quarter": 0.25, "third": 1 / 3, "another": 1.0, "single": 1.0, "double": 2.0, "both": 2.0,
}  # fmt: skip
ENDING = frozenset({"small", "medium", "large"})
"""Sizes that may stand alone at the end, as in "hot chips small"."""
PARTS = frozenset({"half", "quarter", "third", "dozen", "couple", "few"})
"""Counts that multiply the one before them: three quarters, a dozen."""
VAGUE = {"some": 1.0, "bit": 0.5, "little": 0.6, "lot": 1.5, "lots": 1.5, "loads": 1.5, "plenty": 1.5}
EMPTY = frozenset({
    "about", "around", "roughly", "approximately", "maybe", "of", "the", "my", "her", "his", "i", "had", "ate",
    "have", "eaten", "just", "also", "then", "extra", "side",
})  # fmt: skip
BREAKS = re.compile(
    r"\s*(?:([,;\n])|\b(and|with|plus|then|on|without|no|topped with|served with|in|alongside)\b|(\+))\s*"
)
NUMBER = r"\d+(?:[.,]\d+)?"


@dataclass(frozen=True)
class Phrase:
    """A part of what was said: how it is joined to the one before, an amount if one was said, and the words of the food."""

    joined: str
    count: float | None
    unit: str
    size: str
    food: str
    vague: bool = False

    @property
    def measured(self) -> bool:
        """Whether an amount was said."""
        return self.count is not None or bool(self.unit or self.size)


def phrases(text: str, is_name: Callable[[str], bool]) -> list[Phrase]:
    """Return the parts of *text*; names such as "mac and cheese" (*is_name*) stay whole, "without" drops what follows."""
    found = [_phrase(joined, part) for joined, part in _parts(_plain(text), is_name)]
    said = [one for one in found if one.joined not in ("without", "no") and one.food not in CHANGING]
    return [one for one in said if one.food or one.measured]


def _plain(text: str) -> str:
    text = together(text).strip().rstrip(".!?")
    for sign, words in FRACTIONS.items():
        text = text.replace(sign, words)
    text = re.sub(r"\bjuice (box|carton|popper)(e?s?) of\b", r"\1\2 of", re.sub(r"\b'?n'?\b", "and", text))
    text = re.sub(r"[()\[\]]", ",", text.replace("&", " and ").replace("’", "'"))
    text = re.sub(rf"({NUMBER})\s*(?:-|–|to)\s*({NUMBER})(?![\d/])", lambda m: f"{_mean(m[1], m[2]):g}", text)
    text = re.sub(r"\b(\d+) and (a|one|1) (half|quarter)\b", lambda m: f"{float(m[1]) + COUNTS[m[3]]:g}", text)
    text = re.sub(r"\b(\d+) ?[x×]\s|\b[x×] ?(\d+)\b", lambda m: f" {m[1] or m[2]} ", f"{text} ").strip()
    text = re.sub(r"\band a half\b", "andahalf", text)
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _mean(low: str, high: str) -> float:
    return (float(low.replace(",", ".")) + float(high.replace(",", "."))) / 2


def _parts(text: str, is_name: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return the parts of *text* with the word or sign before each; neighbours that are one name together are joined."""
    pieces = BREAKS.split(text)
    signs = [next(filter(None, pieces[i : i + 3])) for i in range(1, len(pieces), 4)]
    found = list(zip(["", *signs], pieces[::4], strict=True))
    merged = [found[0]]
    for joined, part in found[1:]:
        before, said = merged[-1]
        whole = f"{said} {joined} {part}"
        name = _phrase("", whole).food
        if joined not in (",", ";", "\n") and part and said and is_name(name):
            merged[-1] = (before, whole)
        else:
            merged.append((joined, part))
    return [(joined, part) for joined, part in merged if part.strip()]


def _phrase(joined: str, text: str) -> Phrase:
    tokens = re.findall(rf"{NUMBER}/{NUMBER}|{NUMBER}|[^\W\d]+(?:'[^\W\d]+)?%?|%", text)
    tokens = _with_percent(tokens)
    start = _front(joined, tokens)
    if start.measured or not start.food:
        return start
    return _back(start)


def _with_percent(tokens: Sequence[str]) -> list[str]:
    """Return tokens without numbers that are no amounts, such as 2 % fat."""
    dropped = {i + step for i, token in enumerate(tokens) if token.startswith("%") and i for step in (-1, 0)}
    return [token for i, token in enumerate(tokens) if i not in dropped]


def _front(joined: str, tokens: Sequence[str]) -> Phrase:
    """Read amount, sizes and measure from the front; the rest is the food."""
    made = Phrase(joined, None, "", "", "")
    place = 0
    while place < len(tokens):
        token, last = tokens[place], place == len(tokens) - 1
        after = _read(made, token, last=last, following=tokens[place + 1] if not last else "")
        if after is None:
            break
        made, place = after, place + 1
    return replace(made, food=" ".join(tokens[place:]))


def _read(made: Phrase, token: str, *, last: bool, following: str) -> Phrase | None:
    """Return the phrase with one more word of the amount, or None at the first word of the food."""
    if token in EMPTY:
        return made
    if token == "andahalf":
        return replace(made, count=(made.count or 0.0) + 0.5)
    number = _number(token)
    if number is not None and not made.unit:
        return replace(made, count=_counted(made.count, number, token))
    if token in VAGUE and not (token in SIZES and following in _units()) and made.unit == "":
        return replace(made, count=VAGUE[token], vague=True)
    if token in SIZES and not made.size:
        return replace(made, size=token)
    unit = unit_of(token)
    if unit and not made.unit and (made.count is not None or made.size or following == "of" or last or unit in VESSELS):
        return replace(made, unit=unit)
    return None


def _counted(before: float | None, number: float, token: str) -> float:
    """Return the count after one more word: two thirds and three quarters multiply, 1 1/2 adds."""
    if before is None:
        return number
    if token.rstrip("s") in PARTS:
        return before * number
    return before + number if number < 1 and before >= 1 else (before if token in ("a", "an") else before * number)


def _number(token: str) -> float | None:
    if token[0].isdigit():
        over, _, under = token.replace(",", ".").partition("/")
        return float(over) / float(under) if under and float(under) else float(over)
    return COUNTS.get(token, COUNTS.get(token.rstrip("s")) if token.rstrip("s") in PARTS else None)


def _back(start: Phrase) -> Phrase:
    """Read the amount from the end, as in "oats 30 g" or "porridge small bowl", where the front has none."""
    tokens = start.food.split()
    for place in range(1, len(tokens)):
        rest = _front(start.joined, tokens[place:])
        if not rest.food and (rest.count is not None or rest.unit in VESSELS or rest.size in ENDING):
            return replace(rest, food=" ".join(tokens[:place]))
    return start


def ended(phrase: Phrase) -> Phrase | None:
    """Return *phrase* with a measure that ends its food read as one (apple slices, juice box), or None without one.

    Of several without a count nobody knows how many: then it is a serving.
    """
    food, _, last = phrase.food.rpartition(" ")
    unit = unit_of(last)
    if not food or not unit or phrase.unit:
        return None
    several = last.endswith("s") and phrase.count is None
    return replace(phrase, food=food, unit="" if several else unit)


def _units() -> frozenset[str]:
    return frozenset({*WEIGHTS, *VOLUMES, *VESSELS, *COUNTED, *SAME})


def unit_of(token: str) -> str:
    """Return the measure that a word names, or nothing."""
    for word in (
        token,
        token.removesuffix("s"),
        token.removesuffix("es"),
        token[:-3] + "f" if token.endswith("ves") else token,
    ):
        one = SAME.get(word, word)
        if one in WEIGHTS or one in VOLUMES or one in VESSELS or one in COUNTED:
            return one
    return ""
