"""Gauges: what a twin whose state events fix would read now, written down as readings, so that forecasts meet them."""

from __future__ import annotations

from gemel.bank import Bank
from gemel.dynamics import exact
from gemel.facts import Draft, Time


class Gauges:
    """Writes, once in each cadence of a twin's time, what its gauges show: those that are watched, others as they change."""

    def __init__(self, bank: Bank, by: str = "loop:gauges") -> None:
        self._bank, self._by = bank, by
        self._shown: dict[str, tuple[Time, dict[str, float]]] = {}

    def due(self, twin: str, now: Time) -> bool:
        """Return whether the time has come: never for a twin whose sensors speak for themselves."""
        kind = self._bank.type_of(twin)
        if not exact(kind.dynamics) or self._bank.replica(twin).start is None:
            return False
        return self._slot(twin, now) > self._shown.get(twin, (0, {}))[0]

    def _slot(self, twin: str, now: Time) -> Time:
        kind = self._bank.type_of(twin)
        cadence = min(port.cadence for port in kind.signals.values())
        return now // cadence * cadence

    def drafts(self, twin: str, now: Time) -> list[Draft]:
        """Return what is to be written at the last whole cadence."""
        kind, at = self._bank.type_of(twin), self._slot(twin, now)
        if not exact(kind.dynamics):
            return []
        said = kind.dynamics.observe(self._bank.belief_at(twin, at))
        values = {name: float(expected.mean[0, 0]) for name, expected in said.items() if name in kind.signals}
        before = self._shown.get(twin, (0, {}))[1]
        self._shown[twin] = at, values
        told = [name for name, value in values.items() if name in kind.band or before.get(name, 0.0) != value]
        return [self._draft(twin, name, values[name], kind.signals[name].unit, at) for name in told]

    def _draft(self, twin: str, name: str, value: float, unit: str, at: Time) -> Draft:
        key = f"gauge|{name}|{at}"
        body = {"name": name, "value": value, "unit": unit, "source": "folded from events", "key": key}
        return Draft(twin, "observed/1", body, at, self._by, key=key)

    def forget(self, twin: str) -> None:
        """Forget what was shown of a twin."""
        self._shown.pop(twin, None)
