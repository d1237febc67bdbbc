"""What a creator tells the supervisor that it has spawned."""

from __future__ import annotations

from domain.firmware import FirmwareImage
from domain.light_types import NamedTuple
from domain.linux_config import Namespace

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

    from adapters.isolation.hierarchies import Hierarchy
    from domain.ports import OpenArgs

CREATOR = 3  # the supervisor's descriptor of the channel to its creator


class SupervisorOrder(NamedTuple):
    """All that a supervisor needs to know.

    `id` and `root` are the container's id and its state root, `name` is what people call it,
    `directory` the container's own directory. `firmware` is None and `backend` is `none` for a
    pod's sandbox; else `backend` tells which adapter opens the processor with `open_args`.
    `leases_directory` and `board` find its lease. `rootfs` is the container's root file system, in
    which `proc` asks for a /proc. `interactive` and `terminal` are those of domain.stdio.Stdio.
    `cgroup` is linux.cgroupsPath, and `hierarchies` are those that have this group. `warnings` are
    for the container's log. `termination_log` is the file for the reason of a failure, `` for none.
    """

    id: str
    root: str
    directory: str
    firmware: FirmwareImage | None
    stop_signals: frozenset[int]
    backend: str
    open_args: OpenArgs
    rootfs: str
    proc: bool
    leases_directory: str
    board: str
    interactive: bool = False
    terminal: bool = False
    namespaces: tuple[Namespace, ...] = ()
    hostname: str = ""
    cgroup: str = ""
    warnings: tuple[str, ...] = ()
    name: str = ""
    termination_log: str = ""
    hierarchies: tuple[Hierarchy, ...] = ()

    @property
    def stdin(self) -> int:
        """The descriptor to read the console's input from; -1 for none."""
        return 0 if self.interactive else -1

    def to_json(self) -> dict[str, Any]:
        """Return the order in JSON's types."""
        fields = self._asdict()
        fields["firmware"] = self.firmware and self.firmware._asdict()
        fields["stop_signals"] = sorted(self.stop_signals)
        fields["hierarchies"] = [
            (point, sorted(controllers), unified)
            for point, controllers, unified in self.hierarchies
        ]
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SupervisorOrder:
        """Undo `to_json`."""
        firmware = fields["firmware"]
        return cls(
            **{
                **fields,
                "firmware": FirmwareImage(**firmware) if firmware else None,
                "stop_signals": frozenset(fields["stop_signals"]),
                "namespaces": tuple(Namespace(*each) for each in fields["namespaces"]),
                "warnings": tuple(fields["warnings"]),
                "hierarchies": tuple(map(_hierarchy, fields["hierarchies"])),
            }
        )


def _hierarchy(fields: tuple[str, list[str], bool]) -> Hierarchy:
    from adapters.isolation.hierarchies import Hierarchy  # only where there is a group

    point, controllers, unified = fields
    return Hierarchy(point, frozenset(controllers), unified)
