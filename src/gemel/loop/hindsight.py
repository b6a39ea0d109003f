"""Hindsight: what a twin would have foreseen along its past, from what was known then, and how it came true."""

from __future__ import annotations

from collections.abc import Iterator

from gemel.bank import Bank
from gemel.dynamics import Reading
from gemel.facts import MINUTE, Draft, Fact, Time
from gemel.intervention import Forecast
from gemel.loop import outcomes
from gemel.loop.alarms import STALE_AFTER
from gemel.loop.grounds import grounds

NOTE = "worked out afterwards, from what was known then"


def look_back(bank: Bank, twin: str, since: Time, until: Time, every: Time = 15 * MINUTE) -> int:
    """Write forecasts as of every *every* ms of a loaded past, and their outcomes; return how many forecasts."""
    made = 0
    for signal in bank.type_of(twin).band:
        drafts = list(_forecasts(bank, twin, signal, since, until, every))
        facts = bank.append(drafts).facts
        bank.append(list(_outcomes(bank, twin, signal, facts)))
        made += len(facts)
    return made


def _forecasts(bank: Bank, twin: str, signal: str, since: Time, until: Time, every: Time) -> Iterator[Draft]:
    fresh = STALE_AFTER * bank.type_of(twin).signals[signal].cadence
    for now in range(since, until, every):
        read = [r for r in bank.replica(twin).read(now - int(fresh), now + 1) if r.signal == signal]
        if read:
            forecast = bank.forecast(twin, signal, 2.0, now)
            body = {**forecast.body(), "note": NOTE}
            key = f"hindsight|{signal}|{forecast.made_at}"
            cause = grounds(bank.replica(twin), signal, now)
            yield Draft(twin, "forecast/1", body, forecast.made_at, "loop:hindsight", cause, key=key)


def _outcomes(bank: Bank, twin: str, signal: str, forecasts: tuple[Fact, ...]) -> Iterator[Draft]:
    told = [(fact.seq, Forecast.from_body(fact.body)) for fact in forecasts]
    if not told:
        return
    first, last = told[0][1].made_at, told[-1][1].at[-1]
    for fact in bank.thread.read(twin, kinds=["observed/1"], true_from=first, true_until=last):
        if fact.body["name"] == signal:
            reading = Reading(signal, float(fact.body["value"]), fact.true_at)
            near = [(seq, f) for seq, f in told if f.made_at < reading.at <= f.at[-1] + 3 * MINUTE]
            draft = outcomes.score(near, reading, fact.seq, twin, "loop:hindsight")
            if draft is not None:
                yield draft
