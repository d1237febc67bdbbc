"""A simulated board, which every process of this machine sees in the same state."""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapters.sim.board_file import BoardSpec
from adapters.sim.processor import SimProcessor, first_state, open_processor
from adapters.sim.processor_lock import read_record
from adapters.sim.spec import NO_CORE
from domain.annotations import ProcessorOptions
from domain.errors import NotFound, Unsupported
from domain.processor import ProcessorInfo, ProcessorState

if TYPE_CHECKING:
    from domain.ports import OpenArgs

_DEFAULT = ProcessorOptions()


class SimBoard:
    """Implements domain.ports.Board. Processes share one board file and `run_directory`."""

    def __init__(self, spec: BoardSpec, run_directory: str) -> None:
        self._processors = {f"remoteproc{i}": p for i, p in enumerate(spec.processors)}
        file = crc32(os.fsencode(spec.path))
        self._directory = os.path.join(run_directory, f"{spec.name}-{file:08x}")

    def processors(self) -> list[ProcessorInfo]:
        """List the processors in the board file's order, each with its current state."""
        found = []
        for device, spec in self._processors.items():
            record = read_record(os.path.join(self._directory, device))
            state = ProcessorState(record.get("state", first_state(spec)))
            firmware = str(record.get("firmware", spec.default_firmware))
            idle = spec.core == NO_CORE
            what = "executes nothing" if idle else f"{spec.core} on {spec.machine}"
            found.append(ProcessorInfo(spec.name, device, state, firmware, f"simulated: {what}"))
        return found

    def open(self, device: str, options: ProcessorOptions) -> SimProcessor:
        return open_processor(self.open_args(device, options))

    def open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        """Return what `open_processor` takes. Raises NotFound, Unsupported."""
        if device not in self._processors:
            known = ", ".join(f"{d} ({s.name})" for d, s in self._processors.items())
            raise NotFound(f"the board has no processor {device}", hint=f"it has {known}")
        spec = self._processors[device]
        if options.attached:
            raise Unsupported(
                f"there is nothing to {options.attached} on processor {spec.name}: behind a boot "
                "loader's core of backend sim there is no firmware",
                hint="leave out remoteproc.attached, or use remoteproc-sim and backend sysfs",
            )
        without_effect = [
            f"{spec.name} is simulated: remoteproc.{name} = {value} has no effect"
            for name, value in options._asdict().items()
            if name in ("console", "recovery", "coredump") and value != getattr(_DEFAULT, name)
        ]
        place = {"device": device, "directory": self._directory}
        return {"spec": spec.to_json(), **place, "remarks": without_effect}

    def reclaim(self, device: str, claim: Mapping[str, str]) -> None:
        """Undo what a dead owner claimed; a processor no longer in the board file has no claim."""
        if device in self._processors:
            self.open(device, ProcessorOptions()).release(claim)
