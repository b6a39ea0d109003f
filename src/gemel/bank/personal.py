"""Personalise: fit one twin's constants to its last days, and take them only if they foretell what was held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.assimilate import Search, identify
from gemel.bank.record import record
from gemel.bank.replica import SETTINGS, Replica
from gemel.errors import BadInput
from gemel.facts import DAY, Draft, Time, iso
from gemel.simulate.score import gaussian_crps, rmse

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

HELD_OUT = 1 / 3
"""The share of the span, its end, that the fit does not see and is judged on."""

AHEAD = 12
"""The step, of 5 min, at which a fit is judged."""

LEAST = 72
"""Readings there must be to fit, and a third of it to judge."""

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Fitted:
    """One constant: posterior median `value`, 90 % interval, and what was believed of anybody; `learned` from 0 to 1.

    `sd` and `prior_sd` are spreads on the constant's own scale (log or logit).
    """

    value: float
    low: float
    high: float
    sd: float
    prior: float
    prior_sd: float
    unit: str = ""

    @property
    def learned(self) -> float:
        """Return by how much of its spread the constant is better known than before; below 0 by chance alone."""
        return 1.0 - self.sd / self.prior_sd


@dataclass(frozen=True)
class HeldOut:
    """Forecasts of one signal 60 min ahead over what the fit did not see: with the constants in use, and the fitted."""

    n: int
    crps_before: float
    crps: float
    rmse_before: float
    rmse: float

    @property
    def better(self) -> bool:
        """Return whether the fit foretells no worse, by the whole distribution."""
        return self.n >= LEAST // 3 and self.crps <= self.crps_before


@dataclass(frozen=True)
class Fit:
    """A fit of one twin's constants to `since`..`cut`, judged on `cut`..`until`; `adopted` if it held there."""

    twin: str
    signal: str
    unit: str
    since: Time
    cut: Time
    until: Time
    parameters: Mapping[str, Fitted]
    info: Mapping[str, float]
    held_out: HeldOut
    adopted: bool
    seq: int = 0

    def body(self) -> dict[str, Any]:
        """Return the fit as JSON types."""
        return {
            "signal": self.signal, "unit": self.unit, "since": self.since, "cut": self.cut, "until": self.until,
            "parameters": {name: asdict(entry) for name, entry in self.parameters.items()},
            "info": dict(self.info), "held_out": asdict(self.held_out), "adopted": self.adopted,
        }  # fmt: skip

    def __str__(self) -> str:
        head = f"{self.twin}: {self.signal} from {iso(self.since)}, judged from {iso(self.cut)} to {iso(self.until)}"
        rows = [f"{'constant':24} {'anybody':>9} {'here':>9}   90 % interval          learned"]
        for name, entry in self.parameters.items():
            span, learned = f"{entry.low:.4g} to {entry.high:.4g}", max(entry.learned, 0)
            rows.append(f"{name:24} {entry.prior:9.4g} {entry.value:9.4g}   {span:22} {learned:4.0%}  {entry.unit}")
        told, held = self.info, self.held_out
        how = f"effective sample {told['ess']:.0f}, temper {told['temper']:.2g}, log score {told['gain']:+.1f}"
        crps = f"CRPS {held.crps_before:.2f} -> {held.crps:.2f}"
        error = f"RMSE {held.rmse_before:.2f} -> {held.rmse:.2f} {self.unit}"
        return "\n".join(
            [head, *rows, how, f"60 min ahead on {held.n} unseen readings: {crps}, {error}", self._verdict]
        )

    @property
    def _verdict(self) -> str:
        if self.adopted:
            return "adopted"
        few = self.held_out.n < LEAST // 3
        return f"not adopted: {'too few readings to judge it by' if few else 'it foretells worse than before'}"


