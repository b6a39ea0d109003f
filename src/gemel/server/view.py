"""The view: past, now and future of any twin, as one actor may see it, from its facts and its type."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from gemel.bank import Proposal, Twin
from gemel.bank.alerting import Told
from gemel.bank.deciders import deciders, may_decide
from gemel.consent import ALL
from gemel.dynamics import ALERTS
from gemel.errors import NotFound
from gemel.facts import DAY, HOUR, MINUTE, Fact, Time
from gemel.intervention import Forecast
from gemel.loop import Loop, outcomes
from gemel.server import schema as s
from gemel.server.forks import Forks, fork_views, metric_view, shown_metrics
from gemel.twintype import Lever, Signal, TwinType

PROPOSALS = 20
"""How many of the latest proposals are shown."""

RESTING: Time = HOUR
"""A twin that the loop does not attend, silent for so long, is shown as of its last reading."""

FALLEN_BACK = "The loop has fallen back; why, those see who may read all of the twin."

OLD: Time = 30 * MINUTE
"""A forecast older than that is none any more."""


def view(seen: Twin, hours: float, speed: float, loop: Loop, forks: Forks) -> s.View:
    """Return what *seen* shows of the last *hours* and what is ahead."""
    twin_type, (now, live) = seen.type, moment(seen, loop)
    if _sees_alerts_only(seen):
        return _alerts_only(seen, now, speed if live else 0.0)
    primary = primary_of(seen)
    since = now - round(hours * HOUR)
    fallback = loop.fallback(seen.id)
    known = seen.bank.replica(seen.id).start is not None
    may_all = seen.may("read", "*")
    told = outcome_facts(seen, primary, now) if may_all else []
    asked = forks.of(seen) if known and fallback is None and seen.may("fork", "*") else {}
    return s.View(
        twin=seen.id, label=label(seen.id), type=twin_type.name, eventful=twin_type.eventful, now=now,
        speed=speed if live else 0.0,
        signals={n: signal_view(twin_type, n, n == primary) for n in twin_type.signals if seen.may("read", n)},
        levers={n: lever_view(p, n) for n, p in twin_type.levers.items() if seen.may("read", n)},
        metrics={n: metric_view(n, m) for n, m in shown_metrics(twin_type, primary).items()},
        readings={n: readings(seen, n, since, now) for n in _drawn(twin_type, primary) if seen.may("read", n)},
        actions={n: actions(seen, n, since, now) for n in twin_type.levers if seen.may("read", n)},
        forecast=forecast_view(seen, primary, now, live) if known and fallback is None else None,
        forks=fork_views(seen, primary, asked, now),
        proposals=[proposal_view(p, seen) for p in shown_proposals(seen)] if may_all else [],
        alerts=alert_views(seen), withheld=withheld(seen),
        scores=scores(seen, primary, told), past_forecasts=past_forecasts(told, since),
        fallback=fallback if may_all or fallback is None else FALLEN_BACK,
    )  # fmt: skip


def _sees_alerts_only(seen: Twin) -> bool:
    return seen.may("read", ALERTS) and not any(seen.may("read", name) for name in seen.type.signals)


def _alerts_only(seen: Twin, now: Time, speed: float) -> s.View:
    """Return the view of one who may see the twin's alerts and nothing else, such as a school nurse."""
    return s.View(
        twin=seen.id, label=label(seen.id), type=seen.type.name, eventful=seen.type.eventful, now=now, speed=speed,
        signals={}, levers={}, metrics={}, readings={}, actions={}, forecast=None, forks=[], proposals=[],
        alerts=alert_views(seen), scores=[], past_forecasts=[], withheld=withheld(seen), fallback=None,
    )  # fmt: skip


def withheld(seen: Twin) -> list[s.Part]:
    """Return what stands empty because this actor may not see it, and not because there is nothing."""
    rights: dict[s.Part, tuple[str, str]] = {
        "alerts": ("read", ALERTS), "proposals": ("read", ALL), "forks": ("fork", ALL), "scores": ("read", ALL)
    }  # fmt: skip
    return [part for part, right in rights.items() if not seen.may(*right)]


