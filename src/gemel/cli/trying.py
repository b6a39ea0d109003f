"""In silico: compare futures, backtest forecasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import (
    PURPOSE,
    STORE,
    Actor,
    Id,
    Json,
    Purpose,
    Signal,
    Store,
    opened,
    progress,
    say,
    seen,
    signal_of,
)
from gemel.errors import BadInput, NotFound

if TYPE_CHECKING:
    from gemel.bank import Fork, Twin
    from gemel.facts import Time

Scenario = Annotated[Path, typer.Option("--scenario", help="A JSON file with metric, hours and scenarios.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="One twin or more.")]


def compare(
    twin: Id,
    *,
    scenario: Scenario,
    store: Store = STORE,
    actor: Actor,
    purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:
    """Try scenarios on copies of a twin: paired effect and interval, against the usual day after the last fact."""
    from gemel.experiment import compare as compared

    spec = _spec(scenario)
    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        now = bank.replica(twin).last
        if now is None:
            raise NotFound(f"nothing is known of {twin} yet: import a record or connect a stream")
        tell("comparing", 0, 1)
        forks, metric, hours = _forks(view, spec, now, scenario)
        found = compared(*forks, metric=metric, hours=hours)
        tell("comparing", 1, 1)
    say(as_json, {"twin": twin, "at": forks[0].now, **found.body()}, str(found))


def _spec(path: Path) -> object:
    try:
        spec: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except IsADirectoryError:
        raise BadInput("is a folder; name a file", file=str(path)) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"is not JSON: {error}", file=str(path), row=getattr(error, "lineno", None)) from None
    return spec


def _forks(view: Twin, spec: object, now: Time, path: Path) -> tuple[list[Fork], str, float]:
    from gemel.experiment import scenario_forks

    try:
        return scenario_forks(view, spec, now)
    except BadInput as error:
        raise type(error)(error.problem, file=str(path), field=error.field) from None


def backtest(
    twins: Ids,
    *,
    signal: Signal = None,
    store: Store = STORE,
    actor: Actor,
    purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:
    """Walk through records causally and score the forecasts next to hold-last-value and ridge-AR."""
    from gemel.experiment import backtest as tested

    with opened(store) as bank, progress() as tell:
        views = [seen(bank, twin, actor, purpose) for twin in dict.fromkeys(twins)]
        name = signal_of(views[0], signal)
        for view in views:
            if view.type.name != views[0].type.name:
                raise BadInput(
                    f"{view.id} is a {view.type.name}, {views[0].id} a {views[0].type.name}: test them apart"
                )
            view.readings(name)
        others = bank.studied(views[0].type, actor, leave_out=[view.id for view in views])
        found = tested([bank.replica(view.id) for view in views], [bank.replica(other) for other in others], name, tell)
    say(as_json, found, lambda: _table(found))


def _table(found: dict[str, Any]) -> str:
    head = "min      n   RMSE   hold  ridge   twin only   MARD %   CRPS   80 %   95 %"
    rows = []
    for horizon, row in found["horizons"].items():
        base = row["baselines"]
        errors = f"{row['rmse']:6.2f} {base['hold']:6.2f} {base['ridge_ar']:6.2f} {row['twin_only']:11.2f}"
        held = f"{100 * row['cover80']:6.1f} {100 * row['cover95']:6.1f}"
        rows.append(f"{horizon:>3} {row['n']:6d} {errors} {row['mard']:8.1f} {row['crps']:6.2f} {held}")
    return "\n".join([f"{found['signal']} of {', '.join(found['twins'])} [{found['unit']}]", head, *rows])


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (compare, backtest):
        app.command()(command)
