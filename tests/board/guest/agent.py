"""Runs commands in a guest for the launcher, over a character device: one message a line.

The launcher sends the path of a shared file with ``{"id", "argv", "env", "cwd", "input",
"timeout"}``; the agent answers with ``{"id", "output"}`` as the command prints, at last with
``{"id", "status"}`` where the status of a command killed by signal N is -N, and adds
``"timeout": true`` if it had to be killed. Commands run side by side, each in a session of its own.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tty
from typing import Any


class Agent:
    def __init__(self, port: int) -> None:
        self.port = port
        self.lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self.lock:
            while data:
                data = data[os.write(self.port, data) :]

    def serve(self) -> None:
        self.send({"ready": os.uname().release})
        with open(self.port, "rb", closefd=False) as requests:
            for line in requests:
                with open(line.rstrip(b"\n")) as file:
                    request = json.load(file)
                threading.Thread(target=self.run, args=[request], daemon=True).start()

    def run(self, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            child = subprocess.Popen(
                request["argv"],
                cwd=request.get("cwd"),
                env={**os.environ, **request.get("env", {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self.send({"id": number, "output": f"{error}\n"})
            self.send({"id": number, "status": 127})
            return
        late = threading.Event()

        def kill() -> None:
            late.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(request["timeout"], kill)
        timer.start()
        threading.Thread(target=self.feed, args=[child, request.get("input", "")]).start()
        assert child.stdout is not None
        while data := os.read(child.stdout.fileno(), 65536):
            self.send({"id": number, "output": data.decode(errors="surrogateescape")})
        status = child.wait()
        timer.cancel()
        self.send({"id": number, "status": status, "timeout": late.is_set()})

    @staticmethod
    def feed(child: subprocess.Popen[bytes], text: str) -> None:
        assert child.stdin is not None
        try:
            child.stdin.write(text.encode(errors="surrogateescape"))
            child.stdin.close()
        except BrokenPipeError:
            pass


def main() -> None:
    while not (paths := glob.glob(sys.argv[1])):  # a virtio port is announced some time later
        time.sleep(0.01)
    port = os.open(paths[0], os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    if os.isatty(port):
        tty.setraw(port)
    Agent(port).serve()


main()
