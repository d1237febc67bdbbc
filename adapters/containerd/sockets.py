"""The Unix socket of a group of containers: bound by `start`, served by the process it leaves."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from binascii import crc32
from collections.abc import Iterator

from domain.errors import host_fault

DIRECTORY = "/run/containerd/s"  # where all shims put theirs (containerd pkg/shim/util_unix.go)
_ALIVE_WITHIN = 0.1  # seconds
_BACKLOG = 128
_PATH_MAX = 106  # bytes, as containerd has it; unix(7)


def path_for(directory: str, grpc_address: str, namespace: str, group: str) -> str:
    """Return the socket's path: the same for all containers of a group, and for nobody else."""
    parts = "\0".join(("remoteproc", grpc_address, namespace, group)).encode()
    name = f"{namespace}-{group}-{crc32(parts):08x}"
    path = f"{directory or DIRECTORY}/{name}"
    # Whoever makes a container may name its group.
    if name.isascii() and name.replace("-", "").isalnum() and len(os.fsencode(path)) <= _PATH_MAX:
        return path
    from hashlib import sha256  # whose import costs more than the rest of this module

    return f"{directory or DIRECTORY}/{sha256(parts).hexdigest()}"


def listen(path: str) -> socket.socket | None:
    """Bind the socket, or return None if somebody serves it already. Raises HostFault."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone(os.path.dirname(path)):
            if not _bind(sock, path):
                sock.close()
                return None
            sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise host_fault(f"cannot make the shim's socket {path}", error) from error
    return sock


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Keep out others who find the same dead socket, and would remove our new one."""
    os.makedirs(directory, 0o700, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _bind(sock: socket.socket, path: str) -> bool:
    umask = os.umask(0o177)
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if alive(path):
            return False
        os.unlink(path)
        sock.bind(path)
    finally:
        os.umask(umask)
    return True


def alive(path: str) -> bool:
    """Whether somebody serves the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ALIVE_WITHIN)
        try:
            probe.connect(path)
        except (BlockingIOError, TimeoutError):
            return True  # too busy to accept
        except OSError:
            return False
    return True


def remove_dead(path: str) -> None:
    """Remove the socket unless somebody serves it."""
    with contextlib.suppress(OSError), _alone(os.path.dirname(path)):
        if not alive(path):
            os.unlink(path)
