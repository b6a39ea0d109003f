"""Memory: the tables a run works on, as records at addresses that one number leads to.

The kernel is many small compiled functions. Each takes `w`, the address of a table of addresses, and reads what it needs
through the accessors below; so a call passes one number, and a table may grow between two calls of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numba.np import arrayobj, numpy_support

BARE: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Python never calls what the kernel calls: without wrappers it compiles in less time."""

swift: Any = njit(nogil=True, error_model="numpy", **BARE)
"""Compiles a function of the kernel; it holds no lock, and divides as NumPy does."""

GLOBE = np.dtype(
    [(name, "f8") for name in ("now", "t0", "until", "tick", "cost", "left", "late", "came", "most")]
    + [("seed", "u8"), ("root", "u8")]
    + [
        (name, "i8")
        for name in (
            "seq", "heap_n", "heap_cap", "hole", "token_used", "token_free", "token_cap", "case_used", "case_free",
            "case_cap", "cases_seen", "todo_n", "todo_cap", "inside", "visit_n", "visit_cap", "row_n", "row_cap", "row0",
            "end_n", "end_cap", "held_n", "held_cap", "times_n", "times_cap", "stage", "member", "column", "tick_i", "width",
            "stations", "pools", "classes", "nodes", "attributes", "joins", "keep_visits", "keep_cases", "keep_end",
            "looped", "one", "ticks_many", "controls", "control_columns", "scale_rows", "levers", "ways", "margin", "away_n",
            "away_cap", "lean",
        )
    ],
    align=True,
)  # fmt: skip
"""What there is one of. Times are ms since 1970, as floats: to a quarter of a microsecond, and the same in any run."""

TOKEN = np.dtype(
    [(name, "f8") for name in ("since", "started", "due", "patient", "left", "rank")]
    + [("seq", "i8")]
    + [
        (name, "i8") for name in ("case", "node", "status", "station", "team", "prev", "next", "visit", "mate", "group")
    ],
    align=True,
)
"""`prev`/`next`: place in the queue; `mate`: the next of those served together; `left` ms of a service that stands still."""

CASE = np.dtype(
    [("arrived", "f8"), ("urgency", "f8"), ("base", "u8"), ("key", "i8")]
    + [(name, "i8") for name in ("group", "tokens", "index", "why")],
    align=True,
)
STATION = np.dtype(
    [(name, "f8") for name in ("promise", "balk", "share", "most_wait", "cost", "pace", "easy", "scale")]
    + [(name, "f8") for name in ("served", "waited", "abandoned", "breaches")]
    + [
        (name, "i8")
        for name in (
            "order", "balk_at", "gives_up_to", "after", "size", "team0", "teams", "any_team", "impatient",
            "head", "tail", "waiting", "serving", "open", "simple", "pool",
        )
    ],
    align=True,
)  # fmt: skip
POOL = np.dtype(
    [(name, "f8") for name in ("rate", "added", "paid_at", "worked")]
    + [("key", "u8")]
    + [
        (name, "i8")
        for name in (
            "here", "listed", "down", "busy", "paused", "pauses", "user0", "users", "between", "repair", "units", "failures",
            "step0", "steps", "step", "timers",
        )
    ],
    align=True,
)  # fmt: skip
TEAM = np.dtype([("speed", "f8"), ("station", "i8"), ("need0", "i8"), ("needs", "i8")], align=True)
CUSTOMERS = np.dtype(
    [(name, "f8") for name in ("anchor", "need", "known", "factor", "scale", "priority")]
    + [("key", "u8"), ("base", "u8"), ("came", "i8")]
    + [(name, "i8") for name in ("entry", "gap", "first", "step0", "steps", "step")],
    align=True,
)
NODE = np.dtype(
    [("key", "u8")]
    + [(name, "i8") for name in ("kind", "station", "then", "first", "count", "lasts", "join", "parts", "looped")],
    align=True,
)
RULE = np.dtype([(name, "i8") for name in ("to0", "tos", "test0", "tests")], align=True)
TEST = np.dtype([("value", "f8"), ("attribute", "i8"), ("test", "i8")], align=True)
ATTRIBUTE = np.dtype([("key", "u8"), ("kind", "i8"), ("first", "i8"), ("count", "i8"), ("numbers", "i8")], align=True)
DURATION = np.dtype(
    [("mean", "f8"), ("a", "f8"), ("b", "f8"), ("kind", "i8"), ("first", "i8"), ("count", "i8")], align=True
)
EVENT = np.dtype([("at", "f8"), ("seq", "i8"), ("kind", "i8"), ("ref", "i8")], align=True)
STEP = np.dtype([("at", "f8"), ("value", "f8")], align=True)
CONTROL = np.dtype([("at", "f8"), ("key", "i8"), ("kind", "i8"), ("target", "i8")], align=True)
TODO = np.dtype([("token", "i8"), ("node", "i8")], align=True)

