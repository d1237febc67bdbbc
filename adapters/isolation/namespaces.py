"""Moves a supervisor into the Linux namespaces that its bundle asks for.

A supervisor in a new mount namespace still works on the host's files: the private copy of the
firmware, the sockets and the locks are there. (What it shows to engines is another matter: see
adapters.supervisor.front.) So the new namespace is a copy of the host's mounts, without the root
file systems of other containers: these could not be removed as long as a mount of them is left.
With a new pid namespace comes a new /proc.
"""

from __future__ import annotations

import errno
import os
from _socket import sethostname  # the module `socket` is slow to import

from adapters.isolation.refusals import Refusals
from adapters.linux import libc
from adapters.linux.channel import Channel
from adapters.linux.mountinfo import mounts
from domain.errors import InvalidRequest, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain.linux_config import Namespace

# The supervisor enters them in this order: a user without privileges may make the others only
# inside a new user namespace.
FLAGS = {
    "user": libc.CLONE_NEWUSER,
    "cgroup": libc.CLONE_NEWCGROUP,
    "ipc": libc.CLONE_NEWIPC,
    "uts": libc.CLONE_NEWUTS,
    "network": libc.CLONE_NEWNET,
    "time": libc.CLONE_NEWTIME,
    "pid": libc.CLONE_NEWPID,
    "mount": libc.CLONE_NEWNS,
}
_CHILDREN_ONLY = ("pid", "time")  # the calling process stays outside (unshare(2))
_OVERFLOW_UID = 65534  # what the kernel shows for a user id that a user namespace does not map
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev")


class NamespaceSetup:
    """Moves the calling process into namespaces.

    `needed` lists the directories that must stay visible in a new mount namespace. What the kernel
    refuses: see Refusals.
    """

    def __init__(self, namespaces: Sequence[Namespace], needed: Sequence[str]) -> None:
        order = list(FLAGS)
        self._namespaces = sorted(namespaces, key=lambda namespace: order.index(namespace.kind))
        self._needed = needed
        self._refusals = Refusals("root needs CAP_SYS_ADMIN")
        self._new: set[str] = set()

    @property
    def warnings(self) -> list[str]:
        """What the kernel refused, if the caller is not the machine's root."""
        return self._refusals.warnings

    def apply(self, creator: Channel, hostname: str) -> None:
        """Enter all namespaces, and set the host name of a new uts namespace.

        For a pid or time namespace the caller continues as a child of this process, and this
        process exits; the creator is sent the child's pid. For a new user namespace the creator is
        asked to write the id maps. Raises HostFault, InvalidRequest.
        """
        opened = [(namespace, self._open(namespace)) for namespace in self._namespaces]
        fork_needed = [self._enter(*each, creator) for each in opened]
        if hostname and "uts" in self._new:
            self._attempt("set the host name", lambda: sethostname(hostname))
        if "mount" in self._new:
            self._attempt("keep mounts apart", self._separate_mounts)
        if any(fork_needed):
            _continue_as_child(creator)
        if {"mount", "pid"} <= self._new:
            self._attempt("mount /proc", _mount_proc)

    def _open(self, namespace: Namespace) -> int:
        """Return a descriptor of an existing namespace, -1 for a new one."""
        if not namespace.path:
            return -1
        try:
            return os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            what = f"cannot open {namespace.kind} namespace {namespace.path}"
            raise host_fault(what, error) from error

    def _enter(self, namespace: Namespace, descriptor: int, creator: Channel) -> bool:
        """Enter one namespace; return whether only children of this process are in it."""
        flag = FLAGS[namespace.kind]
        try:
            if descriptor < 0:
                libc.unshare(flag)
                self._new.add(namespace.kind)
            else:
                libc.setns(descriptor, flag)
                os.close(descriptor)
        except OSError as error:
            self._failed(namespace, error)
            return False
        if namespace.kind == "user":
            if descriptor < 0:
                creator.send(b'{"map": true}')
                creator.receive()
            if os.geteuid() == _OVERFLOW_UID:
                raise InvalidRequest(
                    f"user namespace {namespace.path or 'of the bundle'} has no id for the user "
                    "who runs the firmware",
                    hint="run it with --userns=host (Docker's userns-remap maps users otherwise), "
                    "or map that user",
                )
        return namespace.kind in _CHILDREN_ONLY

    def _failed(self, namespace: Namespace, error: OSError) -> None:
        what = f"make a new {namespace.kind} namespace"
        if namespace.path:
            what = f"join {namespace.kind} namespace {namespace.path}"
            if error.errno == errno.EINVAL:
                raise InvalidRequest(
                    f"cannot {what}: it is none of that kind, or the runtime is in it already"
                ) from error
        self._refusals.add(what, error)

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self._refusals.add(what, error)

    def _separate_mounts(self) -> None:
        # As slaves the mounts follow the host's, and the host's do not follow them.
        libc.mount("", "/", "", libc.MS_REC | libc.MS_SLAVE)
        for point in _other_root_filesystems(self._needed):
            try:
                libc.unmount(point, libc.MNT_DETACH)
            except OSError:
                pass  # the mount was below another one, and was detached with that


def _continue_as_child(creator: Channel) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        raise host_fault("cannot fork into the new namespaces", error) from error
    if pid:
        creator.send(b'{"pid": %d}' % pid)
        os._exit(0)
    # The creator must know this child before it hears from it that all is ready.
    if not creator.receive():
        os._exit(1)  # the creator has died, or has given up
    os.setsid()


def _mount_proc() -> None:
    libc.mount("proc", "/proc", "proc", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC)


def _other_root_filesystems(needed: Sequence[str]) -> list[str]:
    """Return where overlays are mounted that belong neither to the system nor to `needed`."""
    system = [os.path.realpath(path) for path in _SYSTEM]
    kept = system + [os.path.realpath(path) for path in needed]
    found = []
    for mount in mounts():
        point = mount.point
        if mount.kind not in ("overlay", "fuse.fuse-overlayfs") or point == "/":
            continue
        holds_kept = any(_within(path, point) for path in kept)
        if not holds_kept and not any(_within(point, path) for path in system):
            found.append(point)
    return found


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")
