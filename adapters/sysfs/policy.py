"""What the operator's configuration says about one processor."""

from __future__ import annotations

from domain.firmware import SIZE_LIMIT
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Policy(NamedTuple):
    """Which firmware the processor takes, and what its containers may use.

    `resource_table`: `refuse`, `warn` about or `ignore` firmware that has no resource table;
    `auto` chooses by the driver. `images`: `elf`, or `any` for processors whose firmware is
    signed or wrapped. `size_limit`: of a firmware file, in bytes. `consoles`: the ttys that
    containers may name and the speed of each in baud, 0 to leave the speed as it is.
    `coredumps`: the directory for core dumps. `poll_seconds`: the supervisor reads the state this
    often where the kernel's log does not wake it, and the output at most this often.
    `wait_seconds`: see domain.patience. `start_retries`: how often a start that fails is tried
    again. The defaults suit any driver.
    """

    resource_table: str = "auto"
    images: str = "elf"
    size_limit: int = SIZE_LIMIT
    consoles: Mapping[str, int] = {}
    coredumps: str = "/var/lib/remoteproc-runtime/coredumps"
    poll_seconds: float = 0.1
    wait_seconds: float = 0.0
    start_retries: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `Policy(**...)` takes, in JSON's types."""
        return {**self._asdict(), "consoles": dict(self.consoles)}
