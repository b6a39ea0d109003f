"""The house: its floors, its clock, its files; what the design says of the source itself."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/gemel"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "static" not in path.parts)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

LONGEST = 450
"""Lines of the longest file that may be in src."""
ONE_FILE = "src/gemel/thread/standalone/verify.py"
"""What may be longer: strangers run it on its own."""

UPSTAIRS = ("loop", "server", "packs", "testing", "cli")
"""Where a clock may be read: the loop, and the adapters above it."""

ALLOWED = {
    ("gemel.bank.bank.wall_clock", "time.time_ns"): "the named default of Bank's clock; callers may pass another",
    ("gemel.thread.codec.nonces", "os.urandom"): "a nonce must not be foreseeable, nor repeat when a run does",
}
"""What looks like an ambient clock or generator below the loop and is none, by function and call, with the reason."""

CLOCKS = re.compile(
    r"(time\.(time|monotonic|perf_counter|process_time|localtime|gmtime)(_ns)?"
    r"|(datetime\.)?datetime\.(now|utcnow|today)|(datetime\.)?date\.today)"
)
CHANCE = re.compile(r"(random\.\w+|(np|numpy)\.random\.\w+|secrets\.\w+|os\.urandom|uuid\.uuid[14])")
KEYED = re.compile(r"(np|numpy)\.random\.(default_rng|SeedSequence|Generator|Philox)")

HOSTS = [f"{name}.{end}" for name, end in (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"), ("conda", "io"),
    ("anaconda", "org"), ("unpkg", "com"), ("jsdelivr", "net"), ("proxy.golang", "org"),
)]  # fmt: skip


def module_of(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the contract of pyproject.toml on the package `gemel` under *root*."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    alone = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=alone)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package."""
    shutil.copytree(SOURCE, tmp_path / "gemel", ignore=shutil.ignore_patterns("static", "__pycache__"))
    return tmp_path


