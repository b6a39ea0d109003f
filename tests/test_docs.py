"""The docs: their code runs, their commands exist, their links lead somewhere, and nothing users meet is left out.

A Python block may say, after its language: `skip="reason"`; or `from="examples/lily.py"`, and then stands in that file
line for line. The blocks of a page run in order, in one namespace, in an empty folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROMISED = {"import", "forecast", "compare", "backtest", "report", "why", "verify", "serve", "demo"}
WAITING = pytest.mark.skipif(importlib.util.find_spec("gemel.cli") is None, reason="there is no gemel.cli yet")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else its first line says, its text, and where it stands."""

    language: str
    options: dict[str, str]
    text: str
    line: int


def name_of(page: Path) -> str:
    """Return the path of a page from the root."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "fence" and token.map:
            language, *rest = shlex.split(token.info) or [""]
            options = dict(one.split("=", 1) if "=" in one else (one, "") for one in rest)
            yield Block(language, options, token.content, token.map[0] + 2)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_on_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the docs does what a reader would have it do."""
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__docs__"}
    for block in blocks(page):
        if block.language == "python" and not block.options:
            padded = "\n" * (block.line - 1) + block.text
            exec(compile(padded, str(page), "exec"), space)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_that_does_not_run_says_why(page: Path) -> None:
    """The first line of a block says `skip` with a reason, or `from` with a file, or nothing."""
    for block in blocks(page):
        if block.language == "python" and block.options:
            assert len(block.options) == 1, f"{name_of(page)}:{block.line}"
            kind, value = next(iter(block.options.items()))
            assert kind in ("skip", "from"), f"{name_of(page)}:{block.line} says {kind}"
            assert len(value) > 8, f"{name_of(page)}:{block.line} gives no reason"


def quoted() -> list[Any]:
    """Return each block that is taken from a file."""
    found = [(page, block) for page in PAGES for block in blocks(page) if "from" in block.options]
    return [pytest.param(block, id=f"{name_of(page)}:{block.options['from']}") for page, block in found]


@pytest.mark.parametrize("block", quoted())
def test_a_quoted_example_is_the_file_that_runs(block: Block) -> None:
    """Every line of the block stands in the example, in this order; tests/ run the example itself."""
    example = ROOT / block.options["from"]
    if not example.exists():
        pytest.skip(f"{block.options['from']} is not written yet")
    there = iter(plain(example.read_text()))
    missing = [line for line in plain(block.text) if line not in there]
    assert missing == []


def plain(text: str) -> list[str]:
    """Return lines without indentation, comments at their end, and empty lines."""
    bare = (re.sub(r"\s+# .*$", "", line).strip() for line in text.splitlines())
    return [line for line in bare if line and not line.startswith("#")]


def commands() -> Any:
    """Return the command line as click knows it."""
    import typer

    return typer.main.get_command(importlib.import_module("gemel.cli.main").app)


def shown() -> Iterator[tuple[str, list[str]]]:
    """Yield (where, words) of every `gemel …` line in the docs' shell blocks, continuations joined."""
    for page in PAGES:
        for block in blocks(page):
            if block.language in ("sh", "shell", "bash", "console"):
                for line in block.text.replace("\\\n", " ").splitlines():
                    if line.removeprefix("$ ").startswith("gemel "):
                        yield f"{name_of(page)}:{block.line}", shlex.split(line.removeprefix("$ "), comments=True)


@WAITING
def test_every_command_shown_exists_with_its_options() -> None:
    """What the docs tell people to type is what the program takes."""
    root = commands()
    wrong = [f"{where}: {problem}" for where, words in shown() for problem in strange(root, words[1:])]
    assert wrong == []


def strange(root: Any, words: list[str]) -> Iterator[str]:
    """Yield what of a command line the program does not know."""
    command, known = root, options_of(root)
    for word in words:
        if word.startswith("-"):
            if word.split("=")[0] not in known:
                yield f"no option {word} in gemel {command.name}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                yield f"no command {word}"
                return
            command = command.commands[word]
            known |= options_of(command)


def options_of(command: Any) -> set[str]:
    """Return the options of one command."""
    return {"--help"} | {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


@WAITING
def test_every_command_is_documented() -> None:
    """`gemel NAME` stands on the page of commands for each command there is and no other; those promised are there."""
    names = {name for name, command in commands().commands.items() if not command.hidden}
    told = set(re.findall(r"`gemel ([\w-]+)", (ROOT / "docs/commands.md").read_text()))
    assert told == names
    assert set(re.findall(r"`gemel ([\w-]+)", (ROOT / "README.md").read_text())) <= names
    assert names >= PROMISED


@WAITING
def test_every_option_is_documented() -> None:
    """Each option of each command stands on the page of commands."""
    page = (ROOT / "docs/commands.md").read_text()
    named = {
        (name, option) for name, command in commands().commands.items() if not command.hidden
        for option in options_of(command) if option.startswith("--")
    }  # fmt: skip
    assert sorted((name, option) for name, option in named if not re.search(rf"{option}(?![\w-])", page)) == []


def test_every_variable_is_documented() -> None:
    """Each GEMEL_… variable that the source or the tests read is explained."""
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").glob("*.py"), *(ROOT / "bench").glob("*.py")]
    read = {name for path in sources for name in re.findall(r"[\"'](GEMEL_[A-Z_]+)[\"']", path.read_text())}
    page = (ROOT / "docs/commands.md").read_text()
    assert sorted(name for name in read if f"`{name}`" not in page) == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    tokens = MarkdownIt().parse(page.read_text())
    heads = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def links(page: Path) -> Iterator[str]:
    """Yield where links and pictures of a page lead."""
    for token in MarkdownIt().parse(page.read_text()):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings that a page points to exist; the page's screenshot may still be to come."""
    broken = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert [target for target in broken if target != "docs/images/page.png"] == []


def test_the_site_points_to_no_other_host(tmp_path: Path) -> None:
    """The built pages load nothing from elsewhere."""
    mkdocs = pytest.importorskip("mkdocs.config", reason="pip install mkdocs")
    from mkdocs.commands.build import build

    config = mkdocs.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True)
    build(config)
    pages = list(tmp_path.rglob("*.html"))
    loaded = [
        (page.name, url) for page in pages
        for url in re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"([^\"]+)\"", page.read_text())
    ]  # fmt: skip
    assert pages
    assert [one for one in loaded if "//" in one[1]] == []


def test_the_glossary_has_every_word_of_the_code() -> None:
    """Each public class of the packages that users meet has a line in the glossary."""
    doors = ("facts", "dynamics", "intervention", "twintype", "model", "streams", "thread", "consent", "bank", "loop")
    page = (ROOT / "docs/glossary.md").read_text()
    missing = []
    for door in doors:
        module = importlib.import_module(f"gemel.{door}")
        own = {name: value for name, value in vars(module).items() if isinstance(value, type) and name[0] != "_"}
        words = [name for name, value in own.items() if value.__module__.startswith(module.__name__)]
        missing += [f"{door}.{word}" for word in words if f"`{word}`" not in page]
    assert sorted(missing) == []
