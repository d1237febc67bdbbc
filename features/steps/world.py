"""What the steps of one scenario share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from features.backends.backend import Backend, Outcome
from features.backends.processes import WatchedProcess
from features.backends.signer import Signer

RUNS_ON = "prints and runs on"


class World:
    """The board, the image, and what became of the operator's commands.

    `directory` is for files of the scenario's own. `behaviour` is what the image's firmware does;
    `""` stands for RUNS_ON.
    """

    def __init__(self, backend: Backend, directory: str) -> None:
        self.backend = backend
        self.processors: list[str] = []
        self.faults: dict[str, dict[str, str]] = {}
        self.behaviour = ""
        self.bundle: Callable[[str], str] | None = None  # makes the bundle of an unusual image
        self.annotations: dict[str, str] = {}
        self._directory = directory
        self.outcome: Outcome  # of the operator's last command
        self.outcomes: list[Outcome] = []
        self.crashing: WatchedProcess | None = None  # the supervisor of the crashed processor
        self.commands_before_crash = 0

    @functools.cached_property
    def signer(self) -> Signer:
        """The one whose key the configuration names."""
        return Signer(f"{self._directory}/operator.pem")

    @functools.cached_property
    def other_signer(self) -> Signer:
        """Somebody else."""
        return Signer(f"{self._directory}/other.pem")

    def set_up_board(self, processors: list[str]) -> None:
        self.processors = processors
        self.backend.board(processors, self.faults)

    def set_fault(self, processor: str, fault: str, value: str) -> None:
        self.faults.setdefault(processor, {})[fault] = value
        self.set_up_board(self.processors)

    def make_bundle(self, processor: str) -> str:
        if self.bundle is None:
            sample = self.backend.sample(self.behaviour or RUNS_ON)
            return self.backend.bundle(sample, processor, annotations=self.annotations)
        return self.bundle(processor)

    def create(self, container: str, processor: str) -> Outcome:
        return self.backend.command("create", "--bundle", self.make_bundle(processor), container)

    def start(self, container: str) -> Outcome:
        return self.backend.command("start", container)

    def deploy(self, container: str, processor: str) -> Outcome:
        created = self.create(container, processor)
        return created if created.code else self.start(container)

    def crash(self, container: str, kind: str) -> None:
        """Crash the container's processor; from here on, watch the supervisor."""
        self.crashing = WatchedProcess(self.backend.state(container)["pid"])
        assert not self.crashing.wait(0), "the supervisor ended before the crash"
        self.backend.crash(container, kind)
        self.commands_before_crash = self.backend.commands_given

    def close(self) -> None:
        if self.crashing:
            self.crashing.close()


def succeed(outcome: Outcome) -> Outcome:
    """Fail if the command failed."""
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture
def world(backend: Backend, tmp_path: Path) -> Iterator[World]:
    world = World(backend, str(tmp_path))
    yield world
    world.close()


def names(text: str) -> list[str]:
    """Split `a, b and c`."""
    return re.split(r", | and ", text)
