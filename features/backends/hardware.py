"""The backend `sysfs`: processors of the board that runs the tests, with the user's firmware.

It injects no faults, and has one firmware file only. docs/hardware.md says what it does to a
board.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from features.backends import sample_firmware
from features.backends.backend import Outcome, Sample
from features.backends.sysfs_tree import SysfsTreeBackend, release_by_kernel
from features.scenarios import Ability


class OnBoard(str):
    """The name of a processor on this board. A plain str is a name that a feature uses."""


class HardwareBackend(SysfsTreeBackend):
    """The features' processors are the user's, in the order in which a scenario names them.

    A scenario is skipped at the step that needs what the user has not given.
    """

    abilities = frozenset(
        (
            *(Ability.OTHER_USERS, Ability.OTHER_USERS_AT_ANY_TIME),
            *(Ability.STATE_WITHOUT_RUNTIME, release_by_kernel()),
        )
    )
    processors: Sequence[str] = ()
    firmware = ""
    prints = ""

    @classmethod
    def configure(cls, processors: Sequence[str], firmware: str, prints: str) -> None:
        """Check and take the options that the user gave. Raises pytest.UsageError."""
        if not processors or not firmware:
            raise pytest.UsageError("--backend sysfs needs --processor NAME and --firmware FILE")
        if not os.path.isfile(firmware):
            raise pytest.UsageError(f"--firmware {firmware}: there is no such file")
        cls.processors, cls.firmware, cls.prints = processors, os.path.abspath(firmware), prints
        board = cls.__new__(cls)
        board.tree = ""  # so that messages name paths with one slash
        for name in processors:
            try:
                state = board.read(OnBoard(name), "state")
            except FileNotFoundError:
                raise pytest.UsageError(
                    f"--processor {name}: /sys/class/remoteproc does not exist: "
                    "no remoteproc driver is loaded on this machine"
                ) from None
            except LookupError as error:
                raise pytest.UsageError(f"--processor {name}: {error}") from None
            if state != "offline":
                raise pytest.UsageError(f"--processor {name}: it is {state}, not offline")

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._real: dict[str, OnBoard] = {}
        self._names: Sequence[str] = ()

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._names = processors
        super().board([OnBoard(name) for name in self.processors], faults)
        for name, attributes in self._before.items():
            assert attributes["state"] == "offline", f"{name} is {attributes['state']}, not offline"

    def set_entry(self, processor: str, keys: Mapping[str, Any]) -> None:
        super().set_entry("*" if processor == "*" else self.on_board(processor), keys)

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        pass  # the board has them

    def repair(self, processor: str) -> None:
        pass  # this backend sets no faults

    def on_board(self, processor: str) -> OnBoard:
        """Return the processor of this board that has this name in the feature.

        Skips the scenario if the user gave too few processors.
        """
        if isinstance(processor, OnBoard) or processor not in self._names:
            return OnBoard(processor)
        if processor not in self._real:
            if len(self._real) == len(self.processors):
                pytest.skip(f"needs {len(self._real) + 1} processors")
            self._real[processor] = OnBoard(self.processors[len(self._real)])
        return self._real[processor]

    def device(self, processor: str) -> str:
        return super().device(self.on_board(processor))

    def processor(self, name: str) -> dict[str, str]:
        self.on_board(name)
        return super().processor(name)

    def start_as_other_user(self, processor: str, *, wait: bool = True) -> None:
        if not os.access(f"{self.tree}/lib/firmware", os.W_OK):
            pytest.skip("needs a writable /lib/firmware")
        super().start_as_other_user(self.on_board(processor), wait=wait)

    def sample(self, behaviour: str) -> Sample:
        if behaviour in ("prints and runs on", "logs into its trace buffer"):
            return Sample(self.firmware)
        if behaviour in sample_firmware.PRINTING:
            pytest.skip(f"needs firmware that {behaviour}")
        with open(self.firmware, "rb") as file:
            return Sample(sample_firmware.spoil(file.read(), behaviour, self.place))

    def bundle(self, sample: Sample | None, processor: str, **config: Any) -> str:
        if re.fullmatch("remoteproc[0-9]+", processor):
            pytest.skip("the numbers of this board's processors are its own")
        return super().bundle(sample, self.on_board(processor), **config)

    def command(
        self, *words: str, said: Mapping[str, str] | None = None, **options: Any
    ) -> Outcome:
        if said:
            options["said"] = {key: self.on_board(value) for key, value in said.items()}
        outcome = super().command(*words, **options)
        return outcome._replace(
            out=self._in_features_words(outcome.out), err=self._in_features_words(outcome.err)
        )

    def _in_features_words(self, text: str) -> str:
        """Replace the board's names of processors by those of the features."""
        for name, real in self._real.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(real)}(?![\w-])", name, text)
        return text

    def wait_for_output(self, container: str, text: str, seconds: float = 15.0) -> str:
        if not self.prints:
            pytest.skip("needs --prints TEXT: what the firmware prints")
        return super().wait_for_output(container, self.prints, seconds)
