"""Which user is at the other end of a Unix socket (unix(7), SO_PEERCRED)."""

from __future__ import annotations

import os
import socket
import struct

_UCRED = struct.Struct("iII")


def peer_uid(sock: socket.socket) -> int:
    """Return the peer's effective user id when it connected or listened. Raises OSError."""
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(data)[1]
    return uid


def same_user(sock: socket.socket) -> bool:
    """Return whether the peer has the effective user id of this process. Raises OSError."""
    return peer_uid(sock) == os.geteuid()