VISIT = np.dtype(
    [(name, "f8") for name in ("ready", "started", "ended")]
    + [(name, "i8") for name in ("member", "case", "node", "station", "pool", "outcome")],
    align=True,
)
ROW = np.dtype(
    [
        ("arrived", "f8"),
        ("left", "f8"),
        ("key", "i8"),
        ("member", "i8"),
        ("customers", "i8"),
        ("outcome", "i8"),
        ("index", "i8"),
    ],
    align=True,
)
HELD = np.dtype(
    [("key", "f8"), ("customers", "f8"), ("arrived", "f8"), ("urgency", "f8"), ("member", "i8")], align=True
)
"""A case in a present state, as it is packed."""

STOOD = np.dtype(
    [(n, "f8") for n in ("case", "node", "status", "since", "started", "team", "due", "patient", "left", "group")]
    + [("member", "i8")],
    align=True,
)
"""A token in a present state, as it is packed."""

TALLY = np.dtype([("case", "f8"), ("node", "f8"), ("count", "f8"), ("member", "i8")], align=True)
AWAY = np.dtype([("pool", "f8"), ("until", "f8"), ("fails", "f8"), ("member", "i8")], align=True)
"""A unit that is away `until` then, or (`fails` 1) that will fail then."""

F8, I4, I8 = np.dtype("f8"), np.dtype("i8"), np.dtype("i8")

TABLES: dict[str, np.dtype[Any]] = {
    "globe": GLOBE, "tokens": TOKEN, "cases": CASE, "stations": STATION, "pools": POOL, "teams": TEAM, "classes": CUSTOMERS,
    "nodes": NODE, "rules": RULE, "tests": TEST, "attributes": ATTRIBUTE, "durations": DURATION, "heap": EVENT,
    "steps": STEP, "controls": CONTROL, "todo": TODO, "visits": VISIT, "rows": ROW, "held": HELD, "stood": STOOD,
    "tallies": TALLY,
    "needs": I4, "users": I4, "targets": I4, "weights": F8, "tables": F8, "options": F8, "service": I4, "patience": I4,
    "about": F8, "times": I4, "joined": I4, "settings": F8, "scales": F8, "gauges": F8, "ticks": F8,
    "has": I4, "starts": I8, "first_held": HELD, "first_stood": STOOD, "first_tallies": TALLY, "first_aways": AWAY,
    "first_about": F8, "first_arrivals": F8, "first_change": F8, "end_about": F8, "end_aways": AWAY, "end_arrivals": F8,
    "end_change": F8, "usual_weights": F8, "elapsed": F8, "failures": F8, "end_failures": F8, "ordering": I8,
}  # fmt: skip
"""Every table and what its rows are."""

PLACES = {name: place for place, name in enumerate(TABLES)}


populate: Any = arrayobj.populate_array


def accessor(name: str) -> Callable[[int], Any]:
    """Return what finds one table: an instruction of the compiled code, not a function."""
    place, dtype = PLACES[name], TABLES[name]
    kind = types.Array(numpy_support.from_dtype(dtype), 1, "C")

    @intrinsic
    def found(typingctx: Any, w: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = context.get_value_type(types.intp)
            table = builder.inttoptr(arguments[0], word.as_pointer())
            address = builder.load(builder.gep(table, [context.get_constant(types.intp, place)]))
            array = context.make_array(kind)(context, builder)
            data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
            size = context.get_constant(types.intp, dtype.itemsize)
            many = context.get_constant(types.intp, 1 << 40)
            populate(array, data=data, shape=[many], strides=[size], itemsize=size, meminfo=None)
            return array._getvalue()

        return kind(types.int64), generate

    return cast(Callable[[int], Any], found)
