"""The control groups of containers that exist; implements domain.ports.ControlGroups."""

from __future__ import annotations

import os

from adapters.isolation.cgroup_limits import Setting, settings
from adapters.isolation.group_usage import GroupFiles, usage_of_group
from adapters.isolation.hierarchies import Hierarchy, directory_of, hierarchies
from adapters.isolation.limit_hit import LimitHit
from adapters.linux.files import read_all
from domain.errors import WrongState, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.container import FirmwareContainer
    from domain.usage import Usage

_MEMORY, _SWAP = "memory.limit", "memory.swap"


class GroupControl:
    """The control groups of this host's containers."""

    def update(self, container: FirmwareContainer, limits: Mapping[str, int | str]) -> None:
        if not limits:
            return
        cgroup = container.linux_config.cgroup
        path = directory_of(cgroup) if cgroup else "/"
        mounted = [each for each in hierarchies() if os.path.isdir(each.point + path)]
        if path == "/" or not mounted:
            raise WrongState(
                f"cannot update container {container.id}: it has no control group of its own",
                hint="create it with linux.cgroupsPath, and not with --cgroup-manager disabled",
            )
        _write_all(_in_order(list(settings(_completed(limits, mounted, path), mounted, path))))

    def usage(self, container: FirmwareContainer) -> Usage:
        files = GroupFiles(container.linux_config.cgroup)
        if files.found:
            return usage_of_group(files)
        from adapters.linux.process_tree import process_tree, usage_of

        return usage_of(process_tree(container.pid))

    def out_of_memory(self, container: FirmwareContainer) -> str:
        return LimitHit(container.linux_config.cgroup)(memory_only=True)


def _completed(
    limits: Mapping[str, int | str], mounted: list[Hierarchy], path: str
) -> Mapping[str, int | str]:
    """Add what the kernel's files need to know together, as runc does.

    Without a limit of memory there is none of memory and swap either. Version 2 limits swap
    alone, so that a limit of both needs to know that of memory.
    """
    if limits.get(_MEMORY) == -1 and _SWAP not in limits:
        return {**limits, _SWAP: -1}
    if int(limits.get(_SWAP, -1)) > 0 and _MEMORY not in limits:
        for hierarchy in mounted:
            try:
                memory = read_all(f"{hierarchy.point}{path}/memory.max").strip()
            except OSError:
                continue
            if memory != b"max":
                return {_MEMORY: int(memory), **limits}
    return limits


def _in_order(changes: list[Setting]) -> list[Setting]:
    """Order the limits of version 1: that of memory must never exceed that of memory and swap."""
    by_name = {each.name: each for each in changes}
    memory, swap = by_name.get(_MEMORY), by_name.get(_SWAP)
    if memory is None or swap is None:
        return changes
    unlimited = int(swap.value) < 0 if swap.value != "max" else True
    try:
        larger = unlimited or int(swap.value) > int(read_all(swap.file))
    except (OSError, ValueError):
        larger = False
    pair = (swap, memory) if larger else (memory, swap)
    return [*pair, *(each for each in changes if each.name not in (_MEMORY, _SWAP))]


def _write_all(changes: list[Setting]) -> None:
    """Write all of the changes or none. Raises HostFault."""
    done: list[Setting] = []
    for change in changes:
        try:
            before = change._replace(value=read_all(change.file).decode().strip())
            change.write()
            done.append(before)
        except OSError as error:
            for each in reversed(done):
                try:
                    each.write()
                except OSError:
                    pass  # the kernel took this very value before
            raise host_fault(f"cannot set {change}", error) from error
