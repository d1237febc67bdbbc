"""The user and group ids of a new user namespace (user_namespaces(7))."""

from __future__ import annotations

import os

from domain.errors import host_fault
from domain.linux_config import LinuxConfig


def write_id_maps(pid: int, linux_config: LinuxConfig) -> None:
    """Write the id maps of a process that is in a new user namespace. Raises HostFault."""
    maps = (("uid_map", linux_config.users), ("gid_map", linux_config.groups))
    try:
        if os.geteuid() != 0:
            with open(f"/proc/{pid}/setgroups", "w", encoding="ascii") as file:
                file.write("deny")
        for name, ranges in maps:
            text = "".join(f"{r.inside} {r.outside} {r.size}\n" for r in ranges)
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise host_fault(
            "cannot map the users of a new user namespace",
            error,
            hint="check linux.uidMappings and linux.gidMappings",
        ) from error
