"""Which engine versions there are, and where script/engines put them."""

from __future__ import annotations

import os
import subprocess

OLDEST, NEWER, NEWEST = "bookworm", "trixie", "sid"

# By the version asked for; the last of each is the version that the newest suite has now.
CONTAINERD = {"1.6": OLDEST, "1.7": NEWER, "2": NEWEST}
DOCKER = {"26": NEWER, "28": NEWEST}
PODMAN = {"4": OLDEST, "5": NEWEST}


class Releases:
    """The unpacked suites."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def binary(self, suite: str, name: str) -> str:
        """Path of an engine's program."""
        return f"{self.folder}/{suite}/bin/{name}"

    def library_overlay(self, suite: str) -> dict[str, list[str]]:
        """Overlays that give programs of the suite their libraries, and the machine's still work.

        A newer C library runs programs of an older one, not the reverse: so the oldest suite only
        adds what the machine lacks, and a newer one goes before the machine's.
        """
        machine = os.path.dirname(os.path.realpath("/lib64/ld-linux-x86-64.so.2"))
        if os.uname().machine == "aarch64":
            machine = os.path.dirname(os.path.realpath("/lib/ld-linux-aarch64.so.1"))
        layers = [f"{self.folder}/{suite}/lib", machine]
        return {machine: layers if suite != OLDEST else layers[::-1]}


def fetch() -> Releases:
    """Fetch the engines, if that was not done before; raises CalledProcessError."""
    script = os.path.join(os.path.dirname(__file__), "../../script/engines")
    done = subprocess.run([script], stdout=subprocess.PIPE, text=True, check=True)
    return Releases(done.stdout.strip())
