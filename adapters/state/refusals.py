"""Tells the service `metrics`, while one runs, of starts that are refused.

The service has a socket for datagrams beside the directory of owners. Without it a refusal costs
one look for it; a start that succeeds costs nothing, and nothing is ever recorded.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.state.leases import FileLeases
    from domain.errors import RemoteprocError


def socket_path(leases: FileLeases) -> str:
    """Return the path of the service's socket."""
    return f"{os.path.dirname(leases.directory)}/refusals"


class RefusalTeller:
    """Implements domain.ports.RefusedStarts, for the processors of one board's `leases`."""

    def __init__(self, leases: FileLeases) -> None:
        self._path = socket_path(leases)
        self._board = leases.board

    def tell(self, device: str, error: RemoteprocError) -> None:
        from _socket import AF_UNIX, SOCK_DGRAM, socket  # the module `socket` is slow to import

        from adapters.linux.unix_sockets import connect

        message = "\0".join((self._board, device, type(error).__name__))
        try:
            sender = socket(AF_UNIX, SOCK_DGRAM)
            try:
                sender.setblocking(False)
                connect(sender, self._path)
                sender.send(os.fsencode(message))
            finally:
                sender.close()
        except OSError:
            pass  # no service runs, or it is behind
