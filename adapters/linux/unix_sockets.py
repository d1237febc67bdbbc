"""Unix sockets at paths of any length.

A socket's address has at most 107 bytes (unix(7)), a path may have 4095: so the address leads
through a descriptor of the directory.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from _socket import socket  # of which socket.socket is a subclass


def address_in(directory: int, name: str) -> str:
    """Return the address of the socket `name` in an open directory."""
    return f"/proc/self/fd/{directory}/{name}"


def connect(client: socket, path: str) -> None:
    """Connect to the socket at the path. Raises OSError."""
    folder, name = os.path.split(os.path.abspath(path))
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        client.connect(address_in(directory, name))
    finally:
        os.close(directory)
