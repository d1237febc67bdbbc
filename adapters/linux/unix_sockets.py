"""Unix sockets at paths of any length.

A socket's address has at most 107 bytes (unix(7)), a path may have 4095: so the address leads
through a descriptor of the directory.
"""

from __future__ import annotations

import os
import time
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import
from errno import EPROTOTYPE

_ALIVE_WITHIN = 0.1  # seconds
_PAUSE = 0.02  # seconds between two tries


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


def is_served(path: str, kind: int = SOCK_STREAM) -> bool:
    """Return whether a process serves the socket; True also if that cannot be told."""
    probe = socket(AF_UNIX, kind)
    try:
        probe.settimeout(_ALIVE_WITHIN)
        connect(probe, path)
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return error.errno != EPROTOTYPE  # a socket of another kind, which none of ours serves
    finally:
        probe.close()
    return True


def connect_within(client: socket, path: str, seconds: float) -> float:
    """Connect as `connect` does; return how many of the seconds are left.

    While more clients wait than the server's queue holds, the kernel refuses (unix(7)). Raises
    TimeoutError once the seconds are over.
    """
    deadline = time.monotonic() + seconds
    client.settimeout(seconds)
    while True:
        try:
            connect(client, path)
            return max(0.001, deadline - time.monotonic())
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
        time.sleep(_PAUSE)
