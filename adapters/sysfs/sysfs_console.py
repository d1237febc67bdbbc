"""The firmware's console on a processor of the kernel: trace buffers, a tty, or none."""

from __future__ import annotations

import os

from adapters.linux.view import Place
from adapters.sysfs.trace_files import TraceFiles
from adapters.sysfs.tty import TtyConsole

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator


class SysfsConsole:
    """Implements domain.ports.Console.

    `kind` is the container's option `console`; `name` the processor's; `debug` its directory in
    debugfs; `poll_seconds` the shortest time between two looks for output.
    """

    __slots__ = (
        *("_debug", "_kind", "_name", "_poll_seconds", "_remarks", "_running", "_sealed"),
        *("_traces", "_tty"),
    )

    def __init__(
        self, kind: str, name: str, debug: str, tty: TtyConsole, poll_seconds: float
    ) -> None:
        self._kind = kind
        self._name = name
        self._debug = debug
        self._traces = TraceFiles(debug, poll_seconds)
        self._tty = tty
        self._poll_seconds = poll_seconds
        self._sealed = b""  # output before a restart; later output is not the container's
        self._remarks: list[str] = []
        self._running = False

    def later_places(self) -> Iterator[Place]:
        """Yield what is used once the firmware runs."""
        if self._kind == "trace":
            yield Place(self._debug)
        elif self._kind != "none":
            yield from self._tty.later_places()

    def open(self) -> None:
        """Start to read: the firmware runs."""
        self._running = True
        if self._kind != "trace":
            return
        if self._traces.open():
            if self._traces.left_out:
                self._remarks.append(
                    f"the output of {self._name} lacks {self._traces.left_out} trace buffers: "
                    "its firmware has more than the runtime reads"
                )
            return
        why = f"{self._debug} cannot be read"
        if os.access(self._debug, os.R_OK | os.X_OK):
            why = "its firmware has no trace buffer"
        self._remarks.append(f"no output of {self._name}: {why}")

    def seal(self) -> None:
        """Keep the output so far, and read none of the firmware that runs next."""
        self._sealed += self._traces.seal() + self._tty.drain()

    def close(self) -> None:
        """Close the trace buffers and the tty."""
        self._traces.close()
        self._tty.close()
        self._running = False

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptor of the tty, if there is one; debugfs has none to wait for."""
        return self._tty.descriptors()

    @property
    def poll_seconds(self) -> float | None:
        if not self._running or self._kind == "none":
            return None
        if self._kind == "trace":
            return self._traces.period
        return None if self._tty.descriptors() else self._poll_seconds

    def remarks(self) -> list[str]:
        """Return why there is no output, once."""
        found, self._remarks = self._remarks, []
        return found

    def read_output(self) -> bytes:
        found, self._sealed = self._sealed, b""
        if self._kind == "trace":
            found += self._traces.read(running=self._running)
        elif self._kind != "none" and self._running:
            found += self._tty.read()
            if problem := self._tty.problem():
                self._remarks.append(f"no console of {self._name}: {problem}")
        return found

    def write_input(self, data: bytes) -> int:
        if self._kind in ("trace", "none"):
            return len(data)
        return self._tty.write(data)
