"""What a process of root in a neighbouring container sees of the inside of another process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

from adapters.linux.libc import CLONE_NEWNS, setns
from adapters.linux.rights import keep_capabilities

ROOT = os.path.join(os.path.dirname(__file__), "..")

# What root of a container has, by default: not SYS_PTRACE, SYS_ADMIN and PERFMON.
DOCKERS = frozenset((0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
SYS_PTRACE = 19


def _files(path):
    return sorted(os.listdir(f"{path}/"))


def _text(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def _links(path):
    return sorted(os.readlink(entry.path) for entry in os.scandir(path))


def _byte(path):
    with open(path, "rb") as file:
        file.read(1)


_LOOKS = {
    **dict.fromkeys(("root", "cwd", "root/files"), _files),
    **dict.fromkeys(("exe", "ns/mnt"), os.readlink),
    **dict.fromkeys(("environ", "maps"), _text),
    "fd": _links,
    "mem": _byte,
}


def seen_by_a_neighbour(pid, *more):
    """Return what such a process sees, by the names in /proc/PID; `more` are capabilities."""
    return _in_another_process("look", pid, *more)


def files_in_mount_namespace_of(pid):
    """Return the names in the root directory of the process's mount namespace, as nsenter shows."""
    return _in_another_process("enter", pid)


def _in_another_process(what, *numbers):
    # Not a copy of this one, which may have threads.
    words = [sys.executable, "-m", "tests.neighbour", what, *map(str, numbers)]
    return json.loads(subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def look(pid, *more):
    keep_capabilities(DOCKERS | {*more})
    seen = {}
    for name, see in _LOOKS.items():
        with contextlib.suppress(OSError):
            seen[name] = see(f"/proc/{pid}/{name}")
    return seen


def enter(pid):
    setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY), CLONE_NEWNS)
    return sorted(os.listdir("/"))


if __name__ == "__main__":
    print(json.dumps({"look": look, "enter": enter}[sys.argv[1]](*map(int, sys.argv[2:]))))
