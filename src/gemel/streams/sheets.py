"""Excel workbooks as rows of plain cells."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.streams.reading import bytes_of


def sheet_of(path: Path) -> list[Sequence[Any]]:
    """Return the rows of the first sheet; row 1 of the sheet, its header, comes first."""
    import openpyxl  # half a second to load, and only who reads a workbook needs it

    raw = _whole(path)
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        try:
            rows: list[Sequence[Any]] = [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        finally:
            book.close()
    except Exception as error:  # a broken workbook raises whatever its zip, XML or openpyxl stumbled over
        raise BadInput(f"is not an Excel workbook: {error or type(error).__name__}", file=str(path)) from None
    if not rows:
        raise BadInput("the first sheet is empty", file=str(path))
    return rows


def _whole(path: Path) -> bytes:
    """Return the bytes of the file if it is a zip whose every member has its checksum."""
    raw = bytes_of(path)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            broken = archive.testzip()
    except Exception as error:  # zipfile raises zlib.error, EOFError, NotImplementedError … besides its own
        raise BadInput(f"is cut off, or not an Excel workbook: {error}", file=str(path)) from None
    if broken is not None:
        raise BadInput(f"is damaged: the checksum of {broken} does not match", file=str(path))
    return raw
