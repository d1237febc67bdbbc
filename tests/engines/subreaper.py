"""The process that holds an isolated host: namespaces, control groups, and all processes in them.

Run as `python3 -m tests.engines.subreaper JSON`, its standard input a SOCK_SEQPACKET control
socket. Each message asks for a command: JSON (argv, env, cwd) with four descriptors: stdin,
stdout, stderr, and a pipe that gets the line "PID" and, at the end, the line "STATUS" as
waitpid(2) gives it. When the peer closes the socket, or dies, everything in the isolated host is
killed and removed.

It is the subreaper of its commands, so processes that they leave running become its children.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
from typing import Any

from tests.engines.cgroups import Cgroups
from tests.engines.system import (
    CLONE_NEWCGROUP,
    CLONE_NEWNET,
    CLONE_NEWNS,
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    PR_SET_CHILD_SUBREAPER,
    check,
    libc,
    mount,
    read,
)

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """CRI's streaming server and clients of loopback need it; a new namespace has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, SIOCGIFFLAGS, b"lo".ljust(40, b"\0"))
        (flags,) = struct.unpack_from("h", answer, 16)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def kill_all() -> None:
    """Kill every process below this one; orphans become children, so repeat until there is none."""
    while True:
        try:
            for pid in read(f"/proc/self/task/{os.getpid()}/children").split():
                os.kill(int(pid), signal.SIGKILL)
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def spawn(request: dict[str, Any], fds: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for target, fd in enumerate(fds[:3]):
            os.dup2(fd, target)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.chdir(request["cwd"])
        os.closerange(3, 1024)
        os.environ["PATH"] = request["env"]["PATH"]  # execvpe searches its own environment's
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except BaseException as error:
        os.write(2, f"{request['argv'][0]}: {error}\n".encode())
    os._exit(127)


def serve(control: socket.socket) -> None:
    """Start commands and reap processes until the peer is gone."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is pytest's to handle
    status_pipes: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, 1 << 20, 4)
            if not message:
                return
            pid = spawn(json.loads(message), fds)
            os.write(fds[3], f"{pid}\n".encode())
            status_pipes[pid] = fds[3]
            for fd in fds[:3]:
                os.close(fd)
        if wake in ready:
            os.read(wake, 4096)
        while status_pipes or wake in ready:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if (pipe := status_pipes.pop(pid, None)) is not None:
                try:
                    os.write(pipe, f"{status}\n".encode())
                except BrokenPipeError:
                    pass  # the process that asked no longer reads
                os.close(pipe)


def unmount_below(base: str) -> None:
    points = [line.split()[4] for line in read("/proc/self/mountinfo").splitlines()]
    for point in reversed(points):
        if point.startswith((f"{base}/", "/run/")):
            libc.umount2(point.encode(), MNT_DETACH)


def main() -> None:
    config = json.loads(sys.argv[1])
    base = config["base"]
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    cgroups = Cgroups(os.path.basename(base))
    try:
        cgroups.enter()
        check(libc.unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWNET), "unshare")
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        cgroups.mount()
        mount(f"{base}/run", "/run", flags=MS_BIND)
        mount("tmpfs", "/dev/shm", "tmpfs")
        for target, layers in config["overlays"].items():
            mount("overlay", target, "overlay", data="lowerdir=" + ":".join(layers))
        raise_loopback()
        control.send(b"ready")
        serve(control)
    except Exception as error:
        control.send(f"{type(error).__name__}: {error}".encode())
    finally:
        kill_all()
        cgroups.leave()
        unmount_below(base)
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
