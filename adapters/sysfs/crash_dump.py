"""Has the kernel make the core dump of the crash that ends a container, and saves it."""

from __future__ import annotations

import os

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.coredump import Coredumps
from adapters.sysfs.power import Power
from adapters.sysfs.sysfs_console import SysfsConsole
from domain.errors import RemoteprocError, reason


class CrashDump:
    """The dump of one crash: `begin`, then `step` while it is `busy`; then `result` says of it.

    The supervisor hears signals between two steps.
    """

    __slots__ = (
        *("_attributes", "_console", "_dumps", "_power", "_ready", "_remarks", "_under_way"),
        "result",
    )

    def __init__(
        self, dumps: Coredumps, attributes: Attributes, power: Power, console: SysfsConsole
    ) -> None:
        self._dumps = dumps
        self._attributes = attributes
        self._power = power
        self._console = console
        self._under_way = False
        self._ready = -1  # a descriptor that is always readable
        self._remarks: list[str] = []
        self.result = ""

    @property
    def busy(self) -> bool:
        """Whether the dump is being saved; the processor is off meanwhile."""
        return self._under_way

    def begin(self, container: str, *, only_attached: bool) -> None:
        """Let the kernel make a core dump: it does so only when it recovers the processor.

        So the firmware runs again for a moment.
        """
        if only_attached:
            self.result = "no core dump of a core that was only attached to"
            return
        self._console.seal()
        try:
            self._attributes.write("recovery", "recover")
            self._power.stop()
        except OSError as error:
            self.result = f"no core dump: {reason(error)}"
            return
        except RemoteprocError as error:
            self._remarks.append(str(error))
        self._dumps.begin(container)
        self._under_way = True

    def step(self) -> None:
        """Copy a piece of it."""
        self._dumps.step()
        if not self._dumps.busy:
            self._under_way = False
            self.result = "; ".join(self._dumps.remarks()) or "the driver gave no core dump"

    def finish(self) -> None:
        """Copy all of it."""
        while self._under_way:
            self.step()

    def abort(self) -> None:
        """Copy nothing more of it."""
        self._dumps.abort()
        if self._under_way:
            self._under_way = False
            self._remarks += self._dumps.remarks()

    def close(self) -> None:
        """Abort, and close all files."""
        self.abort()
        if self._ready >= 0:
            os.close(self._ready)
            self._ready = -1

    def remarks(self) -> list[str]:
        """Return what the operator should know beyond the result, once."""
        found, self._remarks = self._remarks, []
        return found

    def descriptors(self) -> tuple[int, ...]:
        """Return a descriptor that is readable while there is something to copy."""
        if not self._dumps.busy:
            return ()
        if self._ready < 0:
            self._ready = os.eventfd(1, os.EFD_CLOEXEC)
        return (self._ready,)
