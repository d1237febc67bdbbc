"""A simulated board, which every process of this machine sees in the same state."""

from __future__ import annotations

import os
from binascii import crc32

from adapters.sim.processor import SimProcessor, first_state, open_processor
from adapters.sim.processor_lock import read_record
from adapters.sim.qemu_users import DEFAULT_USERS, QemuUsers
from adapters.sim.spec import NO_CORE
from domain.annotations import ProcessorOptions, annotation_of
from domain.errors import NotFound, Unsupported
from domain.processor import ProcessorInfo, ProcessorState

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.sim.board_file import BoardSpec
    from domain.diagnosis.host import BoardFacts
    from domain.ports import OpenArgs
    from domain.processor_traits import ProcessorTraits

_DEFAULT = ProcessorOptions()


class SimBoard:
    """Implements domain.ports.Board. Processes share one board file and `run_directory`."""

    def __init__(
        self, spec: BoardSpec, run_directory: str, users: QemuUsers = DEFAULT_USERS
    ) -> None:
        self._processors = {f"remoteproc{i}": p for i, p in enumerate(spec.processors)}
        self._name = spec.name
        file = crc32(os.fsencode(spec.path))
        self._users = users
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
        remarks = [
            f"{spec.name} is simulated: {annotation_of(name)} = {value} has no effect"
            for name, value in options._asdict().items()
            if name not in ("name", "digest") and value != getattr(_DEFAULT, name)
            if not (spec.mailbox and (name, value) == ("console", "rpmsg"))
        ]
        if spec.generic:
            remarks.append(
                f"{spec.name} has simulated registers: what happens here proves nothing of timing "
                "and peripherals"
            )
        place = {"device": device, "directory": self._directory, "users": self._users}
        console = {"console": options.console, "remarks": remarks}
        return {"spec": spec.to_json(), **place, **console}

    def reclaim(self, device: str, claim: Mapping[str, str]) -> None:
        """Undo what a dead owner claimed; a processor no longer in the board file has no claim."""
        if device in self._processors:
            self.open(device, ProcessorOptions()).release(claim)

    def traits(self) -> Mapping[str, ProcessorTraits]:
        from domain.processor_traits import ProcessorTraits

        return {
            device: ProcessorTraits(
                "" if spec.core == NO_CORE else spec.core,
                sum(region.size for region in spec.memory),
                self._name,
            )
            for device, spec in self._processors.items()
        }

    def facts(self) -> BoardFacts:
        from adapters.sim.spawn import find_program
        from adapters.sim.spec import CORES
        from domain.diagnosis.host import BoardFacts, ProcessorFacts

        specs = self._processors.values()
        programs = {CORES[spec.core].program for spec in specs if spec.core != NO_CORE}
        return BoardFacts(
            backend="sim",
            processors=tuple(
                ProcessorFacts(each.name, each.device, str(each.state))
                for each in self.processors()
            ),
            simulators=tuple(name for name in sorted(programs) if not find_program(name)),
        )
