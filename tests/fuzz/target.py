"""A fuzz target: a function that takes bytes from outside, what it may cost, and how to run it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from domain.errors import RemoteprocError

SECONDS = 1.0
"""CPU time that one input may take."""

MEMORY = 64 << 20
"""Bytes of memory that one input may take."""

CORPUS = Path(__file__).with_name("corpus")

# mallopt(3): what one input has freed must not serve the next one uncounted.
_M_MMAP_THRESHOLD = -3
ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)

_STATM = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
_PAGE = os.sysconf("SC_PAGE_SIZE")


class TooSlow(BaseException):
    """An input took more than SECONDS. No code under test catches it."""


class Target(NamedTuple):
    """`largest`: the bytes of the longest input that is worth a try.

    `function` returns None or raises one of `answers` for every input; an exception of another
    class is a defect, and so is an assertion that fails.
    """

    name: str
    largest: int
    answers: tuple[type[Exception], ...]
    function: Callable[[bytes], None]

    @property
    def corpus(self) -> Path:
        """The directory of its inputs: real ones, those that once failed, those that were found."""
        return CORPUS / self.name

    def run(self, data: bytes) -> None:
        """Run the function within the limits. Raises what shows a defect."""
        try:
            with limited():
                self.function(data)
        except self.answers as error:
            if isinstance(error, RemoteprocError):
                assert error.message and str(error).isprintable(), error


TARGETS: dict[str, Target] = {}


def target(
    largest: int, *answers: type[Exception]
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Make a target of a function; its name is the function's."""

    def made(function: Callable[[bytes], None]) -> Callable[[bytes], None]:
        name = function.__name__
        assert name not in TARGETS
        TARGETS[name] = Target(name, largest, answers, function)
        return function

    return made


@contextmanager
def limited(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Raise TooSlow or MemoryError where the block takes more time or more new memory.

    The time is the process's own, so that a busy machine makes no input too slow.
    """
    used = int(os.pread(_STATM, 256, 0).split()[5]) * _PAGE  # proc(5): data and stack
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + memory, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    began = time.process_time()
    try:
        yield
        if time.process_time() - began > seconds:
            raise TooSlow
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _too_slow(*_: object) -> None:
    raise TooSlow


signal.signal(signal.SIGPROF, _too_slow)  # once: it would take more time than many an input
