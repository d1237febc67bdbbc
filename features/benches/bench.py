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
    def __init__(self, place: str) -> None:
        """Keep all that is made in the directory `place`, which does not exist yet."""

    @classmethod  # noqa: B027 -- most have nothing to do
    def make_ready(cls, lock: str) -> None:
        """Do what has to be done once for all; `lock` names a file for one at a time."""

    @abstractmethod
    def board(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        """Have a board with just these processors, of which some have faults.

        Faults (`start-error`, `stop-error`, `start-delay` in seconds) need the ability `faults`;
        `boot`, `detached`: the boot loader has started it, needs `boot-loaders`.
        """

    @abstractmethod
    def sample(self, behaviour: str) -> Sample:
        """Return firmware that behaves like this; KeyError for a behaviour unknown here."""

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
    def kill_supervisor(self, container: str) -> None:
        """Kill the process that stands for the firmware outright; return when it is gone."""

    @abstractmethod
    def close(self) -> list[str]:
        """Take everything down; return what was left behind that should not be there."""

    # What follows needs the ability that is named first.

    def repair(self, processor: str) -> None:
        """`repairs`: have no more faults there."""
        raise NotImplementedError

    def start_by_hand(self, processor: str, *, wait: bool = True) -> None:
        """`strangers`: start firmware on it without the runtime.

        `late-strangers`: also one that runs already; or, not waiting, be in the middle of it.
        """
        raise NotImplementedError

    def stop_by_hand(self, processor: str) -> None:
        """`late-strangers`: stop it without the runtime."""
        raise NotImplementedError

    def hardware_state(self, processor: str) -> str:
        """`direct-sight`: return the state without the runtime's having a look."""
        raise NotImplementedError

    def crash(self, container: str, kind: str = "fatal error") -> float:
        """`crash-injection`: crash its processor; return the seconds until engines can know.

        `crash-kinds`: of this kind, as the kernel has them.
        """
        raise NotImplementedError

    def crash_and_recover(self, container: str) -> None:
        """`kernel-recovery`: crash its processor, return when it runs again and it is told."""
        raise NotImplementedError

    def type(self, container: str, text: str) -> None:
        """`input`: type that at the container's console, which is rpmsg's or the only one."""
        raise NotImplementedError

    def coredumps(self) -> list[bytes]:
        """`coredumps`: return those that were kept."""
        raise NotImplementedError

    def unbind(self, processor: str) -> None:
        """`driver-unbinding`: take the driver from it."""
        raise NotImplementedError

    def firmware_directory(self, kind: str) -> None:
        """`firmware-directories`: make the kernel's `read-only` or `full`."""
        raise NotImplementedError

    def watch_firmware(self) -> None:
        """`firmware-watch`: from now on, note what happens to published files."""
        raise NotImplementedError

    def firmware_events(self) -> list[tuple[str, str]]:
        """`firmware-watch`: return file and event, in order."""
        raise NotImplementedError

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
