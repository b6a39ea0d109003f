"""What every test may lean on: real data where there is some, one compile cache, the same draws on every run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from family import lily as lily
from hypothesis import HealthCheck, settings
from postgres import new_store as new_store
from postgres import postgres as postgres
from postgres import postgres_server as postgres_server
from postgres import store as store

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build/test-cache"
DATA = Path(os.environ.get("GEMEL_DATA", ROOT.parent / "shared/data"))

# Before anything imports jax; programs that tests start inherit it.
CACHE.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("GEMEL_CACHE", str(CACHE))
os.environ.setdefault("JAX_PLATFORMS", "cpu")


# No deadline: the machine is shared, and the first example compiles.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile("ci")


with contextlib.suppress(ImportError):  # tests in a browser are skipped without it
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # the machine is shared


LONGEST = (
    "test_kill.py", "test_examples.py", "test_docs.py", "test_console_people.py", "test_crash.py", "test_cli.py",
    "test_demo.py", "test_asset_patient.py", "test_backtest.py", "test_report.py", "test_sunny.py", "test_console.py",
)  # fmt: skip
"""They begin first: one that began last would leave the other cores idle for minutes (seconds: `--durations`)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files, not the tests within them."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real data, or skip: GEMEL_DATA names it, ../shared/data is where it is by default."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set GEMEL_DATA")
    return DATA
