"""What the operator's configuration says of one processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Policy(NamedTuple):
    """How firmware is judged, and what containers may use. Defaults suit any driver.

    `resource_table`: of firmware without one, `refuse`, `warn` or `ignore` it; `auto` judges
    by what is known of the driver. `images`: `elf`, or `any` for processors whose firmware
    is signed or wrapped. `size_limit` in bytes. `consoles`: the ttys that containers may name
    and their speed in baud, 0 to leave it. `coredumps`: the directory for them. `poll_seconds`:
    how often the state is looked at.
    """

    resource_table: str = "auto"
    images: str = "elf"
    size_limit: int = 64 << 20
    consoles: Mapping[str, int] = {}
    coredumps: str = "/var/lib/remoteproc-runtime/coredumps"
    poll_seconds: float = 0.1

    def to_json(self) -> dict[str, Any]:
        """Return what `Policy(**...)` takes, in JSON's types."""
        return {**self._asdict(), "consoles": dict(self.consoles)}
