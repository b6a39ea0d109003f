"""Why, as the console shows it."""

from __future__ import annotations

from gemel.bank.why import Because
from gemel.server import schema as s


def why_view(tree: Because) -> s.Why:
    """Return the tree of causes."""
    fact = tree.fact
    return s.Why(
        seq=fact.seq, kind=fact.kind, at=fact.true_at, by=fact.by, text=tree.text,
        causes=[why_view(cause) for cause in tree.causes],
    )  # fmt: skip
