"""The supervisor's socket: whoever runs `start`, `kill`, ... asks there and awaits an answer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping

from adapters.linux.unix_sockets import address_in
from adapters.supervisor import control_protocol
from domain.errors import RemoteprocError, host_fault


class Control:
    """The listening socket in the container's directory, and those who have connected."""

    def __init__(self, directory: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.bind(address_in(directory, "control"))
        except OSError as error:
            raise host_fault("cannot make the control socket", error) from error
        self._socket.listen(16)
        self._socket.setblocking(False)
        self._connected: list[socket.socket] = []
        self._asker: socket.socket | None = None

    def descriptors(self) -> list[int]:
        """Return what to poll for input."""
        return [self._socket.fileno(), *(peer.fileno() for peer in self._connected)]

    def hear(self, ready: Mapping[int, int]) -> Iterator[str]:
        """Yield what is asked, one verb at a time; `answer` answers the one under way."""
        for peer in [p for p in self._connected if p.fileno() in ready]:
            self._connected.remove(peer)
            self._asker = peer
            with contextlib.suppress(OSError):
                if verb := peer.recv(64):
                    yield verb.decode(errors="replace")
            self.answer(None)  # of whoever asked nothing
        if self._socket.fileno() in ready:
            with contextlib.suppress(OSError):
                self._connected.append(self._socket.accept()[0])

    def answer(self, error: RemoteprocError | None) -> None:
        """Answer the one who asked last, once."""
        if self._asker is None:
            return
        with contextlib.suppress(OSError):
            self._asker.send(control_protocol.encode(error))
        self._asker.close()
        self._asker = None
