"""A service assessed from its event log: fifteen questions, answered by the data or by people, and one page."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import Actor, Json, progress, say, told
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.packs.service.assess.answers import Answers
    from gemel.packs.service.assess.assessment import Assessment, Verdict
    from gemel.packs.service.assess.evidence import Evidence

LogFile = Annotated[Path, typer.Argument(metavar="LOG", help="An event log: XES, CSV or OCEL 2.0, plain or gzipped.")]
Page = Annotated[Path | None, typer.Option("-o", "--output", help="The page to write.")]
Kept = Annotated[Path | None, typer.Option("--answers", help="Where answers are kept; by default LOG.assess.json.")]
Said = Annotated[list[str] | None, typer.Option("--answer", help="QUESTION=TEXT: an answer; again for each.")]
NoAsk = Annotated[bool, typer.Option("--no-ask", help="Ask nothing, even on a terminal.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="A column map for a CSV file: FIELD=COLUMN, again for each, or a TOML or JSON file."),
]
Zone = Annotated[str | None, typer.Option("--zone", help="Time zone of the service, such as Europe/Stockholm.")]
Promised = Annotated[
    list[str] | None,
    typer.Option("--promise", help="STATION=MINUTES: a promised wait; '*=MINUTES': the whole visit. Again for each."),
]
Price = Annotated[float | None, typer.Option("--hour-cost", min=0, help="What an hour of a customer's waiting costs.")]

SKIP, STOP = "", "stop"


def assess(
    log: LogFile, *, output: Page = None, answers: Kept = None, answer: Said = None, no_ask: NoAsk = False, map_: Map = None,
    zone: Zone = None, promise: Promised = None, hour_cost: Price = None, actor: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Assess a service from its event log, step by step; answers are kept, so that you may stop and go on later."""
    from gemel.packs.service.assess.answers import read_answers
    from gemel.packs.service.assess.assessment import assessed

    _check(log, output)
    kept = answers or log.with_name(log.name + ".assess.json")
    given = _added(read_answers(kept, log.name), kept, dict(_pairs(answer or [], "answer")), actor)
    evidence = _evidence(log, map_ or [], zone, promise or [], hour_cost)
    if not (no_ask or as_json) and sys.stdin.isatty() and told.is_terminal:
        given = _asked(evidence, given, kept, actor)
    found = assessed(evidence, given)
    written = None if output is None else _written(found, output)
    body = {**found.body(), "answers": str(kept), "page": written}
    say(as_json, body, lambda: _summary(found, written, kept))


def _check(log: Path, output: Path | None) -> None:
    if not log.is_file():
        raise BadInput("there is no such file", file=str(log))
    if output is not None and not output.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(output.parent))
    if output is not None and output.is_dir():
        raise BadInput("is a folder; name a file", file=str(output))


def _pairs(texts: list[str], field: str) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, sign, value = text.rpartition("=") if field == "promise" else text.partition("=")
        if not sign or not name or not value.strip():
            raise BadInput(f"{text!r} is not NAME=VALUE", field=field)
        yield name, value.strip()


def promises_of(texts: list[str]) -> dict[str, float]:
    """Return promises in seconds by station."""
    found = {}
    for name, value in _pairs(texts, "promise"):
        try:
            found[name] = 60.0 * float(value)
        except ValueError:
            raise BadInput(f"{value!r} is no number of minutes", field="promise") from None
        if not 0 <= found[name] < float("inf"):
            raise BadInput(f"{value!r} minutes cannot be promised", field="promise")
    return found


def columns_of(texts: list[str]) -> dict[str, Any]:
    """Return which column is what, by files or by FIELD=COLUMN."""
    found: dict[str, Any] = {}
    for text in texts:
        found |= _from_file(Path(text)) if Path(text).is_file() else dict(_pairs([text], "map"))
    return found


def _from_file(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise BadInput(f"is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}", file=str(path)) from None
    if not isinstance(found, dict):
        raise BadInput("a map of columns is a table of FIELD = COLUMN", file=str(path))
    return found


def _evidence(log: Path, map_: list[str], zone: str | None, promise: list[str], hour_cost: float | None) -> Evidence:
    from gemel.packs.service.assess.evidence import evidence_of
    from gemel.packs.service.logs import open_log
    from gemel.streams import clock

    if zone is not None:
        clock.zone(zone)
    promises, columns = promises_of(promise), columns_of(map_)
    with progress() as tell:
        read = open_log(log, map=columns or None, zone=zone, tell=tell)
        return evidence_of(read.log, promises, hour_cost=hour_cost, zone=zone, repairs=tuple(read.repairs), tell=tell)


def _added(given: Answers, kept: Path, said: dict[str, str], actor: str) -> Answers:
    for name, text in said.items():
        given = _keep(given, kept, name, text, actor)
    return given


def _keep(given: Answers, kept: Path, name: str, text: str, actor: str) -> Answers:
    """Return the answers and one more, written down before anything else happens."""
    from gemel.facts import iso
    from gemel.packs.service.assess.answers import Answer, require_writable, write_answers

    more = given.plus(name, Answer(text, actor, iso(_now())))
    require_writable(kept)
    write_answers(kept, more)
    return more


def _asked(evidence: Evidence, given: Answers, kept: Path, actor: str) -> Answers:
    """Ask what is open, one by one, until all is asked or somebody says stop."""
    from gemel.packs.service.assess.answers import require_writable
    from gemel.packs.service.assess.assessment import assessed

    open_ = [one for one in assessed(evidence, given).verdicts if one.state == "open"]
    if open_:
        require_writable(kept)
        told.print(
            f"{len(open_)} questions are open. Enter skips one, {STOP!r} ends; go on later with the same command."
        )
    for place, one in enumerate(open_, 1):
        text = _answer(one, place, len(open_))
        if text == STOP:
            break
        given = given if text == SKIP else _keep(given, kept, one.question.id, text, actor)
    return given


def _answer(one: Verdict, place: int, whole: int) -> str:
    told.print(f"\n{one.question.step} {place}/{whole}: {one.question.text}", style="bold")
    for text in one.finding.said:
        told.print(f"  {text}")
    try:
        return str(typer.prompt(one.question.ask, default=SKIP, show_default=False, err=True)).strip()
    except typer.Abort:
        return STOP


def _now() -> int:
    return round(time.time() * 1000)


def _written(found: Assessment, output: Path) -> str:
    from gemel.packs.service.assess.report import page

    part = output.with_name(output.name + ".part")
    part.write_text(page(found, _now()), encoding="utf-8")
    part.replace(output)
    return str(output)


def _summary(found: Assessment, written: str | None, kept: Path) -> str:
    lines: list[str] = []
    step = ""
    for one in found.verdicts:
        if one.question.step != step:
            step = one.question.step
            lines += ["", step]
        lines.append(f"  {one.question.text} [{one.state}]")
        lines += [f"    {text}" for text in one.finding.said]
        lines += [f"    {one.answer.by}: {one.answer.text}"] if one.answer else []
    open_ = sum(one.state == "open" for one in found.verdicts)
    lines += [
        "",
        f"{len(found.verdicts) - open_} of {len(found.verdicts)} questions answered, {open_} open; answers are kept in {kept}",
    ]
    return "\n".join([*lines[1:], *([f"wrote {written}"] if written else [])])


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(assess)
