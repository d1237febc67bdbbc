"""What can go wrong, as one line for people: what failed, where, why, and what to do next.

Exit codes and ttrpc codes are not here: each input adapter has a table from class to code. A
supervisor sends the class by name, see adapters.supervisor.control_protocol.
"""

from __future__ import annotations

import errno as _errno
import os

from domain.text import printable

_LONGEST = 1 << 15  # characters of a message, and of a hint: a path has room, all of it escaped

NO_SUCH_FILE = "no such file or directory"
"""Go's words for ENOENT. Docker and Podman look for them: the exit code is 127 then, as runc's."""


def reason(error: OSError) -> str:
    """Return the text and the name of an errno, as in `Invalid argument (EINVAL)`."""
    number = error.errno or 0
    return f"{os.strerror(number)} ({_errno.errorcode.get(number, number)})"


class RemoteprocError(Exception):
    """The root of all errors that users see. `hint` says what to do next; it may be empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # Messages quote names from images: such a name must not break, forge or flood a line.
        words = (self.message, self.hint) if self.hint else (self.message,)
        return printable("; ".join(map(_shortened, words)))


class InvalidRequest(RemoteprocError):
    """The request itself is wrong: an id, an annotation, config.json, a signal, a setting."""


class FirmwareUnfit(InvalidRequest):
    """The firmware file cannot run on the chosen processor."""


class Forbidden(RemoteprocError):
    """The node's policy, which the configuration states, does not allow it."""


class NotFound(RemoteprocError):
    """No such container, processor or file."""


class AlreadyExists(RemoteprocError):
    """A container of this id exists."""


class WrongState(RemoteprocError):
    """The container's status forbids the operation."""


class SupervisorGone(WrongState):
    """The supervisor has ended, so it cannot do what it was asked."""


class Busy(RemoteprocError):
    """The processor belongs to another container, or another program has started it."""


class Unsupported(RemoteprocError):
    """The operation has no meaning for firmware, or this backend cannot perform it."""


class HostFault(RemoteprocError):
    """A system call failed: no space, no permission, no such program. See `host_fault`."""

    def __init__(self, message: str, *, errno: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errno = errno


class ProcessorFault(HostFault):
    """The processor's driver refused an operation; `errno` is the kernel's (0 if it gave none)."""

    @classmethod
    def cannot(
        cls, verb: str, processor: str, why: str, *, errno: int = 0, hint: str = ""
    ) -> ProcessorFault:
        """Return the error of an operation on a processor, worded alike for every backend."""
        return cls(f"cannot {verb} processor {processor}: {why}", errno=errno, hint=hint)

    @classmethod
    def refused(
        cls, verb: str, processor: str, error: OSError, *, words: str = "", hint: str = ""
    ) -> ProcessorFault:
        """Return the error of an operation that the driver refused; `words`: the kernel's log."""
        why = f"{reason(error)} [{words}]" if words else reason(error)
        return cls.cannot(verb, processor, why, errno=error.errno or 0, hint=hint)


def way_out(processor: str) -> str:
    """Return what an operator can do about a processor that its driver does not stop."""
    return f"`remoteproc-runtime release --force {processor}` gives it up, and leaves it running"


def host_fault(what: str, error: OSError, hint: str = "") -> HostFault:
    """Return the error of a failed system call; the message begins with `what`."""
    number = error.errno or 0
    return HostFault(f"{what}: {reason(error)}", errno=number, hint=hint or _HINTS.get(number, ""))


def _shortened(words: str) -> str:
    """Return the words without their middle if they are too long: the reason is at the end."""
    half = _LONGEST // 2
    return words if len(words) <= _LONGEST else f"{words[:half]}...{words[-half:]}"


def internal_error(error: BaseException) -> str:
    """Return a line on a mistake in this program: the error, and the source line that raised it.

    A MemoryError is no such mistake: the line says that there is no memory left.
    """
    if isinstance(error, MemoryError):
        return NO_MEMORY
    trace, place = error.__traceback__, ""
    while trace:
        file = "/".join(trace.tb_frame.f_code.co_filename.split("/")[-2:])
        place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return printable(f"internal error: {type(error).__name__}: {error}{place}")


NO_MEMORY = "there is no memory left; end other programs, or raise a limit of memory"

RAISE_LIMIT = "raise that limit: the supervisor and a simulated processor run inside of it"

_HINTS = {
    _errno.EACCES: "run as root, or check the owner and mode of what is named",
    _errno.EFBIG: "raise the limit of the size of files (RLIMIT_FSIZE)",
    _errno.EMFILE: "raise the limit of open files (RLIMIT_NOFILE)",
    _errno.ENOSPC: "free some space and try again",
    _errno.EROFS: "choose a directory on a writable file system",
}
