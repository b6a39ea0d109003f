"""What every test may lean on: real data where there is some, one compile cache, the same draws on every run."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build/test-cache"
DATA = Path(os.environ.get("GEMEL_DATA", ROOT.parent / "shared/data"))

# Before anything imports jax; programs that tests start inherit it.
CACHE.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("GEMEL_CACHE", str(CACHE))
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def mend(cache: Path) -> None:
    """Remove half-written entries: jax writes them in place, and never writes again one that is there."""
    for entry in cache.glob("*-cache"):
        held = entry.read_bytes()
        try:
            zlib.decompress(held)
        except zlib.error:
            if held[:1] in (b"", b"x"):  # zlib's own mark; other compressions are left alone
                entry.unlink()


mend(CACHE)

# No deadline: the machine is shared, and the first example compiles.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real data, or skip: GEMEL_DATA names it, ../shared/data is where it is by default."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set GEMEL_DATA")
    return DATA
