"""A container's stdin, stdout and stderr, as containerd names them.

FIFOs that clients of containerd make and read; or a URI: `file:///path` to append to, or
`binary:///program?arguments` to run as a logger; or nothing. The supervisor gets the descriptors
and reads and writes them itself: nothing is copied here, and a shim that dies takes no output
with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

from adapters.containerd.logger import Logger
from domain.errors import InvalidRequest, host_fault
from domain.ports import Stdio

_READER_WITHIN = 0.25  # seconds; engines begin to open their end before they ask for ours


class TaskIO:
    """The open descriptors of one container; `stdio` is what its supervisor is to get.

    A FIFO is opened such that the absence of a client neither blocks for long nor breaks
    anything: the supervisor's end of an output reads as well as writes, and this process keeps
    one that only reads, so that what nobody has read yet outlives the supervisor, while a client
    still sees the end. Of stdin this process keeps the writing end until the client closes it.
    """

    def __init__(self, stdin: str, stdout: str, stderr: str, *, terminal: bool) -> None:
        self.names = (stdin, stdout, stderr)
        self.terminal = terminal
        self.stdio = Stdio()
        self._given: list[int] = []
        self._kept: list[int] = []
        self._fifos: list[str] = []
        self._stdin_writer = -1
        self._logger: Logger | None = None

    def open(self, container: str, namespace: str) -> TaskIO:
        """Open all. Raises InvalidRequest, HostFault; nothing is open then."""
        stdin, stdout, stderr = self.names
        try:
            if stdout.startswith("binary:"):
                self._logger = Logger(stdout, container, namespace)
                out, err = self._logger.stdout, self._logger.stderr
                self._given += [out, err]
            else:
                out = self._output(stdout)
                # A terminal has one stream for both.
                err = out if self.terminal or stderr == stdout else self._output(stderr)
            self.stdio = Stdio(
                self._input(stdin), out, err, interactive=bool(stdin), terminal=self.terminal
            )
        except BaseException:
            self.close()
            raise
        return self

    def _input(self, name: str) -> int:
        if not _is_fifo(name):
            return self._give(name or os.devnull, os.O_RDONLY)
        # Opened for both, it waits for no writer; the supervisor's must see the writers' end.
        self._stdin_writer = _open(name, os.O_RDWR)
        return self._give(name, os.O_RDONLY)

    def _output(self, name: str) -> int:
        if name.startswith("file:"):
            path = name.removeprefix("file:").removeprefix("//")
            _make_parents(path)
            return self._give(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        name = name.removeprefix("fifo://")
        if "://" in name:
            raise InvalidRequest(f"output {name!r} is of an unknown kind", hint="use file, binary")
        if not _is_fifo(name):
            return self._give(name or os.devnull, os.O_WRONLY | os.O_APPEND)
        self._fifos.append(name)
        first = _when_read(name)
        try:
            self._kept.append(_open(name, os.O_RDONLY | os.O_NONBLOCK))
            return self._give(name, os.O_RDWR)
        finally:
            _close_all(first)

    def _give(self, name: str, flags: int) -> int:
        descriptor = _open(name, flags)
        self._given.append(descriptor)
        return descriptor

    def handed_over(self) -> None:
        """Close what the supervisor has of its own by now."""
        _close_all(self._given)

    def close_stdin(self) -> None:
        """Let the firmware's console see no more input once clients have gone."""
        if self._stdin_writer >= 0:
            descriptor, self._stdin_writer = self._stdin_writer, -1
            os.close(descriptor)

    def close(self) -> None:
        """Close everything; safe to repeat."""
        self.close_stdin()
        while self._fifos:  # a client that opened its end after the last writer's waits there
            with contextlib.suppress(OSError):
                os.close(os.open(self._fifos.pop(), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        _close_all(self._given)
        _close_all(self._kept)
        if self._logger is not None:
            self._logger.close()
            self._logger = None


def _is_fifo(name: str) -> bool:
    if not name:
        return False
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)
    except OSError as error:
        raise host_fault(f"cannot open {name}", error) from error


def _when_read(name: str) -> list[int]:
    """Return a writing end once the client reads, or none if it does not come.

    A client that opens the FIFO only after a short command has ended waits there for ever: our
    own reading end keeps what was written, but is no writer.
    """
    deadline = time.monotonic() + _READER_WITHIN
    while True:
        try:
            return [os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)]
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                return []  # what else is wrong is told by whoever opens it next
        time.sleep(0.005)


def _open(name: str, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o640)
    except OSError as error:
        raise host_fault(f"cannot open {name}", error) from error


def _make_parents(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    except OSError as error:
        raise host_fault(f"cannot make {os.path.dirname(path)}", error) from error


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptors.pop())
