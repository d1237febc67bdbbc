"""The command line on a simulated board, for tests of what config.json asks for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile

from tests.waiting import wait_until

PROGRAM = os.path.join(os.path.dirname(sys.executable), "remoteproc-runtime")
SAMPLES = os.path.join(os.path.dirname(__file__), "../../firmware/build/cortex-m3")


class Runtime:
    """Runs commands; keeps the bundle, the state and the configuration in `place`."""

    def __init__(self, place):
        self.place = str(place)
        os.makedirs(f"{self.place}/bundle/rootfs")
        self.root = f"{self.place}/state"
        with open(f"{self.place}/config.yaml", "w") as file:
            file.write("backend: sim\nboard: quad\nrun-directory: run\n")
        self.command = [PROGRAM, "--config", f"{self.place}/config.yaml", "--root", self.root]
        self.prefix = []  # words before the command, as `setpriv` and its options

    def bundle(self, program="hello", **changes):
        """Write the bundle; `changes` replace or add properties of config.json."""
        path = f"{self.place}/bundle"
        shutil.copy(f"{SAMPLES}/{program}.elf", f"{path}/rootfs/firmware.elf")
        config = {
            "ociVersion": "1.2.0",
            "process": {"args": ["firmware.elf"], "cwd": "/"},
            "root": {"path": "rootfs"},
            "annotations": {"remoteproc.name": "m3-0"},
            **changes,
        }
        with open(f"{path}/config.json", "w") as file:
            json.dump(config, file)
        return path

    def run(self, *words, check=True, **settings):
        """Run a command; return the process with its `stdout` and `stderr` as text."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            # Files and not pipes, since the supervisor that a command spawns keeps them open.
            given = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **settings}
            ran = subprocess.run([*self.prefix, *self.command, *words], timeout=30, **given)
            out.seek(0)
            err.seek(0)
            ran.stdout, ran.stderr = out.read(), err.read()
        assert not check or ran.returncode == 0, ran
        return ran

    def create(self, container="c1", **settings):
        return self.run("create", "--bundle", f"{self.place}/bundle", container, **settings)

    def start(self, container="c1", **settings):
        self.create(container, **settings)
        self.run("start", container)
        return self.state(container)["pid"]

    def state(self, container="c1"):
        return json.loads(self.run("state", container).stdout)

    def delete(self, container="c1"):
        self.run("delete", "--force", container)

    def until(self, text, container="c1", seconds=10):
        """Wait until the log contains the text; return the log, the runtime's remarks last."""

        def log():
            ran = self.run("logs", container)
            text_so_far = ran.stdout + ran.stderr
            return text_so_far if text in text_so_far else ""

        return wait_until(log, seconds)

    def left(self):
        """Return the names of the files that containers and owners have left."""
        folders = [self.root, f"{self.place}/run/owners"]
        return [name for each in folders if os.path.isdir(each) for name in os.listdir(each)]
