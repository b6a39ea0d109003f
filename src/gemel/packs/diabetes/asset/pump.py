"""An insulin pump: gives what it is told in its own steps and within its own limits, or its profile, or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gemel.dynamics import Dose
from gemel.errors import BadInput, unknown
from gemel.facts import DAY, HOUR, MINUTE, Time


@dataclass(frozen=True)
class PumpModel:
    """What a make of pump can do: bolus in U, basal in U/h."""

    name: str
    bolus_step: float
    bolus_max: float
    basal_step: float
    basal_max: float


MODELS: Mapping[str, PumpModel] = MappingProxyType({
    "Insulet": PumpModel("Insulet", 0.05, 30.0, 0.05, 30.0),
    "Cozmo": PumpModel("Cozmo", 0.05, 75.0, 0.05, 35.0),
})  # fmt: skip
"""Steps and limits: pump_params.csv of jxx123/simglucose (MIT), read as U and U/h (its issue 71)."""

COMMANDS = ("bolus", "basal", "suspend", "profile")


@dataclass(frozen=True)
class Command:
    """Something the pump was told: U, U/h, or the minutes to give nothing for."""

    lever: str
    amount: float
    at: Time


class Pump:
    """A pump on one person; `profile` gives U/h for each hour of the person's day."""

    def __init__(self, model: PumpModel, profile: Sequence[float], offset: Time = 0) -> None:
        self.model, self.offset = model, offset
        self.profile = tuple(quantised(rate, model.basal_step, model.basal_max) for rate in profile)
        self._waiting: list[Command] = []
        self._told: float | None = None
        self._suspended_until: Time = -(2**62)
        self._rate: float | None = None
        self._blocked: list[tuple[Time, Time]] = []
        self._flowing = 0.0
        self._felt: float | None = None

    def command(self, lever: str, amount: float, at: Time) -> float:
        """Take a command for *at* (or as soon as possible after); return what will really be given.

        "bolus" U; "basal" U/h, which holds until the next; "profile" hands basal back to the profile; "suspend" gives
        no basal for that many minutes (0 ends it).
        """
        if lever not in COMMANDS:
            raise unknown("pump command", lever, COMMANDS)
        if not (math.isfinite(amount) and amount >= 0.0):
            raise BadInput(f"a pump cannot give {lever} of {amount}", field=lever)
        given = {
            "bolus": quantised(amount, self.model.bolus_step, self.model.bolus_max),
            "basal": quantised(amount, self.model.basal_step, self.model.basal_max),
        }.get(lever, amount)
        self._waiting.append(Command(lever, given, at // MINUTE * MINUTE))
        return given

    def take(self, start: Time, end: Time) -> list[Dose]:
        """Return what is given from *start* until *end*: boluses, and basal rates where they change."""
        due = sorted((c for c in self._waiting if c.at < end), key=lambda c: c.at)
        self._waiting = [c for c in self._waiting if c.at >= end]
        doses: list[Dose] = []
        for minute in range(start, end, MINUTE):
            while due and due[0].at <= minute:
                doses += self._obey(due.pop(0), minute)
            rate = self.rate(minute)
            if rate != self._rate:
                doses.append(Dose("basal", rate, minute))
                self._rate = rate
        return doses

    def occlude(self, start: Time, end: Time) -> None:
        """Block the set from *start* until *end* (when it is found and changed): it gives nothing and does not notice."""
        self._blocked.append((start, end))

    def reaching(self, given: Sequence[Dose], start: Time, end: Time) -> list[Dose]:
        """Return what of the doses that `take` reported from *start* until *end* reaches the body; food always does."""
        felt: list[Dose] = []
        for minute in range(start, end, MINUTE):
            open_ = not any(since <= minute < until for since, until in self._blocked)
            due = [dose for dose in given if dose.at == minute]
            self._flowing = next((d.amount for d in reversed(due) if d.lever == "basal"), self._flowing)
            felt += [dose for dose in due if dose.lever != "basal" and (open_ or dose.lever != "bolus")]
            rate = self._flowing if open_ else 0.0
            if rate != self._felt:
                felt.append(Dose("basal", rate, minute))
                self._felt = rate
        return felt

    def rate(self, at: Time) -> float:
        """Return the basal rate, U/h, at a time."""
        if at < self._suspended_until:
            return 0.0
        return self.profile[(at + self.offset) % DAY // HOUR] if self._told is None else self._told

    def _obey(self, command: Command, now: Time) -> list[Dose]:
        if command.lever == "bolus":
            return [Dose("bolus", command.amount, now)] if command.amount > 0.0 else []
        if command.lever == "suspend":
            self._suspended_until = now + round(command.amount) * MINUTE
        else:
            self._told = command.amount if command.lever == "basal" else None
        return []


def quantised(amount: float, step: float, most: float) -> float:
    """Return *amount* in whole steps, at most *most*."""
    return round(min(round(amount / step) * step, most), 6)
