"""The directories where the kernel looks for firmware, and the one to publish firmware in.

Source: Linux drivers/base/firmware_loader/main.c (fw_path). The kernel searches its own root
directory. If this process has another one, as in a container, the configuration must name `root`.
"""

from __future__ import annotations

import os
from errno import EACCES, ENOENT, ENOTDIR

from adapters.sysfs.attributes import escape, read_attribute
from domain.errors import HostFault, host_fault
from domain.light_types import NamedTuple

_PARAMETER = "sys/module/firmware_class/parameters/path"


class FirmwareDirectory(NamedTuple):
    """A directory, and the prefix of its files' names for the kernel: `` or `sub/`."""

    path: str
    prefix: str


class SearchPath:
    """The kernel's directories under `root`; `configured` is the only one to use, `` for any."""

    __slots__ = ("_configured", "_root")

    def __init__(self, root: str, configured: str) -> None:
        self._root = root.rstrip("/")
        self._configured = configured

    def _parameter(self) -> tuple[str, str]:
        """Return the value of firmware_class.path, and the problem with it, `` for none."""
        try:
            # The kernel adds one newline; a second one comes from setting the path by `echo`.
            value = os.fsdecode(read_attribute(f"{self._root}/{_PARAMETER}").removesuffix(b"\n"))
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR, EACCES):
                return "", ""
            raise host_fault(f"cannot read {self._root}/{_PARAMETER}", error) from error
        if not value or value == "(null)":
            return "", ""
        if value.endswith("\n"):
            word = escape(value)
            return "", f"firmware_class.path is {word}, where older kernels find nothing"
        if not value.startswith("/") or "\n" in value:
            return "", f"firmware_class.path is {escape(value)}, not an absolute path"
        return value, ""

    def directories(self) -> list[str]:
        """Return the kernel's directories under `root`, in the order of its search."""
        value, _ = self._parameter()
        release = os.uname().release
        tails = (f"/updates/{release}", "/updates", f"/{release}", "")
        fixed = [f"{self._root}/lib/firmware{tail}" for tail in tails]
        return [self._root + value, *fixed] if value else fixed

    def candidates(self) -> list[FirmwareDirectory]:
        """Return the directories to publish in, the best first.

        On a read-only system, `updates` can be a writable mount.
        """
        if self._configured:
            return [self._configured_directory()]
        value, _ = self._parameter()
        fixed = [f"{self._root}/lib/firmware", f"{self._root}/lib/firmware/updates"]
        return [
            FirmwareDirectory(path, "") for path in ([self._root + value] if value else []) + fixed
        ]

    def _configured_directory(self) -> FirmwareDirectory:
        configured = os.path.realpath(self._root + self._configured)
        for path in self.directories():
            base = os.path.realpath(path)
            if configured == base:
                return FirmwareDirectory(configured, "")
            if configured.startswith(f"{base.rstrip('/')}/"):
                return FirmwareDirectory(configured, f"{os.path.relpath(configured, base)}/")
        _, problem = self._parameter()
        raise HostFault(
            f"the kernel does not look for firmware in the configured directory {self._configured}",
            hint=f"{problem or 'firmware_class.path is not set to it'}: set it by "
            f"`printf %s {self._configured} >/{_PARAMETER}`, or choose one in /lib/firmware",
        )

    def choose(self) -> FirmwareDirectory:
        """Return the first directory that this user may write. Raises HostFault without one."""
        refusals = []
        for directory in self.candidates():
            if os.access(directory.path, os.W_OK | os.X_OK, effective_ids=True):
                return directory
            refusals.append(f"{escape(directory.path)}: {_why(directory.path)}")
        _, problem = self._parameter()
        if problem:
            refusals.append(problem)
        raise HostFault(
            f"no firmware directory of the kernel can be written ({'; '.join(refusals)})",
            hint="mount a writable directory there, or boot with firmware_class.path= set to one: "
            "see docs/boards.md",
        )


def _why(path: str) -> str:
    try:
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return "read-only file system"
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "permission denied" if os.path.isdir(path) else "not a directory"
