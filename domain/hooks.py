"""The programs that a bundle names as hooks (runtime-spec config.md#posix-platform-hooks)."""

from __future__ import annotations

from domain.light_types import NamedTuple

KINDS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)


class Hook(NamedTuple):
    """One program. `env` is its whole environment.

    `timeout` is in seconds; with None the runtime waits as long as the program runs.
    """

    path: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    timeout: int | None = None
