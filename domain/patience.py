"""How long commands wait: for a processor to appear or to become free, and for each other."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from domain.errors import RemoteprocError

    A = TypeVar("A")
    T = TypeVar("T")

_AGAIN = 0.25  # seconds between two tries
_LOOK_AGAIN = 0.02  # seconds between two looks at what another command does


class Patience:
    """What the operator has set, in seconds by processor; 0 for all others."""

    def __init__(
        self,
        seconds: Mapping[str, float],
        warn: Callable[[str], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._seconds = seconds
        self._warn = warn
        self._clock = clock
        self._sleep = sleep

    def wait(
        self,
        action: Callable[[], T],
        error: type[RemoteprocError],
        *processors: str,
    ) -> T:
        """Return what `action` returns; while it raises `error` and there is time, try again.

        `processors` are the names by which the operator may have given the time. The last error
        is raised when the time is up.
        """
        names = (*processors, "*")  # which stands for all processors
        seconds = next((self._seconds[n] for n in names if n in self._seconds), 0.0)
        deadline = self._clock() + seconds
        said = False
        while True:
            try:
                return action()
            except error as reason:
                if self._clock() >= deadline:
                    raise
                if not said:
                    self._warn(f"{reason.message}: waiting up to {seconds:g} s")
                    said = True
            self._sleep(_AGAIN)

    def until(
        self, enough: Callable[[T], object], seconds: float, look: Callable[[A], T], at: A
    ) -> T:
        """Return what `look` returns of `at`, once that is enough or the seconds are over."""
        deadline = self._clock() + seconds
        while not enough(found := look(at)) and self._clock() < deadline:
            self._sleep(_LOOK_AGAIN)
        return found
