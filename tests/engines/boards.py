"""A simulated board shown as the kernel's tree, in an isolated host: remoteproc-sim."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.engines.ours import PROCESSORS
from tests.engines.process import wait_until

if TYPE_CHECKING:
    from tests.engines.isolated_host import IsolatedHost

ROOT = "/run/board"  # in the isolated host; its /run is the folder base/run outside
CONFIG = {"remoteproc-runtime/config.yaml": f"backend: sysfs\ntree: {ROOT}\n"}


class Board:
    """remoteproc-sim in an isolated host: its mount, its QEMUs and its firmware directory."""

    def __init__(self, host: IsolatedHost, programs: str) -> None:
        self._host = host
        argv = [f"{programs}/remoteproc-sim", "--board", "quad", "--root", ROOT]
        self._process = host.spawn(argv)
        assert wait_until(lambda: "ready" in self._process.output(), 10), self._process.output()
        assert f"{ROOT}/sys" in host.mounts()

    def states(self) -> list[str]:
        """What the attribute `state` of each processor says, in their order."""
        read = [f"{ROOT}/sys/class/remoteproc/remoteproc{n}/state" for n in range(len(PROCESSORS))]
        return self._host.run("cat", *read, timeout=10).check().text.split()

    def firmware(self) -> list[str]:
        """The files in the tree's firmware directory."""
        folder = f"{self._host.base}{ROOT}/lib/firmware"
        return [name for _, _, names in os.walk(folder) for name in names]

    def close(self) -> None:
        """End it; raises AssertionError if its mount stays."""
        self._process.kill(signal.SIGTERM)
        assert self._process.wait(20) == 0, self._process.output()
        mounts = self._host.mounts()
        assert not [point for point in mounts if point.startswith(ROOT)], mounts

    def inject(self, number: int, fault: str, value: str) -> None:
        """Set one of the simulator's faults of a processor."""
        path = f"{ROOT}/sys/kernel/debug/remoteproc-sim/remoteproc{number}/{fault}"
        self._host.run("sh", "-c", f"echo {value} > {path}", timeout=10).check()
