"""Which mounts of a bundle lie where in a container's tree of files, without mounting them.

runc and crun mount one after the other, each on a path that they resolve in the tree as it is by
then. This table does the same, so a mount hides what earlier ones mounted there or below.
"""

from __future__ import annotations

import errno
import os

from domain.errors import NO_SUCH_FILE, Unsupported, host_fault
from domain.mounts import BundleMount

EMPTY = -1
"""Stands for the descriptor of a directory that has nothing but mounts in it."""

# What the kernel shows in these is no firmware, and what a program writes there comes later.
_NEW = ("tmpfs", "ramfs", "proc", "sysfs", "devpts", "devtmpfs", "mqueue", "cgroup", "cgroup2")


class MountTable:
    """Mounts by the paths where they lie: absolute, without links, `.` and `..`."""

    __slots__ = ("_mounts",)

    def __init__(self) -> None:
        self._mounts: dict[str, BundleMount] = {}

    def add(self, place: str, mount: BundleMount) -> None:
        """Lay a mount over what is at this path and below it."""
        for hidden in [p for p in self._mounts if f"{p}/".startswith(f"{place}/")]:
            del self._mounts[hidden]
        self._mounts[place] = mount

    def open(self, place: str, *, reading: bool) -> int | None:
        """Return a descriptor (O_PATH, or EMPTY) of what is mounted there; None if nothing is.

        `reading` tells whether files there are wanted, and not only a place for a mount. Raises
        Unsupported or HostFault.
        """
        mount = self._mounts.get(place)
        if mount is None:
            return None
        if mount.kind in _NEW or not (mount.source or reading):
            return EMPTY
        if not (mount.source or mount.layers):
            raise Unsupported(
                f"firmware cannot be read from the {mount.kind} mount at {place}",
                hint="mount a file or directory there, or a volume",
            )
        try:
            return _open(mount)
        except OSError as error:
            what = f"cannot mount {mount.source or mount.kind} on {mount.destination}"
            if error.errno == errno.ENOENT:
                what += f": {NO_SUCH_FILE}"
            raise host_fault(what, error, hint="check the mount's source on this host") from error

    def leads_to_mount(self, place: str) -> bool:
        """Return whether a mount lies below this path: runc makes the directories above it."""
        return any(path.startswith(f"{place}/") for path in self._mounts)

    def covering(self, place: str) -> BundleMount | None:
        """Return the mount that this path is on; None if it is on the image's own files."""
        while place and place not in self._mounts:
            place = place.rpartition("/")[0]
        return self._mounts.get(place)


def _open(mount: BundleMount) -> int:
    if mount.layers:
        from adapters.images.overlay import open_overlay

        return open_overlay(mount.layers)
    # As mount(2) does: links on the way are the host's. O_PATH calls no device's driver.
    return os.open(mount.source, os.O_PATH | os.O_CLOEXEC)
