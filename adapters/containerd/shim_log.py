"""The shim's log, which containerd copies into its own."""

from __future__ import annotations

import contextlib
import os
import time


class ShimLog:
    """Writes to the FIFO `log` in the bundle; lines are lost while containerd does not read."""

    def __init__(self, container: str) -> None:
        self._container = container

    def open(self) -> None:
        """Make the FIFO this process's stderr, if there is one in the current directory."""
        with contextlib.suppress(OSError):
            # With O_RDWR the open does not wait for containerd, and writes do not fail when
            # containerd restarts.
            fifo = os.open("log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            os.dup2(fifo, 2)
            os.close(fifo)

    def write(self, level: str, text: str) -> None:
        """Write one line in the format of containerd's shims."""
        from json import dumps

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"time={dumps(now)} level={level} msg={dumps(text)} shim=remoteproc"
        with contextlib.suppress(OSError):
            os.write(2, f"{line} id={self._container}\n".encode("ascii", "backslashreplace"))

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.write("warning", text)
