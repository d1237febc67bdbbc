"""What a feature needs of the machine it is tried on: a board, its firmware, the command line.

To try the features on another kind of machine, implement `Bench` in a module beside this one
and name it in features/conftest.py. Processors, containers and samples have the features' own
names; a bench whose hardware is called otherwise translates them.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """How a command ended: exit code, what it printed, and how long it took in seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def complaint(self) -> str:
        """The one line with which a command was refused; fails if it was not, or not so."""
        assert self.code == 1, f"exit code {self.code} and {self.err!r}"
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("remoteproc-runtime: "), self.err
        return lines[0].removeprefix("remoteproc-runtime: ")


class Sample(NamedTuple):
    """Firmware to make an image of: a file on this machine, and its name in the image."""

    path: str
    name: str = "firmware.elf"


class Bench(ABC):
    """One scenario's machine. `abilities` are what not every machine has: see each method."""

    abilities: frozenset[str] = frozenset()

    @abstractmethod
    def board(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        """Have a board with just these processors, of which some have faults.

        Faults (`start-error`, `start-delay`) need the ability `faults`.
        """

    @abstractmethod
    def sample(self, behaviour: str) -> Sample:
        """Return firmware that behaves like this; KeyError for a behaviour unknown here."""

    @abstractmethod
    def behave(self, processor: str, behaviour: str) -> None:
        """See to it that firmware just started behaves, if it does not do so by itself."""

    @abstractmethod
    def bundle(self, sample: Sample | None, processor: str, **config: Any) -> str:
        """Make a bundle with the sample in its image; return its path for the command line.

        `config` replaces properties of config.json: `args`, `annotations` (added).
        """

    @abstractmethod
    def image_path(self, bundle: str) -> str:
        """Return where the bundle's image can be changed from this process."""

    @abstractmethod
    def outside(self, sample: Sample) -> str:
        """Put the sample where no image is; return its path for links."""

    @abstractmethod
    def command(self, *words: str) -> Outcome:
        """Run the command line with these words, as an operator does."""

    @abstractmethod
    def output(self, container: str) -> tuple[str, str]:
        """Return what the container has written so far: stdout and stderr."""

    @abstractmethod
    def start_by_hand(self, processor: str) -> None:
        """Start firmware on it without the runtime. Needs the ability `strangers`."""

    @abstractmethod
    def crash(self, container: str) -> float:
        """Crash its processor now; return the seconds until the engine can know.

        Needs the ability `crash-injection`.
        """

    @abstractmethod
    def kill_supervisor(self, container: str) -> None:
        """Kill the process that stands for the firmware outright; return when it is gone."""

    @abstractmethod
    def close(self) -> list[str]:
        """Take everything down; return what was left behind that should not be there."""

    # What follows is the same everywhere: it is all said by the command line.

    def state(self, container: str) -> dict[str, Any]:
        """Return the container's state."""
        outcome = self.command("state", container)
        assert outcome.code == 0, outcome.err
        state: dict[str, Any] = json.loads(outcome.out)
        return state

    def processor(self, name: str) -> dict[str, str]:
        """Return what there is to see of a processor: `state`, `firmware`, `owner`."""
        outcome = self.command("processors", "--format", "json")
        assert outcome.code == 0, outcome.err
        return next(row for row in json.loads(outcome.out) if row["name"] == name)

    def wait_for_end(self, container: str, seconds: float = 15.0) -> dict[str, Any]:
        """Wait until the container is stopped; return its state."""
        deadline = time.monotonic() + seconds
        while (state := self.state(container))["status"] != "stopped":
            assert time.monotonic() < deadline, f"not stopped after {seconds} s: {state}"
            time.sleep(0.05)
        return state

    def wait_for_output(self, container: str, text: str, seconds: float = 15.0) -> str:
        """Wait until the container's stdout has the text; return all of it."""
        deadline = time.monotonic() + seconds
        while text not in (out := self.output(container)[0]):
            assert time.monotonic() < deadline, f"no {text!r} in {out!r} after {seconds} s"
            time.sleep(0.02)
        return out
