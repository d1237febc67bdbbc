"""Runs remoteproc-sim for tests, in a directory that other users can read too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

PROGRAM = [sys.executable, "-c", "from bootstrap.sim import main; main()"]
CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOARD = """\
processors:
  - name: m4
    core: cortex-m3
    machine: mps2-an385
    memory: &memory
      - {name: code, address: 0x0, size: 1M}
      - {name: data, address: 0x20000000, size: 1M}
  - name: dsp
    core: cortex-m3
    machine: mps2-an385
    memory: *memory
    boot: detached
"""
ATTACHED = """\
  - {name: m7, core: cortex-m3, machine: mps2-an385, memory: *memory, boot: attached}
"""


class Simulator:
    """One mounted board; `root` is the root directory of the simulated kernel."""

    def __init__(self, root=None, board=BOARD):
        self.place = tempfile.mkdtemp(prefix="remoteproc-sim-")
        os.chmod(self.place, 0o755)
        self.root = root or f"{self.place}/root"
        with open(f"{self.place}/board.yaml", "w") as file:
            file.write(board)
        argv = [*PROGRAM, "--board", f"{self.place}/board.yaml", "--root", self.root]
        self.process = subprocess.Popen(
            argv, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.ready = self.process.stdout.readline()
        if not self.ready:
            errors = self.process.communicate()[1]
            self.__exit__()
            raise AssertionError(errors)

    def end(self, number=signal.SIGTERM):
        """Send a signal; return the exit status and the text on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        errors = self.process.communicate(timeout=20)[1]
        return self.process.returncode, errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.end()
        finally:
            subprocess.run(["umount", "-l", f"{self.root}/sys"], capture_output=True)
            shutil.rmtree(self.place, ignore_errors=True)
