"""Reading facts from PostgreSQL in order of seq, a page at a time, so that no reader holds a transaction open.

Conditions compare whole rows, as in `(twin, kind, seq) > (…)`: only the index of just these columns answers that, so that
no plan depends on what the server guesses about twins and kinds.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gemel.facts import Time
from gemel.thread.postgres_tables import ROW, as_row, text
from gemel.thread.query import PAGE, Query
from gemel.thread.row import Row

Ask = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs one statement and returns all its rows."""
Statement = Callable[[int, int, int], tuple[str, list[object]]]
"""From the open interval of seqs and a limit to a statement and its values."""

TWINS = (
    "WITH RECURSIVE hop(twin) AS ((SELECT twin FROM fact ORDER BY twin LIMIT 1) UNION ALL"
    " SELECT (SELECT twin FROM fact WHERE twin > hop.twin ORDER BY twin LIMIT 1) FROM hop WHERE hop.twin IS NOT NULL)"
    " SELECT twin FROM hop WHERE twin IS NOT NULL"
)
_NEXT_KIND = "SELECT kind FROM fact WHERE (twin, kind) > (%b, %b) AND twin <= %b ORDER BY twin, kind LIMIT 1"
_LAST_KNOWN = (
    "WITH RECURSIVE between(low, high) AS (SELECT 0::bigint, %s::bigint UNION ALL"
    " SELECT CASE WHEN known THEN middle ELSE low END, CASE WHEN known THEN high ELSE middle - 1 END FROM"
    " (SELECT low, high, (low + high + 1) / 2 AS middle,"
    "  (SELECT known_at FROM fact WHERE seq = (low + high + 1) / 2) <= %s AS known FROM between WHERE low < high) halved)"
    " SELECT low FROM between WHERE low >= high"
)


def last_known(ask: Ask, size: int, known_by: Time) -> int:
    """Return how many facts were known by some time; `known_at` never decreases."""
    return int(ask(_LAST_KNOWN, (size, known_by))[0][0])


def pages(query: Query, ask: Ask, first: int = PAGE) -> Iterator[list[Row]]:
    """Yield the rows asked for, in order; the first page holds at most *first*."""
    timed = query.true_from is not None or query.true_until is not None
    if query.twins is not None or (query.twin is not None and timed):
        return _listed(query, ask, first)
    if query.twin is None and query.kinds is None:
        return _walk(query, ask, first, _plain(query))
    branches: list[tuple[str, tuple[bytes, ...]]]
    if query.twin is None:
        branches = [("kind", (text(kind),)) for kind in query.kinds or ()]
    else:
        twin = text(query.twin)
        kinds = _kinds(twin, ask) if query.kinds is None else [text(kind) for kind in query.kinds]
        branches = [("twin, kind", (twin, kind)) for kind in kinds]
    return _walk(query, ask, first, _merged(branches, query.reverse)) if branches else iter(())


def _walk(query: Query, ask: Ask, first: int, statement: Statement) -> Iterator[list[Row]]:
    after, before, size = query.after, query.last + 1, first
    while True:
        rows = [as_row(row) for row in ask(*statement(after, before, size))]
        if rows:
            yield [row for row in rows if query.matches(row)]
        if len(rows) < size:
            return
        after, before = (after, rows[-1].seq) if query.reverse else (rows[-1].seq, before)
        size = PAGE


def _plain(query: Query) -> Statement:
    where, values = "seq > %s AND seq < %s", list[object]()
    for condition, value in (("true_at >= %s", query.true_from), ("true_at < %s", query.true_until)):
        if value is not None:
            where, values = f"{where} AND {condition}", [*values, value]
    statement = f"SELECT {ROW} FROM fact WHERE {where} ORDER BY seq {_way(query.reverse)} LIMIT %s"
    return lambda after, before, size: (statement, [after, before, *values, size])