def test_imports_point_down_only() -> None:
    """The floors of DESIGN §2 hold."""
    done = lint_imports(SOURCE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_import_that_points_up_is_found(copy: Path) -> None:
    """A violation planted on the ground floor is named by the contract."""
    facts = copy / "gemel/facts.py"
    facts.write_text(facts.read_text() + "\nfrom gemel.bank import Bank as Bank\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gemel.facts is not allowed to import gemel.bank" in " ".join(done.stdout.split())


def test_siblings_do_not_import_each_other(copy: Path) -> None:
    """A violation planted between two siblings is named too."""
    streams = copy / "gemel/streams/report.py"
    streams.write_text(streams.read_text() + "\nfrom gemel.thread import Thread as Thread\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gemel.streams is not allowed to import gemel.thread" in " ".join(done.stdout.split())


def test_a_module_without_a_floor_is_found(copy: Path) -> None:
    """The contract is exhaustive: a new folder must be given its floor."""
    (copy / "gemel/somewhere.py").write_text('"""Nowhere."""\n')
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "somewhere" in done.stdout + done.stderr


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (enclosing function or class, dotted name) of every attribute or name that is used, aliases resolved."""
    alias = dict(aliases(tree))

    def walk(node: ast.AST, inside: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from walk(child, f"{inside}.{child.name}" if inside else child.name)
                continue
            named = dotted(child)
            if named:
                first, _, rest = named.partition(".")
                full = ".".join(part for part in (alias.get(first, first), rest) if part)
                if first in alias:
                    yield inside, full
            else:
                yield from walk(child, inside)

    yield from walk(tree, "")


def aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the local name and the full name of all that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.asname or name.name.split(".")[0], name.name if name.asname else name.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield name.asname or name.name, f"{node.module}.{name.name}"


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def ambient(source: str, module: str) -> list[tuple[str, str]]:
    """Return every use of an ambient clock or generator: (function, what is used)."""
    tree = ast.parse(source)
    used = [(f"{module}.{inside}".rstrip("."), name) for inside, name in calls(tree)]
    empty = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and not n.args and not n.keywords]
    bare = {dotted(call.func) for call in empty if dotted(call.func).endswith("default_rng")}
    found = [u for u in used if CLOCKS.fullmatch(u[1]) or (CHANCE.fullmatch(u[1]) and not KEYED.fullmatch(u[1]))]
    return found + [(module, f"{name}() without a key") for name in sorted(bare)]


def test_nothing_below_the_loop_reads_the_clock_or_draws_at_random() -> None:
    """`rng`, `now` and `by` are arguments; the few named exceptions have a reason."""
    below = [path for path in MODULES if path.relative_to(SOURCE).with_suffix("").parts[0] not in UPSTAIRS]
    found = [use for path in below for use in ambient(path.read_text(), module_of(path))]
    assert [use for use in found if use not in ALLOWED] == []


def test_every_exception_is_still_needed() -> None:
    """An exception that nothing uses any more is taken back."""
    found = {use for path in MODULES for use in ambient(path.read_text(), module_of(path))}
    assert sorted(set(ALLOWED) - found) == []


@pytest.mark.parametrize(
    "line",
    [
        "import time; time.time()", "from time import time_ns; time_ns()", "import time as t; default = t.time",
        "from datetime import datetime; datetime.now()", "import datetime; datetime.datetime.now()",
        "import random; random.random()", "import numpy as np; np.random.normal()",
        "import numpy as np; np.random.default_rng()", "import uuid; uuid.uuid4()", "import os; os.urandom(3)",
    ],
)  # fmt: skip
def test_the_scan_sees_what_it_is_for(line: str) -> None:
    """A clock or generator is found under any name."""
    assert ambient(f"def f():\n    {line}\n", "m") != []


def test_a_keyed_generator_is_no_ambient_one() -> None:
    """Draws keyed by seed, twin and time are how noise is made."""
    assert ambient("import numpy as np\nrng = np.random.default_rng([1, 2])\n", "m") == []


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module begins with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path.relative_to(ROOT)} has no docstring"


def test_no_file_is_long() -> None:
    """When a file grows, look for the noun it hides."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name for name, length in lengths.items() if length > LONGEST} <= {ONE_FILE}


def tracked() -> list[Path]:
    """Return the files under version control, or skip."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the machine's business."""
    found = [
        (str(path.relative_to(ROOT)), host) for path in tracked() for host in HOSTS
        if host in path.read_bytes().decode("utf-8", "ignore")
    ]  # fmt: skip
    assert found == []


def test_constraints_hold_versions_only() -> None:
    """Every line is name==version or a comment."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line)] == []


def test_constraints_cover_what_is_asked_for() -> None:
    """Every dependency of pyproject.toml, for users and for developers, has its version."""
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=!~\[; ]", one)[0].lower().replace("_", "-") for one in asked}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    held = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert sorted(names - held) == []


def test_reading_units_leaves_nothing_behind_that_another_installation_could_stumble_on(tmp_path: Path) -> None:
    """Pint's own cache names the files of the installation that wrote it; once that was removed, no other one started."""
    there = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    asked = [sys.executable, "-c", "from gemel.units import factor; print(factor('h', 'min'))"]
    done = subprocess.run(asked, env=there, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "60.0"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_changelog_begins_with_this_version() -> None:
    """pyproject.toml and CHANGELOG.md agree."""
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


def test_warnings_are_errors_and_xfail_is_strict() -> None:
    """A test that should fail and passes is an error; so is a warning, unless it is named."""
    options = PROJECT["tool"]["pytest"]["ini_options"]
    assert options["xfail_strict"] is True
    assert options["filterwarnings"][0] == "error"


def test_typing_is_strict_and_shipped() -> None:
    """mypy is strict, and users get the types."""
    assert PROJECT["tool"]["mypy"]["strict"] is True
    assert (SOURCE / "py.typed").exists()


def test_every_recipe_says_what_it_does() -> None:
    """`make help` lists each target that a person may name."""
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert phony == set(re.findall(r"^([a-z]+):.*## \S", text, re.MULTILINE))
