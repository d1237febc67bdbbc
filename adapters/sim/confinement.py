"""What QEMU may do and see: it executes the image's code, and promises no isolation without KVM.

QEMU gets namespaces of its own, a root directory of its own, a user of its own, no capability, and
limits. In the root directory QEMU finds its program, libraries and data, until it has loaded the
firmware: then FileRemoval takes them away. (QEMU's option -sandbox forbids system calls.)
"""

from __future__ import annotations

import os
import resource

from adapters.linux import libc, seccomp
from adapters.linux.files import write_existing
from adapters.linux.rights import bound_capabilities, keep_capabilities
from adapters.linux.view import MOUNT_POINT as _MOUNT_POINT
from adapters.linux.view import make_mount_point, mount_small, seal, unshare_mounts
from domain.errors import reason
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Where a program finds its libraries, and QEMU the files of its own.
_SHOWN = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"),
    *("/etc/ld.so.cache", "/nix/store", "/gnu/store"),
    *("/usr/share/qemu", "/usr/share/seabios", "/usr/local/share/qemu"),
)
_SYSTEM_PREFIXES = ("/", "/usr", "/usr/local")

_MIB = 1 << 20
_LIMITS = (
    (resource.RLIMIT_CORE, 0),  # QEMU aborts when a simulated core locks up
    (resource.RLIMIT_FSIZE, 64 * _MIB),  # of the file into which memory is saved
    (resource.RLIMIT_NOFILE, 64),
    (resource.RLIMIT_MEMLOCK, 0),
    (resource.RLIMIT_MSGQUEUE, 0),
)
_THREADS = 64  # of QEMU's user: QEMU has four, and a pool for files
_ADDRESSES = 4096 * _MIB  # QEMU's own, beside the memory of the simulated board

LARGEST_EXIT_CODE = 255

FILES = "/files"
"""Where a confined process finds all its files, in a mount of their own."""


class Confinement(NamedTuple):
    """What one QEMU process gets.

    `program` is its path, `files` are what it may read while it starts, `memory` is the size of the
    simulated board's, in bytes. `user` is a user and group id that nobody else has, None for the
    caller's.
    """

    program: str
    files: Sequence[str]
    memory: int
    user: int | None


def shown_files(program: str, options: Sequence[str]) -> list[str]:
    """Return what QEMU must see: of its installation, and what a board file's options name."""
    prefix = os.path.dirname(os.path.dirname(program))
    own = program if prefix in _SYSTEM_PREFIXES else prefix
    words = (word for option in options for part in option.split(",") for word in part.split("="))
    named = (word for word in words if word.startswith("/"))
    return [path for path in (*_SHOWN, own, *named) if os.path.exists(path)]


def own_pid_namespace() -> Callable[[], None]:
    """Let the next child of this thread be in a new pid namespace, if the kernel allows.

    The function that is returned lets later children be in this process's own again. Raises
    OSError.
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.unshare(libc.CLONE_NEWPID)
    except OSError:
        os.close(own)
        return lambda: None

    def undo() -> None:
        try:
            libc.setns(own, libc.CLONE_NEWPID)
        finally:
            os.close(own)

    return undo


def confine(wanted: Confinement) -> tuple[list[str], int]:
    """Confine this process, which then executes QEMU; return what the kernel refused.

    Also return a descriptor for ExitRequests, which hold it when it ends with a code of more than
    eight bits; -1 for none. Raises OSError for what every process may do.
    """
    refused: list[str] = []

    def attempt(what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            refused.append(f"cannot {what}: {reason(error)}")

    if os.geteuid() != 0:
        attempt("make a user namespace", _own_user_namespace)
    attempt("make a network namespace", lambda: libc.unshare(libc.CLONE_NEWNET))
    attempt("make an ipc namespace", lambda: libc.unshare(libc.CLONE_NEWIPC))
    attempt("make a root directory", lambda: _own_root(wanted.files))
    _limit(wanted)
    bound_capabilities()
    if wanted.user is not None:
        attempt("have a user of its own", lambda: _become(wanted.user))
    keep_capabilities()
    try:
        return refused, seccomp.deny_and_ask_to_exit(seccomp.FOREIGN, LARGEST_EXIT_CODE)
    except OSError:
        attempt("filter its system calls", lambda: seccomp.deny(seccomp.FOREIGN))
    return refused, -1


def _own_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    libc.unshare(libc.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        write_existing(f"/proc/self/{name}", text.encode())


def _own_root(files: Iterable[str]) -> None:
    """Make a root directory in which are only these files, all read-only, and open descriptors.

    Links lead to the files, which are all in one mount, so that one call takes them away.
    """
    unshare_mounts()
    mount_small(_MOUNT_POINT)
    os.umask(0o022)
    # QEMU opens its firmware, and the file for memory, by the number of a descriptor.
    os.makedirs(f"{_MOUNT_POINT}/proc/self/fd")
    os.mkdir(_MOUNT_POINT + FILES)
    mount_small(_MOUNT_POINT + FILES)
    for path in files:
        _show(path)
    for name in os.listdir(_MOUNT_POINT + FILES):
        os.symlink(f"{FILES[1:]}/{name}", f"{_MOUNT_POINT}/{name}")
    seal(_MOUNT_POINT + FILES)
    libc.mount("/proc/self/fd", f"{_MOUNT_POINT}/proc/self/fd", "", libc.MS_BIND)
    seal(_MOUNT_POINT)
    libc.enter_root(_MOUNT_POINT)


def _show(path: str) -> None:
    """Show one file or directory, or what a link leads to, in the new root."""
    target = _MOUNT_POINT + FILES + path
    if os.path.lexists(target):
        return  # it is in a directory that is shown already
    if os.path.islink(path) and path in _SHOWN:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(path), target)  # /lib, which leads to /usr/lib
        return
    make_mount_point(target, directory=os.path.isdir(path))
    libc.mount(path, target, "", libc.MS_BIND | libc.MS_REC)
    seal(target)


def _limit(wanted: Confinement) -> None:
    limits = [*_LIMITS, (resource.RLIMIT_AS, _ADDRESSES + wanted.memory)]
    if wanted.user is not None:
        limits.append((resource.RLIMIT_NPROC, _THREADS))
    for kind, most in limits:
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _become(user: int | None) -> None:
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
