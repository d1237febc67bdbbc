"""Asks the fork server for a shim. The user waits for this module's imports."""

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket
from binascii import crc32

from adapters import __version__
from adapters.containerd.ttrpc.credentials import same_user
from adapters.encoding.light_json import dumps
from adapters.linux.directories import open_private
from adapters.linux.traits import traits
from adapters.linux.unix_sockets import address_in

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READY = b"ready"
GO = b"go"
_WITHIN = 3.0  # seconds for an answer; a server that is starting imports for less
_CODE = os.path.dirname(os.path.abspath(__file__))


def name_for(likeness: str) -> str:
    """Return the name of the socket of the server for callers with these traits."""
    words = (__version__, sys.executable, _CODE, likeness)
    return f"{crc32(os.fsencode(chr(0).join(words))):08x}"


def request_shim(
    path: str, arguments: Sequence[str], environment: Mapping[str, str], listener: int
) -> bool:
    """Let the server, whose socket is in the directory `path`, fork a shim in this directory.

    The shim has the arguments and the environment, and serves `listener`. Return False, and no
    shim is left, if there is no such server, or if it does not answer.
    """
    try:
        directory = open_private(path)
    except OSError:
        return False  # the first shim of this user
    here = -1
    server = socket(AF_UNIX, SOCK_SEQPACKET)
    try:
        likeness = traits()
        name = name_for(likeness)
        server.settimeout(_WITHIN)
        server.connect(address_in(directory, name))
        if not same_user(server):
            return False
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        message = dumps([likeness, list(arguments), dict(environment)]).encode()
        given = b"".join(number.to_bytes(4, sys.byteorder) for number in (listener, here))
        server.sendmsg([message], [(SOL_SOCKET, SCM_RIGHTS, given)])
        if server.recv(len(READY)) != READY:
            return False
        server.send(GO)
    except TimeoutError:
        _forget(directory, name)
        return False
    except OSError:
        return False
    finally:
        server.close()
        os.close(directory)
        if here >= 0:
            os.close(here)
    return True


def _forget(directory: int, name: str) -> None:
    """Take the address from a server that does not answer, so that another takes its place."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass
