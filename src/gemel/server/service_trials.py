"""Proposals of a service tried on copies: with what is proposed beside a copy left alone, under the same draws."""

from __future__ import annotations

import numpy as np

from gemel.bank import Proposal, Twin
from gemel.intervention import Metric
from gemel.server import service_schema as s
from gemel.server.ensemble import Ensemble, made

MOST = 4
"""How many open proposals are tried."""

SHOWN = 6
"""How many metrics are shown: those that change most."""


def tried(seen: Twin, usual: Ensemble, proposals: list[Proposal]) -> list[s.ProposalForks]:
    """Return each open proposal beside the usual course, the newest first."""
    open_ = [one for one in reversed(proposals) if one.status == "open"][:MOST]
    return [_forks(seen, usual, one) for one in open_]


def _forks(seen: Twin, usual: Ensemble, proposal: Proposal) -> s.ProposalForks:
    doses = proposal.intervention.starting(usual.now).doses
    changed = made(seen, usual.now, int(usual.run.after[-1]), doses)
    signal = _moved(seen, usual, changed)
    return s.ProposalForks(
        seq=proposal.seq, title=proposal.intervention.title, status=proposal.status, now=usual.now, at=usual.at,
        signal=signal, unit=seen.type.signals[signal].unit, usual=_course(usual, signal), changed=_course(changed, signal),
        metrics=metrics(seen, usual, changed),
    )  # fmt: skip


def _moved(seen: Twin, usual: Ensemble, changed: Ensemble) -> str:
    """Return the watched gauge that the proposal moves most, in standard deviations of its course."""
    names = [name for name in seen.type.band if name in usual.run.gauges] or ["inside"]

    def size(name: str) -> float:
        one, other = usual.shown(name), changed.shown(name)
        return float(np.abs((one - other).mean(axis=1)).sum() / (one.std() + 1.0))

    return max(names, key=size)


def _course(ensemble: Ensemble, signal: str) -> s.Course:
    low, mid, high = np.quantile(ensemble.shown(signal), (0.1, 0.5, 0.9), axis=1)
    return s.Course(median=_list(mid), low=_list(low), high=_list(high))


def _list(values: np.ndarray) -> list[float]:
    return [round(float(value), 1) for value in values]


def metrics(seen: Twin, usual: Ensemble, changed: Ensemble) -> list[s.Compared]:
    """Return the metrics of both, member by member, those that differ most first."""
    known = {name: one for name, one in seen.type.metrics.items() if one.signal in usual.run.gauges}
    found = [_compared(name, metric, usual, changed) for name, metric in known.items()]
    order = {name: k for k, name in enumerate(known)}
    size = {one.name: abs(one.difference) / (abs(one.usual) + abs(one.changed) + 1e-9) for one in found}
    kept = sorted(found, key=lambda one: (-size[one.name], order[one.name]))[:SHOWN]
    return sorted(kept, key=lambda one: order[one.name])


def _compared(name: str, metric: Metric, usual: Ensemble, changed: Ensemble) -> s.Compared:
    one, other = (np.asarray(metric.of(ensemble.run.gauges[metric.signal]), float) for ensemble in (usual, changed))
    paired = other - one
    low, high = np.quantile(paired, (0.025, 0.975))
    better = metric.better if metric.better in ("higher", "lower") else None
    gain = paired if better == "higher" else -paired
    return s.Compared(
        name=name, label=metric.label or name, unit=metric.unit, better=better,  # type: ignore[arg-type]
        usual=_round(one.mean()), changed=_round(other.mean()), difference=_round(paired.mean()), low=_round(low),
        high=_round(high), share=round(float((gain > 0).mean()), 3),
    )  # fmt: skip


def _round(value: float) -> float:
    return round(float(value), 2)
