"""What a supervisor keeps of its rights: before it is ready, and once its processor runs.

The user stays, who owns all that the supervisor writes. Source: capabilities(7).
"""

from __future__ import annotations

import os

from adapters.linux import libc, rights, seccomp
from adapters.linux.process import forget_environment, privileged
from adapters.supervisor.front import Front
from domain.errors import host_fault, reason

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DAC_OVERRIDE, _KILL, _SETGID, _SETUID, _SETPCAP = 1, 5, 6, 7, 8
_SYS_CHROOT, _SYS_PTRACE, _SYS_ADMIN, _SYSLOG = 18, 19, 21, 34

# By backend, for good. For sysfs: consoles and directories of other users; the kernel's log.
_KEPT = {"none": (), "sysfs": (_DAC_OVERRIDE, _SYSLOG), "sim": ()}
# Until the start: to show the container's files, and to give up the rest then. For sim also: to
# give QEMU a user, namespaces and an empty root.
_TO_SHOW_FILES = (_SETPCAP, _SYS_CHROOT, _SYS_ADMIN)
_FOR_START = {
    "none": _TO_SHOW_FILES,
    "sysfs": _TO_SHOW_FILES,
    "sim": (*_TO_SHOW_FILES, _DAC_OVERRIDE, _KILL, _SETGID, _SETUID, _SYS_PTRACE),
}
_CALLS_FOR_START = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount"),
    *("setgroups", "setresuid", "setresgid", "capset"),
)


class LeastRights:
    """The rights of this supervisor; `warn` takes a line for the container's log."""

    def __init__(self, backend: str, front: Front, warn: Callable[[str], None]) -> None:
        self._front = front
        self._warn = warn
        self._kept = frozenset(_KEPT[backend])
        self._for_start = self._kept.union(_FOR_START[backend])
        self._signals = backend == "sim"  # QEMU is ended by one

    def before_ready(self) -> None:
        """Keep what the supervisor needs from now on, and for a start. Raises HostFault."""
        try:
            forget_environment()
            if privileged():
                libc.forbid_inspection()
                os.setgroups([])
            rights.keep_capabilities(self._for_start)
            _deny(call for call in seccomp.FOREIGN if call not in _CALLS_FOR_START)
        except OSError as error:
            raise host_fault("a supervisor cannot give up its rights", error) from error

    def end_process_of(self, user: int | None, *, apart: bool) -> None:
        """Be able to end QEMU, which runs as `user`, without rights; None is this process's user.

        `apart`: QEMU is in a pid namespace, where it can name no process outside. Then the
        supervisor takes its user as the real one, which lets it end QEMU (kill(2)) without any
        capability. Raises HostFault.
        """
        if user is None:
            return
        if not apart:
            self._kept |= {_KILL}
            return
        try:
            os.setresuid(user, 0, 0)
        except OSError as error:
            raise host_fault("a supervisor cannot give up its rights", error) from error

    def after_start(self) -> None:
        """Show the container's files alone, and keep what is needed from now on.

        Raises HostFault.
        """
        machines_root = privileged()  # later, /proc cannot be seen
        what = "show the container's files to engines"
        try:
            try:
                self._front.show_container(self._give_up)
                what = "hide the host's files from processes with CAP_SYS_PTRACE"
                self._front.withdrawal.enter_view()
            except OSError as error:
                if machines_root:
                    self._warn(f"cannot {what}: {reason(error)}")
            self._give_up()
        except OSError as error:
            raise host_fault("a supervisor cannot give up its rights", error) from error

    def _give_up(self) -> None:
        """Give up the rights of the calling thread."""
        rights.keep_capabilities(self._kept)
        signals = () if self._signals else seccomp.SIGNALS
        _deny((*seccomp.FOREIGN, *seccomp.PROGRAMS, *seccomp.SOCKETS, *signals))


def _deny(calls: Iterable[str]) -> None:
    try:
        seccomp.deny(calls)
    except OSError:
        pass  # a kernel without filters, or no libseccomp: the other limits hold
