"""The door: one app, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys

import typer

from gemel.cli import data, seeing, serving, trying
from gemel.cli.console import told
from gemel.errors import GemelError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Live digital twins of people and of the services around them. Not a medical device.",
)  # fmt: skip

for module in (data, seeing, trying, serving):
    module.register(app)


def main() -> None:
    """Run the command line; no traceback reaches a user."""
    try:
        app()
    except GemelError as error:
        told.print(f"gemel: {error}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        told.print("gemel: stopped")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (OSError, MemoryError) as error:
        told.print(f"gemel: the environment failed: {error}", style="red", markup=False, highlight=False)
        sys.exit(3)
