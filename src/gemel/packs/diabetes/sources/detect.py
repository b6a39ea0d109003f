"""Which format a file or folder is in, by what is in it: names of files differ from person to person."""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property, partial
from pathlib import Path
from typing import NoReturn

from gemel.errors import BadInput
from gemel.packs.diabetes.sources.apple_health import apple_health, export_in
from gemel.packs.diabetes.sources.carelink import carelink, is_carelink
from gemel.packs.diabetes.sources.clarity import clarity, is_clarity
from gemel.packs.diabetes.sources.fhir import fhir
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.libreview import ddatshr, is_ddatshr, is_libreview, libreview
from gemel.packs.diabetes.sources.open_mhealth import BODIES, open_mhealth
from gemel.packs.diabetes.sources.sheet import encoding_in
from gemel.packs.diabetes.sources.table import own
from gemel.packs.diabetes.sources.tandem import is_tandem, tandem
from gemel.packs.diabetes.sources.tidepool import KINDS, QUIET, tidepool
from gemel.packs.diabetes.sources.uc_ht_t1dm import uc_ht_t1dm
from gemel.packs.diabetes.sources.words import UNITS
from gemel.streams.contract import Item, Source
from gemel.streams.csv_table import csv_by, headers
from gemel.streams.nightscout_json import nightscout
from gemel.streams.reading import encoding_of, text_of
from gemel.streams.report import Report

_HEAD = 1 << 16
"""How much of a file is looked at."""

LOOKED_FOR = (
    "a folder with Glucose.xlsx (UC_HT_T1DM), Nightscout .json files or a folder of them, a Dexcom Clarity, LibreView, "
    "CareLink or t:connect .csv, Tidepool .json, an Apple Health export (.xml or .zip), Open mHealth or FHIR .json, DDATSHR's "
    "Abbott.csv, or a .csv whose header has time and some of "
    + ", ".join(UNITS)
    + ", units in brackets: glucose (mmol/L); "
    "any other table can be read with a map of its columns (--map)"
)

_IN_ENGLISH = "Clarity, LibreView and CareLink are read in English: set the account's language to English, export again"


@dataclass(frozen=True)
class _Found:
    """What is at a path, as far as is needed to tell its format."""

    path: Path

    @cached_property
    def head(self) -> str:
        """Return the beginning of a file as text."""
        if not self.path.is_file():
            return ""
        with self.path.open("rb") as stream:
            raw = stream.read(_HEAD)
        wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return raw.decode("utf-16" if wide else "utf-8-sig", errors="replace")

    @cached_property
    def headers(self) -> Sequence[Sequence[str]]:
        """Return what may be headers of a table: its first lines, split in each of the usual ways; none of binary files."""
        if "\x00" in self.head or self.is_json or not self.path.is_file():
            return ()
        try:
            return [[cell.strip() for cell in cells] for cells in headers(self.path, encoding_of(self.path))]
        except BadInput:
            return ()

    @property
    def is_json(self) -> bool:
        """Return whether the file begins as JSON does."""
        return self.head.lstrip()[:1] in ("{", "[")

    def says(self, pattern: str) -> bool:
        """Return whether the beginning of a JSON file has *pattern*."""
        return self.is_json and re.search(pattern, self.head) is not None


def _headed(known: Callable[[Sequence[str]], bool]) -> Callable[[_Found], bool]:
    return lambda found: any(known(cells) for cells in found.headers)


def _is_uc(found: _Found) -> bool:
    return found.path.is_dir() and any(any(found.path.glob(where)) for where in ("Glucose.xlsx", "*/Glucose.xlsx"))


def _is_apple(found: _Found) -> bool:
    if not found.path.is_file():
        return False
    return "<HealthData" in found.head or (zipfile.is_zipfile(found.path) and export_in(found.path) is not None)


def _is_fhir(found: _Found) -> bool:
    return found.says(r'"resourceType"\s*:')


def _is_omh(found: _Found) -> bool:
    bodies = "|".join(BODIES)
    return found.says(rf'"({bodies})"\s*:') and found.says(r'"(effective_time_frame|schema_id)"\s*:')


def _is_tidepool(found: _Found) -> bool:
    kinds = "|".join((*KINDS, *QUIET))
    return found.says(rf'"type"\s*:\s*"({kinds})"') and found.says(r'"(deviceTime|uploadId|deviceId|time|guid)"\s*:')


