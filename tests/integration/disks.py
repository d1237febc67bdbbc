"""A disk for the state root that a test can fill, use up or make read-only.

It is a tmpfs in a mount namespace of its own, where the commands of the test run too.
"""

from __future__ import annotations

import os
import subprocess

_MOUNT = (
    'mount -t tmpfs -o mode=700,size="$2",nr_inodes="$3" none "$1"; echo ready; exec sleep infinity'
)
_SPACE = 'cat /dev/zero >"$1/filling" 2>/dev/null || true'
_INODES = 'n=0; while true >"$1/file$n"; do n=$((n + 1)); done 2>/dev/null || true'
_CONTENT = (
    r"""cd "$1"; find . -printf '%P %y %m %s %T@ %C@\n' | sort; """
    "find . -type f | sort | xargs sha256sum"
)
_READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift; exec "$@"'


class Disk:
    """Takes the place of the backend's state root until `close`."""

    def __init__(self, backend, size="1m", inodes=100):
        self.path = f"{backend.place}/disk"
        os.mkdir(self.path)
        private = ["unshare", "--mount", "--propagation", "private"]
        self._holder = subprocess.Popen(
            [*private, "sh", "-ec", _MOUNT, "sh", self.path, size, str(inodes)],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stdout.readline() == b"ready\n"
        self.within = ["nsenter", f"--target={self._holder.pid}", "--mount"]
        self.read_only = [*self.within, "unshare", "--mount", "sh", "-ec", _READ_ONLY, "sh"]
        self.read_only.append(self.path)
        backend.root = f"{self.path}/state"
        self.run("mkdir", "-m", "700", backend.root)

    def run(self, *words):
        """Run a program there; return its output."""
        return subprocess.run([*self.within, *words], check=True, capture_output=True).stdout

    def fill(self, what):
        """Leave no `space`, or no `inodes`."""
        script = {"space": _SPACE, "inodes": _INODES}[what]
        self.run("sh", "-ec", script, "sh", self.path)

    def content(self):
        """Return all files with their modes, sizes, times of change and checksums."""
        return self.run("sh", "-ec", _CONTENT, "sh", self.path)

    def close(self):
        self._holder.kill()
        self._holder.communicate()
