"""The backend `simfs`: simulated boards behind the kernel's interface, by remoteproc-sim."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from features.backends import sample_firmware
from features.backends.backend import Sample
from features.backends.command_line import PROGRAMS
from features.backends.sim import board_file
from features.backends.sysfs_tree import SysfsTreeBackend, write_attribute
from features.scenarios import Ability


class SimfsBackend(SysfsTreeBackend):
    """Each scenario mounts its own tree; each processor is a QEMU process of remoteproc-sim."""

    abilities = SysfsTreeBackend.abilities | {
        *(Ability.FIRMWARE_ENDS, Ability.NO_RELEASE_BY_KERNEL, Ability.CORE_KNOWN_TO_DRIVER),
        *(Ability.KERNEL_LOG, Ability.CRASH_OF_A_KIND),
        Ability.DRIVER_REMOVAL,
    }

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.tree = f"{place}/tree"
        self._faults: Mapping[str, Mapping[str, str]] = {}
        self._simulator: subprocess.Popen[str] | None = None

    @classmethod
    def prepare(cls, lock: str) -> None:
        sample_firmware.build(lock)

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
        return Sample(sample_firmware.make(behaviour, self.place, sample_firmware.TRACING))

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
