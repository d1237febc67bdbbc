"""Filters of system calls, by the library libseccomp, which knows their numbers on each machine.

QEMU, systemd and the runtimes for Linux containers use it too. It is loaded when this module is
imported; its functions need nothing from the file system then. Source: seccomp_rule_add(3).
"""

from __future__ import annotations

import errno
import os
import struct
from _ctypes import FUNCFLAG_CDECL, CFuncPtr, _SimpleCData, dlopen, dlsym

from adapters.linux.libc import Unsigned

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable

_ALLOW = 0x7FFF0000
_NOTIFY = 0x7FC00000
_EPERM = 0x00050000 | errno.EPERM
_GREATER = 6  # of enum scmp_compare
_ALL_THREADS = 2  # the level of the library at which the kernel has SECCOMP_FILTER_FLAG_TSYNC
_NO_CALL = -1  # what the library answers for a name that it does not know

# What gives rights, or reaches what the process has no business with: no process here needs them.
FOREIGN = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd"),
    *("unshare", "setns", "chroot", "pivot_root", "mount", "umount", "umount2", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "open_by_handle_at"),
    *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups"),
    *("setfsuid", "setfsgid", "capset", "add_key", "request_key", "keyctl"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"),
    *("swapon", "swapoff", "acct", "quotactl", "syslog", "iopl", "ioperm", "sethostname"),
    *("setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime"),
)
"""Calls that reach other processes, the kernel's settings, other files or other rights."""

PROGRAMS = ("execve", "execveat", "fork", "vfork", "clone", "clone3")
"""Calls that make processes, threads included."""

SOCKETS = ("socket", "socketpair", "connect", "bind", "listen")
"""Calls that make sockets or connect them."""

SIGNALS = ("kill", "tkill", "pidfd_send_signal", "rt_sigqueueinfo")
"""Calls that send signals to other processes."""


class _Pointer(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "P"


class _Number(CFuncPtr):
    """A function that returns an int."""

    _flags_ = FUNCFLAG_CDECL


class _Context(CFuncPtr):
    """A function that returns a pointer to a filter, None for NULL."""

    _flags_ = FUNCFLAG_CDECL
    _restype_ = _Pointer


def _load() -> int:
    try:
        return int(dlopen("libseccomp.so.2", os.RTLD_NOW))
    except OSError:
        return 0


_library = _load()


class _Filter:
    """A filter of system calls that allows what has no rule. Raises OSError.

    ELIBACC: the library is not installed.
    """

    def __init__(self) -> None:
        if not _library:
            raise OSError(errno.ELIBACC, os.strerror(errno.ELIBACC))
        made = _Context(dlsym(_library, "seccomp_init"))(Unsigned(_ALLOW))
        if not made:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        self._context = _Pointer(made)

    def call(self, name: str, *arguments: object) -> int:
        """Call a function of the library on the filter."""
        result: int = _Number(dlsym(_library, name))(self._context, *arguments)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def deny(self, calls: Iterable[str]) -> None:
        """Let these calls fail; not those that the library does not know."""
        for name in calls:
            call = _number(name)
            if call != _NO_CALL:
                self.call("seccomp_rule_add", Unsigned(_EPERM), call, 0)

    def close(self) -> None:
        """Free the filter; the process keeps it if it has been loaded."""
        _Number(dlsym(_library, "seccomp_release"))(self._context)


def deny(calls: Iterable[str]) -> None:
    """Let these system calls of this process fail with EPERM, for good. Raises OSError.

    The process must have given up new privileges. Other calls, and those that the library does not
    know, are as before. ELIBACC: the library is not installed.
    """
    made = _Filter()
    try:
        made.deny(calls)
        made.call("seccomp_load")
    finally:
        made.close()


def deny_and_ask_to_exit(calls: Iterable[str], largest: int) -> int:
    """Do as `deny`; return a descriptor for adapters.linux.exit_requests.

    With an exit code over `largest` the process ends only once it is answered there.
    """
    made = _Filter()
    try:
        made.deny(calls)
        # struct scmp_arg_cmp: of which argument, how and with what it is compared
        condition = struct.pack("=IIQQ", 0, _GREATER, largest, 0)
        made.call("seccomp_rule_add_array", Unsigned(_NOTIFY), _number("exit_group"), 1, condition)
        made.call("seccomp_load")
        return os.dup(made.call("seccomp_notify_fd"))
    finally:
        made.close()


def is_available() -> bool:
    """Whether this kernel can filter the calls of all threads of a process; yes if nobody knows."""
    if not _library:
        return True
    try:
        return int(_Number(dlsym(_library, "seccomp_api_get"))()) >= _ALL_THREADS
    except OSError:  # a library before 2.4
        return True


def _number(name: str) -> int:
    return int(_Number(dlsym(_library, "seccomp_syscall_resolve_name"))(name.encode()))
