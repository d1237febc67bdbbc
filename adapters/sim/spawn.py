"""Starts a child that Linux kills when the thread that started it ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from errno import ENOENT

from adapters.linux.spawn import spawn
from domain.errors import HostFault

# The child asks Linux for a SIGKILL at its parent's death (setpriv; this survives exec). The parent
# may have died before that, so the child then checks that its parent is still the one that started
# it. QEMU aborts when a simulated core locks up; `ulimit` prevents a core file of QEMU.
_GUARD = 'ulimit -c 0; [ "$PPID" = "$1" ] || exit 125; shift; exec "$@"'


def spawn_bound(argv: Sequence[str], inherited: Sequence[int], stderr: int) -> int:
    """Run `argv` with the descriptors at the same numbers; return its pid.

    The kernel kills it when the calling thread ends, however that happens. It has a process
    group of its own, an empty stdin, and stdout on `stderr`.
    Raises OSError, and HostFault without setpriv.
    """
    setpriv = find_program("setpriv")
    if not setpriv:
        raise HostFault("setpriv is not installed", errno=ENOENT, hint="install util-linux")
    guard = (setpriv, "--pdeathsig=KILL", "/bin/sh", "-c", _GUARD, "sh", str(os.getpid()))
    descriptors = {0: None, 1: stderr, 2: stderr, **{fd: fd for fd in inherited}}
    return spawn([*guard, *argv], os.environ, descriptors, new_session=False)


def find_program(name: str) -> str:
    """Return the path of a program on PATH, an empty string if there is none."""
    for directory in os.get_exec_path():
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""
