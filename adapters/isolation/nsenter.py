"""A program that runs another one, such as a hook, in the namespaces of a process.

Arguments: PID STARTED KINDS PATH ARGS... (STARTED is the process's start time, KINDS are the kinds
of namespaces with commas between them, and ARGS begin with the program's name.) This program ends
as the other program ends.
"""

from __future__ import annotations

import os
import signal
import sys

from adapters.isolation.namespaces import FLAGS
from adapters.linux import libc
from adapters.linux.process import open_process
from domain.errors import HostFault

_FILES = {"network": "net", "mount": "mnt"}  # in /proc/PID/ns, where not named as the kind


def main() -> None:
    """Enter the namespaces, run the program, and exit as the program does."""
    pid, started, kinds, path, *args = sys.argv[1:]
    environment = _environment()
    try:
        process = open_process(int(pid), int(started))
    except HostFault as error:
        sys.exit(str(error))
    if process is None:
        sys.exit(f"process {pid} is gone")
    try:
        for kind in sorted(kinds.split(","), key=list(FLAGS).index):
            if not _is_shared(int(pid), kind):
                libc.setns(process, FLAGS[kind])
    except OSError as error:
        sys.exit(f"cannot join the namespaces of process {pid}: {error.strerror}")
    child = os.fork()  # only a child is in another pid namespace
    if child == 0:
        libc.die_with_parent(signal.SIGKILL)
        try:
            os.execve(path, args, environment)
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        _die_by(-code)
    sys.exit(code)


def _environment() -> dict[bytes, bytes]:
    """Return the environment that was given; os.environ has additions by Python itself."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def _is_shared(pid: int, kind: str) -> bool:
    """Return whether this process is in the same namespace: to enter it again may be refused."""
    name = _FILES.get(kind, kind)
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/ns/{name}"), os.stat(f"/proc/self/ns/{name}"))
    except OSError:
        return False


def _die_by(number: int) -> None:
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
