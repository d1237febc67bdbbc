"""The bundle's own programs that a lifecycle runs (runtime-spec config.md#posix-platform-hooks)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from domain.errors import RemoteprocError

if TYPE_CHECKING:
    from domain.container import FirmwareContainer, Status
    from domain.ports import HookRunner

KINDS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)


class Hook(NamedTuple):
    """One program. `env` is its whole environment, `timeout` in seconds; None waits for ever."""

    path: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    timeout: int | None = None


class HookCalls:
    """Runs a container's hooks, and says what follows from a failure."""

    def __init__(self, runner: HookRunner, warn: Callable[[str], None]) -> None:
        self._runner = runner
        self._warn = warn

    def demand(self, container: FirmwareContainer, status: Status, *kinds: str) -> None:
        """Run hooks in order; the first failure is raised, the rest then does not run."""
        for kind in kinds:
            for hook in container.hooks.get(kind, ()):
                self._runner.run(kind, hook, container, status)

    def attempt(self, container: FirmwareContainer, status: Status, kind: str) -> None:
        """Run hooks in order; failures are warnings and keep no other hook from running."""
        for hook in container.hooks.get(kind, ()):
            try:
                self._runner.run(kind, hook, container, status)
            except RemoteprocError as error:
                self._warn(str(error))
