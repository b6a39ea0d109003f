"""Put what is fitted on the examples into the package, once they were edited: `python -m gemel.packs.diabetes.sunny.shipping`."""

from __future__ import annotations

from pathlib import Path

from gemel.packs.diabetes.sunny.fitting import filed, write
from gemel.packs.diabetes.sunny.understand import Understanding
from gemel.packs.language import Meaning, minilm, overlap

FOLDER = Path(__file__).with_name("fitted")


def ship(words: Meaning, into: Path = FOLDER) -> None:
    """Write what sentences are understood with by *words*; it is fitted where nothing up to date is at hand."""
    into.mkdir(exist_ok=True)
    for name, made in Understanding(words).fitted.items():
        if "checksum" in made:
            write(into / filed(name, words), made)


if __name__ == "__main__":
    ship(minilm())
    ship(overlap())