def _drawn(twin_type: TwinType, primary: str) -> list[str]:
    """Return the signals whose readings are shown: all, but of a service with its many gauges those that are watched."""
    return [name for name in twin_type.signals if not twin_type.eventful or name in (primary, *twin_type.band)]


def summary(seen: Twin, loop: Loop) -> s.TwinSummary:
    """Return the twin in one line; also to one who may see nothing but alerts, or her own journey through a service."""
    now, _ = moment(seen, loop)
    guest = not any(seen.may("read", name) for name in seen.type.signals)
    last = [] if guest else readings(seen, primary_of(seen), now - DAY, now)
    may_all = seen.may("read", "*")
    waiting = sum(p.status == "open" for p in seen.proposals()) if may_all else 0
    active = sum(alert.active for alert in alert_views(seen))
    return s.TwinSummary(
        id=seen.id, type=seen.type.name, label=label(seen.id), now=now, latest=last[-1] if last else None,
        open_proposals=waiting, alerts=active,
    )  # fmt: skip


def label(id: str) -> str:
    """Return what to call a twin."""
    return id[:1].upper() + id[1:]


def primary_of(seen: Twin) -> str:
    """Return the signal on the axis: the first that has a target range, of those that may be read."""
    signals = [*seen.type.band, *seen.type.signals]
    found = next((name for name in signals if seen.may("read", name)), None)
    if found is None:
        seen.readings(signals[0])  # raises, with the reason
        raise NotFound(f"{seen.id} has no signal")
    return found


def moment(seen: Twin, loop: Loop) -> tuple[Time, bool]:
    """Return when the twin is shown, and whether that moves on: now, or if it is at rest at its last reading."""
    now, last = seen.bank.now(), seen.bank.replica(seen.id).last
    if last is None or loop.attends(seen.id) or now - last < RESTING:
        return now, True
    return last, False


def signal_view(twin_type: TwinType, name: str, primary: bool) -> s.SignalView:
    """Return how to show a signal."""
    port: Signal = twin_type.signals[name]
    return s.SignalView(
        unit=port.unit, label=port.label or name, low=port.low, high=port.high, band=twin_type.band.get(name),
        primary=primary, cadence=port.cadence, decimals=0 if port.high >= 20 else 1,
    )  # fmt: skip


def lever_view(lever: Lever, name: str) -> s.LeverView:
    """Return how to show a lever."""
    return s.LeverView(unit=lever.unit, label=lever.label or name, holds=lever.holds)


def readings(seen: Twin, signal: str, since: Time, now: Time) -> list[s.Point]:
    """Return what the sensor read."""
    return [(reading.at, reading.value) for reading in seen.readings(signal, since, now + 1)]


def actions(seen: Twin, lever: str, since: Time, now: Time) -> list[s.Point]:
    """Return what a lever did; of a held rate also the last one before."""
    doses = [
        (dose.at, float(dose.amount)) for dose in seen.bank.replica(seen.id).plan(until=now + 1) if dose.lever == lever
    ]
    first = bisect_right(doses, (since,))
    return doses[max(first - 1, 0) :] if seen.type.levers[lever].holds else doses[first:]


def forecast_view(seen: Twin, signal: str, now: Time, live: bool) -> s.ForecastView | None:
    """Return the last forecast on record, or of a twin at rest one made for this look."""
    found = _last_forecast(seen, signal, now) if live else _fresh_forecast(seen, signal, now)
    if found is None:
        return None
    seq, forecast = found
    body = forecast.body()
    return s.ForecastView(
        seq=seq, made_at=forecast.made_at, signal=signal, unit=forecast.unit, at=body["at"], quantiles=body["quantiles"]
    )


def _last_forecast(seen: Twin, signal: str, now: Time) -> tuple[int, Forecast] | None:
    for fact in seen.bank.thread.read(seen.id, kinds=["forecast/1"], reverse=True, limit=8):
        if fact.body["signal"] == signal and now - fact.true_at <= OLD:
            return fact.seq, Forecast.from_body(fact.body)
    return None


def _fresh_forecast(seen: Twin, signal: str, now: Time) -> tuple[int, Forecast] | None:
    evidence = seen.bank.evidence(seen.id)
    return (evidence[0], seen.forecast(signal, 2.0, now)) if evidence else None


