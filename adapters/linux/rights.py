"""What a process may still do after it has given rights away, for itself and for its children."""

from __future__ import annotations

import errno

from adapters.linux import libc

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Container

_NUMBERS = range(64)  # the kernel's sets have room for so many capabilities


def bound_capabilities(kept: Container[int] = ()) -> None:
    """Let no program that this process executes have other capabilities than these.

    To be called before this process stops to be root. Raises OSError.
    """
    for number in _NUMBERS:
        if number in kept:
            continue
        try:
            libc.drop_from_bounding_set(number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # the kernel has no more
                return
            if error.errno != errno.EPERM:
                raise
            return  # without CAP_SETPCAP; no new privileges, so programs cannot have more either


def keep_capabilities(kept: Container[int] = ()) -> None:
    """Give up all capabilities but these, for good. Raises OSError.

    A capability that this process does not have is not kept either.
    """
    libc.forbid_new_privileges()
    bound_capabilities(kept)
    had = libc.permitted_capabilities()
    libc.set_capabilities(had & sum(1 << number for number in _NUMBERS if number in kept))
