"""Reading files that people exported: encodings, JSON, numbers; what is wrong is a `BadInput` naming its place."""

from __future__ import annotations

import codecs
import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from gemel.errors import BadInput
from gemel.streams.contract import Place

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MISSING = ("", "NA", "null")
_MORE = (
    "holds more than one JSON value, such as one record a line: only one list of records can be read "
    "(mongoexport writes one with --jsonArray)"
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def bytes_of(path: Path) -> bytes:
    """Return what is in the file; raise `BadInput` where it is absent, unreadable or empty."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", file=str(path)) from None
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise BadInput("the file is empty", file=str(path))
    return raw


def text_of(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file: UTF-8 with or without a mark, UTF-16 with a mark, or *encoding* if given."""
    raw = bytes_of(path)
    chosen = encoding or ("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    try:
        return raw.decode(chosen)
    except LookupError:
        raise BadInput(f"unknown encoding {chosen!r}", file=str(path)) from None
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        hint = "" if encoding else "; if it is an older Windows file, say encoding='cp1252', else save it as UTF-8"
        raise BadInput(f"is not {chosen} text{hint}", file=str(path), row=row) from None


def encoding_of(path: Path) -> str | None:
    """Return cp1252, as Excel on Windows saves tables, for a text that is no UTF-8 and can be that; None for any other."""
    raw = bytes_of(path)
    known = raw.startswith(_UTF16) or b"\x00" in raw or _is_in(raw, "utf-8")
    return "cp1252" if not known and _is_in(raw, "cp1252") else None


def _is_in(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def json_of(path: Path) -> Any:
    """Return the JSON value of a file; not a number and infinity are no JSON."""
    try:
        return json.loads(text_of(path), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        problem = _MORE if error.msg == "Extra data" else f"is not JSON, or cut off: {error.msg}"
        raise BadInput(problem, file=str(path), row=error.lineno) from None
    except RecursionError:
        raise BadInput("is nested too deeply", file=str(path)) from None
    except ValueError as error:
        raise BadInput(f"is not JSON: {error}", file=str(path)) from None


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def number(value: object, place: Place) -> float | None:
    """Return a finite number from JSON or a cell, text such as "2.5" included; None where there is none."""
    if value is None or (isinstance(value, str) and value.strip() in _MISSING):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return _finite(float(value), place)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value, place)
    raise place.bad(f"{_short(value)} is not a number")


def _finite(value: float, place: Place) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise place.bad(f"{_short(value)} is not a finite number")
    return found


def _short(value: object) -> str:
    text = str(value)[:41] if isinstance(value, str) else type(value).__name__
    if isinstance(value, float):
        text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "…")


def amount(value: object, place: Place) -> float | None:
    """Return a number that cannot be below zero, such as a dose; None where there is none."""
    found = number(value, place)
    if found is not None and found < 0:
        raise place.bad(f"{found:g} is negative")
    return found


def decimal(text: str, place: Place, delimiter: str) -> float | None:
    """Return the number in a cell of a table; a comma is a decimal comma unless it may part thousands."""
    plain = text.strip()
    if "," in plain:
        if "." in plain or plain.count(",") > 1 or (delimiter == "," and re.search(r",\d{3}$", plain)):
            raise place.bad(f"{_short(plain)} may be read in two ways: thousands or decimals")
        plain = plain.replace(",", ".")
    return number(plain, place)