def personalise(
    bank: Bank, id: str, days: float, by: str, now: Time, tell: Progress, search: Search | None = None
) -> Fit:  # fmt: skip
    """Return the fit of the last *days*, on record as `personalised/1`."""
    replica = bank.replica_known_by(id, None)
    twin_type = replica.type
    if not getattr(twin_type.dynamics, "varies", {}):
        raise BadInput(f"{twin_type.name} has no constants in which individuals differ")
    signal = next(iter(twin_type.band or twin_type.signals))
    since, cut, until = _span(replica, signal, days, now)
    tell("fitting", 0, 3)
    begin = replica.belief(since)
    assert begin is not None
    dynamics: Any = twin_type.dynamics
    plan = replica.plan(since=int(begin.belief.at[0]))
    cycles = replica.cycles(begin.at, cut)
    _, info = identify(dynamics, begin.belief, cycles, plan, bank.seed, SETTINGS, search)
    told = {name: float(value[0]) for name, value in info.items() if np.isfinite(value[0])}
    units = getattr(getattr(dynamics, "wiring", None), "units", {})
    parameters = {name: _fitted(told, name, units.get(name, "")) for name in dynamics.varies}
    tell("judging", 1, 3)
    values = {name: entry.value for name, entry in parameters.items()}
    before = errors(replica, signal, cut, until)
    tell("judging", 2, 3)
    after = errors(replica.supposing(values, begin), signal, cut, until)
    held = HeldOut(before[0], before[1], after[1], before[2], after[2])
    rest = {name: value for name, value in told.items() if not {name, name.rpartition(".")[0]} & parameters.keys()}
    fit = Fit(id, signal, twin_type.signals[signal].unit, since, cut, until, parameters, rest, held, held.better)
    tell("judging", 3, 3)
    cause = tuple(
        replica.sources[key] for at, name, _, key in replica.readings if name == signal and since <= at <= until
    )[-1:]
    fact = bank.append([Draft(id, "personalised/1", fit.body(), until, by, cause)]).facts[0]
    if fit.adopted:
        bank.unlearn(id)
    return Fit(**{**vars(fit), "seq": fact.seq})


def _fitted(told: Mapping[str, float], name: str, unit: str) -> Fitted:
    low, high, sd, prior, prior_sd = (told[f"{name}.{part}"] for part in ("low", "high", "sd", "prior", "prior_sd"))
    return Fitted(told[name], low, high, sd, prior, prior_sd, unit)


def _span(replica: Replica, signal: str, days: float, now: Time) -> tuple[Time, Time, Time]:
    """Return where the fit begins, where what is held out begins, and the end; refuse where too little is known."""
    times = [at for at, name, _, _ in replica.readings if name == signal and at <= now]
    if not 0 < days <= 30:
        raise BadInput(f"{days!r} is not a number of days from 0 to 30", field="days")
    until = times[-1] if times else now
    since = max(until - round(days * DAY), replica.since)
    cut = until - round(HELD_OUT * days * DAY)
    fitted, held = sum(since <= at <= cut for at in times), sum(cut < at for at in times)
    if fitted < LEAST or held < LEAST // 3:
        raise BadInput(
            f"{replica.id} has {fitted} readings of {signal} to fit and {held} to judge by in the last {days:g} days; "
            f"there must be {LEAST} and {LEAST // 3}"
        )
    return since, cut, until


def errors(replica: Replica, signal: str, cut: Time, until: Time) -> tuple[int, float, float]:
    """Return how many forecasts 60 min ahead met their truth after *cut*, their mean CRPS and their RMSE."""
    found = record(replica, signal, since=cut).until(until)
    said, sd, truth = found.said[:, AHEAD - 1], found.sd[:, AHEAD - 1], found.truth[:, AHEAD - 1]
    there = np.isfinite(truth)
    if not there.any():
        return 0, float("inf"), float("inf")
    crps = float(gaussian_crps(said[there], sd[there], truth[there]).mean())
    return int(there.sum()), crps, rmse(said[there], truth[there])
