"""The socket at which the service hears of starts that are refused, as long as it runs."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from adapters.linux.directories import private_directory
from adapters.linux.files import open_directory
from adapters.linux.unix_sockets import address_in, is_served
from adapters.state.leases import FileLeases
from adapters.state.refusals import socket_path
from domain.errors import host_fault
from domain.ports import Warn
from domain.run_counts import RunCounts

_LONGEST = 4096  # bytes of a datagram; the kernel keeps some ten until they are read


class RefusalSocket:
    """Counts what is told of the processors of one board."""

    def __init__(self, leases: FileLeases, counts: RunCounts, say: Warn) -> None:
        self._path = socket_path(leases)
        self._board = leases.board
        self._counts = counts
        self._say = say
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Begin to hear, unless another service of this run directory does. Raises HostFault."""
        if is_served(self._path, socket.SOCK_DGRAM):
            self._say("another service counts the starts that are refused: this one does not")
            return
        folder, name = os.path.split(self._path)
        private_directory(folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            listener.setblocking(False)
            directory = open_directory(folder)
            try:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)  # of a service that was killed
                listener.bind(address_in(directory, name))
            finally:
                os.close(directory)
        except OSError as error:
            listener.close()
            raise host_fault(f"cannot listen at {self._path}", error) from error
        self._socket = listener

    def look(self) -> None:
        """Count what has been told since the last look."""
        while self._socket is not None:
            try:
                message = self._socket.recv(_LONGEST)
            except OSError:
                return
            board, *told = os.fsdecode(message).split("\0")
            if board == self._board and len(told) == 2:
                self._counts.refuse(*told)

    def close(self) -> None:
        """Hear no more, and remove the socket."""
        if self._socket is not None:
            with suppress(OSError):
                os.unlink(self._path)
            self._socket.close()
            self._socket = None
