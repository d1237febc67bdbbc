"""Starts QEMU, confined, as a child that Linux kills when the thread that started it ends."""

from __future__ import annotations

import os
import select
import sys
from _socket import AF_UNIX, CMSG_LEN, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket, socketpair

from adapters.linux import libc
from adapters.linux.fork import bare_fork, prepare_to_execute
from adapters.sim.confinement import Confinement, confine, own_pid_namespace

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KILL = 9
_REPORT_PART = 1 << 12
_ABORTS_WITHIN = 1.0  # seconds
_NUMBER = 4  # bytes of a descriptor that is passed on
_FAILED = "\0"  # before the errno of a failure, which is the last word of a report


def spawn_confined(
    argv: list[str],
    inherited: Sequence[int],
    stderr: int,
    confinement: Confinement,
    environment: Mapping[str, str],
) -> tuple[int, list[str], int]:
    """Run `argv` with the descriptors at the same numbers; return its pid, and as `confine` does.

    The kernel kills it when the calling thread ends, however that happens. It has a process group
    of its own, this environment, an empty stdin, and stdout on `stderr`. Raises OSError.
    """
    reader, report = socketpair(AF_UNIX, SOCK_STREAM)
    parent = os.pidfd_open(os.getpid())
    passed = (*inherited, report.fileno(), parent)
    descriptors = {0: None, 1: stderr, 2: stderr, **{fd: fd for fd in passed}}

    def execute() -> None:
        prepare_to_execute(descriptors)
        for descriptor in (report.fileno(), parent):
            os.set_inheritable(descriptor, False)
        try:
            refused, exits = confine(confinement)
            libc.die_with_parent(_KILL)
            if _ended(parent, 0):
                return
            given = exits.to_bytes(_NUMBER, sys.byteorder) if exits >= 0 else b""
            ancillary = [(SOL_SOCKET, SCM_RIGHTS, given)] if given else []
            report.sendmsg(["\n".join([*refused, ""]).encode() or b"\n"], ancillary)
            os.execve(confinement.program, argv, environment)
        except OSError as error:
            report.sendall(f"{_FAILED}{error.errno}".encode())

    try:
        leave_namespace = own_pid_namespace()
        try:
            pid = bare_fork(execute)
        finally:
            leave_namespace()
    finally:
        report.close()
        os.close(parent)
    said, exits = _receive(reader)
    refused, failed, number = said.partition(_FAILED)
    if failed:
        os.waitpid(pid, 0)
        if exits >= 0:
            os.close(exits)
        raise OSError(int(number), os.strerror(int(number)))
    return pid, refused.split("\n")[:-1] if refused.strip() else [], exits


def end_aborted(pid: int, process: int) -> None:
    """Wait until QEMU has ended, which has said that it aborts; kill it if it does not.

    `process` is a pidfd. QEMU is the first process of its pid namespace, and the kernel keeps the
    signal by which abort(3) ends a process from that one. Then the C library executes an illegal
    instruction, but QEMU's user mode, where the machine itself is emulated so, waits for ever.
    """
    if not _ended(process, _ABORTS_WITHIN):
        os.kill(pid, _KILL)  # it is not reaped yet, so the pid is still its own


def _ended(process: int, within: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(within * 1000))


def _receive(reader: socket) -> tuple[str, int]:
    """Read until the child executes its program, or ends."""
    said, exits = b"", -1
    try:
        while True:
            part, ancillary, _, _ = reader.recvmsg(_REPORT_PART, CMSG_LEN(_NUMBER))
            for _, _, given in ancillary:
                exits = int.from_bytes(given, sys.byteorder)
                os.set_inheritable(exits, False)
            if not part:
                return said.decode(), exits
            said += part
    finally:
        reader.close()


def find_program(name: str) -> str:
    """Return the path of a program on PATH, an empty string if there is none."""
    for directory in os.get_exec_path():
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""
