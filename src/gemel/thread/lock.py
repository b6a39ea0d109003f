"""One writer per store: a lock of the operating system, gone with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from gemel.errors import Unavailable


class StoreLock:
    """Held from construction to `close`; raises `Unavailable` naming the process that has it."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(self._fd)
            raise Unavailable(
                f"the store {folder} is held by {holder}; stop that first, or, if it is a server, ask it over HTTP"
            ) from None
        except OSError:
            os.close(self._fd)
            raise
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"process {os.getpid()} ({Path(sys.argv[0]).name or 'python'})\n".encode(), 0)

    def close(self) -> None:
        """Let others have it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
