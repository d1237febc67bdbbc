"""New processes by posix_spawn(3)."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Mapping[int, int | None],
    *,
    new_session: bool = True,
) -> int:
    """Run a program, and return its pid. Raises OSError.

    The first word of the command is the program's path. `descriptors` says at which number the
    program finds which descriptor of this process; None stands for /dev/null. The program leads a
    new session, or only a new process group; no signal is blocked, and each standard signal has its
    default action.
    """
    group = {"setsid": True} if new_session else {"setpgroup": 0}
    return os.posix_spawn(
        command[0],
        tuple(command),
        environment,
        file_actions=_file_actions(descriptors),
        setsigmask=(),
        setsigdef=range(1, 32),  # the standard signals (signal(7))
        **group,
    )


def _file_actions(descriptors: Mapping[int, int | None]) -> list[tuple[object, ...]]:
    """Return what moves each descriptor to its number."""
    moved = {number: given for number, given in descriptors.items() if given is not None}
    spare = spare_numbers(descriptors)
    copies = {number: spare[number] for number in moved}
    return [
        *((os.POSIX_SPAWN_DUP2, moved[number], copy) for number, copy in copies.items()),
        *((os.POSIX_SPAWN_DUP2, copy, number) for number, copy in copies.items()),
        *((os.POSIX_SPAWN_CLOSE, copy) for copy in copies.values()),
        *(
            (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0)
            for number in descriptors
            if number not in moved
        ),
    ]


def spare_numbers(descriptors: Mapping[int, int | None]) -> dict[int, int]:
    """Return for each number another one, to which its descriptor is to be copied first.

    A number may be that of another descriptor which is still to be moved. So all descriptors are
    first copied to numbers above all that matter, then moved from there.
    """
    above = max((*descriptors, *(given or 0 for given in descriptors.values()))) + 1
    return {number: above + place for place, number in enumerate(descriptors)}


def environment_of(*names: str) -> dict[str, str]:
    """Return those of this process's environment variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}
