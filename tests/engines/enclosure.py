"""Enclosures: where an engine and its clients run, apart from the machine.

An enclosure is a mount, network (loopback only) and control group namespace with a /run and a
/dev/shm of its own. A container engine run in it meets no daemon of the machine and leaves nothing
on it. Its `/run` is the folder `base/run` seen from outside, so tests reach its sockets there.
Needs root.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from typing import NamedTuple

HOLDER = os.path.join(os.path.dirname(__file__), "holder.py")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Result(NamedTuple):
    """What a command said, and its exit code (128 + N if signal N ended it)."""

    argv: Sequence[str]
    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """stdout without the white space around it: an id, a number, a word."""
        return self.stdout.strip()

    def check(self) -> Result:
        """This result, if the command succeeded; raises AssertionError with its output if not."""
        assert self.code == 0, (
            f"{' '.join(self.argv)} exited {self.code}\n{self.stdout}{self.stderr}"
        )
        return self


class Process:
    """A command running in an enclosure."""

    def __init__(self, argv: Sequence[str], status: int) -> None:
        self.argv = argv
        self.code: int | None = None
        # Two lines come, perhaps at once: unbuffered, or select would miss the second.
        self._status = open(status, "rb", buffering=0)  # noqa: SIM115
        self.pid = int(self._line(10))

    def _line(self, timeout: float) -> bytes:
        if not select.select([self._status], [], [], timeout)[0]:
            raise TimeoutError(f"{' '.join(self.argv)}: still running after {timeout} s")
        return self._status.readline()

    def wait(self, timeout: float = 60) -> int:
        """The exit code; raises TimeoutError while it runs on."""
        if self.code is None:
            status = int(self._line(timeout) or signal.SIGKILL)  # no line: the holder is gone
            self._status.close()
            code = os.waitstatus_to_exitcode(status)
            self.code = code if code >= 0 else 128 - code
        return self.code

    def running(self) -> bool:
        """Whether it has not exited yet."""
        try:
            self.wait(0)
        except TimeoutError:
            return True
        return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, unless it has exited already."""
        if self.running():
            os.kill(self.pid, number)


class Enclosure:
    """Namespaces, a scratch folder, and the processes in them.

    `path`: folders that go first in PATH. `overlays`: read-only layers, first wins, to show at a
    folder, by that folder.
    """

    def __init__(
        self, path: Sequence[str] = (), overlays: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        # Short, for a socket's path has at most 107 bytes and engines append much to it.
        self.base = tempfile.mkdtemp(prefix="eng-", dir="/tmp")
        for name in ("run", "tmp", "home", "logs", "etc"):
            os.mkdir(f"{self.base}/{name}")
        self.env = {
            "PATH": ":".join([*path, SYSTEM_PATH]),
            "HOME": f"{self.base}/home",
            "TMPDIR": f"{self.base}/tmp",
            "LANG": "C.UTF-8",
        }
        self.expected: list[str] = []  # patterns (fnmatch) of what leftovers() need not tell
        self.overlays = dict(overlays or {})  # may be added to until open()

    def open(self) -> Enclosure:
        """Make the namespaces; raises RuntimeError with the reason if the kernel refuses."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = json.dumps({"base": self.base, "overlays": self.overlays})
        self._holder = subprocess.Popen([sys.executable, "-I", HOLDER, config], stdin=theirs)
        theirs.close()
        answer = self._control.recv(4096).decode()
        if answer != "ready":
            self.close()
            raise RuntimeError(f"enclosure: {answer or 'the holder died'}")
        self._first_mounts = set(self._mountinfo())
        return self

    def close(self) -> None:
        """Kill what runs in it and remove all of it; raises AssertionError if that fails."""
        self._control.close()
        assert self._holder.wait(60) == 0 and not os.path.exists(self.base), f"{self.base} is left"

    def spawn(
        self, argv: Sequence[str], log: str, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a long-running command, its output appended to the file `log`."""
        with open(log, "ab") as out, open(os.devnull, "rb") as nothing:
            return self._spawn(argv, env, [nothing.fileno(), out.fileno(), out.fileno()])

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> Result:
        """Run a command to its end; raises TimeoutError, having killed it, if it takes too long."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
            with tempfile.TemporaryFile() as err:
                given.write(stdin.encode())
                given.seek(0)
                # Files, not pipes: a daemon left by the command would hold a pipe open for ever.
                process = self._spawn(argv, env, [f.fileno() for f in (given, out, err)])
                try:
                    code = process.wait(timeout)
                except TimeoutError:
                    process.kill()
                    raise
                texts = []
                for file in (out, err):
                    file.seek(0)
                    texts.append(file.read().decode(errors="replace"))
                return Result(argv, code, *texts)

    def _spawn(
        self, argv: Sequence[str], env: Mapping[str, str] | None, fds: list[int]
    ) -> Process:
        request = {"argv": list(argv), "env": {**self.env, **(env or {})}, "cwd": self.base}
        ours, theirs = os.pipe()
        socket.send_fds(self._control, [json.dumps(request).encode()], [*fds, theirs])
        os.close(theirs)
        return Process(argv, ours)

    def _mountinfo(self) -> list[str]:
        with open(f"/proc/{self._holder.pid}/mountinfo") as file:
            return [line.split()[4] for line in file]

    def mounts(self) -> list[str]:
        """Mount points that were made in the enclosure since it was opened."""
        return [point for point in self._mountinfo() if point not in self._first_mounts]

    def processes(self) -> dict[int, str]:
        """Command lines of the processes in the enclosure by pid, zombies left out."""
        found: dict[int, str] = {}
        todo = children(self._holder.pid)
        while todo:
            pid = todo.pop()
            try:
                todo += children(pid)
                with open(f"/proc/{pid}/cmdline") as file:
                    line = file.read().replace("\0", " ").strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if line:
                found[pid] = line
        return found

    def cgroups(self) -> list[str]:
        """Container cgroups, hierarchy first: those below an engine's own, which it may keep."""
        root = f"/proc/{self._holder.pid}/root/sys/fs/cgroup"
        found = [folder[len(root) + 1 :] for folder, _, _ in os.walk(root)]
        return [path for path in found if path.count("/") >= 2]

    def leftovers(self) -> list[str]:
        """Processes, mounts, network namespaces and container cgroups that are still there."""
        left = [f"process {pid}: {line}" for pid, line in self.processes().items()]
        left += [f"mount {point}" for point in self.mounts()]
        for folder in ("netns", "docker/netns"):
            path = f"{self.base}/run/{folder}"
            left += [f"netns {name}" for name in (os.listdir(path) if os.path.isdir(path) else [])]
        left += [f"cgroup {group}" for group in self.cgroups()]
        return [item for item in left if not any(fnmatch(item, p) for p in self.expected)]

    def wait_empty(self, timeout: float = 10) -> None:
        """Wait until nothing is left; raises AssertionError that lists what is."""
        left: list[str] = []

        def empty() -> bool:
            left[:] = self.leftovers()
            return not left

        if not wait_until(empty, timeout):
            raise AssertionError("left behind:\n" + "\n".join(left))


def children(pid: int) -> list[int]:
    """Pids of the children of every thread of a process."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            found += [int(word) for word in file.read().split()]
    return found


def wait_until(condition: Callable[[], object], timeout: float = 20, every: float = 0.02) -> bool:
    """Whether the condition came true within `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
