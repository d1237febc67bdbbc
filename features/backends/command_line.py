"""What the backends on this machine share: the command line, and bundles in a directory."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from features.backends.backend import Backend, Outcome, Sample
from features.backends.processes import WatchedProcess, kill, users_of
from features.scenarios import Ability

# The programs are beside the interpreter; in a guest they are elsewhere in the PATH.
_PATH = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
PROGRAMS = os.path.dirname(shutil.which("remoteproc-runtime", path=_PATH) or "/not-installed/")
SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class CommandLineBackend(Backend):
    """Keeps all files under `place`.

    `place` is also in the PATH of each process that this backend starts, so that the processes
    of this backend can be told from all others.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.config = f"{place}/config.yaml"
        self.root = f"{place}/state"
        self.run_directory = f"{place}/run"
        self.environment = {"PATH": f"{place}/bin:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        self.commands_given = 0
        self.entries: dict[str, dict[str, Any]] = {}  # of processors in the configuration
        self._numbers = itertools.count(1)  # of commands, some of which run at the same time
        self._bundles = 0
        self._outputs: dict[str, str] = {}  # files' paths without .out and .err, by container
        self._inputs: dict[str, int] = {}  # pipes to write to, by container
        os.makedirs(f"{place}/bin")
        os.makedirs(f"{place}/commands")

    def bundle(self, sample: Sample | None, processor: str, **config: Any) -> str:
        self._bundles += 1
        bundle = f"{self.place}/bundle-{self._bundles}"
        os.makedirs(f"{bundle}/rootfs")
        if sample:
            shutil.copy(sample.path, f"{bundle}/rootfs/{sample.name}")
        annotations = {"remoteproc.name": processor} if processor else {}
        args = config.get("args", [f"/{sample.name}"] if sample else [])
        text = {
            "ociVersion": "1.2.1",
            "root": {"path": "rootfs"},
            "process": {
                "cwd": "/",
                "args": args,
            },
            "annotations": {**annotations, **config.get("annotations", {})},
        }
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(text, file)
        return bundle

    def set_entry(self, processor: str, keys: Mapping[str, Any]) -> None:
        self.entries.setdefault(processor, {}).update(keys)
        self.write_config()

    def write_config(self) -> None:
        """Write the configuration of the board, with `entries`."""
        raise NotImplementedError

    def change_copy(self, container: str) -> None:
        with open(f"{self.root}/{container}/firmware", "r+b") as file:
            data = bytearray(file.read())
            data[len(data) // 2] ^= 1
            file.seek(0)
            file.write(data)

    def image_path(self, bundle: str) -> str:
        return f"{bundle}/rootfs"

    def outside(self, sample: Sample) -> str:
        return shutil.copy(sample.path, f"{self.place}/outside.elf")

    def words(self, *words: str) -> list[str]:
        """Return the whole command line."""
        return [
            f"{PROGRAMS}/remoteproc-runtime",
            "--config",
            self.config,
            "--root",
            self.root,
            *words,
        ]

    def command(
        self,
        *words: str,
        timeout: float = 60.0,
        within: Sequence[str] = (),
        said: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Outcome:
        """Run the command line with files as stdout and stderr.

        A container inherits the streams, so that a pipe would not end with the command. `within`
        is a command that runs another one, `said` are annotations of the operator's own; `options`
        go to subprocess.run.
        """
        number = self.commands_given = next(self._numbers)
        stem = f"{self.place}/commands/{number}"
        if words[0] in ("create", "run"):
            self._outputs[words[-1]] = stem
        with contextlib.ExitStack() as opened:
            if words[0] == "create" and Ability.INPUT in self.abilities and "stdin" not in options:
                options["stdin"] = opened.enter_context(self._input(words[-1]))
            out = opened.enter_context(open(f"{stem}.out", "wb"))
            err = opened.enter_context(open(f"{stem}.err", "wb"))
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
            options = {**streams, "env": self.environment, **options}
            shown = ",".join(f"{key}={value}" for key, value in (said or {}).items())
            line = [*within, *self.words(*(["--annotations", shown] if said else []), *words)]
            began = time.monotonic()
            done = subprocess.run(line, timeout=timeout, check=False, **options)
            seconds = time.monotonic() - began
        return Outcome(done.returncode, _text(f"{stem}.out"), _text(f"{stem}.err"), seconds)

    def _input(self, container: str) -> BinaryIO:
        """Return the container's stdin; the caller closes it after the creation."""
        reader, writer = os.pipe()
        if (old := self._inputs.pop(container, -1)) >= 0:
            os.close(old)
        self._inputs[container] = writer
        return os.fdopen(reader, "rb")

    def type(self, container: str, text: str) -> None:
        os.write(self._inputs[container], f"{text}\n".encode())

    def output(self, container: str) -> tuple[str, str]:
        stem = self._outputs[container]
        return _text(f"{stem}.out"), _text(f"{stem}.err")

    def kill_supervisor(self, container: str) -> None:
        with WatchedProcess(self.state(container)["pid"]) as supervisor:
            supervisor.kill()
            assert supervisor.wait(5)

    def close(self) -> list[str]:
        left = self.delete_all()
        for writer in self._inputs.values():
            os.close(writer)
        return left + self.take_down() + self.remains()

    def delete_all(self) -> list[str]:
        """Delete all containers; return the errors."""
        failures = []
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.root):
                if not name.startswith("@"):
                    outcome = self.command("delete", "--force", name)
                    failures += [outcome.err] if outcome.code else []
        return failures

    def take_down(self) -> list[str]:
        """Take the board down after the last container; return what is not as it was before."""
        return []

    def remains(self, patience: float = 10.0) -> list[str]:
        """Return the processes and files that containers have left; kill these processes.

        A process that ends within `patience` seconds does not count.
        """
        deadline = time.monotonic() + patience
        while (living := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in living:
            kill(pid)
        left = [f"process {pid}: {words}" for pid, words in living.items()]
        for directory in (self.root, self.run_directory):
            for above, directories, files in os.walk(directory):
                left += [f"{above}/{name}" for name in files]
                if directory == self.root:
                    left += [f"{above}/{name}" for name in directories]
        return left

    def processes(self) -> dict[int, str]:
        """Return pid and command line of the processes that this backend has started."""
        return users_of(self.place)


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read().decode(errors="backslashreplace")
