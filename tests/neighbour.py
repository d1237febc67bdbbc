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


def _threads(path):
    """Return, for each thread, where its file systems are, and all that is in them."""
    found = {}
    for thread in os.listdir(path):
        places = {name: _walk(f"{path}/{thread}/{name}") for name in ("root", "cwd")}
        lines = _text(f"{path}/{thread}/mountinfo").splitlines()
        found[thread] = {"points": [line.split()[4] for line in lines], **places}
    return found


def _walk(top):
    """Return the paths of all files below, with a slash after those of directories."""
    os.listdir(f"{top}/")  # raises what os.walk passes over
    found = []
    for directory, folders, files in os.walk(f"{top}/"):
        path = directory.removeprefix(top)
        found += [os.path.join(path, name) for name in files]
        found += [os.path.join(path, name, "") for name in folders]
        if len(found) > 10_000:
            break
    return sorted(found)


def _above(path):
    """Return what is in the topmost directory above each descriptor of a directory."""
    found = {}
    for number in os.listdir(path):
        name = os.readlink(f"{path}/{number}")
        if os.path.isdir(f"{path}/{number}"):
            found[name] = _files(f"{path}/{number}/{'../' * 40}")
    return found


_LOOKS = {
    **dict.fromkeys(("root", "cwd", "root/files"), _files),
    **dict.fromkeys(("exe", "ns/mnt"), os.readlink),
    **dict.fromkeys(("environ", "maps"), _text),
    "fd": _links,
    "mem": _byte,
    "task": _threads,
    "above": lambda path: _above(path.replace("above", "fd")),
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
