"""One plain sentence for a fact of any kind, with the labels and units of the twin's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gemel.errors import NotFound
from gemel.facts import HOUR, MINUTE, Fact, iso
from gemel.intervention import Forecast
from gemel.twintype import TwinType

Body = Mapping[str, Any]


def sentence(fact: Fact, twin_type: TwinType) -> str:
    """Return what *fact* says."""
    tell = _TELL.get(fact.kind)
    return tell(fact, twin_type) if tell else fact.kind.split("/")[0].capitalize()


def _label(twin_type: TwinType, name: object) -> str:
    try:
        return twin_type.port(str(name)).label or str(name)
    except NotFound:
        return str(name)


def _read(fact: Fact, twin_type: TwinType) -> str:
    body = fact.body
    return f"{_label(twin_type, body['name'])} {body['value']:g} {body['unit']}"


def _retracted(fact: Fact, twin_type: TwinType) -> str:
    return f"{_label(twin_type, fact.body['name'])}: a record was taken back"


def _forecast(fact: Fact, twin_type: TwinType) -> str:
    forecast = Forecast.from_body(fact.body)
    last = len(forecast.at) - 1
    ahead = [i for i, at in enumerate(forecast.at) if at - forecast.made_at == HOUR]
    spans = [_span(forecast, i) for i in dict.fromkeys([*ahead[:1], last])]
    return f"{_label(twin_type, forecast.signal)} expected: {'; '.join(spans)} {forecast.unit}"


def _span(forecast: Forecast, i: int) -> str:
    low, mid, high = (forecast.at_level(level)[i] for level in (0.1, 0.5, 0.9))
    hours = (forecast.at[i] - forecast.made_at) / HOUR
    return f"{mid:.0f} in {hours:g} h (80 %: {low:.0f} to {high:.0f})"


def _proposed(fact: Fact, _: TwinType) -> str:
    return f"{fact.by} proposed {fact.body['intervention']['title']}: {fact.body['why']}"


def _decided(fact: Fact, _: TwinType) -> str:
    reason = f": {fact.body['reason']}" if fact.body.get("reason") else ""
    return f"{str(fact.body['verdict']).capitalize()} by {fact.by}{reason}"


def _outcome(fact: Fact, twin_type: TwinType) -> str:
    body = fact.body
    label, unit = _label(twin_type, body["signal"]), twin_type.port(str(body["signal"])).unit
    if "proposal" not in body:
        said = ", ".join(f"{row['median']:.0f} said {row['horizon']} min before" for row in body["horizons"])
        return f"{label} came out at {body['happened']:.0f} {unit}; {said}"
    low, high = body["difference_80"]
    return (
        f"{label} averaged {body['happened']:.0f} {unit} over {body['hours']:g} h; without the action "
        f"{body['nothing_done']:.0f}, so it changed by {body['difference']:+.0f} (80 %: {low:+.0f} to {high:+.0f})"
    )


def _granted(fact: Fact, _: TwinType) -> str:
    body = fact.body
    signals = "everything" if "*" in body["signals"] else ", ".join(body["signals"])
    return f"{body['to']} may {', '.join(body['verbs'])} {signals} for {body['purpose']}"


def _entrusted(fact: Fact, _: TwinType) -> str:
    body = fact.body
    since = "" if body.get("from") is None else f" from {iso(body['from'])}"
    until = "" if body.get("until") is None else f" until {iso(body['until'])}"
    alone = ", alone" if body["role"] == "self" else ""
    return f"{body['to']} holds the keys as {body['role']}{since}{until}{alone}"


def _accessed(fact: Fact, _: TwinType) -> str:
    return str(fact.body["reason"])


def _because(fact: Fact) -> str:
    return f": {fact.body['why']}" if fact.body["why"] else ""


def _version(kind: Body) -> str:
    return f"{kind['name']} {str(kind['hash'])[:12]}"


def _retyped(fact: Fact) -> str:
    if "rolls_back" in fact.body:
        return f"Rolled back: no longer {_version(fact.body['from'])}{_because(fact)}"
    return f"Retyped from {_version(fact.body['from'])} to {_version(fact.body['to'])}{_because(fact)}"


def _happened(fact: Fact, _: TwinType) -> str:
    body = fact.body
    by = f" by {body['resource']}" if body["resource"] else ""
    what = f" {body['activity']}" if body["activity"] else ""
    return f"{body['case'] or body['name']}:{what} {body['phase']}{by}"


def _chosen(fact: Fact, _: TwinType) -> str:
    chosen = fact.body["chosen"]
    what = chosen["title"] if isinstance(chosen, Mapping) else chosen or "nothing"
    by = "chance" if fact.body["held_out"] else fact.by
    return f"{by} chose {what} of {len(fact.body['options'])}, which had a chance of {fact.body['propensity']:.0%}"


def _alerting(fact: Fact, _: TwinType) -> str:
    rule, active = fact.body["rule"], bool(fact.body["active"])
    changed = "Changed: " if "replaces" in fact.body else ""
    what = "any alert" if list(rule["names"]) == ["*"] else f"alerts called {', '.join(rule['names'])}"
    after = f" after {rule['after'] // MINUTE} min in which nobody took care of it" if rule["after"] else ""
    return (
        f"{changed}{rule['to']} is {'' if active else 'no longer '}told of {what}, {rule['severity']} or worse{after}"
    )


def _planned(body: Body) -> str:
    parts = [*body["settings"], *(f"what is said of {section}" for section in body["notes"])]
    return ", ".join(parts) + (f", because {body['why']}" if body["why"] else "")


def _searched(fact: Fact, _: TwinType) -> str:
    body = fact.body
    best, aims = sum(bool(one["on_frontier"]) for one in body["tried"]), ", ".join(body["aims"])
    return (
        f"{fact.by} tried {body['designs']} designs over {body['days']} days: {best} that none beats in all of {aims}"
    )


_TELL: Mapping[str, Callable[[Fact, TwinType], str]] = {
    "observed/1": _read,
    "acted/1": _read,
    "happened/1": _happened,
    "retracted/1": _retracted,
    "forecast/1": _forecast,
    "chosen/1": _chosen,
    "searched/1": _searched,
    "proposed/1": _proposed,
    "decided/1": _decided,
    "sent/1": lambda fact, _: f"Sent to {fact.body['sink']}",
    "delivered/1": lambda fact, _: f"Delivered to {fact.body['sink']}",
    "failed/1": lambda fact, _: f"Not done: {fact.body['reason']}",
    "outcome/1": _outcome,
    "alerting/1": _alerting,
    "plan_proposed/1": lambda fact, _: f"{fact.by} proposes to change the care plan: {_planned(fact.body)}",
    "plan_decided/1": lambda fact, _: f"{fact.by} {fact.body['verdict']} change {fact.body['change']} of the care plan",
    "reviewed/1": lambda fact, _: (
        f"{fact.by} looked at {iso(fact.body['since'])} to {iso(fact.body['until'])}: {fact.body['text']}"
    ),
    "notified/1": lambda fact, _: (
        f"{fact.body['to']} was told: {fact.body['text']}{' (over)' if fact.body['over'] else ''}"
    ),
    "reach_asked/1": lambda fact, _: f"{fact.by} asks to be told of alerts by {fact.body['kind']}",
    "reach_confirmed/1": lambda fact, _: f"{fact.by} said the code that came: that way holds",
    "reach_ended/1": lambda fact, _: "Nobody is reached in that way any more",
    "pushed/1": lambda fact, _: (
        f"{fact.body['to']} was {'' if fact.body['outcome'] == 'delivered' else 'not '}reached by {fact.body['kind']}"
    ),
    "acknowledged/1": lambda fact, _: (
        f"{fact.by} takes care of it{': ' if fact.body['note'] else ''}{fact.body['note']}"
    ),
    "alert/1": lambda fact, _: f"{fact.body['text']}{'' if fact.body['active'] else ' (over)'}",
    "granted/1": _granted,
    "entrusted/1": _entrusted,
    "dismissed/1": lambda fact, _: f"{fact.body['holder']} does not hold the keys any more",
    "broke_glass/1": lambda fact, _: (
        f"{fact.by} broke the glass until {iso(fact.body['until'])}: {fact.body['reason']}"
    ),
    "studied/1": lambda fact, _: f"{fact.by} let {fact.body['twin']} learn from this twin",
    "marked/1": lambda fact, _: f"{fact.body['model']} is not used any more: {fact.body['why']}",
    "revoked/1": lambda fact, _: f"Grant {fact.body['grant']} taken back",
    "named/1": lambda fact, _: f"Version {fact.body['name']!r} named{_because(fact)}",
    "forked/1": lambda fact, _: f"Fork {fact.body['name']!r} kept: {fact.body['scenario'] or 'as usual'}",
    "unforked/1": lambda fact, _: f"Fork {fact.body['name']!r} dropped",
    "rehearsed/1": lambda fact, _: f"Tried as {_version(fact.body['to'])} on a copy",
    "retyped/1": lambda fact, _: _retyped(fact),
    "defined/1": lambda fact, _: f"What {_version(fact.body)} is made of",
    "created/1": lambda fact, _: f"Twin of type {fact.body['type']} made; {fact.body['holder']} holds its keys",
    "accessed/1": _accessed,
}
