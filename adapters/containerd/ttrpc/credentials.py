"""Who is at the other end of a Unix socket (unix(7), SO_PEERCRED)."""

from __future__ import annotations

import os
import socket
import struct

_UCRED = struct.Struct("iII")


def peer_uid(sock: socket.socket) -> int:
    """Effective user id of the peer when it connected or listened. Raises OSError."""
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(data)[1]
    return uid


def same_user(sock: socket.socket) -> bool:
    """Whether the peer has our effective user id."""
    return peer_uid(sock) == os.geteuid()
