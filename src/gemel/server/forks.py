"""Forks that an actor keeps beside a twin: supposed anew at each look, so that they move on with it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.bank import Fork, Twin
from gemel.errors import BadInput, unknown
from gemel.facts import Time
from gemel.intervention import Form, Metric, Scenario
from gemel.server import schema as s
from gemel.twintype import TwinType

HOURS = 4.0
MOST = 6
"""Forks of one twin side by side: more cannot be told apart on one axis."""

SHOWN = ("time_in_range", "time_below_range", "time_above_range", "mean")
"""Metrics to show where a type has them; otherwise its first ones."""


class Forks:
    """What each actor supposes of each twin: in memory, and those that they keep as facts."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], dict[str, s.Suppose]] = {}

    def of(self, seen: Twin) -> dict[str, s.Suppose]:
        """Return the suppositions of one actor on one twin, by name."""
        return {**_kept(seen), **self._held.get((seen.actor, seen.id), {})}

    def add(self, seen: Twin, asked: s.Suppose) -> None:
        """Keep one more, or another under the same name."""
        held = self.of(seen)
        if asked.name not in held and len(held) >= MOST:
            raise BadInput(f"there are {MOST} forks already: remove one first", field="name")
        self._held.setdefault((seen.actor, seen.id), {})[asked.name] = asked

    def forget(self, twin: str) -> None:
        """Forget all that was supposed of an erased twin."""
        self._held = {place: held for place, held in self._held.items() if place[1] != twin}

    def remove(self, seen: Twin, name: str) -> None:
        """Forget one."""
        held = self.of(seen)
        if name not in held:
            raise unknown("fork", name, held)
        if self._held.get((seen.actor, seen.id), {}).pop(name, None) is None:
            seen.drop_fork(name)


def _kept(seen: Twin) -> dict[str, s.Suppose]:
    """Return what the actor keeps of the twin as facts and may still suppose; forks of forks are left to the library."""
    if not seen.may("fork", "*"):
        return {}
    own = [branch for branch in seen.forks() if branch.by == seen.actor and branch.scenario in seen.type.scenarios]
    return {b.name: s.Suppose(name=b.name, scenario=str(b.scenario), values=dict(b.values)) for b in own}


def scenario(twin_type: TwinType, asked: s.Suppose) -> Scenario:
    """Return the scenario that was asked for, its form filled in."""
    if asked.scenario not in twin_type.scenarios:
        raise unknown("scenario", asked.scenario, twin_type.scenarios)
    return twin_type.scenarios[asked.scenario].fill(asked.values)  # type: ignore[arg-type]  # fill checks each


def fork_views(seen: Twin, signal: str, asked: Mapping[str, s.Suppose], now: Time) -> list[s.ForkView]:
    """Return each supposed future of *signal*, paired with the usual one."""
    if not asked:
        return []
    usual = seen.fork("as usual", now)
    values = _metrics(seen.type, signal, usual.run(signal, HOURS)[0])
    return [_view(name, usual.suppose(scenario(seen.type, one)), signal, values) for name, one in asked.items()]


def _view(name: str, fork: Fork, signal: str, usual: dict[str, float]) -> s.ForkView:
    port = fork.type.signals[signal]
    draws = np.clip(fork.run(signal, HOURS)[0], port.low, port.high)
    every = round(HOURS * 3_600_000) // len(draws)
    low, median, high = ([round(float(v), 1) for v in row] for row in np.quantile(draws, (0.1, 0.5, 0.9), axis=1))
    at = [fork.now + every * (i + 1) for i in range(len(draws))]
    metrics = _metrics(fork.type, signal, draws)
    return s.ForkView(name=name, at=at, median=median, low=low, high=high, metrics=metrics, usual=usual)


def shown_metrics(twin_type: TwinType, signal: str) -> dict[str, Metric]:
    """Return the few metrics of *signal* that fit beside a fork."""
    of_signal = {name: metric for name, metric in twin_type.metrics.items() if metric.signal == signal}
    chosen = [name for name in SHOWN if name in of_signal] or list(of_signal)[:4]
    return {name: of_signal[name] for name in chosen}


def metric_view(name: str, metric: Metric) -> s.MetricView:
    """Return how to show a metric; fractions become per cent."""
    better, share = metric.better if metric.better in ("higher", "lower") else None, metric.unit == "fraction"
    label = name.replace("_", " ") if share else metric.label or name
    return s.MetricView(
        unit="%" if share else metric.unit, label=_capital(label), better=better,  # type: ignore[arg-type]
        outweighs=metric.outweighs,
    )  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _metrics(twin_type: TwinType, signal: str, draws: np.ndarray) -> dict[str, float]:
    found = {}
    for name, metric in shown_metrics(twin_type, signal).items():
        value = float(np.nanmean(metric.of(draws)))
        if np.isfinite(value):
            found[name] = round(100 * value if metric.unit == "fraction" else value, 2)
    return found


def form_view(name: str, form: Form) -> s.Scenario:
    """Return a form to fill in."""
    fields = [
        s.FieldView(
            name=f.name,
            label=f.label,
            type="number",
            unit=f.unit,
            min=f.low,
            max=f.high,
            step=f.step,
            default=f.default,
            from_now=f.from_now,
        )
        for f in form.fields
    ]
    return s.Scenario(name=name, title=form.title, fields=fields)
