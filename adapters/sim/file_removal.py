"""Takes all files away from a confined process once it has read what it needs."""

from __future__ import annotations

import os
from errno import EINVAL

from adapters.linux import libc
from adapters.linux.fork import bare_fork
from adapters.sim.confinement import FILES


class FileRemoval:
    """Empties the root directory of a process, which keeps what it has open or mapped.

    A child of this process does it, since a mount namespace is entered by a whole process. The
    child is prepared while the other process starts.
    """

    def __init__(self) -> None:
        self._child = self._go = -1

    def prepare(self, pid: int) -> None:
        """Prepare for a process that `adapters.sim.confinement` has confined. Raises OSError.

        Nothing is prepared for a process to which the kernel refused a root of its own.
        """
        if os.path.samestat(os.stat(f"/proc/{pid}/ns/mnt"), os.stat("/proc/thread-self/ns/mnt")):
            return
        names = ("user", "mnt") if os.geteuid() else ("mnt",)
        opened = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
        waiting, self._go = os.pipe2(os.O_CLOEXEC)
        opened.append(waiting)

        def work() -> None:
            os.close(self._go)
            try:
                for namespace in opened[:-1]:
                    libc.setns(namespace, 0)
                if os.read(waiting, 1):
                    libc.unmount(FILES, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
            except OSError as error:
                os._exit(error.errno or EINVAL)
            os._exit(0)

        try:
            self._child = bare_fork(work)
        except BaseException:
            os.close(self._go)
            raise
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def perform(self) -> None:
        """Take the files away, if prepared. Raises OSError."""
        if self._child < 0:
            return
        try:
            os.write(self._go, b"!")
        except OSError:
            pass  # the child has failed, and its exit code says how
        if failure := self._end():
            raise OSError(failure, os.strerror(failure))

    def close(self) -> None:
        """Take nothing away, unless that is done. Repeatable."""
        if self._child > 0:
            self._end()

    def _end(self) -> int:
        os.close(self._go)
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        self._child = -1
        return abs(code)
