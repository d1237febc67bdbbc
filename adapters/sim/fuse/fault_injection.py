"""The simulator's own files for one processor: to inject faults and to watch the hardware.

start_error, stop_error    an errno by name or number; 0 for none
start_delay, crash_after,
end_after                  seconds
console                    the latest UART output; a write is input to the UART
power                      the number of users that the kernel counts
reset                      any write: as binding the driver again, but open files stay good
pid                        of the QEMU process; 0 without one

The module `drivers` has the files that unbind and bind the driver, as for a real processor.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from errno import EINVAL, ENODEV

from adapters.sim.fuse.nodes import Attribute, DebugFile, Node
from adapters.sim.fuse.processor_files import unsigned
from adapters.sim.fuse.worker import ProcessorWorker
from adapters.sim.spec import errno_of
from domain.processor import RUNNING

LONGEST_DELAY = 60.0
"""Seconds: a program that writes `start` cannot be killed until the start is over."""

_DAY = 86400.0


def control_files(worker: ProcessorWorker) -> Mapping[str, Node]:
    """Return the files of /sys/kernel/debug/remoteproc-sim/remoteprocN."""
    return {
        "start_error": _errno(worker, "start_error"),
        "stop_error": _errno(worker, "stop_error"),
        "start_delay": _seconds(worker, "start_delay", LONGEST_DELAY),
        "crash_after": _seconds(worker, "crash_after", _DAY),
        "end_after": _seconds(worker, "end_after", _DAY),
        "console": DebugFile(0o600, lambda: worker.output, _console_store(worker)),
        "power": Attribute(lambda: b"%d\n" % worker.rproc.power),
        "reset": Attribute(lambda: b"", lambda _: worker.run(worker.rproc.reset), 0o200),
        "pid": Attribute(lambda: b"%d\n" % max(0, _pid(worker))),
    }


def _set(worker: ProcessorWorker, **faults: object) -> None:
    # Not by the worker: a fault can be set during a slow start. It counts from the next use on.
    spec = worker.rproc.spec
    worker.rproc.spec = spec._replace(faults=spec.faults._replace(**faults))  # type: ignore[arg-type]


def _errno(worker: ProcessorWorker, field: str) -> Attribute:
    def show() -> bytes:
        return str(getattr(worker.rproc.spec.faults, field) or 0).encode() + b"\n"

    def store(data: bytes) -> None:
        text = data.removesuffix(b"\n").decode("ascii", "replace")
        name = text if errno_of(text) else errno.errorcode.get(unsigned(data), "")
        if not name and unsigned(data):
            raise OSError(EINVAL, f"{text!r} is no errno")
        _set(worker, **{field: name})

    return Attribute(show, store)


def _seconds(worker: ProcessorWorker, field: str, most: float) -> Attribute:
    def store(data: bytes) -> None:
        try:
            seconds = float(data)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= most:
            raise OSError(EINVAL, f"{field} is a number of seconds from 0 to {most:g}")
        _set(worker, **{field: seconds})

    return Attribute(lambda: b"%g\n" % getattr(worker.rproc.spec.faults, field), store)


def _console_store(worker: ProcessorWorker) -> Callable[[bytes], None]:
    def store(data: bytes) -> None:
        execution = worker.rproc.execution
        if worker.rproc.state != RUNNING or execution is None:
            raise OSError(ENODEV, "no firmware runs")
        worker.run(lambda: _write_console(worker, data))

    return store


def _write_console(worker: ProcessorWorker, data: bytes) -> None:
    if worker.rproc.execution:  # input that the UART does not take is lost, as on a wire
        worker.rproc.execution.console.write(data)


def _pid(worker: ProcessorWorker) -> int:
    execution = worker.rproc.execution
    return execution.pid if execution else 0
