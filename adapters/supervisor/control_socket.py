"""The supervisor's socket: commands connect, send one operation, and wait for the reply."""

from __future__ import annotations

import select
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import

from adapters.linux.channel import Channel
from adapters.linux.unix_sockets import address_in
from adapters.supervisor import control_protocol
from domain.container import Operation
from domain.errors import RemoteprocError, WrongState, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PEER_WITHIN = 1.0  # seconds: a command that was suspended must not hold up the supervisor


def _has_gone(peer: Channel) -> bool:
    """Return whether a command waits no more: what it has reported as failed must not happen."""
    poll = select.poll()
    poll.register(peer.fileno(), 0)
    return bool(poll.poll(0))  # POLLHUP is always reported


class ControlSocket:
    """The listening socket in the container's directory, and the commands that have connected."""

    def __init__(self, directory: int) -> None:
        self._socket = socket(AF_UNIX, SOCK_STREAM)
        try:
            self._socket.bind(address_in(directory, control_protocol.SOCKET))
        except OSError as error:
            raise host_fault("cannot make the control socket", error) from error
        self._socket.listen(16)
        self._socket.setblocking(False)
        self._connected: list[Channel] = []
        self._requester: Channel | None = None

    def descriptors(self) -> list[int]:
        """Return what to poll for input."""
        return [self._socket.fileno(), *(peer.fileno() for peer in self._connected)]

    def requests(self, ready: Mapping[int, int]) -> Iterator[Operation]:
        """Yield each operation that a command asks for; `reply` answers the one under way."""
        for peer in [p for p in self._connected if p.fileno() in ready]:
            self._connected.remove(peer)
            self._requester = peer
            try:
                word = peer.receive()
            except OSError:
                word = b""  # the command is suspended, or gone
            if word and not _has_gone(peer):
                yield from self._operation(word.decode(errors="replace"))
            self._hang_up()
        if self._socket.fileno() in ready:
            try:
                # What socket.socket.accept calls; type checkers do not know the method.
                descriptor, _ = self._socket._accept()  # type: ignore[attr-defined]
            except OSError:
                return  # the command has gone
            channel = Channel(socket(fileno=descriptor))
            channel.settimeout(_PEER_WITHIN)
            self._connected.append(channel)

    def _operation(self, word: str) -> Iterator[Operation]:
        try:
            yield Operation(word)
        except ValueError:
            self.reply(WrongState(f"a supervisor cannot {word!r}: there is no such operation"))

    def reply(self, error: RemoteprocError | None) -> None:
        """Reply to the command that made the last request, once."""
        if self._requester is not None:
            try:
                self._requester.send(control_protocol.encode(error))
            except OSError:
                pass  # the command has gone
            self._hang_up()

    def _hang_up(self) -> None:
        if self._requester is not None:
            self._requester.close()
            self._requester = None
