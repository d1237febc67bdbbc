"""When a hook fails: which failure is an error, and which is a warning."""

from __future__ import annotations

from domain.errors import RemoteprocError

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.container import FirmwareContainer, Status
    from domain.ports import HookRunner


class HookCalls:
    """Runs the hooks of a container. `runner` is a function, since few containers have hooks."""

    def __init__(self, runner: Callable[[], HookRunner], warn: Callable[[str], None]) -> None:
        self._runner = runner
        self._warn = warn

    def demand(self, container: FirmwareContainer, status: Status, *kinds: str) -> None:
        """Run hooks in order. Raises the first failure; later hooks then do not run."""
        for kind in kinds:
            for hook in container.hooks.get(kind, ()):
                self._runner().run(kind, hook, container, status)

    def attempt(self, container: FirmwareContainer, status: Status, kind: str) -> None:
        """Run all hooks of a kind in order; each failure is a warning."""
        for hook in container.hooks.get(kind, ()):
            try:
                self._runner().run(kind, hook, container, status)
            except RemoteprocError as error:
                self._warn(str(error))
