"""Reading facts from SQLite in order of seq, a page at a time, so that no reader holds the store back."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import apsw

from gemel.facts import Time
from gemel.thread.row import Row
from gemel.thread.tables import ROW, scalar
from gemel.thread.within import bounded

PAGE = 512


@dataclass(frozen=True)
class Query:
    """What to read: `after < seq <= last`, the other conditions where they are given."""

    twin: str | None
    kinds: tuple[str, ...] | None
    after: int
    last: int
    true_from: Time | None
    true_until: Time | None
    reverse: bool
    twins: frozenset[str] | None = None

    def matches(self, row: Row) -> bool:
        """Return whether a row is asked for."""
        return (
            self.after < row.seq <= self.last
            and (self.twin is None or row.twin == self.twin)
            and (self.kinds is None or row.kind in self.kinds)
            and (self.twins is None or row.twin in self.twins)
            and (self.true_from is None or row.true_at >= self.true_from)
            and (self.true_until is None or row.true_at < self.true_until)
        )


def asked(
    twin: str | None,
    kinds: Collection[str] | None,
    after: int,
    last: int,
    true_from: Time | None,
    true_until: Time | None,
    reverse: bool,
) -> Query:
    """Return the query, or raise `BadInput` for a time that cannot be."""
    for when, what in ((true_from, "true_from"), (true_until, "true_until")):
        if when is not None:
            bounded(when, what)
    chosen = None if kinds is None else tuple(sorted(set(kinds)))
    return Query(twin, chosen, min(max(after, 0), last), last, true_from, true_until, reverse)


def skimmed(kinds: Collection[str], twins: Collection[str] | None, after: int, last: int) -> Query:
    """Return the query for facts of some kinds of many twins (all)."""
    query = asked(None, kinds, after, last, None, None, False)
    return query if twins is None else replace(query, twins=frozenset(twins))


_LAST_KNOWN = (
    "WITH RECURSIVE half(low, high) AS (VALUES (0, ?1) UNION ALL"
    " SELECT iif(known_at <= ?2, (low + high + 1) / 2, low), iif(known_at <= ?2, high, (low + high + 1) / 2 - 1)"
    " FROM half LEFT JOIN fact ON fact.rowid = (low + high + 1) / 2 WHERE low < high)"
    " SELECT low FROM half WHERE low >= high"
)
"""A binary search: `known_at` never decreases."""


def last_known(db: apsw.Connection, size: int, known_by: Time) -> int:
    """Return how many facts were known by some time."""
    return int(scalar(db, _LAST_KNOWN, size, known_by))


Ask = Callable[[str, Sequence[object]], list[tuple[object, ...]]]
"""Runs one statement and returns all its rows."""


def pages(query: Query, ask: Ask, first: int = PAGE) -> Iterator[list[Row]]:
    """Yield the rows asked for, in order; the first page holds at most *first*."""
    timed = query.true_from is not None or query.true_until is not None
    if query.twin is None and query.kinds is None:
        return _walk(query, ask, first, _plain(query))
    if query.twin is not None and not timed:
        kinds = query.kinds if query.kinds is not None else _kinds(query.twin, ask)
        return _walk(query, ask, first, _merged(query.twin, kinds, query.reverse)) if kinds else iter(())
    return _listed(query, ask, first)


Statement = Callable[[int, int, int], tuple[str, list[object]]]
"""From the open interval of seqs and a limit to a statement and its values."""


def _walk(query: Query, ask: Ask, first: int, statement: Statement) -> Iterator[list[Row]]:
    after, before, size = query.after, query.last + 1, first
    while True:
        rows = [Row(*row) for row in ask(*statement(after, before, size))]  # type: ignore[arg-type]  # columns of ROW
        if rows:
            yield rows
        if len(rows) < size:
            return
        after, before = (after, rows[-1].seq) if query.reverse else (rows[-1].seq, before)
        size = PAGE


def _plain(query: Query) -> Statement:
    where, values = "rowid > ? AND rowid < ?", list[object]()
    for text, value in (("true_at >= ?", query.true_from), ("true_at < ?", query.true_until)):
        if value is not None:
            where, values = f"{where} AND {text}", [*values, value]
    text = f"SELECT {ROW} FROM fact WHERE {where} ORDER BY rowid {_way(query.reverse)} LIMIT ?"
    return lambda after, before, size: (text, [after, before, *values, size])


def _merged(twin: str, kinds: Sequence[str], reverse: bool) -> Statement:
    """Each kind lies in order of seq in `fact_kind`; SQLite merges them without sorting."""
    each = "SELECT rowid AS seq FROM fact INDEXED BY fact_kind WHERE kind = ? AND twin = ? AND rowid > ? AND rowid < ?"
    seqs = f"{' UNION ALL '.join([each] * len(kinds))} ORDER BY 1 {_way(reverse)} LIMIT ?"
    text = f"SELECT {ROW} FROM fact WHERE rowid IN ({seqs}) ORDER BY rowid {_way(reverse)}"
    return lambda after, before, size: (
        text,
        [*[value for kind in kinds for value in (kind, twin, after, before)], size],
    )


def _kinds(twin: str, ask: Ask) -> list[str]:
    """Return the kinds that the twin has facts of, by hopping through `fact_kind`."""
    rows = ask(
        "WITH RECURSIVE hop(kind) AS (SELECT min(kind) FROM fact UNION ALL"
        " SELECT (SELECT min(kind) FROM fact WHERE kind > hop.kind) FROM hop WHERE hop.kind IS NOT NULL)"
        " SELECT kind FROM hop WHERE kind IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM fact WHERE kind = hop.kind AND twin = ?)",
        (twin,),
    )
    return [str(row[0]) for row in rows]


def _listed(query: Query, ask: Ask, first: int) -> Iterator[list[Row]]:
    """Take the seqs from an index that holds all that is asked about, then the rows page by page."""
    seqs = array("q", (row[0] for row in ask(*_seqs(query))))  # type: ignore[type-var]  # rowids
    place, size = 0, first
    while place < len(seqs):
        chosen = seqs[place : place + size]
        marks = ",".join("?" * len(chosen))
        text = f"SELECT {ROW} FROM fact WHERE rowid IN ({marks}) ORDER BY rowid {_way(query.reverse)}"
        rows = [Row(*row) for row in ask(text, list(chosen))]  # type: ignore[arg-type]  # columns of ROW
        yield [row for row in rows if query.matches(row)]
        place, size = place + size, PAGE


def _seqs(query: Query) -> tuple[str, list[object]]:
    conditions = list[tuple[str, object]]([("rowid > ?", query.after), ("rowid <= ?", query.last)])
    index = "fact_kind"
    if query.twin is not None:
        index = "fact_when"
        conditions += [("twin = ?", query.twin)]
        conditions += [("true_at >= ?", query.true_from)] if query.true_from is not None else []
        conditions += [("true_at < ?", query.true_until)] if query.true_until is not None else []
    where, values = " AND ".join(text for text, _ in conditions), [value for _, value in conditions]
    if query.kinds is not None:
        where += f" AND kind IN ({','.join('?' * len(query.kinds))})"
        values += query.kinds
    if query.twins is not None:
        where += f" AND twin IN ({','.join('?' * len(query.twins))})"
        values += sorted(query.twins)
    return f"SELECT rowid FROM fact INDEXED BY {index} WHERE {where} ORDER BY rowid {_way(query.reverse)}", values


def _way(reverse: bool) -> str:
    return "DESC" if reverse else "ASC"
