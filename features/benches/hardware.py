"""The bench `sysfs`: the processors of this very machine, with firmware that the user gives.

It cannot inject faults, and has one program only; docs/hardware.md says what it does to a board.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from features.benches import samples
from features.benches.bench import Outcome, Sample
from features.benches.tree import TreeBench, cdev


class HardwareBench(TreeBench):
    """The features' processors are the user's, in the order in which a scenario names them.

    A scenario is skipped at the point where it needs what the user has not given.
    """

    abilities = frozenset(("strangers", "late-strangers", "direct-sight", cdev()))
    processors: Sequence[str] = ()
    firmware = ""
    prints = ""

    @classmethod
    def configure(cls, processors: Sequence[str], firmware: str, prints: str) -> None:
        """Take what the user says. Raises pytest.UsageError."""
        if not processors or not firmware:
            raise pytest.UsageError("--backend sysfs needs --processor NAME and --firmware FILE")
        if not os.path.isfile(firmware):
            raise pytest.UsageError(f"--firmware {firmware}: there is no such file")
        cls.processors, cls.firmware, cls.prints = processors, os.path.abspath(firmware), prints
        bench = cls.__new__(cls)
        bench.tree = ""  # messages name paths with one slash
        for name in processors:
            try:
                state = bench.read(f"={name}", "state")
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
        self._real: dict[str, str] = {}
        self._names: Sequence[str] = ()

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._names = processors
        super().board([f"={name}" for name in self.processors], faults)
        for name, looks in self._before.items():
            assert looks["state"] == "offline", f"{name[1:]} is {looks['state']}, not offline"

    def write_config(self, processors: Sequence[str]) -> None:
        super().write_config(self.processors)

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        pass  # they are there

    def repair(self, processor: str) -> None:
        pass  # nobody has broken it

    def real(self, processor: str) -> str:
        """Return the name of a processor of this machine; skip if there are not enough."""
        if processor not in self._names:
            return processor
        if processor not in self._real:
            if len(self._real) == len(self.processors):
                pytest.skip(f"needs {len(self._real) + 1} processors")
            self._real[processor] = self.processors[len(self._real)]
        return self._real[processor]

    def device(self, processor: str) -> str:
        """Return the kernel's name; `=NAME` is one of this machine's, not one of a feature's."""
        known = processor.startswith("=")
        return super().device(processor[1:] if known else self.real(processor))

    def processor(self, name: str) -> dict[str, str]:
        self.real(name)
        return super().processor(name)

    def start_by_hand(self, processor: str, *, wait: bool = True) -> None:
        if not os.access(f"{self.tree}/lib/firmware", os.W_OK):
            pytest.skip("needs a writable /lib/firmware")
        super().start_by_hand(f"={self.real(processor)}", wait=wait)

    def sample(self, behaviour: str) -> Sample:
        if behaviour in ("prints and runs on", "logs into its trace buffer"):
            return Sample(self.firmware)
        if behaviour in samples.PRINTING:
            pytest.skip(f"needs firmware that {behaviour}")
        with open(self.firmware, "rb") as file:
            return Sample(samples.spoil(file.read(), behaviour, self.place))

    def bundle(self, sample: Sample | None, processor: str, **config: Any) -> str:
        if re.fullmatch("remoteproc[0-9]+", processor):
            pytest.skip("the numbers of this board's processors are its own")
        return super().bundle(sample, self.real(processor), **config)

    def command(self, *words: str, **options: Any) -> Outcome:
        outcome = super().command(*words, **options)
        return outcome._replace(out=self._told(outcome.out), err=self._told(outcome.err))

    def _told(self, text: str) -> str:
        """Return the text with the features' names for the processors."""
        for name, real in self._real.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(real)}(?![\w-])", name, text)
        return text

    def wait_for_output(self, container: str, text: str, seconds: float = 15.0) -> str:
        if not self.prints:
            pytest.skip("needs --prints TEXT: what the firmware prints")
        return super().wait_for_output(container, self.prints, seconds)
