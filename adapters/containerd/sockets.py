"""The Unix socket of a group of containers: `start` binds it, the process it spawns serves it."""

from __future__ import annotations

import errno
import os
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import
from binascii import crc32

from adapters.linux.locks import flock
from domain.errors import host_fault

DIRECTORY = "/run/containerd/s"  # of the sockets of all shims (containerd pkg/shim/util_unix.go)
_ALIVE_WITHIN = 0.1  # seconds
_BACKLOG = 128
_PATH_MAX = 106  # bytes; containerd's limit, see also unix(7)


def path_for(directory: str, grpc_address: str, namespace: str, group: str) -> str:
    """Return the socket's path: one for all containers of a group, and for no other container."""
    parts = "\0".join(("remoteproc", grpc_address, namespace, group)).encode()
    name = f"{namespace}-{group}-{crc32(parts):08x}"
    path = f"{directory or DIRECTORY}/{name}"
    # A container's creator names the group, so the name must not lead out of the directory.
    if name.isascii() and name.replace("-", "").isalnum() and len(os.fsencode(path)) <= _PATH_MAX:
        return path
    from hashlib import sha256  # its import takes longer than that of the rest of this module

    return f"{directory or DIRECTORY}/{sha256(parts).hexdigest()}"


def listen(path: str) -> socket | None:
    """Bind the socket, or return None if a process serves it already. Raises HostFault."""
    sock = socket(AF_UNIX, SOCK_STREAM)
    lock = -1
    try:
        lock = _lock(os.path.dirname(path))
        if not _bind(sock, path):
            sock.close()
            return None
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise host_fault(f"cannot make the shim's socket {path}", error) from error
    finally:
        _unlock(lock)
    return sock


def _lock(directory: str) -> int:
    """Lock, so that no other process takes the new socket for a dead one and removes it."""
    os.makedirs(directory, 0o700, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unlock(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)


def _bind(sock: socket, path: str) -> bool:
    umask = os.umask(0o177)
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if is_served(path):
            return False
        os.unlink(path)
        sock.bind(path)
    finally:
        os.umask(umask)
    return True


def is_served(path: str) -> bool:
    """Return whether a process serves the socket."""
    probe = socket(AF_UNIX, SOCK_STREAM)
    try:
        probe.settimeout(_ALIVE_WITHIN)
        probe.connect(path)
    except (BlockingIOError, TimeoutError):
        return True  # the server is too busy to accept
    except OSError:
        return False
    finally:
        probe.close()
    return True


def remove_dead(path: str) -> None:
    """Remove the socket unless a process serves it."""
    lock = -1
    try:
        lock = _lock(os.path.dirname(path))
        if not is_served(path):
            os.unlink(path)
    except OSError:
        pass
    finally:
        _unlock(lock)