def _is_nightscout(found: _Found) -> bool:
    return found.is_json or found.path.suffix.lower() == ".json"


def _own(path: Path, timezone: str | None) -> Source:
    return one_file(path, timezone, "csv", partial(_own_items, timezone))


def _own_items(timezone: str | None, path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    encoding = encoding_in(path, report)
    maps = (own(cells, timezone, encoding) for cells in headers(path, encoding))
    yield from csv_by(path, next(how for how in maps if how is not None)).read(report)


FORMATS: tuple[tuple[str, Callable[[_Found], bool], Callable[[Path, str | None], Source]], ...] = (
    ("UC_HT_T1DM", _is_uc, lambda path, zone: uc_ht_t1dm(path, zone) if zone else uc_ht_t1dm(path)),
    ("Apple Health", _is_apple, apple_health),
    ("FHIR", _is_fhir, fhir),
    ("Open mHealth", _is_omh, open_mhealth),
    ("Tidepool", _is_tidepool, tidepool),
    ("Nightscout", _is_nightscout, lambda path, zone: nightscout(path, timezone=zone)),
    ("Dexcom Clarity", _headed(is_clarity), clarity),
    ("DDATSHR", _headed(is_ddatshr), lambda path, zone: ddatshr(path, timezone=zone or "Europe/Amsterdam")),
    ("LibreView", _headed(is_libreview), libreview),
    ("CareLink", _headed(is_carelink), carelink),
    ("t:connect", _headed(is_tandem), tandem),
    ("own table", _headed(lambda cells: own(cells, None) is not None), _own),
)
"""Formats in the order in which they are tried: what is told by a few words comes before what is told by its shape."""


def format_of(path: str | Path) -> str | None:
    """Return the name of the format a file or folder is in, None where it is not known."""
    return next((name for name, looks, _ in FORMATS if looks(_Found(Path(path)))), None)


def detect(path: str | Path, timezone: str | None = None) -> Source:
    """Return the source for a file or folder with data on diabetes; raise `BadInput` saying what was looked for.

    *timezone* is for times without an offset (UC_HT_T1DM: Santiago de Chile if not given). A folder holds UC_HT_T1DM,
    Nightscout files, or any files that are known.
    """
    found = Path(path)
    if not found.exists():
        raise BadInput("there is no such file or folder", file=str(path))
    name = format_of(found)
    if name is not None:
        return next(make for known, _, make in FORMATS if known == name)(found, timezone)
    if found.is_dir():
        return _folder(found, timezone)
    if found.suffix.lower() in (".csv", ".tsv", ".txt"):
        _refuse(found)
    raise BadInput(f"not recognised; looked for {LOOKED_FOR}", file=str(path))


def _refuse(path: Path) -> NoReturn:
    """Say why a table is not recognised: it is no text, or its header is not known."""
    if "\x00" in text_of(path, encoding_of(path)):
        raise BadInput("is no text, or UTF-16 without a mark: save it as UTF-8", file=str(path))
    raise BadInput(f"no header that is known; {_IN_ENGLISH}; looked for {LOOKED_FOR}", file=str(path), row=1)


def _folder(path: Path, timezone: str | None) -> Source:
    """Return the source for a folder of files; those of Nightscout belong together."""
    known = {file: name for file in sorted(path.iterdir()) if file.is_file() and (name := format_of(file)) is not None}
    site = [file for file, name in known.items() if name == "Nightscout"]
    if site and len(site) == len(known):
        return nightscout(path, timezone=timezone)
    sources = [nightscout(*site, timezone=timezone)] if site else []
    sources += [detect(file, timezone) for file in known if file not in site]
    if not sources:
        raise BadInput(f"not recognised; looked for {LOOKED_FOR}", file=str(path))
    left = sum(1 for file in path.iterdir() if file not in known)
    return sources[0] if len(sources) == 1 and not left else _Together(path, tuple(sources), left)


@dataclass(frozen=True)
class _Together:
    path: Path
    sources: tuple[Source, ...]
    left: int

    @property
    def name(self) -> str:
        """Return the folder, and what is in it."""
        return f"{self.path.name}: {', '.join(source.name for source in self.sources)}"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items by time."""
        report = Report() if report is None else report
        for _ in range(self.left):
            report.warn("a file or folder beside the others is not recognised: not read")
        items = [item for source in self.sources for item in source.read(report)]
        yield from sorted(items, key=lambda item: (item.at, item.name))
