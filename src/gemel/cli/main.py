"""The door: one app, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from gemel.cli import (
    aggregates,
    alerting,
    asking,
    assessing,
    auditing,
    bundles,
    codesigning,
    cohorts,
    consenting,
    data,
    designing,
    discovering,
    eating,
    erasing,
    journeying,
    keeping,
    personalising,
    policies,
    proofs,
    reaching,
    remembering,
    searching,
    seeing,
    serving,
    subject,
    talking,
    teaming,
    threads,
    tokens,
    trying,
    versions,
)
from gemel.cli.console import shown_to_people, told
from gemel.errors import GemelError, Unavailable

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Live digital twins of people and of the services around them. Not a medical device.",
)  # fmt: skip

PANELS = {
    "Records and forecasts": (data, seeing, asking, personalising, aggregates, trying, remembering),
    "Versions": (versions,),
    "Consent": (consenting, policies),
    "Team and alerts": (teaming, alerting, reaching),
    "The subject's side": (subject, erasing),
    "Many twins": (searching, cohorts),
    "Food": (eating,),
    "Companion": (talking,),
    "Services": (assessing, discovering, designing, codesigning, journeying, auditing),
    "Proof, exchange and keeping": (proofs, bundles, keeping, threads),
    "Server": (serving, tokens),
}
"""How `gemel --help` groups commands."""


def _register() -> None:
    for panel, modules in PANELS.items():
        known = len(app.registered_commands), len(app.registered_groups)
        for module in modules:
            module.register(app)
        for command in app.registered_commands[known[0] :]:
            command.rich_help_panel = panel
        for group in app.registered_groups[known[1] :]:
            group.rich_help_panel = panel


_register()

ENVIRONMENT = Unavailable.exit_code


def main() -> None:
    """Run the command line; no traceback reaches a user, unless GEMEL_TRACEBACK asks for it."""
    try:
        with shown_to_people():
            app()
        sys.stdout.flush()
    except GemelError as error:
        _stop(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stop("stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (OSError, MemoryError) as error:
        _stop(f"the environment failed: {error or type(error).__name__}", ENVIRONMENT)
    except Exception as error:
        _stop(
            f"a fault of the program, not yours: {type(error).__name__}: {error}; GEMEL_TRACEBACK=1 says where",
            ENVIRONMENT,
        )


def _stop(text: str, code: int) -> None:
    if os.environ.get("GEMEL_TRACEBACK"):
        traceback.print_exc()
    told.print(f"gemel: {text}", style="red")
    sys.exit(code)
