"""The backend `sim`: a simulated board for each scenario, in the scenario's own directory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from features.backends import sample_firmware
from features.backends.backend import Sample
from features.backends.command_line import SOURCES, CommandLineBackend
from features.backends.processes import children, kill
from features.scenarios import Ability

_MEMORY = """\
    memory:
      - {name: code, address: 0x00000000, size: 4M}
      - {name: data, address: 0x20000000, size: 4M}
"""


def board_file(processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text of a board file."""
    text = "processors:\n"
    for name in processors:
        text += f"  - name: {name}\n    core: cortex-m3\n    machine: mps2-an385\n{_MEMORY}"
        text += properties(faults.get(name, {}))
    return text


def properties(faults: Mapping[str, str]) -> str:
    """Return lines of a processor in a board file; the fault `boot` becomes the property `boot`."""
    others = dict(faults)
    boot = others.pop("boot", "")
    shown = ", ".join(f"{key}: {value}" for key, value in others.items())
    text = f"    boot: {boot}\n" if boot else ""
    return f"{text}    faults: {{{shown}}}\n" if others else text


class SimBackend(CommandLineBackend):
    """Each processor is a QEMU process that the runtime's own simulation starts."""

    abilities = frozenset(
        (
            *(Ability.ANY_BOARD, Ability.FAULTS, Ability.OTHER_USERS, Ability.KNOWN_CORE),
            *(Ability.SAMPLE_FIRMWARE, Ability.FIRMWARE_ENDS, Ability.EXIT_CODES, Ability.INPUT),
            Ability.CRASH,
        )
    )

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._names: list[str] = []
        self._other_users: list[subprocess.Popen[str]] = []

    @classmethod
    def prepare(cls, lock: str) -> None:
        sample_firmware.build(lock)

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.use(processors, board_file(processors, faults or {}))

    def use(self, processors: Sequence[str], text: str) -> None:
        """Use a board file, which has processors of these names."""
        self._names = list(processors)
        with open(f"{self.place}/board.yaml", "w") as file:
            file.write(text)
        self.write_config()

    def write_config(self) -> None:
        text = "backend: sim\nboard: board.yaml\nrun-directory: run\n"
        with open(self.config, "w") as file:
            file.write(f"{text}processors: {json.dumps(self.entries)}\n")

    def sample(self, behaviour: str) -> Sample:
        return Sample(sample_firmware.make(behaviour, self.place))

    def start_as_other_user(self, processor: str, *, wait: bool = True) -> None:
        device = f"remoteproc{self._names.index(processor)}"
        firmware = self.sample("prints and runs on").path
        other_user = subprocess.Popen(
            [
                *(sys.executable, "-m", "features.backends.other_user", f"{self.place}/board.yaml"),
                *(f"{self.run_directory}/boards", device, firmware),
            ],
            cwd=SOURCES,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._other_users.append(other_user)
        assert other_user.stdout and other_user.stdout.readline() == "running\n"

    def crash(self, container: str, kind: str = "fatal error") -> None:
        (simulator,) = children(self.state(container)["pid"])
        kill(simulator)

    def close(self) -> list[str]:
        for other_user in self._other_users:
            other_user.communicate(timeout=10)
        return super().close()
