"""The simulator's own files for one processor: faults on request, and what hardware would show.

start_error, stop_error    an errno by name or number; 0 for none
start_delay, crash_after   seconds
console                    the latest UART output; what is written goes to the UART
power                      how many users the kernel counts
reset                      write anything: as binding the driver anew, but files stay open
pid                        of QEMU; 0 where there is none

To remove the driver is what it is with a real one: see the module `drivers`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from errno import EINVAL, ENODEV

from adapters.sim.fuse.keeper import Keeper
from adapters.sim.fuse.nodes import Attribute, DebugFile, Node
from adapters.sim.fuse.processor import unsigned
from adapters.sim.spec import errno_of
from domain.processor import RUNNING

LONGEST_DELAY = 60.0
"""Seconds: nobody can kill a program while its start goes on."""

_DAY = 86400.0


def control_files(keeper: Keeper) -> Mapping[str, Node]:
    """Return the files of /sys/kernel/debug/remoteproc-sim/remoteprocN."""
    return {
        "start_error": _errno(keeper, "start_error"),
        "stop_error": _errno(keeper, "stop_error"),
        "start_delay": _seconds(keeper, "start_delay", LONGEST_DELAY),
        "crash_after": _seconds(keeper, "crash_after", _DAY),
        "console": DebugFile(0o600, lambda: keeper.output, _console_store(keeper)),
        "power": Attribute(lambda: b"%d\n" % keeper.rproc.power),
        "reset": Attribute(lambda: b"", lambda _: keeper.do(keeper.rproc.reset), 0o200),
        "pid": Attribute(lambda: b"%d\n" % max(0, _pid(keeper))),
    }


def _set(keeper: Keeper, **faults: object) -> None:
    # Not through the keeper: a fault can be set while a slow start goes on. It counts next time.
    spec = keeper.rproc.spec
    keeper.rproc.spec = spec._replace(faults=spec.faults._replace(**faults))  # type: ignore[arg-type]


def _errno(keeper: Keeper, field: str) -> Attribute:
    def show() -> bytes:
        return str(getattr(keeper.rproc.spec.faults, field) or 0).encode() + b"\n"

    def store(data: bytes) -> None:
        text = data.removesuffix(b"\n").decode("ascii", "replace")
        name = text if errno_of(text) else errno.errorcode.get(unsigned(data), "")
        if not name and unsigned(data):
            raise OSError(EINVAL, f"{text!r} is no errno")
        _set(keeper, **{field: name})

    return Attribute(show, store)


def _seconds(keeper: Keeper, field: str, most: float) -> Attribute:
    def store(data: bytes) -> None:
        try:
            seconds = float(data)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= most:
            raise OSError(EINVAL, f"{field} is a number of seconds from 0 to {most:g}")
        _set(keeper, **{field: seconds})

    return Attribute(lambda: b"%g\n" % getattr(keeper.rproc.spec.faults, field), store)


def _console_store(keeper: Keeper) -> Callable[[bytes], None]:
    def store(data: bytes) -> None:
        machine = keeper.rproc.machine
        if keeper.rproc.state != RUNNING or machine is None:
            raise OSError(ENODEV, "nothing runs that could read")
        keeper.do(lambda: _feed(keeper, data))

    return store


def _feed(keeper: Keeper, data: bytes) -> None:
    if keeper.rproc.machine:  # what does not fit the UART is lost, as on a wire
        keeper.rproc.machine.console.write(data)


def _pid(keeper: Keeper) -> int:
    machine = keeper.rproc.machine
    return machine.pid if machine else 0
