"""The examples run as a newcomer would run them: in an empty folder, with nothing but the package."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, folder: Path, **more: str) -> str:
    """Return what an example prints; it must end well."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=folder, env={**os.environ, **more},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_two_module_example_runs(tmp_path: Path) -> None:
    """A newcomer's first composite advances."""
    assert run("two_modules.py", tmp_path).strip()


def test_the_thirty_lines_run_from_record_to_pump(tmp_path: Path) -> None:
    """Lily's lines import, personalise, forecast, compare, propose, and what was approved reaches the pump."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 1883)) == 0:
            pytest.skip("port 1883, where the example plays its broker, is in use")

    told = run("lily.py", tmp_path, LILY_SECONDS="6")

    assert re.search(r"time +median +80 % interval\n2\d{3}-", told)
    assert "time_in_range over 24 h" in told
    status = re.findall(r"proposal \d+: (\w+)", told)[-1:] or ["refused" if "refused:" in told else "none"]
    assert status[0] in ("delivered", "refused")
    assert ("pump: " in told) == (status[0] == "delivered")
