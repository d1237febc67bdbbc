"""Explains the kernel's errno to the people who deploy firmware, in one line."""

from __future__ import annotations

import errno

from domain.errors import ProcessorFault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = "run as root, or let this user write the processor's attributes"
_HINTS = {
    ("start", errno.ENOENT): "the kernel did not find the firmware: check firmware_class.path",
    ("start", errno.EINVAL): "the firmware does not suit this processor: see the kernel's log",
    ("start", errno.ENOMEM): "lower the memory that the resource table asks for, or reserve more",
    ("start", errno.EBUSY): "another program uses the processor or its memory",
    ("start", errno.ETIMEDOUT): "the processor did not answer: check its clock, reset and memory",
    ("start", errno.EIO): "the driver could not start the processor: see the kernel's log",
    ("load", errno.EBUSY): "another program started the processor at this moment: stop it first",
    ("load", errno.EINVAL): "the kernel does not take this file name",
    ("stop", errno.EBUSY): "the firmware keeps the processor busy: try again",
    ("stop", errno.EINVAL): "the processor's state changed at this moment: try again",
    ("detach", errno.EINVAL): "this driver cannot detach: stop the processor instead",
    ("attach", errno.EINVAL): "there is nothing to attach to",
}  # fmt: skip
_ANYWHERE = {
    errno.EACCES: _ROOT,
    # Source of the order: Linux drivers/remoteproc/ti_k3_r5_remoteproc.c.
    errno.EPERM: "its driver lets no program control this processor, or wants the cores of a "
    "cluster started and stopped in order: start core 0 first, stop it last",
    errno.EROFS: "mount sysfs writable: a container needs it so",
    errno.ENODEV: "its driver was removed meanwhile",
    errno.ENOENT: "the processor or this attribute has gone: was its driver removed?",
    errno.EOPNOTSUPP: "this processor's driver cannot do that",
}


def refused(verb: str, name: str, error: OSError, log: Sequence[str] = ()) -> ProcessorFault:
    """Return the error for a `start`, `stop`, ... that the kernel refused; `log`: its messages."""
    number = error.errno or 0
    hint = _HINTS.get((verb, number)) or _ANYWHERE.get(number, "see the kernel's log")
    return ProcessorFault.refused(verb, name, error, words=_words(log), hint=hint)


def in_use(verb: str, name: str, state: str, wanted: str) -> ProcessorFault:
    """Return the error for a processor that another program has brought into a state."""
    return ProcessorFault.cannot(
        verb,
        name,
        f"it is {state}, not {wanted}",
        errno=errno.EBUSY,
        hint="the program that uses it must stop it first",
    )


def unchanged(
    verb: str, name: str, value: str, log: Sequence[str] = (), *, attribute: str = "state"
) -> ProcessorFault:
    """Return the error for a write that the kernel accepted without effect on the attribute."""
    words = f" [{_words(log)}]" if log else ""
    return ProcessorFault.cannot(
        verb,
        name,
        f"the kernel accepted it, but the {attribute} is {value}{words}",
        hint="see the kernel's log; unbinding and binding its driver resets the processor",
    )


def _words(log: Sequence[str]) -> str:
    return f"kernel: {' / '.join(log[-2:])}" if log else ""
