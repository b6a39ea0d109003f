"""In silico: compare futures, backtest forecasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Json, Purpose, Store, me, opened, progress, say, seen
from gemel.cli.seeing import Id, Signal
from gemel.errors import BadInput

Scenario = Annotated[Path, typer.Option("--scenario", help="A JSON file with metric, hours and scenarios.")]


def compare(twin: Id, scenario: Scenario, store: Store = STORE, actor: Actor = me(), purpose: Purpose = PURPOSE,
            as_json: Json = False) -> None:  # fmt: skip
    """Try scenarios on copies of a twin: paired effect and interval, against the usual day."""
    from gemel.experiment import compare as compared
    from gemel.experiment import scenario_forks

    spec = _spec(scenario)
    with opened(store) as bank, progress() as tell:
        view = seen(bank, twin, actor, purpose)
        now = bank.replica(twin).last
        forks, metric, hours = scenario_forks(view, spec, now)
        tell("comparing", 0, 1)
        found = compared(*forks, metric=metric, hours=hours)
        tell("comparing", 1, 1)
    say(as_json, {"twin": twin, **found.body()}, str(found))


def _spec(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"not JSON: {error}", file=str(path), row=getattr(error, "lineno", None)) from None


def backtest(twins: Annotated[list[str], typer.Argument(metavar="ID…", help="One twin or more.")], signal: Signal = None,
             store: Store = STORE, actor: Actor = me(), purpose: Purpose = PURPOSE, as_json: Json = False) -> None:  # fmt: skip
    """Walk through records causally and score the forecasts next to hold-last-value and ridge-AR."""
    from gemel.experiment import backtest as tested

    with opened(store) as bank, progress() as tell:
        views = [seen(bank, twin, actor, purpose) for twin in dict.fromkeys(twins)]
        name = signal or next(iter(views[0].type.band or views[0].type.signals))
        for view in views:
            view.readings(name)
        others = bank.studied(views[0].type, actor, leave_out=[view.id for view in views])
        found = tested([bank.replica(view.id) for view in views], [bank.replica(other) for other in others], name, tell)
    say(as_json, found, lambda: _table(found))


def _table(found: dict[str, Any]) -> str:
    head = "min      n   RMSE   hold  ridge   twin only   MARD %   CRPS   80 %   95 %"
    rows = []
    for horizon, row in found["horizons"].items():
        base = row["baselines"]
        rows.append(
            f"{horizon:>3} {row['n']:6d} {row['rmse']:6.2f} {base['hold']:6.2f} {base['ridge_ar']:6.2f} {row['twin_only']:11.2f}"
            f" {row['mard']:8.1f} {row['crps']:6.2f} {100 * row['cover80']:6.1f} {100 * row['cover95']:6.1f}"
        )
    return "\n".join([f"{found['signal']} of {', '.join(found['twins'])} [{found['unit']}]", head, *rows])


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (compare, backtest):
        app.command()(command)
