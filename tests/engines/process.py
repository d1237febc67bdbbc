"""Commands in an isolated host: their output, and whether they still run."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

PATIENCE = 4


class Result(NamedTuple):
    """A command's output, and its exit code (128 + N if signal N ended it)."""

    argv: Sequence[str]
    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """stdout without the white space around it: an id, a number, a word."""
        return self.stdout.strip()

    def check(self) -> Result:
        """This result, if the command succeeded; raises AssertionError with its output if not."""
        assert self.code == 0, (
            f"{' '.join(self.argv)} exited {self.code}\n{self.stdout}{self.stderr}"
        )
        return self


class Process:
    """A command running in an isolated host; `log` is the file that has its output, if any."""

    def __init__(self, argv: Sequence[str], status: int, log: str = "") -> None:
        self.argv = argv
        self.log = log
        self.code: int | None = None
        # Two lines come, perhaps at once: unbuffered, or select would miss the second.
        self._status = open(status, "rb", buffering=0)  # noqa: SIM115
        self.pid = int(self._line(10))

    def _line(self, timeout: float) -> bytes:
        if not select.select([self._status], [], [], timeout)[0]:
            raise TimeoutError(f"{' '.join(self.argv)}: still running after {timeout} s")
        return self._status.readline()

    def wait(self, timeout: float = 60) -> int:
        """The exit code; raises TimeoutError while it runs on."""
        if self.code is None:
            status = int(self._line(timeout) or signal.SIGKILL)  # no line: the subreaper is gone
            self._status.close()
            code = os.waitstatus_to_exitcode(status)
            self.code = code if code >= 0 else 128 - code
        return self.code

    def output(self) -> str:
        """What it has written to its log so far."""
        with open(self.log, errors="replace") as file:
            return file.read()

    def running(self) -> bool:
        """Whether it has not exited yet."""
        try:
            self.wait(0)
        except TimeoutError:
            return True
        return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, unless it has exited already."""
        if self.running():
            os.kill(self.pid, number)


def wait_until(condition: Callable[[], object], timeout: float = 20, every: float = 0.02) -> bool:
    """Whether the condition came true within `timeout` seconds, or a multiple of it where the
    machine is busy: how fast things are is not proved by waiting for them.
    """
    end = time.monotonic() + timeout * PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
