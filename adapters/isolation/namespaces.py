"""Enters Linux namespaces. Imported only where a bundle asks for some: Python 3.11 needs ctypes.

A supervisor in a namespace of its own keeps seeing the host's files: firmware has no root file
system, and its private copy, the sockets and the locks lie outside of any. So a new mount
namespace is a copy of the host's, from which other containers' roots are detached (they would be
held here otherwise), with a /proc of its own if there is a new pid namespace as well.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence

from adapters.linux.channel import Channel
from adapters.linux.process import open_process, privileged
from domain.errors import InvalidRequest, host_fault, reason
from domain.linux_config import Namespace

# include/uapi/linux/sched.h; the order is the one in which they are entered.
FLAGS = {
    "user": 0x10000000,
    "cgroup": 0x02000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "network": 0x40000000,
    "time": 0x00000080,
    "pid": 0x20000000,
    "mount": 0x00020000,
}
_FORKED = ("pid", "time")  # only children get into these
_MS_REC, _MS_PRIVATE, _MS_SLAVE, _MNT_DETACH = 0x4000, 1 << 18, 1 << 19, 2
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_UNMAPPED = 65534
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    """Call a function of the C library. Raises OSError."""
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Entry:
    """The way of one process into namespaces. What cannot be is an error for root, else a warning.

    `home`: directories that have to stay visible.
    """

    def __init__(self, namespaces: Sequence[Namespace], home: Sequence[str]) -> None:
        order = list(FLAGS)
        self._wanted = sorted(namespaces, key=lambda each: order.index(each.kind))
        self._home = home
        self._strict = privileged()
        self._new: set[str] = set()
        self.warnings: list[str] = []

    def enter(self, creator: Channel, hostname: str) -> None:
        """Enter them all; go on as another process, whose pid `creator` is told, if need be."""
        opened = [(each, self._open(each)) for each in self._wanted]
        forks = [self._enter(each, at, creator) for each, at in opened]
        if hostname and "uts" in self._new:
            self._try("set the host name", lambda: socket.sethostname(hostname))
        if "mount" in self._new:
            self._try("keep mounts apart", self._settle_mounts)
        if any(forks):
            self._fork(creator)
        if {"mount", "pid"} <= self._new:
            flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
            self._try(
                "mount /proc", lambda: _call("mount", b"proc", b"/proc", b"proc", flags, None)
            )

    def _open(self, each: Namespace) -> int:
        if not each.path:
            return -1
        try:
            return os.open(each.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise host_fault(f"cannot open {each.kind} namespace {each.path}", error) from error

    def _enter(self, each: Namespace, at: int, creator: Channel) -> bool:
        """Tell whether a fork is needed to be in it."""
        flag = FLAGS[each.kind]
        try:
            if at < 0:
                _call("unshare", flag)
                self._new.add(each.kind)
            else:
                _call("setns", at, flag)
                os.close(at)
        except OSError as error:
            self._failed(each, error)
            return False
        if each.kind == "user":
            if at < 0:
                creator.send(b'{"map": true}')
                creator.receive()
            if os.geteuid() == _UNMAPPED:
                raise InvalidRequest(
                    f"user namespace {each.path or 'of the bundle'} has no id for the user who "
                    "runs the firmware",
                    hint="map that user, or leave the namespace out",
                )
        return each.kind in _FORKED

    def _failed(self, each: Namespace, error: OSError) -> None:
        what = f"make a new {each.kind} namespace"
        if each.path:
            what = f"join {each.kind} namespace {each.path}"
            if error.errno == 22:
                raise InvalidRequest(
                    f"cannot {what}: it is none of that kind, or the one we are in"
                ) from error
        self._refused(what, error)

    def _try(self, what: str, act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except OSError as error:
            self._refused(what, error)

    def _refused(self, what: str, error: OSError) -> None:
        if self._strict:
            raise host_fault(f"cannot {what}", error, hint="root needs CAP_SYS_ADMIN") from error
        self.warnings.append(f"cannot {what}: {reason(error)}")

    def _settle_mounts(self) -> None:
        _call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None)
        for point in _roots_of_others(self._home):
            try:
                _call("umount2", os.fsencode(point), _MNT_DETACH)
            except OSError:
                pass  # it lay below one that is detached already

    def _fork(self, creator: Channel) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            raise host_fault("cannot fork into the new namespaces", error) from error
        if pid:
            creator.send(b'{"pid": %d}' % pid)
            os._exit(0)
        os.setsid()


def _roots_of_others(home: Sequence[str]) -> list[str]:
    """Return where overlays are mounted that are not of the system and hold nothing of `home`."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.split() for line in file]
    system = [os.path.realpath(path) for path in _SYSTEM]
    kept = system + [os.path.realpath(path) for path in home]
    found = []
    for fields in lines:
        point = fields[4].encode(errors="surrogateescape").decode("unicode_escape")
        kind = fields[fields.index("-") + 1]
        if kind not in ("overlay", "fuse.fuse-overlayfs") or point == "/":
            continue
        holds = any(_within(path, point) for path in kept)
        if not holds and not any(_within(point, path) for path in system):
            found.append(point)
    return found


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def main() -> None:
    """Run a program in the namespaces of a process: PID BIRTH KINDS PATH ARGS..."""
    pid, start_time, kinds, path, *args = sys.argv[1:]
    with open("/proc/self/environ", "rb") as file:  # os.environ has Python's own additions
        given = dict(each.split(b"=", 1) for each in file.read().split(b"\0") if b"=" in each)
    process = open_process(int(pid), int(start_time))
    if process is None:
        sys.exit(f"process {pid} is gone")
    try:
        for kind in sorted(kinds.split(","), key=list(FLAGS).index):
            if not _shared(int(pid), kind):
                _call("setns", process, FLAGS[kind])
    except OSError as error:
        sys.exit(f"cannot join the namespaces of process {pid}: {error.strerror}")
    child = os.fork()  # for a pid namespace
    if child == 0:
        _call("prctl", 1, ctypes.c_ulong(signal.SIGKILL), *[ctypes.c_ulong(0)] * 3)
        try:
            os.execve(path, args, given)
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (9, 19) else None
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _shared(pid: int, kind: str) -> bool:
    name = {"network": "net", "mount": "mnt"}.get(kind, kind)
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/ns/{name}"), os.stat(f"/proc/self/ns/{name}"))
    except OSError:
        return False
