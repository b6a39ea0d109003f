"""What every benchmark prints: one JSON object with `--json`, a small table without."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path


def emit(name: str, ours: float, unit: str, peers: Mapping[str, float], details: object = None) -> None:
    """Print our figure beside the peers'; the ratio is ours to theirs, machine and date are filled in."""
    result = {
        "name": name,
        "ours": _short(ours),
        "unit": unit,
        "peers": {peer: _short(figure) for peer, figure in peers.items()},
        "ratio": {peer: _short(ours / figure) for peer, figure in peers.items() if figure},
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    if details is not None:
        result["details"] = details
    sys.stdout.write(json.dumps(result) + "\n" if "--json" in sys.argv else _table(result))


def machine() -> str:
    """Return what it ran on: processor, how many of its cores, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _short(figure: float) -> float:
    """Return four digits, enough for a measurement."""
    return float(f"{figure:.4g}")


def _table(result: Mapping[str, object]) -> str:
    lines = [
        f"{result['name']} ({result['unit']}), {result['machine']}, {result['date']}",
        f"  gemel  {result['ours']:g}",
    ]
    peers, ratio = result["peers"], result["ratio"]
    assert isinstance(peers, dict) and isinstance(ratio, dict)
    lines += [f"  {peer}  {figure:g}  (gemel is {ratio.get(peer, 0):g} ×)" for peer, figure in peers.items()]
    details = result.get("details")
    lines += [f"  {key}: {value}" for key, value in details.items()] if isinstance(details, dict) else []
    return "\n".join(lines) + "\n"
