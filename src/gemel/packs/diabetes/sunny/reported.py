"""Glucose that somebody says they have: a number that a child reads off is never answered with the sensor's."""

from __future__ import annotations

import re

from gemel.packs.diabetes.metrics import MGDL_PER_MMOL

LOW, HIGH = 70.0, 300.0
"""mg/dL: whoever names a glucose below the first (level 1 hypoglycaemia, 10.2337/dci19-0028) or above the second, which is a
judgement, is sent to a grown-up."""
LO, HI = 39.0, 401.0
"""mg/dL: the nearest to the range that a sensor can mean which says LO or HI."""
MMOL_BELOW = 34.0
"""A bare number below this is in mmol/L: in mg/dL no glucose is measured so low, and in mmol/L none higher."""
APART, SHARE = 20.0, 0.2
"""How far a sensor may be from a meter: mg/dL, or that share of what it says where it is more."""

NUMBER = r"(\d{1,3}(?:[.,]\d{1,2})?)"
UNIT = re.compile(rf"\b{NUMBER} ?(mg/?dl|mmol(?:/l)?)\b")
DEVICE = r"(?:meter|metre|glucometer|sensor|cgm|dexcom|libre|reader|receiver|finger ?prick|finger ?stick)"
NAME = rf"(?:glucose|sugars?|bgs?|bsl?|(?:my|the|her|his) (?:numbers?|level|reading|value)|{DEVICE})"
PERSON = r"(?:i'm|i am|she's at|she is at|he's at|he is at)"
LINK = (
    r"(?:is|are|was just|says?|said|shows?|showed|reads?|displays?|saying|showing|reading|went|gone|going|fell|dropped|came|got|"
    r"i'm|it's|level|number|value|at|to|only|just|about|around|like|now|right|still|down|up|below|under|above|over|really|already|so|very|too|high|low)"
)
OTHER_UNIT = (
    r"(?![.,:/]?\d)(?! ?(?:%|g|gr|grams?|carbs?|u|units?|minutes?|mins?|m|hours?|hrs?|h|days?|weeks?|months?|years?|yrs?|cm|km|"
    r"kg|kilos?|pounds?|points?|am(?! i)|pm|o'clock|percent|of|out|times|more|and a half|hundred|st|nd|rd|th)\b)"
)
SAID = (
    re.compile(rf"\b(?:{NAME}|{PERSON})(?:'s)?(?: {LINK})*(?: ?[:=])? ?\b{NUMBER}\b{OTHER_UNIT}"),
    re.compile(rf"\b(?:am i|i'm|i am|feel|feeling)\b[^,.!?]{{0,20}} at {NUMBER}\b{OTHER_UNIT}"),
    re.compile(rf"\bis {NUMBER} (?:ok|okay|fine|good|alright|all right)\b"),
)
SHOWN = re.compile(
    rf"\b{NAME}(?: {LINK})* (?<=say |ays |aid |how |ows |wed |ead |ads |ing )[\"']?(hi|high|lo|low)\b"
    r"(?!,? (?:battery|insulin|reservoir|cartridge|temperature|signal|alert|alarm|on|to|there|hello))"
)
PAST = re.compile(
    r"\b(?:yesterday|last (?:night|evening|week|month|time|year)|this morning|(?:hours?|days?|weeks?|months?) ago|when i was|"
    r"used to)\b"
)
PRESENT = re.compile(r"\b(?:is|are|am|i'm|says?|shows?|reads?|now|today|feel|feeling)\b|'s\b")
"""What tells of another time, and of this one, which counts: "it was fine yesterday, and my sugar is 45"."""
ANOTHER = re.compile(r"\b(?:target|goal|limit|lucky|favou?rite|phone)(?: for| of)?(?: my| the)?(?: blood)? ?$")
"""What, right before a name of glucose, makes another number of it."""
AGE = re.compile(r"(?:i'm|i am)(?! at)[a-z ]* \d+$")
CLOCK = re.compile(r"(?<!is)(?<!'s)(?<!i'm)(?<!i am) at \d+$|^is ")
ABOUT_GLUCOSE = re.compile(r"\b(?:ok|okay|fine|alright|good|bad|high|low|now|sugar|glucose|sensor|meter)\b")
HUNDREDS = re.compile(r"\b(an?|one|\d) hundred(?: and)?(?: (\d{1,2}))?\b")
SPOKEN = re.compile(r"\b(one|[2-5]) (\d\d)\b(?! ?(?:g|grams?|carbs?|minutes?|mins?|hours?)\b)")
AROUND = re.compile(
    r"\b(?:hey|hi|hello|sunny|um|so|now|right now|today|please|blood|mg/?dl|mmol(?:/l)?)\b|[.!?,](?!\d)"
)


def glucose_in(said: str) -> float | None:
    """Return the glucose that a normalised sentence says somebody has now, mg/dL, or None."""
    found = UNIT.search(said)
    if found is not None and not _past(said, said):
        return _value(found[1]) * (MGDL_PER_MMOL if found[2].startswith("mmol") else 1.0)
    shown = SHOWN.search(said)
    if shown is not None and not _past(said, shown[0]):
        return HI if shown[1].startswith("hi") else LO
    return _bare(figured(said))


def _past(said: str, told: str) -> bool:
    """Return whether what is told in a sentence was at another time."""
    return PAST.search(said) is not None and PRESENT.search(told) is None


def only(said: str) -> bool:
    """Return whether a normalised sentence says a glucose and nothing else."""
    plain = re.sub(" +", " ", AROUND.sub(" ", figured(said))).strip().removeprefix("my ")
    return SAID[0].fullmatch(plain) is not None or SAID[0].fullmatch(f"my {plain}") is not None


def figured(said: str) -> str:
    """Return spoken numbers as figures: "a hundred and 10", "2 50", "3 point 5"."""
    said = re.sub(r"\b(\d+) point (\d)\b", r"\1.\2", said)
    said = HUNDREDS.sub(lambda m: str(100 * (int(m[1]) if m[1].isdigit() else 1) + int(m[2] or 0)), said)
    return SPOKEN.sub(lambda m: f"{1 if m[1] == 'one' else m[1]}{m[2]}", said)


def _bare(said: str) -> float | None:
    found = next((one for pattern in SAID for one in pattern.finditer(said) if not _other(said, one)), None)
    value = _value(found[1]) if found is not None else None
    return value * MGDL_PER_MMOL if value is not None and value < MMOL_BELOW else value


def _other(said: str, found: re.Match[str]) -> bool:
    """Return whether a number is of another time or thing, or, where it is small and whole, a time of the clock or an age."""
    text = said[found.start() : found.end(1)]
    if _past(said, text) or ANOTHER.search(said[: found.start()]):
        return True
    if not found[1].isdigit() or int(found[1]) >= MMOL_BELOW:
        return False
    age = int(found[1]) > 3 and AGE.search(text) is not None and not ABOUT_GLUCOSE.search(said)
    return age or CLOCK.search(text) is not None


def _value(figures: str) -> float:
    return float(figures.replace(",", "."))


def danger(value: float | None) -> str | None:
    """Return the kind of care that a glucose wants, or None."""
    if value is None or LOW <= value <= HIGH:
        return None
    return "low" if value < LOW else "sick"


def apart(named: float, measured: float) -> bool:
    """Return whether what is named is farther from what the sensor says than sensors usually err."""
    return abs(named - measured) > max(APART, SHARE * measured)
