"""`logs`: shows the latest output of a container's firmware."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

from adapters.oci.commands import CommandContext
from domain.container import Status
from domain.firmware import LOG_FILES
from domain.log_format import LogDecoder

if TYPE_CHECKING:
    import click

_PERIOD = 0.1  # seconds


def run(context: CommandContext, container_id: str, follow: bool) -> None:
    """Show what a container's firmware printed lately.

    The runtime's own reports are on stderr.
    """
    lifecycle = context.lifecycle
    directory = lifecycle.directory(container_id)
    older, current = (f"{directory}/{name}" for name in LOG_FILES)
    log = _Log(sys.stdout.buffer, sys.stderr.buffer)
    log.copy(older)
    try:
        while True:
            ended = lifecycle.state(container_id).status is Status.STOPPED
            log.copy_new(current)
            if ended or not follow:
                return
            time.sleep(_PERIOD)
    finally:
        log.close()


class _Log:
    """Copies log files: the firmware's output to `out`, the runtime's remarks to `err`."""

    def __init__(self, out: BinaryIO, err: BinaryIO) -> None:
        self._out = out
        self._err = err
        self._file: BinaryIO | None = None
        self._decoder = LogDecoder()
        self._line_open = False  # the firmware has begun a line, after which no remark may stand

    def copy(self, path: str) -> None:
        """Copy a file that is complete, if there is one."""
        try:
            with open(path, "rb") as file:
                self._show(LogDecoder(), file.read())
        except FileNotFoundError:
            pass

    def copy_new(self, path: str) -> None:
        """Copy what the supervisor appended to the file, and its successor after a rotation."""
        if self._file is not None:
            self._show(self._decoder, self._file.read())
            try:
                same = os.path.samestat(os.fstat(self._file.fileno()), os.stat(path))
            except FileNotFoundError:
                same = True
            if not same:
                self._show(self._decoder, self._file.read())
                self.close()
        if self._file is None:
            try:
                self._file = open(path, "rb")  # noqa: SIM115 -- stays open between calls
            except FileNotFoundError:
                return
            self._decoder = LogDecoder()
            self._show(self._decoder, self._file.read())

    def _show(self, decoder: LogDecoder, data: bytes) -> None:
        for piece in decoder.feed(data):
            if not piece.is_remark:
                self._out.write(piece.data)
                self._line_open = not piece.data.endswith(b"\n")
                continue
            self._out.flush()
            self._err.write(b"\n" + piece.data if self._line_open else piece.data)
            self._err.flush()
            self._line_open = False
        self._out.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command

    follow = click.Option(
        ["--follow", "-f"], is_flag=True, help="Go on until the container has ended."
    )
    return command("logs", run, follow, CONTAINER_ID)
