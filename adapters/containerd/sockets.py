"""The Unix socket of a group of containers: `start` binds it, the process it spawns serves it."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module `socket` is slow to import
from binascii import crc32

from adapters.linux.directories import make_directories
from adapters.linux.locks import flock_within
from adapters.linux.unix_sockets import is_served
from domain.errors import host_fault

DIRECTORY = "/run/containerd/s"  # of the sockets of all shims (containerd pkg/shim/util_unix.go)
_LOCKED_WITHIN = 10.0  # seconds that another start may take
_BACKLOG = 4096  # connections that wait to be accepted; Linux's own limit (net.core.somaxconn)
_NOTE = "remoteproc-bundle-of-"  # before a socket's name: a link to the bundle it was made for
_PATH_MAX = 106  # bytes; containerd's limit, see also unix(7)


def path_for(directory: str, grpc_address: str, namespace: str, group: str) -> str:
    """Return the socket's path: one for all containers of a group, and for no other container."""
    words = "\0".join(("remoteproc", grpc_address, namespace, group))
    parts = words.encode(errors="surrogatepass")
    name = f"{namespace}-{group}-{crc32(parts):08x}"
    path = f"{directory or DIRECTORY}/{name}"
    # A container's creator names the group, so the name must not lead out of the directory.
    if name.isascii() and name.replace("-", "").isalnum() and len(os.fsencode(path)) <= _PATH_MAX:
        return path
    from hashlib import sha256  # its import takes longer than that of the rest of this module

    return f"{directory or DIRECTORY}/{sha256(parts).hexdigest()}"


def listen(path: str, kind: int = SOCK_STREAM, *, bundle: str = "") -> socket | None:
    """Bind the socket, or return None if a process serves it already. Raises HostFault.

    `bundle` is the bundle's directory for which a shim is started. Processes that are killed leave
    their sockets: once the bundle is gone and no process serves the socket, the next call for a
    bundle in this directory of sockets, or `remove_dead`, removes the socket.
    """
    sock = socket(AF_UNIX, kind)
    lock = -1
    try:
        directory = os.path.dirname(path)
        lock = _lock(directory)
        if bundle:
            _sweep(directory)
        if not _bind(sock, path, bundle):
            sock.close()
            return None
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise host_fault(f"cannot make the shim's socket {path}", error) from error
    finally:
        _unlock(lock)
    return sock


def remove(path: str) -> None:
    """Remove the socket, of which the caller knows that no other process serves it."""
    for name in (path, _note(path)):
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass


def _note(path: str) -> str:
    directory, name = os.path.split(path)
    return f"{directory}/{_NOTE}{name}"


def _sweep(directory: str) -> None:
    """Remove the sockets of killed processes; the caller has locked the directory."""
    for name in os.listdir(directory):
        if name.startswith(_NOTE) and not os.path.exists(f"{directory}/{name}"):
            _remove_unserved(f"{directory}/{name.removeprefix(_NOTE)}")


def _remove_unserved(path: str) -> None:
    if not is_served(path):
        remove(path)


def _lock(directory: str) -> int:
    """Lock, so that no other process takes the new socket for a dead one and removes it."""
    make_directories(directory)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock_within(descriptor, _LOCKED_WITHIN)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unlock(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)


def _bind(sock: socket, path: str, bundle: str) -> bool:
    if os.path.lexists(path):
        if is_served(path, sock.type):
            return False
        remove(path)
    if bundle:
        remove(path)
        os.symlink(bundle, _note(path))
    umask = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(umask)
    return True


def remove_dead(path: str) -> None:
    """Remove the socket, and those of bundles that are gone, unless processes serve them."""
    directory, lock = os.path.dirname(path), -1
    try:
        lock = _lock(directory)
        _remove_unserved(path)
        _sweep(directory)
    except OSError:
        pass
    finally:
        _unlock(lock)
