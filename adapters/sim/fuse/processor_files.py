"""The files of one processor, in sysfs and in debugfs.

Source: Linux 6.1 drivers/remoteproc/remoteproc_sysfs.c, remoteproc_debugfs.c.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from errno import EBUSY, EINVAL, ERANGE

from adapters.sim.fuse.nodes import Attribute, DebugFile, Handle, Node, SeqFile
from adapters.sim.fuse.resource_files import carveouts_text, table_text
from adapters.sim.fuse.worker import ProcessorWorker
from adapters.sim.loader import in_memory
from adapters.sim.remoteproc import COREDUMP_MODES, RECOVERY_WORDS, RemoteProc
from domain.processor import ATTACHED, CRASHED
from domain.resource_table import Trace

_TYPES = ("mmufault", "watchdog", "fatal error")


def attributes(worker: ProcessorWorker) -> dict[str, Node]:
    """Return the attributes of /sys/class/remoteproc/remoteprocN."""
    rproc = worker.rproc
    return {
        "name": Attribute(lambda: _line(rproc.spec.name)),
        "state": Attribute(lambda: _line(rproc.state), _queued(worker, rproc.write_state)),
        "firmware": Attribute(lambda: _line(_firmware(rproc)), _firmware_store(worker)),
        "recovery": Attribute(lambda: _line(_recovery(rproc)), _recovery_store(worker)),
        "coredump": Attribute(lambda: _line(rproc.coredump), _coredump_store(rproc)),
    }


def debug_files(worker: ProcessorWorker) -> Mapping[str, Node]:
    """Return the current files of /sys/kernel/debug/remoteproc/remoteprocN."""
    rproc = worker.rproc
    files: dict[str, Node] = {
        "name": DebugFile(0o400, lambda: _line(rproc.spec.name)),
        "recovery": DebugFile(
            0o600,
            lambda: _line(_recovery(rproc)),
            _prefix(_recovery_store(worker), 10, RECOVERY_WORDS),
        ),
        "crash": DebugFile(0o200, None, _crash_store(worker)),
        "coredump": DebugFile(0o600, lambda: _line(rproc.coredump), _debug_coredump_store(worker)),
        "resource_table": SeqFile(0o400, lambda: table_text(worker.resource_table())),
        "carveout_memories": SeqFile(
            0o400, lambda: carveouts_text(rproc.resources, rproc.spec.mailbox)
        ),
    }
    for number, trace in enumerate(rproc.resources.traces):
        files[f"trace{number}"] = TraceFile(worker, rproc.resources.traces, number, trace)
    return files


def _line(text: str) -> bytes:
    return os.fsencode(text) + b"\n"


def _firmware(rproc: RemoteProc) -> str:
    return "unknown" if rproc.state == ATTACHED else rproc.firmware


def _recovery(rproc: RemoteProc) -> str:
    return "enabled" if rproc.recovery else "disabled"


def _word(data: bytes) -> str:
    """Return the C string in the data, without one newline at its end (sysfs_streq)."""
    return os.fsdecode(data.partition(b"\0")[0].removesuffix(b"\n"))


def _queued(worker: ProcessorWorker, write: Callable[[str], None]) -> Callable[[bytes], None]:
    def store(data: bytes) -> None:
        if data:
            worker.run(lambda: write(_word(data)))

    return store


def _firmware_store(worker: ProcessorWorker) -> Callable[[bytes], None]:
    def store(data: bytes) -> None:
        if data:
            try:
                worker.run(lambda: worker.rproc.write_firmware(os.fsdecode(data)))
            except InterruptedError as error:
                raise OSError(EINVAL, "interrupted") from error  # as rproc_set_firmware does

    return store


def _recovery_store(worker: ProcessorWorker) -> Callable[[bytes], None]:
    queued = _queued(worker, worker.rproc.write_recovery)

    def store(data: bytes) -> None:
        # The kernel sets this without its lock, so here too it does not wait for a slow start.
        word = _word(data)
        if word in ("enabled", "disabled"):
            worker.rproc.recovery = word == "enabled"
        if word != "disabled":
            # The kernel reports neither an interruption nor a failed recovery.
            with suppress(InterruptedError):
                queued(data)

    return store


def _coredump_store(rproc: RemoteProc) -> Callable[[bytes], None]:
    def store(data: bytes) -> None:
        if data:
            rproc.write_coredump(_word(data))

    return store


def _prefix(
    store: Callable[[bytes], None], longest: int, words: tuple[str, ...]
) -> Callable[[bytes], None]:
    """Wrap a store for debugfs, where the start of a word is enough (strncmp)."""

    def shortened(data: bytes) -> None:
        if not 1 <= len(data) <= longest:
            raise OSError(EINVAL, "")
        start = os.fsdecode(data.removesuffix(b"\n"))
        word = next((word for word in words if word.startswith(start)), "")
        store(word.encode() or b"?")

    return shortened


def _debug_coredump_store(worker: ProcessorWorker) -> Callable[[bytes], None]:
    store = _prefix(_coredump_store(worker.rproc), 20, COREDUMP_MODES)

    def checked(data: bytes) -> None:
        if worker.rproc.state == CRASHED:
            raise OSError(EBUSY, "")
        store(data)

    return checked


def _crash_store(worker: ProcessorWorker) -> Callable[[bytes], None]:
    """Take the number of a type of crash; the crash follows after the write, as in the kernel."""

    def store(data: bytes) -> None:
        number = unsigned(data)
        kind = _TYPES[number] if number < len(_TYPES) else "unknown"
        worker.submit(lambda: worker.rproc.crash(f"{kind}, injected"))

    return store


def unsigned(data: bytes) -> int:
    """Parse a number as kstrtouint does with base 0. Raises OSError: EINVAL, ERANGE."""
    text = data.removesuffix(b"\n").removeprefix(b"+").decode("latin-1").lower()
    base = 16 if text.startswith("0x") else 8 if text.startswith("0") else 10
    if not text.isalnum() or not text.isascii():
        raise OSError(EINVAL, "no number")
    try:
        number = int(text.removeprefix("0x"), base)
    except ValueError:
        raise OSError(EINVAL, "no number") from None
    if number >= 1 << 32:
        raise OSError(ERANGE, "")
    return number


class TraceFile(DebugFile):
    """One trace buffer in debugfs: the bytes before its first NUL."""

    def __init__(
        self, worker: ProcessorWorker, entries: tuple[Trace, ...], number: int, trace: Trace
    ) -> None:
        super().__init__(0o400)
        self.arguments = (worker, entries, number, trace)

    def open(self, _flags: int, /) -> Handle:
        """Open the file; it can be read until the kernel frees the firmware's resources."""
        return _OpenTrace(*self.arguments)


class _OpenTrace(Handle):
    def __init__(
        self, worker: ProcessorWorker, entries: tuple[Trace, ...], number: int, trace: Trace
    ) -> None:
        self._worker, self._entries, self._number, self._trace = worker, entries, number, trace

    def read(self, size: int, offset: int) -> bytes:
        if not in_memory(self._trace, self._worker.rproc.spec):
            text = b"Trace  not available\n"
        else:
            text = self._worker.trace(self._entries, self._number)
        return text[offset : offset + size]
