"""The engine says that it is being compiled, when it is, and people at the command line see it."""

from __future__ import annotations

import logging

import numba
import pytest

from gemel.cli.console import shown_to_people
from gemel.process.compiled import _compile, compiled

LINE = "compiling the event engine, once, about a minute"


class Kernel:
    """Compiles several functions, as the kernel does."""

    def compile(self, signature: str) -> None:
        """Compile two functions, one of which calls the other."""
        inner = numba.njit(lambda w, last: w + last)
        numba.njit(lambda w, last: inner(w, last) + 1).compile(signature)


def test_compiling_is_said_once_and_what_is_on_disk_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """However many functions are compiled; the kernel that this process has already says nothing."""
    kernel = compiled()
    with caplog.at_level(logging.INFO, "gemel.process"):
        _compile(Kernel())
        assert [one.getMessage() for one in caplog.records] == [LINE]
        _compile(kernel)
    assert len(caplog.records) == 1


def test_people_see_it_on_the_error_stream_and_programs_nothing_on_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line while a command runs; none after it."""
    log = logging.getLogger("gemel.process")
    before = log.level, list(log.handlers)
    with shown_to_people():
        _compile(Kernel())
    assert capsys.readouterr() == ("", f"gemel: {LINE}\n")
    _compile(Kernel())
    assert capsys.readouterr().err == "" and (log.level, log.handlers) == before
