"""Prepares the root directory of a simulated board, and removes what it made at the end.

ROOT/.remoteproc-sim   the pid of the program that uses the root, which holds a lock on this file,
                       and the directories that it has made
ROOT/sys               the mount
ROOT/dev/kmsg          a symbolic link to the kernel's log, which is in the mount
ROOT/dev/ttyRPMSGn     the same for a processor with a mailbox; it leads nowhere without a channel
ROOT/lib/firmware      a regular directory, for firmware
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from errno import ENOTCONN

from adapters.linux.locks import flock_or_fail, open_locked
from adapters.linux.mountinfo import mounts
from adapters.sim.spawn import find_program
from domain.errors import Busy, HostFault, InvalidRequest, host_fault

SOURCE = "remoteproc-sim"
"""The source of the mount in /proc/mounts."""

_DEVICES = "../sys/kernel/debug/remoteproc-sim"
"""Where the links in ROOT/dev lead: so one mount is enough, and needs no further rights."""

_MARKER = ".remoteproc-sim"
_PARTS = ("", "sys", "dev", "lib", "lib/firmware")


class Mountpoint:
    """One root directory that this process uses, until `close`; `devices` are names in its dev."""

    def __init__(self, path: str, devices: Sequence[str]) -> None:
        """Lock the root and make its directories. Raises InvalidRequest, Busy, HostFault."""
        self._devices = devices
        self.path = os.path.realpath(path)
        self.sys = os.path.join(self.path, "sys")
        self._marker = os.path.join(self.path, _MARKER)
        self._made = [p for p in _PARTS if not os.path.lexists(os.path.join(self.path, p))]
        try:
            os.makedirs(self.path, exist_ok=True)
            if not os.path.lexists(self._marker):
                self._check_empty()
            self._fd = self._take()
            self._make()
        except OSError as error:
            raise host_fault(f"cannot use {self.path} as root", error) from error

    def _check_empty(self) -> None:
        found = set(os.listdir(self.path)) - {"lib"}
        if found and not (found == {"sys"} and not os.listdir(self.sys)):
            shown = ", ".join(sorted(found - {"sys"})[:3]) or "a sys that is not empty"
            raise InvalidRequest(
                f"{self.path} is not empty: it has {shown}",
                hint="choose a new or empty directory; there may be a lib/firmware in it",
            )

    def _take(self) -> int:
        """Lock the marker; one that is removed meanwhile was its owner's last."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return open_locked(lambda: os.open(self._marker, flags, 0o644), self._lock, self._marker)

    def _lock(self, descriptor: int) -> None:
        try:
            flock_or_fail(descriptor)
        except BlockingIOError:
            raise Busy(
                f"{self.path} is in use by {_owner(os.pread(descriptor, 4096, 0))}",
                hint="choose another directory, or end that process",
            ) from None

    def _make(self) -> None:
        predecessors = _record(os.pread(self._fd, 4096, 0)).get("made", [])
        self._made = [p for p in _PARTS if p in self._made or p in predecessors]
        text = json.dumps({"pid": os.getpid(), "made": self._made}).encode()
        os.pwrite(self._fd, text.ljust(4096), 0)
        self.unmount()
        for part in _PARTS:
            os.makedirs(os.path.join(self.path, part), exist_ok=True)
        if os.listdir(self.sys):
            raise InvalidRequest(
                f"{self.sys} is not empty", hint="empty it, or choose another root"
            )
        self._unlink()
        for name in self._devices:
            os.symlink(f"{_DEVICES}/{name}", os.path.join(self.path, "dev", name))

    def _unlink(self) -> None:
        """Remove the links that this process made, or an earlier one that was killed."""
        directory = os.path.join(self.path, "dev")
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if os.path.islink(path) and os.readlink(path) == f"{_DEVICES}/{name}":
                os.unlink(path)

    def unmount(self) -> None:
        """Unmount, if it is mounted, even if programs use the mount. Raises HostFault."""
        for _ in range(8):  # earlier processes that were killed may have left mounts
            if not _mounted(self.sys):
                return
            fusermount = find_program("fusermount3")
            command = [fusermount, "-u", "-z"] if fusermount else ["umount", "-l"]
            done = subprocess.run([*command, "--", self.sys], capture_output=True, text=True)
            if done.returncode:
                problem = " ".join(done.stderr.split())
                raise HostFault(f"cannot unmount {self.sys}: {problem}", hint="unmount it by hand")

    def close(self) -> None:
        """Unmount, and remove the directories that were made, if they are empty."""
        self.unmount()
        self._unlink()
        for part in ("lib/firmware", "lib", "dev", "sys"):
            if part in self._made:
                _remove(os.path.join(self.path, part))
        left = set(os.listdir(self.path)) - {_MARKER}
        # If files of a user are left, the marker shows that this root may be used again.
        if not left or left <= {"lib", "dev", "sys"} - set(self._made):
            os.unlink(self._marker)
        if "" in self._made:
            _remove(self.path)
        os.close(self._fd)


def _remove(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # a user has files there


def _record(text: bytes) -> dict[str, list[str]]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _owner(text: bytes) -> str:
    pid = _record(text).get("pid")
    return f"process {pid}" if pid else "another process"


def _mounted(path: str) -> bool:
    """Whether a simulated board is mounted there, even one whose process has died."""
    try:
        os.lstat(os.path.join(path, "class"))
    except OSError as error:
        if error.errno == ENOTCONN:
            return True
    return any(mount.source == SOURCE and mount.point == path for mount in mounts())
