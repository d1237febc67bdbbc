"""What a feature needs of the machine: a board, firmware for it, and the command line.

To run the features on another kind of machine, implement `Backend` in a module beside this one
and name the class in features/conftest.py. Processors, containers and samples have the names that
the features use; a backend whose processors have other names translates.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from features.scenarios import Ability


class Outcome(NamedTuple):
    """How a command ended: exit status, stdout, stderr, and the seconds that it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def refusal(self) -> str:
        """The error of a refused command. Fails if the command was not refused in one line."""
        assert self.code == 1, f"exit status {self.code} and {self.err!r}"
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("remoteproc-runtime: "), self.err
        return lines[0].removeprefix("remoteproc-runtime: ")


class Sample(NamedTuple):
    """Firmware to make an image of: a file of this machine, and its name in the image."""

    path: str
    name: str = "firmware.elf"


class Backend(ABC):
    """The machine of one scenario.

    A method whose docstring begins with an ability exists only on the backends that have it.
    """

    abilities: frozenset[Ability] = frozenset()
    commands_given: int  # by this backend on the command line, up to now

    @abstractmethod
    def __init__(self, place: str) -> None:
        """Use the directory `place`, which does not exist yet, for all files."""

    @classmethod  # noqa: B027 -- most backends have nothing to prepare
    def prepare(cls, lock: str) -> None:
        """Prepare what all scenarios share; `lock` names a lock file for parallel workers."""

    @abstractmethod
    def board(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        """Provide a board with exactly these processors, of which some have faults.

        `start-error` and `stop-error` are names of errno, `start-delay` is in seconds: FAULTS.
        `boot` is `detached` if the boot loader has started the processor: BOOT_LOADER.
        """

    @abstractmethod
    def set_entry(self, processor: str, keys: Mapping[str, Any]) -> None:
        """Set keys of a processor's entry in the configuration; `*` is the entry for all."""

    @abstractmethod
    def change_copy(self, container: str) -> None:
        """Change one bit of the runtime's private copy of the container's firmware."""

    @abstractmethod
    def sample(self, behaviour: str) -> Sample:
        """Return firmware with this behaviour. Raises KeyError for an unknown behaviour."""

    @abstractmethod
    def bundle(self, sample: Sample | None, processor: str, **config: Any) -> str:
        """Make a bundle with the sample in its image; return its path for the command line.

        `config` changes config.json: `args` replaces the arguments, `annotations` are added.
        """

    @abstractmethod
    def image_path(self, bundle: str) -> str:
        """Return the directory in which this process can change the bundle's image."""

    @abstractmethod
    def outside(self, sample: Sample) -> str:
        """Copy the sample to a place outside every image; return its absolute path."""

    @abstractmethod
    def command(self, *words: str, said: Mapping[str, str] | None = None) -> Outcome:
        """Run the command line with these words, as an operator does.

        `said` are annotations that the operator gives there.
        """

    @abstractmethod
    def output(self, container: str) -> tuple[str, str]:
        """Return what the container has written so far: stdout and stderr."""

    @abstractmethod
    def kill_supervisor(self, container: str) -> None:
        """Send signal 9 to the container's supervisor; return when the supervisor has ended."""

    @abstractmethod
    def close(self) -> list[str]:
        """Take everything down; return what is left although it should not be."""

    # Methods for backends that have the ability.

    def repair(self, processor: str) -> None:
        """REPAIRS: remove the faults of a processor."""
        raise NotImplementedError

    def start_as_other_user(self, processor: str, *, wait: bool = True) -> None:
        """OTHER_USERS: start firmware on a processor without the runtime.

        OTHER_USERS_AT_ANY_TIME: the processor may run already. Without `wait`, the method returns
        while the start is in progress.
        """
        raise NotImplementedError

    def stop_as_other_user(self, processor: str) -> None:
        """OTHER_USERS_AT_ANY_TIME: stop a processor without the runtime."""
        raise NotImplementedError

    def hardware_state(self, processor: str) -> str:
        """STATE_WITHOUT_RUNTIME: return the state that the kernel shows."""
        raise NotImplementedError

    def crash(self, container: str, kind: str = "fatal error") -> None:
        """CRASH: crash the container's processor, and give no command of the runtime after that.

        CRASH_OF_A_KIND: by this kind of fault, in the kernel's words.
        """
        raise NotImplementedError

    def crash_and_recover(self, container: str) -> None:
        """KERNEL_RECOVERY: crash a processor; return when it runs again and that is reported."""
        raise NotImplementedError

    def type(self, container: str, text: str) -> None:
        """INPUT: type a line at the container's console."""
        raise NotImplementedError

    def core_dumps(self) -> list[bytes]:
        """CORE_DUMP: return the core dumps that were saved."""
        raise NotImplementedError

    def unbind(self, processor: str) -> None:
        """DRIVER_REMOVAL: remove the driver from a processor."""
        raise NotImplementedError

    def firmware_directory(self, kind: str) -> None:
        """FIRMWARE_DIRECTORY: make the kernel's firmware directory `read-only` or `full`."""
        raise NotImplementedError

    def watch_firmware(self) -> None:
        """FIRMWARE_DIRECTORY_WATCH: note the events of the runtime's firmware files from now on."""
        raise NotImplementedError

    def firmware_events(self) -> list[tuple[str, str]]:
        """FIRMWARE_DIRECTORY_WATCH: return file names and events, in order."""
        raise NotImplementedError

    # The same on each backend, by the command line.

    def state(self, container: str) -> dict[str, Any]:
        """Return the container's state."""
        outcome = self.command("state", container)
        assert outcome.code == 0, outcome.err
        state: dict[str, Any] = json.loads(outcome.out)
        return state

    def processor(self, name: str) -> dict[str, str]:
        """Return what `processors` shows of a processor: `state`, `firmware`, `owner`, ..."""
        outcome = self.command("processors", "--format", "json")
        assert outcome.code == 0, outcome.err
        rows: list[dict[str, str]] = json.loads(outcome.out)
        return next(row for row in rows if row["name"] == name)

    def wait_for_end(self, container: str, seconds: float = 15.0) -> dict[str, Any]:
        """Wait until the container is stopped; return its state."""
        deadline = time.monotonic() + seconds
        while (state := self.state(container))["status"] != "stopped":
            assert time.monotonic() < deadline, f"not stopped after {seconds} s: {state}"
            time.sleep(0.05)
        return state

    def wait_for_output(self, container: str, text: str, seconds: float = 15.0) -> str:
        """Wait until the container's stdout contains the text; return all of stdout."""
        deadline = time.monotonic() + seconds
        while text not in (out := self.output(container)[0]):
            assert time.monotonic() < deadline, f"no {text!r} in {out!r} after {seconds} s"
            time.sleep(0.02)
        return out
