"""Which insulins act for half a day and longer, by the names that people, apps and records give them.

Sources: the WHO's ATC codes (A10AC intermediate, A10AD mixed, A10AE long), the brands in use in Europe and America, and the
list that xDrip+ lets choose from (`insulin_profiles.json`).
"""

from __future__ import annotations

LONG_ACTING = (
    "a10ac", "a10ad", "a10ae", "long",
    "glargine", "lantus", "basaglar", "abasaglar", "toujeo", "semglee", "rezvoglar",
    "detemir", "levemir",
    "degludec", "tresiba",
    "isophane", "nph", "insulatard", "humulin n", "novolin n", "protaphane", "huminsulin basal",
    "icodec", "awiqli",
)  # fmt: skip
"""Codes, words, substances and brands, in small letters."""


def is_long_acting(name: str) -> bool:
    """Return whether a name, or a line with several, tells a long-acting insulin."""
    plain = name.lower()
    return any(word in plain for word in LONG_ACTING)
