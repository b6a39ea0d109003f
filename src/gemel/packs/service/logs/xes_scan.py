from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from gemel.errors import BadInput
from gemel.packs.service.logs.raw import blocks
from gemel.packs.service.logs.table import Tell
from gemel.packs.service.logs.when import moment

LOG, TRACE, EVENT, GLOBAL_TRACE, GLOBAL_EVENT = range(5)
TEXT, DATE, NUMBER = range(3)


@dataclass
class Scan:
    """What stands in a file: attributes told (items), of which log, trace or event, and where these stand."""

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    scope: np.ndarray
    owner: np.ndarray
    key: np.ndarray
    kind: np.ndarray
    value: np.ndarray
    offset: np.ndarray
    event_trace: np.ndarray
    event_line: np.ndarray
    trace_line: np.ndarray
    classifiers: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)


def scan(path: Path, tell: Tell) -> Scan:
    keys: dict[str, int] = {}
    texts: dict[str, int] = {}
    cols = [array("q") for _ in range(6)]
    event_trace, event_line, trace_line = array("q"), array("q"), array("q")
    classifiers: dict[str, str] = {}
    extensions: dict[str, str] = {}
    parser = expat.ParserCreate()
    scope, inside, stack = [LOG], [""], []

    def start(tag: str, a: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        stack.append((tag, scope[0], inside[0]))
        if tag == "trace":
            scope[0] = TRACE
            trace_line.append(parser.CurrentLineNumber)
        elif tag == "event":
            scope[0] = EVENT
            event_trace.append(len(trace_line) - 1 if any(one[0] == "trace" for one in stack[:-1]) else -1)
            event_line.append(parser.CurrentLineNumber)
        elif tag == "global":
            scope[0] = GLOBAL_TRACE if a.get("scope") == "trace" else GLOBAL_EVENT
        elif tag == "classifier":
            classifiers[a.get("name", "")] = a.get("keys", "")
        elif tag == "extension":
            extensions[a.get("prefix", "")] = a.get("uri", "")
        elif "key" in a:
            key = inside[0] + a["key"]
            inside[0] = key + "/"
            value, offset = (
                moment(a.get("value", "")) if tag == "date" else (texts.setdefault(a.get("value", ""), len(texts)), 0)
            )
            owner = {LOG: 0, TRACE: len(trace_line) - 1, EVENT: len(event_line) - 1}.get(scope[0], 0)
            kind = DATE if tag == "date" else NUMBER if tag in ("int", "float") else TEXT
            for column, one in zip(
                cols, (scope[0], owner, keys.setdefault(key, len(keys)), kind, value, offset), strict=True
            ):
                column.append(one)

    def end(tag: str) -> None:
        _, scope[0], inside[0] = stack.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        for block in blocks(path, tell):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadInput(f"is not XML, or cut off: {error}", file=str(path), row=error.lineno) from None
    return Scan(
        tuple(keys),
        tuple(texts),
        *(np.array(c, np.int64) for c in cols),
        np.array(event_trace, np.int64),
        np.array(event_line, np.int64),
        np.array(trace_line, np.int64),
        classifiers,
        extensions,
    )
