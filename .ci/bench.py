"""Run every benchmark (or those named), keep what each said in build/bench, and write the table of all into the docs.

python .ci/bench.py [NAME ...] [--facts N]

`--facts` says how many facts the stores of as_of, aggregate and restart hold: one million by default, so that all is done
within minutes; ten million take a quarter of an hour and 5 GB more, once.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build/bench"
PAGES = (ROOT / "README.md", ROOT / "docs/benchmarks.md")
PLACE = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)


def main() -> int:
    """Return 0 if every benchmark ran."""
    possible = benchmarks()
    parser = argparse.ArgumentParser(description="Run benchmarks and write their table.")
    parser.add_argument("names", nargs="*", help=f"which; possible: {', '.join(possible)}")
    parser.add_argument("--facts", type=int, default=1_000_000, help="facts in the stores that are read")
    asked = parser.parse_args()
    chosen = asked.names or possible
    strange = sorted(set(chosen) - set(possible))
    if strange:
        print(f"unknown benchmark {strange[0]!r}; possible: {', '.join(possible)}", file=sys.stderr)
        return 2
    failed = [name for name in chosen if not ran(name, asked.facts)]
    found = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    for page in PAGES:
        page.write_text(PLACE.sub(lambda _: table(found), page.read_text()))
    for name in failed:
        print(f"bench.{name} failed", file=sys.stderr)
    return 3 if failed else 0


def benchmarks() -> list[str]:
    """Return the names of the modules of bench/ that can be run."""
    modules = sorted((ROOT / "bench").glob("*.py"))
    return [path.stem for path in modules if '__name__ == "__main__"' in path.read_text()]


def ran(name: str, facts: int) -> bool:
    """Run one benchmark and keep its object; return whether that went well."""
    print(f"bench.{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"bench.{name}", "--json"]
    command += ["--facts", str(facts)] if "big_store" in (ROOT / f"bench/{name}.py").read_text() else []
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return False
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(done.stdout)
    return True


def table(found: list[dict[str, Any]]) -> str:
    """Return what was measured as a Markdown table, and below it where and when."""
    rows = [row(one) for one in found]
    where = sorted({f"{one['machine']}, {str(one['date'])[:10]}" for one in found})
    head = ["| measured | Gemel | unit | peer | how many times |", "|---|---:|---|---:|---:|"]
    return "\n".join([*head, *rows, "", *(f"Measured on: {place}." for place in where)]) + "\n"


def row(one: dict[str, Any]) -> str:
    """Return one benchmark as one row."""
    peers = {name: value for name, value in one.get("peers", {}).items() if value is not None}
    ratios = {name: value for name, value in one.get("ratio", {}).items() if value is not None}
    theirs = ", ".join(f"{name} {figure(value)}" for name, value in peers.items()) or "–"
    times = ", ".join(figure(value) for value in ratios.values()) or "–"
    return f"| `{one['name']}` | {figure(one['ours'])} | {one['unit']} | {theirs} | {times} |"


def figure(value: float) -> str:
    """Return a number with three significant digits, thousands parted."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


if __name__ == "__main__":
    sys.exit(main())
