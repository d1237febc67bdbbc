"""The backend `kernel`: processors of the running kernel, in the guests of tests/board only.

The processors are those of the module rproc_test. They execute nothing; the module
firmware_player acts as their firmware.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence

from features.backends import sample_firmware
from features.backends.backend import Sample
from features.backends.firmware_player import FirmwarePlayer, firmware
from features.backends.sysfs_tree import SysfsTreeBackend, release_by_kernel
from features.scenarios import Ability

_MODULE = f"{os.environ.get('BOARD_DIRECTORY', '')}/processors.ko"
_DRIVER = "/sys/bus/platform/drivers/rproc_test"
_RPMSG_TTY = "/sys/bus/rpmsg/drivers/rpmsg_tty"


class KernelBackend(SysfsTreeBackend):
    """Loads the module anew for each board."""

    abilities = SysfsTreeBackend.abilities | {
        *(Ability.KERNEL_LOG, Ability.CRASH_OF_A_KIND),
        *(Ability.DRIVER_REMOVAL, Ability.BOOT_LOADER_OUTPUT, Ability.CORE_KNOWN_TO_DRIVER),
        release_by_kernel(),
        *((Ability.INPUT,) if os.path.isdir(_RPMSG_TTY) else ()),
    }

    def __init__(self, place: str) -> None:
        if not os.path.isfile(_MODULE):
            raise AssertionError("runs in a guest only: tests/board/run -- pytest features ...")
        super().__init__(place)
        self._loaded: tuple[object, ...] = ()
        self._player: FirmwarePlayer | None = None

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        boots = [faults.get(name, {}).get("boot", "") for name in processors]
        if (tuple(processors), *boots) != self._loaded:
            self._unload()
            if processors:
                words = [f"names={','.join(processors)}"]
                words.append("detached=" + ",".join("01"[boot != ""] for boot in boots))
                words.append("auto_boot=" + ",".join("01"[boot == "attached"] for boot in boots))
                subprocess.run(["insmod", _MODULE, *words], check=True, timeout=30)
            self._loaded = (tuple(processors), *boots)
            self._player = FirmwarePlayer(processors)
        for name in processors:
            for fault, value in faults.get(name, {}).items():
                if fault != "boot":
                    self.set_fault(name, fault, value)

    def set_fault(self, processor: str, fault: str, value: str) -> None:
        if fault == "start-delay":
            self.write(processor, "device/start_delay_ms", str(int(1000 * float(value or 0))))
        else:
            number = getattr(errno, value) if value else 0
            self.write(processor, f"device/{fault.replace('-error', '_errno')}", str(number))

    def sample(self, behaviour: str) -> Sample:
        path = f"{self.place}/{behaviour.replace(' ', '-')}.elf"
        try:
            data = firmware(behaviour)
        except KeyError:
            return Sample(
                sample_firmware.spoil(firmware("prints and runs on"), behaviour, self.place)
            )
        with open(path, "wb") as file:
            file.write(data)
        return Sample(path)

    def take_down(self) -> list[str]:
        left = super().take_down()
        self._unload()
        return left

    def _unload(self) -> None:
        if self._player:
            self._player.close()
            self._player = None
        if os.path.isdir(_DRIVER):
            subprocess.run(["rmmod", "rproc_test"], check=True, timeout=30)
