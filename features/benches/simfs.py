"""The bench `simfs`: simulated boards that remoteproc-sim shows as the kernel shows real ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from features.benches import samples
from features.benches.bench import Sample
from features.benches.host import PROGRAMS
from features.benches.sim import board_file
from features.benches.tree import TreeBench, write_attribute


class SimfsBench(TreeBench):
    """Each scenario mounts a tree of its own; processors are in QEMU."""

    abilities = TreeBench.abilities | {
        *("ends-of-firmware", "no-release-switch", "firmware-by-the-kernel's-rules"),
        *("kernel-log", "crash-types", "crash-kinds", "driver-unbinding"),
    }

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.tree = f"{place}/tree"
        self._faults: Mapping[str, Mapping[str, str]] = {}
        self._simulator: subprocess.Popen[str] | None = None

    @classmethod
    def make_ready(cls, lock: str) -> None:
        samples.build(lock)

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        self._end_simulator()
        os.makedirs(f"{self.tree}/lib/firmware", exist_ok=True)
        if not processors:
            return  # a kernel without remoteproc
        with open(f"{self.place}/board.yaml", "w") as file:
            file.write(board_file(processors, faults))
        with open(f"{self.place}/simulator.log", "a") as log:
            self._simulator = subprocess.Popen(
                [
                    *(f"{PROGRAMS}/remoteproc-sim", "--board", f"{self.place}/board.yaml"),
                    *("--root", self.tree),
                ],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._simulator.stdout
        line = self._simulator.stdout.readline()
        if "ready" not in line:
            with open(f"{self.place}/simulator.log") as log:
                raise AssertionError(f"remoteproc-sim: {log.read()}")

    def set_fault(self, processor: str, fault: str, value: str) -> None:
        device, file = self.device(processor), fault.replace("-", "_")
        debug = f"{self.tree}/sys/kernel/debug/remoteproc-sim"
        write_attribute(f"{debug}/{device}/{file}", value or "0")

    def sample(self, behaviour: str) -> Sample:
        return Sample(samples.make(behaviour, self.place, samples.TRACING))

    def take_down(self) -> list[str]:
        left = super().take_down()
        self._end_simulator()
        with open("/proc/mounts") as mounts:
            return left + [f"mount {line}" for line in mounts if f" {self.tree}/" in line]

    def _end_simulator(self) -> None:
        simulator, self._simulator = self._simulator, None
        if simulator:
            simulator.terminate()
            simulator.communicate(timeout=20)
            assert simulator.returncode == 0, f"remoteproc-sim ended with {simulator.returncode}"
