"""What may be asked of a twin by name, and documents about it for people and for programs: ask, paper, fhir."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen
from gemel.errors import BadInput, unknown

Tool = Annotated[str | None, typer.Argument(metavar="[TOOL]", help="What to ask; without it, what may be asked.")]
Given = Annotated[
    list[str],
    typer.Option("--with", default_factory=list, help="NAME=VALUE of what the tool takes; VALUE may be JSON."),
]
Which = Annotated[str | None, typer.Argument(metavar="[PAPER]", help="Which; without it, which there are.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write: .html or .pdf.")]
Days = Annotated[float | None, typer.Option("--days", min=0.1, max=366, help="The last how many days it is about.")]
Until = Annotated[str | None, typer.Option("--until", help="Up to when, ISO 8601; by default the last reading.")]
Bundle = Annotated[Path, typer.Option("-o", "--output", help="The JSON file to write.")]
Unit = Annotated[str, typer.Option("--unit", help="The unit of glucose: mg/dL or mmol/L.")]
Zone = Annotated[str, typer.Option("--timezone", help="Time zone of the page, such as Europe/Stockholm.")]


def ask(
    twin: Id, tool: Tool = None, *, given: Given, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Ask one of a twin's tools, as its companion and other programs do; each looks at the twin as you may."""
    from gemel.bank.tools import named, offered

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        found = offered(view.type.name)
        if tool is None:
            lines = [f"{one.name:14} {one.says}" for one in found]
            return say(
                as_json,
                {"tools": [{"name": o.name, "says": o.says, "takes": o.schema()} for o in found]},
                "\n".join(lines),
            )
        answer = dict(named(found, tool).call(view, dict(map(_given, given))))
    return say(as_json, answer, json.dumps(answer, indent=2, default=str))


def _given(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise BadInput(f"{text!r} has no =; write NAME=VALUE", field="with")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def paper(
    twin: Id, name: Which = None, *, output: Output = None, days: Days = None, until: Until = None, timezone: Zone = "UTC",
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a document about a twin, such as its glucose profile or a letter to the clinic, as HTML or PDF."""
    from gemel.bank.catalogue import papers
    from gemel.bank.takeout import exported
    from gemel.bank.tools import pdf
    from gemel.facts import DAY, time_of
    from gemel.streams.clock import zone

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        offered = papers(view.type.name)
        if name is None:
            lines = "\n".join(f"{one.name:14} {one.title}" for one in offered.values())
            return say(as_json, {"papers": {one.name: one.title for one in offered.values()}}, lines or "there is none")
        if name not in offered:
            raise unknown("paper", name, offered)
        if output is None or output.suffix not in (".html", ".pdf"):
            raise BadInput("name a file that ends in .html or .pdf with -o", field="output")
        _folder(output)
        end = time_of(until, what="--until") if until else (bank.replica(twin).last or bank.now()) + 1
        page = offered[name].make(view, end - round((days or offered[name].days) * DAY), end, zone(timezone))
        held = page.encode() if output.suffix == ".html" else pdf(page)
        exported(view, output)
    _put(output, held)
    return say(as_json, {"twin": twin, "paper": name, "file": str(output), "bytes": len(held)}, f"wrote {output}")


def fhir(
    twin: Id, *, output: Bundle, days: Days = 14, until: Until = None, unit: Unit = "mg/dL", timezone: Zone = "UTC",
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Write what you may see of a person with diabetes as a FHIR R4 Bundle: readings, summary, insulin, care plan."""
    import msgspec

    from gemel.bank.takeout import exported
    from gemel.facts import DAY, time_of
    from gemel.packs.diabetes.reports.fhir_out import bundle, left_out
    from gemel.packs.diabetes.reports.look import unit_of
    from gemel.streams.clock import zone

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        _folder(output)
        end = time_of(until, what="--until") if until else (bank.replica(twin).last or bank.now()) + 1
        made = bundle(view, end - round((days or 14) * DAY), end, zone(timezone), unit_of(unit))
        exported(view, output)
    _put(output, msgspec.json.encode(made))
    hidden = left_out(made)
    text = f"wrote {len(made['entry'])} resources to {output}" + "".join(f"\nleft out: {one}" for one in hidden)
    body = {"twin": twin, "file": str(output), "resources": len(made["entry"]), "left_out": hidden}
    return say(as_json, body, text)


def _folder(output: Path) -> None:
    if not output.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(output.parent))


def _put(output: Path, held: bytes) -> None:
    """Write a file whole or not at all."""
    part = output.with_name(output.name + ".part")
    try:
        part.write_bytes(held)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (ask, paper, fhir):
        app.command()(command)
