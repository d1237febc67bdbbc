"""Acts as the firmware of processors that execute nothing: those of tests/board/module.

The kernel loads an ELF file as it does any other. The file names a program of this module. As
soon as the processor runs, the player does through the module's attributes what the program says.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.elf_builder import EM_ARM, EM_RISCV, VECTORS, Load, elf, resource_table, trace, vdev

_CLASS = "/sys/class/remoteproc"
_DEBUG = "/sys/kernel/debug/remoteproc"
_INTERVAL = 0.05  # seconds between two looks at the processors
_MARK = b"plays: "
_TRACE_SIZE = 0x400
_BOOT_LOADED = "was started by the boot loader"
_ANSWERS = "answers what is typed"  # over rpmsg, by the module itself
_RPMSG = vdev(*[(0xFFFF_FFFF, 16, 16)] * 2)


class Core:
    """What firmware can do on its processor."""

    def __init__(self, path: str) -> None:
        self._path = path

    def print(self, line: str) -> None:
        self._do("device/trace", f"{line}\n")

    def crash(self, kind: str) -> None:
        self._do("device/crash", kind)

    def end(self) -> None:
        """Stop the processor as another user does: firmware cannot tell the kernel that it ends."""
        self._do("state", "stop")

    def _do(self, attribute: str, value: str) -> None:
        # The processor may be stopped at this moment.
        with contextlib.suppress(OSError), open(f"{self._path}/{attribute}", "w") as file:
            file.write(value)


Program = Callable[[Core], Iterator[float]]
"""The steps of firmware; each step yields the seconds to wait before the next one."""


def _counting(first: str, word: str, pause: float) -> Program:
    def run(core: Core) -> Iterator[float]:
        core.print(first)
        for number in itertools.count(1):
            yield pause
            core.print(f"{word} {number}")

    return run


def _crashing(output: str, kind: str) -> Program:
    def run(core: Core) -> Iterator[float]:
        core.print(output)
        yield 0.2
        core.crash(kind)

    return run


def _ending(core: Core) -> Iterator[float]:
    core.print("exit from cortex-m3")
    yield 0.2
    core.end()


def _without_output(core: Core) -> Iterator[float]:
    yield from ()


PROGRAMS: dict[str, Program] = {
    "prints and runs on": _counting("hello from cortex-m3", "tick", 0.1),
    "logs into its trace buffer": _counting("trace from cortex-m3", "trace line", 0.1),
    "logs more than its trace buffer holds": _counting("trace from cortex-m3", "trace line", 0.01),
    "crashes": _crashing("about to crash", "fatal"),
    "ends by itself": _ending,
    "does not feed its watchdog": _crashing("watchdog started, not feeding it", "watchdog"),
    "ignores all messages": _without_output,
    "is built for a RISC-V core": _without_output,
    _ANSWERS: _without_output,
    _BOOT_LOADED: _counting("hello from the boot loader's", "beat", 0.1),
}


def firmware(behaviour: str) -> bytes:
    """Return an ELF file that names the program of this behaviour. Raises KeyError."""
    if behaviour not in PROGRAMS:
        raise KeyError(behaviour)
    code = Load(0x0, VECTORS + _MARK + behaviour.encode() + b"\0" + bytes(256))
    ram = Load(0x2000_0000, memory_size=0x2000)  # so that the kernel clears the trace buffer
    machine = EM_RISCV if "RISC-V" in behaviour else EM_ARM
    entries = [trace(0x2000_1000, _TRACE_SIZE), *([_RPMSG] if behaviour == _ANSWERS else [])]
    return elf([code, ram], table=resource_table(*entries), machine=machine)


class _Run(NamedTuple):
    """A program that runs on a processor; its next step is due at this time (monotonic)."""

    behaviour: str
    steps: Iterator[float]
    due: float


class FirmwarePlayer:
    """Acts as the firmware of all processors, in a thread of its own, until it is closed."""

    def __init__(self, processors: Sequence[str]) -> None:
        self._paths = {}
        for device in os.listdir(_CLASS) if processors else ():
            with open(f"{_CLASS}/{device}/name") as file:
                self._paths[file.read().strip()] = f"{_CLASS}/{device}"
        self._runs: dict[str, _Run] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join(30)

    def _play(self) -> None:
        while not self._end.wait(_INTERVAL):
            for processor, path in self._paths.items():
                with contextlib.suppress(OSError):  # the driver may be unbound
                    self._play_on(processor, path)

    def _play_on(self, processor: str, path: str) -> None:
        behaviour = _running_behaviour(path)
        run = self._runs.get(processor)
        if run is None or run.behaviour != behaviour or _has_printed_nothing(path):
            if behaviour not in PROGRAMS:
                self._runs.pop(processor, None)
                return
            run = _Run(behaviour, PROGRAMS[behaviour](Core(path)), 0.0)
        if time.monotonic() >= run.due:
            pause = next(run.steps, float("inf"))
            run = run._replace(due=time.monotonic() + pause)
        self._runs[processor] = run


def _has_printed_nothing(path: str) -> bool:
    """Return whether the trace buffer is empty: after a restart that the player did not see."""
    with open(f"{_DEBUG}/{os.path.basename(path)}/trace0", "rb") as file:
        return not file.read(1)


def _running_behaviour(path: str) -> str:
    """Return the behaviour that the loaded file names, or `` if the processor does not run."""
    with open(f"{path}/state") as file:
        state = file.read().strip()
    if state == "attached":
        return _BOOT_LOADED
    if state != "running":
        return ""
    with open(f"{path}/firmware") as file:
        name = file.read().strip()
    with open(f"/lib/firmware/{name}", "rb") as file:
        return file.read().partition(_MARK)[2].partition(b"\0")[0].decode(errors="replace")
