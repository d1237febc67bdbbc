"""Runs functions in processes of their own, which may be killed between any two system calls."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator


def spawn(function: Callable[[], object]) -> int:
    """Run the function in a fork of this process; return its pid. It exits with 0, or 1."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def status_of(pid: int) -> int:
    """Wait; return the exit status, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def child(function: Callable[[Callable[[], None]], object]) -> Iterator[int]:
    """Run function(ready) in a process, which lives on after `ready()` until it is killed."""
    reader, writer = os.pipe()

    def body() -> None:
        def ready() -> None:
            os.write(writer, b"!")
            signal.pause()

        function(ready)

    pid = spawn(body)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"!", "the child failed"
        yield pid
    finally:
        os.close(reader)
        kill(pid)


def kill(pid: int) -> None:
    """Kill a child and reap it, unless that has been done."""
    with contextlib.suppress(ChildProcessError):
        os.kill(pid, signal.SIGKILL) if os.waitpid(pid, os.WNOHANG) == (0, 0) else None
        os.waitpid(pid, 0)


def deadly(
    real: Callable[..., object], mine: Callable[[], bool], *, after: bool
) -> Callable[..., object]:
    """Return the function, but a process that is `mine` is killed right before or after it."""

    def call(*args: object, **kwargs: object) -> object:
        if mine() and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*args, **kwargs)
        if mine() and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return call


CALLS = (
    *("open", "close", "mkdir", "rmdir", "rename", "link", "unlink"),
    *("write", "pwrite", "ftruncate", "listdir", "scandir"),
)
"""What the adapters do to files, as functions of `os`."""


def run_until(number: int, function: Callable[[], object], *, torn: bool = False) -> bool:
    """Run it in a process that is killed right before file operation `number` (from 0).

    With `torn`, a write is done by half before the kill. Tells whether it was killed; it was not
    if the function has fewer operations.
    """

    def body() -> None:
        count, mortal = 0, os.getpid()

        def deadly(real: Callable[..., object], half: bool) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                nonlocal count
                if os.getpid() != mortal:  # a process that the mortal one has forked
                    return real(*args, **kwargs)
                count += 1
                if count > number:
                    if half:
                        descriptor, data, *where = args
                        real(descriptor, data[: len(data) // 2], *where)  # type: ignore[index, arg-type]
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)

            return call

        for name in CALLS:
            half = torn and name in ("write", "pwrite")
            setattr(os, name, deadly(getattr(os, name), half))
        function()

    status = status_of(spawn(body))
    assert status in (0, -signal.SIGKILL)
    return status != 0


def every_death(function: Callable[[], object], *, torn: bool = False) -> Iterator[int]:
    """Run it again and again, killed one operation later each time; yield after each death.

    The last run is not killed and nothing is yielded for it.
    """
    number = 0
    while run_until(number, function, torn=torn):
        yield number
        number += 1
    assert number, "there was nothing to be killed in"
