"""A container's stdin, stdout and stderr, by the names that containerd gives.

A name is that of a FIFO, which clients of containerd make and read; or a URI: `file:///path` of a
file to append to, or `binary:///program?arguments` of a logger to run; or empty. The supervisor
gets the descriptors, and reads and writes them itself: the shim copies nothing, so no output is
lost when the shim dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

from adapters.containerd.logger import Logger
from domain.errors import InvalidRequest, host_fault
from domain.stdio import Stdio

_READER_WITHIN = 0.25  # seconds; engines begin to open their end before they call the shim


class TaskIO:
    """The open descriptors of one container; `stdio` holds those for its supervisor.

    The absence of a client neither blocks for long nor fails a write. The supervisor opens a
    FIFO for output to read and write. The shim keeps an end that only reads, so that output which
    no client has read yet outlives the supervisor; the shim holds no writing end, so a client
    still sees the end of the output. Of stdin the shim holds the writing end until the client
    calls CloseIO.
    """

    def __init__(self, stdin: str, stdout: str, stderr: str, *, terminal: bool) -> None:
        self.names = (stdin, stdout, stderr)
        self.terminal = terminal
        self.stdio = Stdio()
        self._supervisor_ends: list[int] = []
        self._shim_ends: list[int] = []
        self._fifos: list[str] = []
        self._stdin_writer = -1
        self._logger: Logger | None = None

    def open(self, container: str, namespace: str) -> TaskIO:
        """Open all descriptors. Raises InvalidRequest and HostFault, and then leaves none open."""
        stdin, stdout, stderr = self.names
        try:
            if stdout.startswith("binary:"):
                self._logger = Logger(stdout, container, namespace)
                out, err = self._logger.stdout, self._logger.stderr
                self._supervisor_ends += [out, err]
            else:
                out = self._output(stdout)
                # A terminal has one stream for stdout and stderr.
                err = out if self.terminal or stderr == stdout else self._output(stderr)
            self.stdio = Stdio(
                self._input(stdin), out, err, interactive=bool(stdin), terminal=self.terminal
            )
        except BaseException as error:
            self.close()
            if isinstance(error, ValueError):  # a NUL, or a URI that is none
                raise InvalidRequest(f"cannot open {' or '.join(self.names)}: {error}") from error
            raise
        return self

    def _input(self, name: str) -> int:
        if not _is_fifo(name):
            return self._open_for_supervisor(name or os.devnull, os.O_RDONLY)
        # With O_RDWR the open waits for no writer; the supervisor only reads, to see the end.
        self._stdin_writer = _open(name, os.O_RDWR)
        return self._open_for_supervisor(name, os.O_RDONLY)

    def _output(self, name: str) -> int:
        if name.startswith("file:"):
            path = name.removeprefix("file:").removeprefix("//")
            _make_parents(path)
            return self._open_for_supervisor(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        name = name.removeprefix("fifo://")
        if "://" in name:
            raise InvalidRequest(f"output {name!r} is of an unknown kind", hint="use file, binary")
        if not _is_fifo(name):
            return self._open_for_supervisor(name or os.devnull, os.O_WRONLY | os.O_APPEND)
        self._fifos.append(name)
        writer = _wait_for_reader(name)
        try:
            self._shim_ends.append(_open(name, os.O_RDONLY | os.O_NONBLOCK))
            return self._open_for_supervisor(name, os.O_RDWR)
        finally:
            _close_all(writer)

    def _open_for_supervisor(self, name: str, flags: int) -> int:
        descriptor = _open(name, flags)
        self._supervisor_ends.append(descriptor)
        return descriptor

    def close_supervisor_ends(self) -> None:
        """Close the descriptors of which the supervisor has its own copies by now."""
        _close_all(self._supervisor_ends)

    def close_stdin(self) -> None:
        """Close the writing end of stdin: the console has no more input once clients have gone."""
        if self._stdin_writer >= 0:
            descriptor, self._stdin_writer = self._stdin_writer, -1
            os.close(descriptor)

    def close(self) -> None:
        """Close all descriptors; safe to repeat."""
        self.close_stdin()
        while self._fifos:  # wakes a client that opened its end after the last writer closed
            with contextlib.suppress(OSError):
                os.close(os.open(self._fifos.pop(), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        _close_all(self._supervisor_ends)
        _close_all(self._shim_ends)
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


def _wait_for_reader(name: str) -> list[int]:
    """Return a writing end once a client reads, or none if no client comes in time.

    A client that opens the FIFO only after a short command has ended would wait for ever, since
    the shim's own end is no writer.
    """
    deadline = time.monotonic() + _READER_WITHIN
    while True:
        try:
            return [os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)]
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                return []  # the next open of the FIFO raises any other error
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