def _merged(branches: Sequence[tuple[str, tuple[bytes, ...]]], reverse: bool) -> Statement:
    """Each branch lies in order of seq in an index; the first few of each are merged."""
    selects, way = list[str](), _way(reverse)
    for columns, values in branches:
        places, order = "%b, " * len(values), ", ".join(f"{each} {way}" for each in [*columns.split(", "), "seq"])
        selects.append(
            f"(SELECT seq FROM fact WHERE ({columns}, seq) > ({places}%s) AND ({columns}, seq) < ({places}%s)"
            f" ORDER BY {order} LIMIT %s)"
        )
    found = f"SELECT seq FROM ({' UNION ALL '.join(selects)}) AS found ORDER BY seq {way} LIMIT %s"
    statement = f"SELECT {ROW} FROM fact WHERE seq = ANY(ARRAY({found})) ORDER BY seq {way}"
    return lambda after, before, size: (
        statement,
        [*[each for _, values in branches for each in (*values, after, *values, before, size)], size],
    )


def _kinds(twin: bytes, ask: Ask) -> list[bytes]:
    """Return the kinds that the twin has facts of, by hopping through `fact_twin`."""
    kinds = [b""]
    while found := ask(_NEXT_KIND, (twin, kinds[-1], twin)):
        kinds.append(found[0][0])
    return kinds[1:]


def _listed(query: Query, ask: Ask, first: int) -> Iterator[list[Row]]:
    """Take the seqs from `fact_when`, then the rows page by page."""
    seqs = array("q", (row[0] for row in ask(*_seqs(query))))
    statement = f"SELECT {ROW} FROM fact WHERE seq = ANY(%b) ORDER BY seq {_way(query.reverse)}"
    place, size = 0, first
    while place < len(seqs):
        yield [as_row(row) for row in ask(statement, [list(seqs[place : place + size])])]
        place, size = place + size, PAGE


def contents(query: Query) -> tuple[str, list[object]]:
    """Return the statement, and its values, that takes what `bulk.unsealed` needs, in order of true_at and seq."""
    seqs, values = _later(query) if query.after else _seqs(query)
    columns, full = "seq, true_at, known_at, mark, nonce, sealed", "(sealed <> '') IS TRUE"
    return f"SELECT {columns} FROM fact WHERE seq = ANY(ARRAY({seqs})) AND {full} ORDER BY true_at, seq", values


def _later(query: Query) -> tuple[str, list[object]]:
    """Take seqs of one kind of a twin from the end of what `fact_twin` holds of it: few follow."""
    place, where = [text(query.twin or ""), text((query.kinds or ("",))[0])], "(twin, kind, seq) > (%b, %b, %s)"
    where, values = f"{where} AND (twin, kind, seq) <= (%b, %b, %s)", [*place, query.after, *place, query.last]
    for condition, value in (("true_at >= %s", query.true_from), ("true_at < %s", query.true_until)):
        if value is not None:
            where, values = f"{where} AND ({condition}) IS TRUE", [*values, value]
    return f"SELECT seq FROM fact WHERE {where} ORDER BY twin, kind, seq", values


def _seqs(query: Query) -> tuple[str, list[object]]:
    """Take seqs from `fact_when` or `fact_twin`; `IS TRUE` keeps the bounds of seq from leading anywhere else."""
    whose: object = text(query.twin or "") if query.twins is None else [text(twin) for twin in query.twins]
    one = "twin = %b" if query.twins is None else "twin = ANY(%b)"
    where, values = f"{one} AND (seq > %s AND seq <= %s) IS TRUE", list[object]()
    for condition, value in (
        ("true_at >= %s", query.true_from),
        ("true_at < %s", query.true_until),
        ("kind = ANY(%b)", None if query.kinds is None else [text(kind) for kind in query.kinds]),
    ):
        if value is not None:
            where, values = f"{where} AND {condition}", [*values, value]
    values = [whose, query.after, query.last, *values]
    return f"SELECT seq FROM fact WHERE {where} ORDER BY seq {_way(query.reverse)}", values


def _way(reverse: bool) -> str:
    return "DESC" if reverse else "ASC"
