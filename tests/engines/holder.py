"""The process that holds an enclosure: namespaces, control groups, and all that runs in them.

Run as `python3 -I holder.py JSON`, with a SOCK_SEQPACKET control socket as standard input. Each
message asks for a command: JSON (argv, env, cwd) with four descriptors: stdin, stdout, stderr, and
a pipe that gets the line "PID" and, at the end, the line "STATUS" as waitpid(2) gives it. When the
peer closes the socket, or dies, everything in the enclosure is killed and removed.

It is the subreaper of its commands, so whatever they leave behind becomes its child.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from typing import Any

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWNET = 0x00020000, 0x02000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
CGROUPS = "/sys/fs/cgroup"

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    names = [text.encode() or None for text in (source, target, fstype)]
    check(libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def raise_loopback() -> None:
    """CRI's streaming server and clients of loopback need it; a new namespace has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags: int
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, SIOCGIFFLAGS, b"lo".ljust(40, b"\0")), 16)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def hierarchies() -> dict[str, str]:
    """Mount options of each control group hierarchy by mount point; version 2 only if alone."""
    found = {}
    for line in read("/proc/mounts").splitlines():
        _, point, fstype, *_ = line.split()
        if fstype in ("cgroup", "cgroup2") and (fstype, point) not in found:
            found[fstype, point] = fstype
    first = {point: "cgroup" for fstype, point in found if fstype == "cgroup"}
    return first or {point: "cgroup2" for _, point in found}


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def enter_cgroups(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Move into a group of our own in each hierarchy; returns types by mount point, and the groups.

    A group found at a second mount point of its hierarchy is not made twice.
    """
    kinds, groups = hierarchies(), {}
    for point, kind in kinds.items():
        group = f"{point}/{name}"
        if os.path.isdir(group):
            continue
        os.mkdir(group)
        groups[point] = group
        if os.path.exists(f"{group}/cpuset.cpus") and kind == "cgroup":
            for knob in ("cpuset.cpus", "cpuset.mems"):
                write(f"{group}/{knob}", read(f"{point}/{knob}"))
        write(f"{group}/cgroup.procs", "0")
    return kinds, groups


def mount_cgroups(groups: dict[str, str], kinds: dict[str, str], options: dict[str, str]) -> None:
    """Show the commands our groups as the roots of their hierarchies."""
    if "cgroup2" in kinds.values():
        mount("cgroup2", CGROUPS, "cgroup2")
        # A group with controllers for its children may hold no process itself.
        os.mkdir(f"{CGROUPS}/init")
        write(f"{CGROUPS}/init/cgroup.procs", "0")
        controllers = read(f"{CGROUPS}/cgroup.controllers").split()
        write(f"{CGROUPS}/cgroup.subtree_control", " ".join(f"+{c}" for c in controllers))
        return
    mount("tmpfs", CGROUPS, "tmpfs", data="mode=755")
    for point in groups:
        own = f"{CGROUPS}/{os.path.basename(point)}"
        os.mkdir(own)
        mount("cgroup", own, "cgroup", data=options[point])


def cgroup_options() -> dict[str, str]:
    """The controllers of each version 1 mount point, as mount(2) wants them to find it again."""
    options = {}
    names = {line.split(":")[1] for line in read("/proc/self/cgroup").splitlines()}
    for line in read("/proc/mounts").splitlines():
        _, point, fstype, given, *_ = line.split()
        if fstype == "cgroup":
            words = set(given.split(","))
            options[point] = next(n for n in names if n and set(n.split(",")) <= words)
    return options


def remove_groups(groups: dict[str, str]) -> None:
    for group in groups.values():
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                time.sleep(0.02)  # the kernel lets go of a dead process's group a little later
                os.rmdir(folder)


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
        ready, _, _ = select.select([control, wake], [], [])
        if control in ready:
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
                    pass  # whoever asked has lost interest
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
    groups: dict[str, str] = {}
    try:
        options = cgroup_options()
        kinds, groups = enter_cgroups(os.path.basename(base))
        check(libc.unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWNET), "unshare")
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        raise_loopback()
        # The groups as the machine names them, reached by descriptors once they are hidden.
        groups = {
            point: f"/proc/self/fd/{os.open(point, os.O_PATH)}/{os.path.basename(base)}"
            for point in groups
        }
        check(libc.umount2(CGROUPS.encode(), MNT_DETACH), "umount cgroups")
        mount_cgroups(groups, kinds, options)
        mount(f"{base}/run", "/run", flags=MS_BIND)
        mount("tmpfs", "/dev/shm", "tmpfs")
        for target, layers in config["overlays"].items():
            mount("overlay", target, "overlay", data="lowerdir=" + ":".join(layers))
        control.send(b"ready")
        serve(control)
    except Exception as error:
        control.send(f"{type(error).__name__}: {error}".encode())
    finally:
        kill_all()
        leave(groups)
        unmount_below(base)
        shutil.rmtree(base)


def leave(groups: dict[str, str]) -> None:
    """Move this last process out of the groups, so that they can be removed."""
    for group in groups.values():
        write(f"{os.path.dirname(group)}/cgroup.procs", "0")
    remove_groups(groups)


if __name__ == "__main__":
    main()
