"""Co-design: the figures that count, weighed by those who are concerned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import Json, say
from gemel.errors import BadInput

Survey = Annotated[
    Path | None, typer.Argument(metavar="SURVEY", help="Answers as CSV or JSON: respondent, role, metric, importance.")
]
Out = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write; by default it is printed.")]
Template = Annotated[bool, typer.Option("--template", help="Write a questionnaire to fill in.")]


def codesign(survey: Survey = None, *, output: Out = None, template: Template = False, as_json: Json = False) -> None:
    """Rank the dashboard's metrics by what customers, staff and managers say, each role equally heard."""
    from gemel.packs.service import codesign as work

    if template == (survey is not None):
        raise BadInput("either a survey or --template is needed", field="survey")
    if output is not None and not output.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(output.parent))
    if survey is None:
        text = work.template()
        said = text.rstrip("\n") if output is None else f"wrote {output}"
        if output is not None:
            output.write_text(text, encoding="utf-8")
        return say(
            as_json, {"template": None if output is None else str(output), "metrics": dict(work.CATALOGUE)}, said
        )
    found = work.ranking(work.read(survey))
    if output is not None:
        output.write_text(json.dumps(_nulls(found.body()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return say(as_json, found.body(), str(found) if output is None else f"{found}\nwrote {output}")


def _nulls(value: object) -> object:
    """Return the value with null for numbers that are not known."""
    if isinstance(value, dict):
        return {key: _nulls(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_nulls(held) for held in value]
    return None if value != value else value


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(codesign)
