"""Tools: what may be asked of a twin, by a person, a companion or another program, each under the asker's own consent.

A tool is data with a function. Whoever calls it is an actor like any other: the function sees the twin as that actor may, and
refusals come back as refusals. A tool that `changes` something writes or proposes, and never acts: what is done to the asset is
decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from gemel.bank import catalogue
from gemel.bank.aggregate import Aggregate
from gemel.bank.sentence import sentence
from gemel.bank.why import walk
from gemel.errors import BadInput, Unavailable, unknown
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.intervention import Forecast

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

SILENT: Time = HOUR
"""A twin of which nothing was read for so long is asked about as of its last reading, and nothing is proposed for it."""

TREND: Time = 15 * MINUTE
"""How far back a change per minute looks, as the page's arrow does."""

Answer = Mapping[str, Any]
"""What a tool returns: JSON types; every number stands beside its unit or in a field whose name bears it."""


@dataclass(frozen=True)
class Tool:
    """Something to ask of a twin: `takes` is a `msgspec.Struct` with what it needs, `run` gets one of them.

    What is `by_hand` a person settles for themselves; no program is offered it, whoever it works for.
    """

    name: str
    says: str
    takes: type[msgspec.Struct]
    run: Callable[[Twin, Any], Answer]
    changes: bool = False
    by_hand: bool = False

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of what it takes."""
        _, definitions = msgspec.json.schema_components([self.takes], ref_template="#/$defs/{name}")
        own: dict[str, Any] = definitions.pop(self.takes.__name__)
        return {**own, "$defs": definitions} if definitions else own

    def call(self, twin: Twin, given: Mapping[str, Any]) -> Answer:
        """Return the answer to *given* arguments; raise `BadInput` for what it does not take."""
        try:
            asked = msgspec.convert(dict(given), self.takes, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"{error}", field=self.name) from None
        return self.run(twin, asked)


def offered(type_name: str) -> tuple[Tool, ...]:
    """Return the tools of a twin of a type: those of any twin, and what its pack offers beside."""
    return (*GENERAL, *catalogue.tools(type_name))


def named(tools: Sequence[Tool], name: str) -> Tool:
    """Return one of *tools* by its name."""
    found = {tool.name: tool for tool in tools}
    if name not in found:
        raise unknown("tool", name, found)
    return found[name]


Hours = Annotated[float, msgspec.Meta(gt=0, le=48, description="how many hours ahead")]
Back = Annotated[float, msgspec.Meta(gt=0, le=24 * 90, description="how many hours back")]
Name = Annotated[str, msgspec.Meta(max_length=200)]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Takes nothing."""


class OfSignal(msgspec.Struct, forbid_unknown_fields=True):
    """One signal, by default the first that has a range in which it is well."""

    signal: Name | None = None


class Ahead(OfSignal):
    """A signal, and how far ahead."""

    hours: Hours = 2.0


class Past(OfSignal):
    """A signal, how far back, and how many hours ago the stretch ended."""

    hours: Back = 24.0
    ended: Annotated[float, msgspec.Meta(ge=0, le=24 * 90, description="how many hours ago it ended")] = 0.0


class Fact(msgspec.Struct, forbid_unknown_fields=True):
    """One fact, by its number."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class Supposed(OfSignal):
    """Something supposed, by the name of one of the twin's scenarios, with its numbers."""

    scenario: Name = ""
    values: dict[str, float] = {}
    hours: Hours = 3.0


class Advice(msgspec.Struct, forbid_unknown_fields=True):
    """What is proposed, by the name of one of the twin's scenarios, with its numbers, and why."""

    scenario: Name
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    values: dict[str, float] = {}


def signal_of(twin: Twin, name: str | None) -> str:
    """Return the signal asked for, or the twin's first."""
    if name is not None and name not in twin.type.signals:
        raise unknown("signal", name, twin.type.signals)
    return name or next(iter(twin.type.band or twin.type.signals))


def moment(twin: Twin) -> Time:
    """Return when a twin is asked about: now, or of one that has been silent for an hour, its last reading."""
    now, last = twin.bank.now(), twin.bank.replica(twin.id).last
    return now if last is None or now - last < SILENT else last


