"""What can go wrong, told for people: one line with what, where, why and what to do next.

Nothing here knows of exit codes or ttrpc codes: each input adapter has one table for that.
"""

from __future__ import annotations

import errno as _errno
import os

from domain.text import printable


def reason(error: OSError) -> str:
    """Return the kernel's word and name for an error, as in `Invalid argument (EINVAL)`."""
    number = error.errno or 0
    return f"{os.strerror(number)} ({_errno.errorcode.get(number, number)})"


class RemoteprocError(Exception):
    """Root of all errors meant for the user. `hint` says what to do next; it may be empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # Messages quote names that images choose: no name may break or forge a line.
        return printable(f"{self.message}; {self.hint}" if self.hint else self.message)


class InvalidRequest(RemoteprocError):
    """The request itself is wrong: an id, an annotation, config.json, a signal, a setting."""


class FirmwareUnfit(InvalidRequest):
    """The firmware file cannot run on the processor it was meant for."""


class NotFound(RemoteprocError):
    """No such container, processor or file."""


class AlreadyExists(RemoteprocError):
    """A container of this id exists."""


class WrongState(RemoteprocError):
    """The container's status forbids the operation."""


class Busy(RemoteprocError):
    """The processor belongs to another container, or somebody else started it."""


class Unsupported(RemoteprocError):
    """Has no meaning for firmware, or this backend cannot do it."""


class HostFault(RemoteprocError):
    """Linux refused something: no space, no permission, no such program. See `fault`."""

    def __init__(self, message: str, *, errno: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errno = errno


class ProcessorFault(HostFault):
    """The processor's driver refused an operation; `errno` is the kernel's (0 if it gave none)."""

    @classmethod
    def cannot(
        cls, verb: str, processor: str, why: str, *, errno: int = 0, hint: str = ""
    ) -> ProcessorFault:
        """Return the error of an order to a processor, in the words of every backend."""
        return cls(f"cannot {verb} processor {processor}: {why}", errno=errno, hint=hint)

    @classmethod
    def refused(
        cls, verb: str, processor: str, error: OSError, *, words: str = "", hint: str = ""
    ) -> ProcessorFault:
        """Return the error of an order that the driver refused; `words`: what else was said."""
        why = f"{reason(error)} [{words}]" if words else reason(error)
        return cls.cannot(verb, processor, why, errno=error.errno or 0, hint=hint)


def host_fault(what: str, error: OSError, hint: str = "") -> HostFault:
    """Return the error of a failed system call; `what` is the first half of the line."""
    number = error.errno or 0
    return HostFault(f"{what}: {reason(error)}", errno=number, hint=hint or _HINTS.get(number, ""))


_HINTS = {
    _errno.EACCES: "run as root, or check the owner and mode of what is named",
    _errno.ENOSPC: "free some space and try again",
    _errno.EROFS: "choose a directory on a writable file system",
}
