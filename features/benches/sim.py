"""The bench `sim`: simulated boards, each scenario with one of its own, in its own directory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from features.benches import samples
from features.benches.bench import Sample
from features.benches.host import SOURCES, HostBench
from features.benches.processes import Watched, children, kill

_MEMORY = """\
    memory:
      - {name: code, address: 0x00000000, size: 4M}
      - {name: data, address: 0x20000000, size: 4M}
"""


def board_file(processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text of a board file. A fault `boot` is who has started the processor."""
    text = "processors:\n"
    for name in processors:
        wrong = dict(faults.get(name, {}))
        boot = wrong.pop("boot", "")
        text += f"  - name: {name}\n    core: cortex-m3\n    machine: mps2-an385\n{_MEMORY}"
        text += f"    boot: {boot}\n" if boot else ""
        shown = ", ".join(f"{key}: {value}" for key, value in wrong.items())
        text += f"    faults: {{{shown}}}\n" if wrong else ""
    return text


class SimBench(HostBench):
    """Processors in QEMU, one process each; the runtime's own simulation."""

    abilities = frozenset(
        (
            *("faults", "strangers", "crash-injection", "crash-types"),
            *("ends-of-firmware", "exit-codes", "knowledge-of-the-core"),
            *("boards-of-any-kind", "sample-firmware", "input"),
        )
    )

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._names: list[str] = []
        self._strangers: list[subprocess.Popen[str]] = []

    @classmethod
    def make_ready(cls, lock: str) -> None:
        samples.build(lock)

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._names = list(processors)
        with open(f"{self.place}/board.yaml", "w") as file:
            file.write(board_file(processors, faults or {}))
        with open(self.config, "w") as file:
            file.write("backend: sim\nboard: board.yaml\nrun-directory: run\n")

    def sample(self, behaviour: str) -> Sample:
        return Sample(samples.make(behaviour, self.place))

    def start_by_hand(self, processor: str, *, wait: bool = True) -> None:
        device = f"remoteproc{self._names.index(processor)}"
        firmware = samples.make("prints and runs on", self.place)
        stranger = subprocess.Popen(
            [
                *(sys.executable, "-m", "features.benches.other_user", f"{self.place}/board.yaml"),
                *(f"{self.run_directory}/boards", device, firmware),
            ],
            cwd=SOURCES,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._strangers.append(stranger)
        assert stranger.stdout and stranger.stdout.readline() == "running\n"

    def crash(self, container: str, kind: str = "fatal error") -> float:
        pid = self.state(container)["pid"]
        (simulator,) = children(pid)
        with Watched(pid) as supervisor:
            began = time.monotonic()
            kill(simulator)
            assert supervisor.wait(15), "the supervisor did not notice"
            return time.monotonic() - began

    def close(self) -> list[str]:
        for stranger in self._strangers:
            stranger.communicate(timeout=10)
        return super().close()
