"""Isolated hosts: where an engine and its clients run, apart from the machine.

An isolated host is a mount, network (loopback only) and control group namespace with a /run and a
/dev/shm of its own. A container engine run in it meets no daemon of the machine and leaves nothing
on it. Its `/run` is the folder `base/run` seen from outside, so tests reach its sockets there.
Needs root.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch

from features.backends.processes import children
from tests.engines.process import Process, Result, wait_until

PROJECT = os.path.join(os.path.dirname(__file__), "../..")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class IsolatedHost:
    """Namespaces, a scratch folder, and the processes in them.

    `path`: folders that go first in PATH. `etc`: texts of files to show below /etc, by their paths
    there. `overlays`: read-only layers to show at a folder, by that folder; the first layer wins.
    """

    def __init__(
        self,
        path: Sequence[str] = (),
        etc: Mapping[str, str] | None = None,
        overlays: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        # Short, for a socket's path has at most 107 bytes and engines append much to it.
        self.base = tempfile.mkdtemp(prefix="eng-", dir="/tmp")
        os.chmod(self.base, 0o711)  # the way to their images for users whom engines remap
        for name in ("run", "tmp", "home", "logs", "etc", "conf"):
            os.mkdir(f"{self.base}/{name}")
        self.env = {
            "PATH": ":".join([*path, SYSTEM_PATH]),
            "HOME": f"{self.base}/home",
            "TMPDIR": f"{self.base}/tmp",
            "LANG": "C.UTF-8",
        }
        # What leftovers() looks for, below base, and what it does not list (fnmatch patterns).
        self.watched = ["run/netns/*"]
        self.expected: list[str] = []
        self._overlays = dict(overlays or {})
        for name, text in (etc or {}).items():
            os.makedirs(os.path.dirname(f"{self.base}/etc/{name}"), exist_ok=True)
            with open(f"{self.base}/etc/{name}", "w") as file:
                file.write(text)
            self._overlays["/etc"] = [f"{self.base}/etc", "/etc"]

    def open(self) -> IsolatedHost:
        """Make the namespaces; raises RuntimeError with the reason if the kernel refuses."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = json.dumps({"base": self.base, "overlays": self._overlays})
        self._subreaper = subprocess.Popen(
            [sys.executable, "-s", "-E", "-m", "tests.engines.subreaper", config],
            stdin=theirs.fileno(),
            cwd=PROJECT,
        )
        theirs.close()
        answer = self._control.recv(4096).decode()
        if answer != "ready":
            self._control.close()
            self._subreaper.wait(60)
            shutil.rmtree(self.base, ignore_errors=True)
            raise RuntimeError(f"isolated host: {answer or 'its subreaper died'}")
        self._first_mounts = set(self._mountinfo())
        return self

    def close(self) -> None:
        """Kill what runs in it and remove all of it; raises AssertionError if that fails."""
        self._control.close()
        assert self._subreaper.wait(60) == 0 and not os.path.exists(self.base), (
            f"{self.base} is left"
        )

    def spawn(
        self, argv: Sequence[str], log: str = "", env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a command and let it run, its output appended to the file `log` (or a new one)."""
        if not log:
            fd, log = tempfile.mkstemp(prefix="command-", suffix=".log", dir=f"{self.base}/logs")
            os.close(fd)
        with open(log, "ab") as out, open(os.devnull, "rb") as nothing:
            fds = [nothing.fileno(), out.fileno(), out.fileno()]
            return self._spawn(argv, env, fds, log)

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> Result:
        """Run a command to its end; raises TimeoutError, having killed it, if it takes too long."""
        # Files, not pipes: a daemon left by the command would hold a pipe open for ever.
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin.encode())
            given.seek(0)
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
        self, argv: Sequence[str], env: Mapping[str, str] | None, fds: list[int], log: str = ""
    ) -> Process:
        request = {"argv": list(argv), "env": {**self.env, **(env or {})}, "cwd": self.base}
        ours, theirs = os.pipe()
        socket.send_fds(self._control, [json.dumps(request).encode()], [*fds, theirs])
        os.close(theirs)
        return Process(argv, ours, log)

    def _mountinfo(self) -> list[str]:
        with open(f"/proc/{self._subreaper.pid}/mountinfo") as file:
            return [line.split()[4] for line in file]

    def mounts(self) -> list[str]:
        """Mount points that were made in the isolated host since it was opened."""
        return [point for point in self._mountinfo() if point not in self._first_mounts]

    def processes(self) -> dict[int, str]:
        """Command lines of the processes in the isolated host by pid, zombies left out."""
        found: dict[int, str] = {}
        todo = children(self._subreaper.pid)
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

    @property
    def root(self) -> str:
        """The root directory of the isolated host's processes, seen from outside."""
        return f"/proc/{self._subreaper.pid}/root"

    def find(self, text: str) -> list[int]:
        """Pids of the processes whose command line has this text, such as a shim's name."""
        return [pid for pid, line in self.processes().items() if text in line]

    def cgroups(self) -> list[str]:
        """Container cgroups, hierarchy first: those below an engine's own, which it may keep."""
        root = f"{self.root}/sys/fs/cgroup"
        depth = 1 if os.path.exists(f"{root}/cgroup.controllers") else 2
        found = [folder[len(root) + 1 :] for folder, _, _ in os.walk(root)]
        return [path for path in found if path.count("/") >= depth]

    def leftovers(self) -> list[str]:
        """Processes, mounts, watched files and container cgroups that are still there."""
        left = [f"process {pid}: {line}" for pid, line in self.processes().items()]
        left += [f"mount {point}" for point in self.mounts()]
        for pattern in self.watched:
            left += [f"file {name}" for name in glob.glob(pattern, root_dir=self.base)]
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
