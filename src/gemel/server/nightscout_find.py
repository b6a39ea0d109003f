"""Queries of Nightscout's APIs: `find[field][$op]=value` of v1, `field$op=value` of v3, sorting, paging, fields."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gemel.errors import BadInput
from gemel.facts import time_of
from gemel.server.nightscout_shelf import Doc

LIMIT = 1000
_DATES = ("date", "created_at", "srvModified", "srvCreated", "dateString", "sysTime", "mills", "timestamp")
_FIND = re.compile(r"find\[([\w.]+)\](?:\[\$?(\w+)\])?(?:\[\d*\])?")
_PATH = re.compile(r"([\w.]+)\$(\w+)")
_RESERVED = ("token", "now", "secret", "sort", "sort$desc", "limit", "skip", "fields", "count", "purpose")

Test = Callable[[Doc], bool]
_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
}  # fmt: skip


def tests_v1(params: Iterable[tuple[str, str]]) -> list[Test]:
    """Return what the `find` parameters ask of a document."""
    asked: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, value in params:
        if match := _FIND.fullmatch(name):
            asked[match[1], match[2] or "eq"].append(value)
    return [test for (field, op), values in asked.items() for test in _all_of(field, op, values)]


def _all_of(field: str, op: str, values: Sequence[str]) -> list[Test]:
    """Return what several values of one field ask: `$in` and `$nin` name a list, one value at a time; others each ask."""
    if op in ("in", "nin") and len(values) > 1:
        return [_among(field, op, values)]
    return [_test(field, op, value) for value in values]


def _among(field: str, op: str, values: Sequence[str]) -> Test:
    return lambda doc: (_text(doc.get(field)) in values) == (op == "in")


def tests_v3(params: Iterable[tuple[str, str]]) -> list[Test]:
    """Return what the parameters ask of a document; a bare field asks for equality."""
    found: list[Test] = []
    for name, value in params:
        match = _PATH.fullmatch(name)
        if name not in _RESERVED:
            found.append(_test(match[1], match[2], value) if match else _test(name, "eq", value))
    return found


def _test(field: str, op: str, asked: str) -> Test:
    if op in ("in", "nin"):
        return _among(field, op, asked.split("|") if "|" in asked else asked.split(","))
    if op == "exists":
        return lambda doc: (field in doc) == (asked.lower() not in ("false", "0"))
    if op == "re":
        return _like(field, asked)
    if op not in _OPS:
        raise BadInput(
            f"unknown operator {op[:20]!r}: {', '.join(_OPS)}, in, nin, exists and re are known", field=field
        )
    wanted = _moment(asked) if field in _DATES else None
    return lambda doc: field in doc and _compare(doc[field], asked, wanted, _OPS[op])


def _like(field: str, asked: str) -> Test:
    """Return a test for a text with `.*` in it: no pattern of a stranger's is run."""
    parts = [part for part in re.split(r"\.\*|\^|\$", asked) if part]

    def test(doc: Doc) -> bool:
        text, at = _text(doc.get(field)), 0
        for part in parts:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _compare(held: Any, asked: str, wanted: int | None, op: Callable[[Any, Any], bool]) -> bool:
    if wanted is not None:
        at = held if isinstance(held, (int, float)) else _moment(str(held))
        return at is not None and op(at, wanted)
    if isinstance(held, bool):
        return op(held, asked.lower() == "true")
    if isinstance(held, (int, float)):
        try:
            return op(float(held), float(asked))
        except ValueError:
            return False
    return op(_text(held), asked)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _moment(text: str) -> int | None:
    """Return a moment in ms: ms or s since 1970, a date, or a time; without an offset it is UTC."""
    plain = text.strip().replace(" ", "+") if "T" in text else text.strip()
    if plain.isdecimal():
        return int(plain) * (1000 if len(plain) < 11 else 1)
    for tail in ("", "Z", "T00:00:00Z"):
        try:
            return time_of(plain + tail)
        except BadInput:
            continue
    return None


def whole(text: str | None, default: int, most: int, field: str) -> int:
    """Return a number from 0 to *most*; more is cut, anything else raises `BadInput`."""
    if text is None or text == "":
        return default
    if not text.isdecimal():
        raise BadInput(f"Parameter {field} out of tolerance", field=field)
    return min(int(text), most)


def page(docs: Iterable[Doc], params: Mapping[str, str], tests: Iterable[Test]) -> list[Doc]:
    """Return the documents that are asked for by API v3, sorted, from `skip` on, at most `limit`."""
    asked = list(tests)
    found = [doc for doc in docs if all(test(doc) for test in asked)]
    field, back = params.get("sort$desc", params.get("sort", "identifier")), "sort$desc" in params
    found.sort(key=lambda doc: (field not in doc, _order(doc.get(field)), str(doc["identifier"])), reverse=back)
    skip, limit = whole(params.get("skip"), 0, 10**9, "skip"), whole(params.get("limit"), LIMIT, LIMIT, "limit")
    return found[skip : skip + limit]


def _order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0, float(value), ""
    at = _moment(value) if isinstance(value, str) else None
    return (0, float(at), "") if at is not None else (1, 0.0, _text(value))


def fields(doc: Doc, wanted: str | None) -> Doc:
    """Return the fields of a document that are asked for."""
    if not wanted or wanted == "_all":
        return doc
    return {name: doc[name] for name in wanted.split(",") if name in doc}