def _status(twin: Twin, asked: OfSignal) -> Answer:
    name = signal_of(twin, asked.signal)
    now = twin.bank.now()
    read = twin.readings(name, now - HOUR, now + 1)
    if not read:
        return {
            "signal": name,
            "unit": twin.type.signals[name].unit,
            "latest": None,
            "note": "nothing was read in the last hour",
        }
    last, before = read[-1], [one for one in read if read[-1].at - TREND <= one.at < read[-1].at]
    change = None if not before else (last.value - before[0].value) / ((last.at - before[0].at) / MINUTE)
    return {
        "signal": name, "unit": twin.type.signals[name].unit, "latest": round(last.value, 1), "at": last.at,
        "age_min": (now - last.at) // MINUTE, "change_per_min": None if change is None else round(change, 2),
        "band": list(twin.type.band[name]) if name in twin.type.band else None,
    }  # fmt: skip


def _forecast(twin: Twin, asked: Ahead) -> Answer:
    found = twin.forecast(signal_of(twin, asked.signal), asked.hours, moment(twin))
    return {**steps(found), "calibration": found.note}


def steps(found: Forecast) -> dict[str, Any]:
    """Return a forecast every half hour: minutes ahead, median and 80 % interval, and the lowest and highest median."""
    rows = [
        {"min": round((at - found.made_at) / MINUTE), "median": round(float(found.at_level(0.5)[i]), 1),
         "low80": round(float(found.at_level(0.1)[i]), 1), "high80": round(float(found.at_level(0.9)[i]), 1)}
        for i, at in enumerate(found.at) if round((at - found.made_at) / MINUTE) % 30 == 0
    ]  # fmt: skip
    middle = found.at_level(0.5)
    low, high = int(middle.argmin()), int(middle.argmax())
    return {
        "signal": found.signal, "unit": found.unit, "made_at": found.made_at, "steps": rows,
        "lowest": {"median": round(float(middle[low]), 1), "min": round((found.at[low] - found.made_at) / MINUTE)},
        "highest": {"median": round(float(middle[high]), 1), "min": round((found.at[high] - found.made_at) / MINUTE)},
    }  # fmt: skip


def _history(twin: Twin, asked: Past) -> Answer:
    name, until = signal_of(twin, asked.signal), twin.bank.now() + 1 - round(asked.ended * HOUR)
    since = until - 1 - round(asked.hours * HOUR)
    every = HOUR if asked.hours <= 48 else DAY
    found = twin.aggregate(name, since, until, every)
    return {
        **_whole(found),
        "hours": asked.hours,
        "bins": [_bin(one) for one in found.bins],
        **_scored(twin, name, since, until),
    }


def _whole(found: Aggregate) -> dict[str, Any]:
    if not found.count:
        return {"signal": found.signal, "unit": found.unit, "readings": 0}
    mean = sum(one.count * one.mean for one in found.bins) / found.count
    low, high = min(one.min for one in found.bins), max(one.max for one in found.bins)
    return {"signal": found.signal, "unit": found.unit, "readings": found.count, "mean": round(mean, 1),
            "lowest": round(low, 1), "highest": round(high, 1)}  # fmt: skip


def _bin(one: Any) -> dict[str, Any]:
    return {"at": one.at, "mean": round(one.mean, 1), "lowest": round(one.min, 1), "highest": round(one.max, 1)}


def _scored(twin: Twin, signal: str, since: Time, until: Time) -> dict[str, Any]:
    """Return the type's own metrics of that signal over the stretch."""
    values = np.array([one.value for one in twin.readings(signal, since, until)])
    metrics = (
        {name: metric for name, metric in twin.type.metrics.items() if metric.signal == signal} if len(values) else {}
    )
    return {
        "metrics": {
            n: {"value": round(float(m.of(values)), 3), "unit": m.unit, "label": m.label or n}
            for n, m in metrics.items()
        }
    }


def _what_if(twin: Twin, asked: Supposed) -> Answer:
    name = signal_of(twin, asked.signal)
    usual = twin.fork("as usual", moment(twin))
    said = {"usual": steps(usual.forecast(name, asked.hours))}
    if not asked.scenario:
        return {**said, "scenarios": scenarios(twin)}
    supposed = usual.suppose(scenario(twin, asked.scenario, asked.values))
    return {**said, "supposed": {"title": supposed.scenario.name, **steps(supposed.forecast(name, asked.hours))}}


