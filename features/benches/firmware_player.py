"""Plays the firmware on processors that execute nothing: those of tests/board/module.

The firmware is an ELF file that the kernel loads as any other; in it stands what it does, and
that is done for it as soon as its processor runs, through the module's attributes.
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
_LOOK = 0.05  # seconds
_MARK = b"plays: "
_TRACE_SIZE = 0x400
_BOOT_LOADED = "was started by the boot loader"
_ANSWERS = "answers what is typed"  # over rpmsg, where the module itself plays it
_RPMSG = vdev(*[(0xFFFF_FFFF, 16, 16)] * 2)


class Core:
    """One processor, as its firmware sees it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def print(self, line: str) -> None:
        self._do("device/trace", f"{line}\n")

    def crash(self, kind: str) -> None:
        self._do("device/crash", kind)

    def end(self) -> None:
        """Be stopped by somebody: no kernel knows of firmware that ends by itself."""
        self._do("state", "stop")

    def _do(self, attribute: str, value: str) -> None:
        # Stopped at this moment.
        with contextlib.suppress(OSError), open(f"{self._path}/{attribute}", "w") as file:
            file.write(value)


Program = Callable[[Core], Iterator[float]]
"""Does something, and yields seconds to wait, as often as it likes."""


def _counting(first: str, word: str, pause: float) -> Program:
    def run(core: Core) -> Iterator[float]:
        core.print(first)
        for number in itertools.count(1):
            yield pause
            core.print(f"{word} {number}")

    return run


def _crashing(words: str, kind: str) -> Program:
    def run(core: Core) -> Iterator[float]:
        core.print(words)
        yield 0.2
        core.crash(kind)

    return run


def _ending(core: Core) -> Iterator[float]:
    core.print("exit from cortex-m3")
    yield 0.2
    core.end()


def _silent(core: Core) -> Iterator[float]:
    yield from ()


PROGRAMS: dict[str, Program] = {
    "prints and runs on": _counting("hello from cortex-m3", "tick", 0.1),
    "logs into its trace buffer": _counting("trace from cortex-m3", "trace line", 0.1),
    "logs more than its trace buffer holds": _counting("trace from cortex-m3", "trace line", 0.01),
    "crashes": _crashing("about to crash", "fatal"),
    "ends by itself": _ending,
    "starves its watchdog": _crashing("watchdog started, not feeding it", "watchdog"),
    "is deaf to everything": _silent,
    "is made for a RISC-V core": _silent,
    _ANSWERS: _silent,
    _BOOT_LOADED: _counting("hello from the boot loader's", "beat", 0.1),
}


def firmware(behaviour: str) -> bytes:
    """Return firmware whose program is that one. Raises KeyError."""
    PROGRAMS[behaviour]
    code = Load(0x0, VECTORS + _MARK + behaviour.encode() + b"\0" + bytes(256))
    ram = Load(0x2000_0000, memory_size=0x2000)  # so that the kernel clears the trace buffer
    machine = EM_RISCV if "RISC-V" in behaviour else EM_ARM
    entries = [trace(0x2000_1000, _TRACE_SIZE), *([_RPMSG] if behaviour == _ANSWERS else [])]
    return elf([code, ram], table=resource_table(*entries), machine=machine)


class _Run(NamedTuple):
    what: str
    steps: Iterator[float]
    due: float


class Player:
    """Plays on all processors there are, until closed."""

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
        while not self._end.wait(_LOOK):
            for processor, path in self._paths.items():
                with contextlib.suppress(OSError):  # its driver was unbound
                    self._look(processor, path)

    def _look(self, processor: str, path: str) -> None:
        what = _what_runs(path)
        run = self._runs.get(processor)
        if run is None or run.what != what or _begun_anew(path):
            if what not in PROGRAMS:
                self._runs.pop(processor, None)
                return
            run = _Run(what, PROGRAMS[what](Core(path)), 0.0)
        if time.monotonic() >= run.due:
            pause = next(run.steps, float("inf"))
            run = run._replace(due=time.monotonic() + pause)
        self._runs[processor] = run


def _begun_anew(path: str) -> bool:
    """Whether nothing has been printed: it may have been off for too short a time to be seen."""
    with open(f"{_DEBUG}/{os.path.basename(path)}/trace0", "rb") as file:
        return not file.read(1)


def _what_runs(path: str) -> str:
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
