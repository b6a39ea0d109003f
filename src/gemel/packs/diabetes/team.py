"""The care team of a person with diabetes, as data: what each role may see and do, and what it is told of.

Who belongs to a child's team is what consensus guidelines say; what each may see here is a judgement, and a holder may change
all of it. The order is from more rights to fewer: a member is called by the first role whose rights they hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from gemel.bank.team import Role
from gemel.dynamics import ALERTS, PLAN
from gemel.facts import MINUTE, Time

NEXT: Time = 20 * MINUTE
"""How long an urgent alert waits for the family before the doctor hears of it; a judgement."""

ROLES: Mapping[str, Role] = {
    "child": Role(
        "Child", "sees her own day, talks with her companion, logs food, and proposes",
        {"read": ("*",), "write": ("carbs",), "propose": ("bolus", "basal", "carbs")},
        ({"severity": "urgent", "names": ("low", "very low", "high")},), "self-management",
    ),
    "guardian": Role(
        "Parent or guardian", "holds the keys: sees and decides all, until the child takes them over",
        alerts=({"severity": "warning"},), purpose="self-management", keys="guardian",
    ),
    "doctor": Role(
        "Doctor", "sees all, reviews, proposes treatment, and decides on proposals and on the care plan",
        {"read": ("*",), "propose": ("basal", "bolus", PLAN), "act": ("basal", "bolus", PLAN)},
        ({"severity": "urgent", "after": NEXT},),
        known_by={"read": ("*",), "propose": ("basal", "bolus", PLAN), "act": (PLAN,)},
    ),
    "dietitian": Role(
        "Dietitian", "sees glucose and food, and proposes meals and what the plan says of them",
        {"read": ("glucose", "carbs", PLAN), "propose": ("carbs", PLAN)},
    ),
    "educator": Role(
        "Diabetes educator", "sees how days go and what was dosed, reviews, and proposes changes of the plan",
        {"read": ("glucose", "carbs", "bolus", "basal", "heart_rate", "steps", PLAN), "propose": (PLAN,)},
    ),
    "nurse": Role(
        "School nurse", "is told of alerts in school hours, and sees nothing else",
        {"read": (ALERTS,)}, ({"severity": "urgent"},), timed=True,
    ),
}  # fmt: skip
