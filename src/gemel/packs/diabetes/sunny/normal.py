"""Text as rules and the model see it: one case, one kind of apostrophe, figures for number words, no tricks with letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from gemel.packs.food.phrases import FRACTIONS

LONGEST = 500
"""Characters of a sentence that are looked at."""

SMALL = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
WHOLE = {"dont": "don't", "doesnt": "doesn't", "im": "i'm", "ive": "i've", "cant": "can't", "wont": "won't", "whats": "what's",
         "hows": "how's", "wheres": "where's", "isnt": "isn't", "didnt": "didn't", "gonna": "going to", "wanna": "want to",
         "gotta": "got to", "u": "u", "pls": "please", "ur": "your", "mums": "mum's", "lemme": "let me"}  # fmt: skip
PHRASES = (
    (r"\bhalf an hour\b", "30 minutes"), (r"\b(a )?quarter of an hour\b", "15 minutes"),
    (r"\ban hour and a half\b", "90 minutes"),
    (r"\b(a couple of|couple) hours\b", "2 hours"), (r"\ban hour\b", "1 hour"),
    (r"\bone (hour|unit|gram|minute|day|week|slice|more unit)\b", r"1 \1"), (r"\b(next|last) hour\b", r"\1 1 hour"),
)  # fmt: skip


def normal(text: str, names: Sequence[str] = ()) -> str:
    """Return *text* in one form; what belongs to one of *names*, the person's own, becomes "my"."""
    plain = unicodedata.normalize("NFKD", text[:LONGEST].translate(_FRACTIONS)).translate(_QUOTES)
    shown = "".join(c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) not in ("Cf", "Cc"))
    tidy = re.sub(r"\s+", " ", _joined(shown.casefold())).strip()
    said = " ".join(WHOLE.get(word, word) for word in tidy.split(" "))
    for name in names:
        said = re.sub(rf"\b{re.escape(name.casefold())}(?:'s| s)\b", "my", said)
    for pattern, made in PHRASES:
        said = re.sub(pattern, made, said)
    return _figures(said)


_FRACTIONS = {ord(sign): words for sign, words in FRACTIONS.items()}
_QUOTES = {ord(c): "'" for c in "’‘`´ʼ"} | {ord(c): '"' for c in "“”„"} | {ord(c): " " for c in "\t\n\r"}


def _joined(text: str) -> str:
    """Return text with l e t t e r s and l-e-t-t-e-r-s put together, as such spelling hides words from rules."""
    return re.sub(r"\b(?:[a-z][ .\-_*]){3,}[a-z]\b", lambda found: re.sub(r"[ .\-_*]", "", found[0]), text)


def _figures(text: str) -> str:
    tens, small = "|".join(TENS), "|".join(SMALL)
    pair = re.compile(rf"\b({tens})[ -]({small})\b|\b({tens}|{small})\b")

    def figure(found: re.Match[str]) -> str:
        if found[1]:
            return str(TENS[found[1]] + SMALL[found[2]])
        return str({**TENS, **SMALL}[found[3]])

    return pair.sub(figure, text)