def shown_proposals(seen: Twin) -> Sequence[Proposal]:
    """Return the latest proposals, newest first."""
    return list(reversed(seen.proposals()[-PROPOSALS:]))


def proposal_view(proposal: Proposal, seen: Twin) -> s.Proposal:
    """Return a proposal as it stands; what it says of other signals only to those who may read the whole twin."""
    whole, open_ = seen.may("read", ALL), proposal.status == "open"
    first = next(iter(proposal.intervention.doses), None)
    action = None if first is None else s.ActionView(
        lever=first.lever, amount=float(first.amount), unit=seen.type.levers[first.lever].unit, at=first.at
    )  # fmt: skip
    by = f"{proposal.status} by {proposal.decided_by}" if proposal.decided_by else ""
    reason = ": ".join(
        part for part in (by if proposal.status in ("approved", "rejected") else "", proposal.reason) if part
    )
    return s.Proposal(
        seq=proposal.seq, agent=proposal.by.removeprefix("agent:"), made_at=proposal.made_at,
        title=proposal.intervention.title, why=proposal.why if whole else "", action=action,
        expected=proposal.intervention.expected if whole else "",
        status=s.Status(proposal.status), reason=reason or None, expires_at=proposal.expires_at,
        may_decide=open_ and may_decide(seen, proposal), advice=proposal.advice,
        deciders=list(deciders(seen, proposal)) if open_ and whole else [],
    )  # fmt: skip


def alert_views(seen: Twin) -> list[s.AlertView]:
    """Return the alerts as they stand, to those who may read them."""
    if not seen.may("read", ALERTS):
        return []
    told = seen.bank.told(seen.id)
    return [_alert_view(fact, told) for fact in seen.bank.alerts(seen.id)]


def _alert_view(fact: Fact, told: Told) -> s.AlertView:
    body, heard = fact.body, told.acknowledged.get(fact.seq)
    return s.AlertView(
        seq=fact.seq, at=fact.true_at, severity=body["severity"], text=_sentence(str(body["text"])), active=body["active"],
        acknowledged_by="" if heard is None else heard.by, note="" if heard is None else str(heard.body["note"]),
    )  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def outcome_facts(seen: Twin, signal: str, now: Time) -> list[Fact]:
    """Return how forecasts of the last day came true."""
    facts = seen.bank.thread.read(seen.id, kinds=["outcome/1"], true_from=now - DAY, true_until=now + 1)
    return [fact for fact in facts if "horizons" in fact.body and fact.body["signal"] == signal]


def scores(seen: Twin, signal: str, told: Sequence[Fact]) -> list[s.Score]:
    """Return, per horizon, how well forecasts came true, beside saying that the last reading stays."""
    read = readings(seen, signal, min((f.true_at for f in told), default=0) - 4 * HOUR, seen.bank.now())
    origins = {int(row["made_at"]) for fact in told for row in fact.body["horizons"]}
    found = outcomes.summary(told, {at: value for at in origins if (value := _held(read, at)) is not None})
    return [s.Score(**_finite(row)) for row in found if np.isfinite(row["hold_rmse"])]  # type: ignore[arg-type]  # its names


def _finite(row: Mapping[str, float]) -> dict[str, float]:
    """Return a row without what is no number: relative errors of readings of zero."""
    return {name: value for name, value in row.items() if np.isfinite(value)}


def _held(read: Sequence[s.Point], at: Time) -> float | None:
    """Return the last reading at a time, if it was fresh."""
    i = bisect_right(read, at, key=lambda point: point[0]) - 1
    return read[i][1] if i >= 0 and at - read[i][0] <= 15 * MINUTE else None


def past_forecasts(told: Sequence[Fact], since: Time) -> list[s.PastForecast]:
    """Return what was said of each moment since, and what happened."""
    return [
        s.PastForecast(
            made_at=row["made_at"], at=fact.true_at, median=row["median"], low80=row["low80"], high80=row["high80"],
            happened=fact.body["happened"],
        )
        for fact in told if fact.true_at >= since for row in fact.body["horizons"]
    ]  # fmt: skip
