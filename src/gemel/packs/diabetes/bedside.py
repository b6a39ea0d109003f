"""Bedside: what stands between the broker and a virtual person's pump: it obeys each command once, and tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.dynamics import Dose
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.asset import Record, VirtualPerson

HELD: Time = 30 * MINUTE
"""A basal rate that is sent without an end holds for this long; then the pump's own profile goes on."""

NEAR: Time = 5 * MINUTE
LEVERS = ("bolus", "basal")


@dataclass(frozen=True)
class Order:
    """One thing for the pump to do at `at`, and the name under which it is reported back."""

    lever: str
    amount: float
    at: Time
    id: str


@dataclass
class Bedside:
    """One person's pump, as the network sees it."""

    person: VirtualPerson
    waiting: list[Order] = field(default_factory=list)
    given: list[Order] = field(default_factory=list)
    obeyed: set[str] = field(default_factory=set)

    def receive(self, payload: bytes, now: Time) -> bool:
        """Take a command; return whether it is new. What cannot be understood is left out."""
        try:
            message: Mapping[str, Any] = json.loads(payload)
            orders = _orders(str(message["id"]), [_dose(entry, now) for entry in message["doses"]])
        except (ValueError, KeyError, TypeError):
            return False
        if not orders or message["id"] in self.obeyed:
            return False
        self.obeyed.add(str(message["id"]))
        if any(order.lever != "bolus" for order in orders):
            self.waiting = [order for order in self.waiting if order.lever == "bolus"]
        self.waiting = sorted([*self.waiting, *orders], key=lambda order: order.at)
        return True

    def advance(self, until: Time) -> list[tuple[Record, str | None]]:
        """Let the person live until a time; return what the devices report, with the id of the command behind it."""
        told: list[Record] = []
        while self.waiting and self.waiting[0].at < until:
            order = self.waiting.pop(0)
            told += self.person.advance(max(order.at // MINUTE * MINUTE, self.person.now))
            self._do(order)
        told += self.person.advance(until)
        return [(record, self._behind(record)) for record in sorted(told, key=lambda record: record[3])]

    def _do(self, order: Order) -> None:
        amount = self.person.pump.command(order.lever, order.amount, order.at)
        lever = "bolus" if order.lever == "bolus" else "basal"
        self.given.append(Order(lever, amount, max(order.at // MINUTE * MINUTE, self.person.now), order.id))

    def _behind(self, record: Record) -> str | None:
        """Return the id of the command that led to what was reported."""
        name, value, _, at = record
        for order in self.given:
            same = order.lever == name and (name == "basal" or abs(order.amount - value) < 1e-6)
            if same and 0 <= at - order.at <= NEAR:
                self.given.remove(order)
                return order.id
        self.given = [order for order in self.given if at - order.at <= NEAR]
        return None


def _dose(entry: Mapping[str, Any], now: Time) -> Dose:
    return Dose(str(entry["name"]), float(entry["value"]), max(int(entry["at"]), now))


def _orders(id: str, doses: list[Dose]) -> list[Order]:
    """Return what the pump is to do: the last basal rate of a segment stands for going back to the profile."""
    known = [dose for dose in doses if dose.lever in LEVERS]
    orders = [Order(dose.lever, float(dose.amount), dose.at, f"{id}#{i}") for i, dose in enumerate(known)]
    rates = [order for order in orders if order.lever == "basal"]
    if not rates:
        return orders
    back = rates[-1].at if len(rates) > 1 else rates[0].at + HELD
    kept = [order for order in orders if len(rates) == 1 or order is not rates[-1]]
    return [*kept, Order("profile", 0.0, back, f"{id}#{len(known)}")]
