"""Which user is at the other end of a Unix socket (unix(7), SO_PEERCRED)."""

from __future__ import annotations

import os
import sys
from _socket import SO_PEERCRED, SOL_SOCKET, socket  # socket.socket is a class of this

_UCRED_SIZE = 12  # bytes of a `struct ucred`: pid, uid and gid, each of four


def peer_uid(sock: socket) -> int:
    """Return the peer's effective user id when it connected or listened. Raises OSError."""
    return int.from_bytes(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, _UCRED_SIZE)[4:8], sys.byteorder)


def same_user(sock: socket) -> bool:
    """Return whether the peer has the effective user id of this process. Raises OSError."""
    return peer_uid(sock) == os.geteuid()
