"""Lifecycles of containers, four at a time, while random processes are killed or suspended.

Then people remove their containers, containerd is killed once more and started again, one more
container runs, and ten seconds later nothing may be left. `python -m tests.engines.chaos`
(script/chaos) prints what was left, of this project's shim and of runc's; Ctrl-C ends a run early.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.images import probe_image, write_docker, write_oci
from tests.engines.isolated_host import IsolatedHost
from tests.engines.ours import ETC, PROCESSORS, RUNTIME, sample
from tests.engines.releases import Releases, fetch

RUNC = "io.containerd.runc.v2"
PATIENCE = 15.0  # seconds for a command whose daemon may be suspended
CLEAN_WITHIN = 10.0  # seconds after containerd's next start
STATE = (
    *("run/remoteproc-runtime/containerd/*/*", "run/remoteproc-runtime/containers/*"),
    *("run/remoteproc-runtime/owners/*", "run/remoteproc-runtime/boards/*"),
    *("run/remoteproc-runtime/simulator-users/*", "run/containerd/runc/*/*"),
    "run/docker/runtime-runc/*/*",
)


class Faults:
    """Kills or suspends a random process of an isolated host every now and then, daemons included.

    All kinds of programs are hit alike, though there are more processes of some.
    """

    def __init__(self, host: IsolatedHost, engine: Any, seed: int) -> None:
        self.signals: Counter[str] = Counter()
        self._host = host
        self._engine = engine
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._suspended: list[tuple[float, int]] = []  # until when, and a pidfd

    def run(self) -> None:
        """Do so until `end`; start daemons that have died."""
        while not self._over.wait(self._random.uniform(0, 0.6)):
            self._resume(time.monotonic())
            self._hit()
            with contextlib.suppress(AssertionError):  # it is suspended, or killed once more
                revive(self._engine)
        self._resume(float("inf"))

    def end(self) -> None:
        """Hit nothing any more."""
        self._over.set()

    def _hit(self) -> None:
        kinds: dict[str, list[int]] = {}
        for pid, line in self._host.processes().items():
            kinds.setdefault(os.path.basename(line.split()[0]), []).append(pid)
        kinds.pop("sh", None)
        if not kinds:
            return
        kind = self._random.choice(sorted(kinds))
        if kind in ("containerd", "dockerd") and self._random.random() < 0.9:
            return  # else they would be down most of the time
        pid = self._random.choice(kinds[kind])
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            suspend = self._random.random() < 0.3
            if pid in self._host.processes():  # so the descriptor is of none but this process
                signal.pidfd_send_signal(process, signal.SIGSTOP if suspend else signal.SIGKILL)
                self.signals[f"{'STOP' if suspend else 'KILL'} {kind}"] += 1
            if suspend:
                until = time.monotonic() + self._random.uniform(0, 3)
                self._suspended.append((until, process))
            else:
                os.close(process)

    def _resume(self, now: float) -> None:
        for until, process in [each for each in self._suspended if each[0] <= now]:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)
            self._suspended.remove((until, process))


def revive(engine: Any) -> None:
    """Start daemons of the engine that are dead; raises AssertionError if one does not answer."""
    containerd: Any = engine.containerd if isinstance(engine, Docker) else engine
    if not containerd.daemon.process.running():
        containerd.start(containerd.version)
    if engine is not containerd and not engine.daemon.process.running():
        engine.restart(kill=True)


class Outcome(NamedTuple):
    """What a run has shown; `left` are lines about what was there ten seconds later."""

    engine: str
    runtime: str
    lifecycles: int
    ran: int
    signals: Counter[str]
    left: list[str]

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.signals.items()))
        head = f"{self.engine} {self.runtime}: {self.lifecycles} lifecycles, {self.ran} of them ran"
        left = "".join(f"\n    {line}" for line in self.left)
        count = f"left {CLEAN_WITHIN:.0f} s after containerd's start: {len(self.left)}"
        return f"{head}; {self.signals.total()} signals ({kinds}); {count}{left}"


class Chaos:
    """One engine, `ctr` or `docker`, with containers of one runtime."""

    def __init__(self, kind: str, runtime: str, releases: Releases, path: str) -> None:
        self.kind, self.runtime = kind, runtime
        start: Any = Docker if kind == "docker" else Containerd
        self.engine: Any = start(releases, "28" if kind == "docker" else "2", [path], etc=ETC)
        self.host: IsolatedHost = self.engine.host
        self.containerd = self.engine.containerd if kind == "docker" else self.engine
        self.host.watched += STATE
        # A killed dockerd leaves these of its own, whatever the runtime.
        self.host.expected += [f"mount {self.host.base}/docker/*", "file run/docker/netns/*"]
        with tempfile.TemporaryDirectory() as folder:
            write = write_docker if kind == "docker" else write_oci
            ours = runtime == RUNTIME
            image = sample("hello") if ours else probe_image("localhost/probe:1", folder)
            self.engine.load(write(image, f"{folder}/image.tar"))
        self._image = image.name
        self._early = threading.Event()

    def end(self) -> None:
        """Begin no more lifecycles."""
        self._early.set()

    def run(self, lifecycles: int, seed: int = 0) -> Outcome:
        """Run so many lifecycles under fire, then clean up as people would."""
        faults = Faults(self.host, self.engine, seed)
        names = [[f"c{n}-{i}" for i in range(n, lifecycles, 4)] for n in range(4)]
        with ThreadPoolExecutor(5) as pool:
            firing = pool.submit(faults.run)
            counts = list(pool.map(self._lifecycles, names, PROCESSORS, range(seed, seed + 4)))
            faults.end()
            firing.result()
        self._remove_all()
        left = self._left()
        begun, ran = map(sum, zip(*counts, strict=True))
        return Outcome(self.kind, self.runtime, begun, ran, faults.signals, left)

    def _lifecycles(self, names: list[str], processor: str, seed: int) -> tuple[int, int]:
        """Return how many lifecycles were begun, and how many of them ran."""
        chance = random.Random(seed)
        begun = ran = 0
        for name in names:
            if self._early.is_set():
                break
            begun += 1
            for _ in range(3):
                started = self._start(name, processor)
                time.sleep(chance.uniform(0, 0.5))
                for words in self._end(name):
                    self._try(*words)
                if started:
                    ran += 1
                    break
        return begun, ran

    def _start(self, name: str, processor: str) -> bool:
        flags = ["-d", "--runtime", self.runtime]
        if self.kind == "docker":
            flags += ["--network", "none", "--name", name]
        flags += ["--annotation", f"remoteproc.name={processor}"] if self.runtime == RUNTIME else []
        last = [self._image] if self.kind == "docker" else [self._image, name]
        return self._try("run", *flags, *last)

    def _end(self, name: str) -> list[list[str]]:
        if self.kind == "docker":
            return [["stop", "-t", "1", name], ["rm", "-f", name]]
        return [["task", "kill", name], ["task", "rm", "-f", name], ["c", "rm", name]]

    def _try(self, *words: str) -> bool:
        run = self.engine.docker if self.kind == "docker" else self.engine.ctr
        try:
            return bool(run(*words, check=False, timeout=PATIENCE).code == 0)
        except TimeoutError:
            return False

    def _remove_all(self) -> None:
        revive(self.engine)
        for name in self._names():
            for words in self._end(name):
                self._try(*words)
        # What a killed dockerd has forgotten, only containerd knows.
        for name in self.containerd.ctr("c", "ls", "-q", namespace="moby").stdout.split():
            for command in (("task", "rm", "-f"), ("c", "rm")):
                self.containerd.ctr(*command, name, namespace="moby", check=False)

    def _touch(self) -> None:
        """Run one more container, undisturbed: what killed processes left is swept then."""
        assert self._start("last", PROCESSORS[0]), "nothing runs any more"
        for words in self._end("last"):
            self._try(*words)

    def _names(self) -> list[str]:
        if self.kind == "docker":
            return list(self.engine.docker("ps", "-aq").stdout.split())
        return list(self.engine.ctr("c", "ls", "-q").stdout.split())

    def _left(self) -> list[str]:
        self.engine.restart(kill=True, **({"containerd": True} if self.kind == "docker" else {}))
        ends = time.monotonic() + CLEAN_WITHIN
        self._touch()
        self.containerd.end_fork_servers()
        while (left := self._leftovers()) and time.monotonic() < ends:
            time.sleep(0.2)
        return left

    def _leftovers(self) -> list[str]:
        daemons = {self.engine.daemon.pid, self.containerd.daemon.pid}
        found = [f"container {name}" for name in self._names()]
        left = [*found, *self.host.leftovers()]
        return [
            line for line in left if not line.startswith(tuple(f"process {d}:" for d in daemons))
        ]

    def close(self) -> None:
        """End the engine with all that is left."""
        self.host.close()


@contextlib.contextmanager
def chaos(kind: str, runtime: str, releases: Releases, path: str) -> Iterator[Chaos]:
    """An engine for the time of a run."""
    made = Chaos(kind, runtime, releases, path)
    try:
        yield made
    finally:
        made.close()


def main() -> int:
    """Run what the arguments say; return 1 if anything of this project's was left."""
    parser = argparse.ArgumentParser(prog="script/chaos", description=__doc__)
    parser.add_argument("--lifecycles", type=int, default=1000, help="of each (default: 1000)")
    parser.add_argument("--engine", choices=("docker", "ctr"), action="append")
    parser.add_argument("--runtime", choices=(RUNTIME, RUNC), action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    releases, status = fetch(), 0
    for kind in options.engine or ("docker", "ctr"):
        for runtime in options.runtime or (RUNTIME, RUNC):
            with chaos(kind, runtime, releases, os.path.dirname(sys.executable)) as made:
                signal.signal(signal.SIGINT, lambda *_, made=made: made.end())
                outcome = made.run(options.lifecycles, options.seed)
            print(outcome, flush=True)
            status |= runtime == RUNTIME and bool(outcome.left)
    return status


if __name__ == "__main__":
    sys.exit(main())