def scenario(twin: Twin, name: str, values: Mapping[str, float]) -> Any:
    """Return one of the type's scenarios, filled in."""
    if name not in twin.type.scenarios:
        raise unknown("scenario", name, twin.type.scenarios)
    return twin.type.scenarios[name].fill(values)


def scenarios(twin: Twin) -> dict[str, Any]:
    """Return what may be supposed, with its fields."""
    return {
        name: {"title": form.title, "fields": {f.name: {"label": f.label, "unit": f.unit, "low": f.low, "high": f.high,
                                                       "default": f.default} for f in form.fields}}
        for name, form in twin.type.scenarios.items()
    }  # fmt: skip


def _why(twin: Twin, asked: Fact) -> Answer:
    return walk(twin, asked.seq).body()


def _alerts(twin: Twin, _: Nothing) -> Answer:
    told = twin.bank.told(twin.id)
    rows = [
        {"alert": fact.seq, "at": fact.true_at, "severity": fact.body["severity"], "text": fact.body["text"],
         "taken_care_of_by": told.acknowledged[fact.seq].by if fact.seq in told.acknowledged else ""}
        for fact in twin.alerts() if fact.body["active"]
    ]  # fmt: skip
    return {"alerts": rows}


def _plan(twin: Twin, _: Nothing) -> Answer:
    plan, ports = twin.plan(), twin.type.settings
    settings = {
        name: {"value": value, "unit": ports[name].unit, "label": ports[name].label}
        for name, value in plan.settings.items()
    }
    return {"settings": settings, "notes": dict(plan.notes), "open_changes": [change.seq for change in plan.open]}


def _proposals(twin: Twin, _: Nothing) -> Answer:
    return {"proposals": [
        {"seq": one.seq, "title": one.intervention.title, "why": one.why, "by": one.by, "status": one.status,
         "reason": one.reason}
        for one in twin.proposals()[-10:]
    ]}  # fmt: skip


def _propose(twin: Twin, asked: Advice) -> Answer:
    if moment(twin) == twin.bank.replica(twin.id).last:
        raise BadInput(f"nothing was read of {twin.id} for an hour: a proposal rests on how it is now")
    fork = twin.fork("as proposed").suppose(scenario(twin, asked.scenario, asked.values))
    made = twin.propose(fork, asked.why)
    return {"proposal": made.seq, "title": made.intervention.title, "status": made.status, "reason": made.reason}


def _told(twin: Twin, asked: Fact) -> Answer:
    fact = twin.why(asked.seq)
    return {"seq": fact.seq, "kind": fact.kind, "at": fact.true_at, "by": fact.by, "text": sentence(fact, twin.type)}


GENERAL = (
    Tool("status", "What a signal reads now, how fast it changes, and its range.", OfSignal, _status),
    Tool("forecast", "What a signal will read, with 80 % intervals, if all goes on as usual.", Ahead, _forecast),
    Tool("history", "How a signal went: mean, lowest, highest by the hour or day, and its metrics.", Past, _history),
    Tool("what_if", "What would come of one of the twin's scenarios, beside what comes as usual; without a scenario, what may be "
         "supposed.", Supposed, _what_if),
    Tool("why", "Why something is so: the causes of a fact, down to readings.", Fact, _why),
    Tool("fact", "What one fact says, in a sentence.", Fact, _told),
    Tool("alerts", "What is the matter now.", Nothing, _alerts),
    Tool("plan", "What the care team has set and agreed on.", Nothing, _plan),
    Tool("proposals", "The latest proposals and what became of them.", Nothing, _proposals),
    Tool("propose", "Propose what a scenario supposes; a guard judges it, and a person decides.", Advice, _propose, changes=True),
)  # fmt: skip
"""What may be asked of any twin."""


@dataclass(frozen=True)
class Paper:
    """A document about a twin, as a pack offers it: `make` returns it as HTML from the twin as its reader may see it.

    `make(twin, since, until, zone)`; the page is whole in itself: no script or picture from elsewhere.
    """

    name: str
    title: str
    make: Callable[[Twin, Time, Time, tzinfo], str]
    days: float = 14.0


def pdf(page: str) -> bytes:
    """Return an HTML page as PDF; needs the extra `pdf`."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except ImportError:
        raise Unavailable("PDF needs the extra pdf: pip install 'gemel[pdf]'; HTML needs nothing") from None
    found: bytes = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf()
    return found


def local(at: Time, zone: tzinfo) -> datetime:
    """Return a moment in a time zone."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
