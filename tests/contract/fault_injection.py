"""Lets the system calls of one process on files fail, while an operation is under way.

The errors are raised where Python makes the call, in a command or in a supervisor. Pipes, sockets
and devices are left alone: the kernel gives none of these errors for them.
"""

from __future__ import annotations

import builtins
import errno
import os
import stat
from collections.abc import Callable
from mmap import mmap

COMMAND, SUPERVISOR = 1, 2
DEATH = -1
ERRORS = {
    **{
        name: getattr(errno, name)
        for name in ("EMFILE", "ENFILE", "ENOMEM", "EIO", "ENOSPC", "EROFS", "EINTR")
    },
    "death": DEATH,
}
_BY_PATH = (
    *("open", "mkdir", "rmdir", "rename", "link", "unlink", "symlink", "replace"),
    *("listdir", "scandir"),
)
_BY_DESCRIPTOR = ("read", "pread", "write", "pwrite", "ftruncate", "fsync")
_ROLE, _AT, _ERROR, _LASTING, _COUNT, _NAMED = range(6)
_NAME = 128  # where in the shared memory the name of the failed call is


class Faults:
    """What is to fail; shared with all processes that are forked from this one."""

    def __init__(self) -> None:
        self._memory = mmap(-1, 4096)
        self._numbers = memoryview(self._memory).cast("q")

    def arm(self, role: int, at: int, error: int, *, lasting: bool) -> None:
        """Let call number `at` (from 0) of a process of that role fail, or that and all later."""
        self._numbers[_AT], self._numbers[_ERROR], self._numbers[_LASTING] = at, error, lasting
        self._numbers[_COUNT] = self._numbers[_NAMED] = 0
        self._numbers[_ROLE] = role

    def disarm(self) -> None:
        """Let all succeed again."""
        self._numbers[_ROLE] = 0

    @property
    def count(self) -> int:
        """How many calls there were since `arm`."""
        return self._numbers[_COUNT]

    @property
    def failed(self) -> str:
        """What failed first since `arm`: the call, and the end of its first argument."""
        return self._memory[_NAME : _NAME + self._numbers[_NAMED]].decode(errors="replace")

    def install(self, role: int) -> None:
        """Let this process, and none that it forks, be one of that role."""
        fstat = os.fstat

        def on_file(descriptor: object) -> bool:
            mode = fstat(descriptor).st_mode  # type: ignore[arg-type]
            return stat.S_ISREG(mode) or stat.S_ISDIR(mode)

        for name in _BY_PATH:
            setattr(os, name, self._wrap(role, name, lambda _: True))
        for name in _BY_DESCRIPTOR:
            setattr(os, name, self._wrap(role, name, on_file))
        builtins.open = self._wrap(role, "open", lambda _: True, builtins.open)  # type: ignore[assignment]

    def _wrap(
        self,
        role: int,
        name: str,
        applies: Callable[[object], bool],
        given: Callable[..., object] | None = None,
    ) -> Callable[..., object]:
        real: Callable[..., object] = given or getattr(os, name)
        numbers, pid = self._numbers, os.getpid()

        def call(*args: object, **kwargs: object) -> object:
            if numbers[_ROLE] == role and os.getpid() == pid and applies(args[0] if args else ""):
                number = numbers[_COUNT]
                numbers[_COUNT] = number + 1
                if number == numbers[_AT] or (numbers[_LASTING] and number > numbers[_AT] >= 0):
                    self._fail(f"{name} {args[0]!s:.80}" if args else name)
            return real(*args, **kwargs)

        return call

    def _fail(self, what: str) -> None:
        if not self._numbers[_NAMED]:
            text = what.encode()[:256]
            self._memory[_NAME : _NAME + len(text)] = text
            self._numbers[_NAMED] = len(text)
        if self._numbers[_ERROR] == DEATH:
            os._exit(137)  # as by SIGKILL, which a supervisor may not send
        raise OSError(self._numbers[_ERROR], os.strerror(self._numbers[_ERROR]))
