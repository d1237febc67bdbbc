"""Asks one kernel, real or simulated, about rpmsg with given firmware; prints its answers as JSON.

Usage: rpmsg_answers.py ROOT FIRMWARE... -- the firmware of processor remoteproc0, below ROOT.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
from typing import Any

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, CHECKOUT)

from adapters.sysfs.tty import TtyConsole, rpmsg_tty  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

_ADDRESS = re.compile(r"(addr |Device Address )0x[0-9a-f]+")
_CARVEOUT = re.compile(r"Name: (\S+)\n.*\n.*\n.*\n\tLength: (\S+) Bytes")


class Kernel:
    """The kernel whose file tree is below `root`; empty for the running one's."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._processor = f"{root}/sys/class/remoteproc/remoteproc0"
        self._debug = f"{root}/sys/kernel/debug/remoteproc/remoteproc0"
        self._log = os.open(f"{root}/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)

    def ask(self, firmware: str) -> dict[str, Any]:
        """Return the answers to one start, a line that is typed, and a stop."""
        shutil.copy(firmware, f"{self._root}/lib/firmware/asked.elf")
        self._write("firmware", "asked.elf")
        self.log()
        found: dict[str, Any] = {"start": self._write("state", "start")}
        found["log"] = self.log()
        if found["start"] == "ok":
            console = TtyConsole(self._root, self._processor, "", 0)
            if any("rpmsg host is online" in line for line in found["log"]):
                wait_until(console.open)
                found["tty"] = self._tty()
                found["reply"] = self._talk(console)
            found["table"] = _ADDRESS.sub(r"\1", self._read("resource_table"))
            found["carveouts"] = _CARVEOUT.findall(self._read("carveout_memories"))
            found["log"] += self.log()
            found["stop"] = self._write("state", "stop")
            console.close()
            found["tty after"] = rpmsg_tty(self._root, self._processor)
            found["table after"] = self._read("resource_table")
            found["log after"] = self.log()
        return found

    def _talk(self, console: TtyConsole) -> bool:
        """Type a line; return that the firmware has answered it."""
        console.write(b"hello\n")
        heard = bytearray()

        def answered() -> bool:
            heard.extend(console.read())
            return b"you said: hello" in heard

        wait_until(answered)
        return True

    def _tty(self) -> str:
        path = os.path.realpath(f"{self._root}/sys/class/tty/ttyRPMSG0")
        below = os.path.relpath(path, os.path.realpath(self._processor))
        return re.sub(r"-1\.\d+", "-1.ADDRESS", below)

    def _write(self, attribute: str, text: str) -> str:
        descriptor = os.open(f"{self._processor}/{attribute}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        finally:
            os.close(descriptor)
        return "ok"

    def _read(self, name: str) -> str:
        with open(f"{self._debug}/{name}") as file:
            return file.read()

    def log(self) -> list[str]:
        """Return the new lines about the processor and its devices."""
        found = []
        try:
            while True:
                text = os.read(self._log, 8192).decode().split(";", 1)[1].partition("\n")[0]
                if text.startswith(("remoteproc ", "virtio_rpmsg_bus ", "rproc-virtio ")):
                    found.append(_ADDRESS.sub(r"\1", text))
        except BlockingIOError:
            return found


def main() -> None:
    root, *files = sys.argv[1:]
    kernel = Kernel(root.rstrip("/"))
    for file in files:
        print(json.dumps({"firmware": os.path.basename(file), **kernel.ask(file)}), flush=True)


if __name__ == "__main__":
    main()
