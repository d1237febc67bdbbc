"""The mounted hierarchies of control groups, and where a container's group is in them."""

from __future__ import annotations

from adapters.linux.mountinfo import mounts
from domain.errors import InvalidRequest, host_fault
from domain.light_types import NamedTuple

_LONGEST = 4095  # characters; PATH_MAX
_DEEPEST = 64  # levels: each is a group to make, to record and to remove in each hierarchy


class Hierarchy(NamedTuple):
    """A mounted hierarchy. Version 2 has its `controllers` in a file, so here it has none."""

    point: str
    controllers: frozenset[str]
    unified: bool  # version 2


def hierarchies() -> list[Hierarchy]:
    """Return the mounted hierarchies; one that is mounted twice is listed once.

    Raises HostFault.
    """
    found: dict[str, Hierarchy] = {}
    try:
        for mount in mounts():
            if mount.kind in ("cgroup", "cgroup2"):
                unified = mount.kind == "cgroup2"
                controllers = frozenset() if unified else frozenset(mount.options.split(","))
                found.setdefault(mount.device, Hierarchy(mount.point, controllers, unified))
    except OSError as error:
        raise host_fault("cannot read which control groups are mounted", error) from error
    return list(found.values())


def directory_of(cgroup: str) -> str:
    """Return the directory below a hierarchy for linux.cgroupsPath, which has two forms.

    A path is itself. systemd's form `a-b.slice:prefix:name` means
    `/a.slice/a-b.slice/prefix-name.scope`. Raises InvalidRequest.
    """
    if len(cgroup) > _LONGEST:  # the levels of a slice take the square of its length
        raise InvalidRequest(f"linux.cgroupsPath has {len(cgroup)} characters, over {_LONGEST}")
    parts = cgroup.split(":")
    if len(parts) == 3:
        slice_, prefix, name = parts
        words = slice_.removesuffix(".slice").split("-") if slice_ != "-.slice" else []
        levels = [f"{'-'.join(words[: n + 1])}.slice" for n in range(len(words)) if any(words)]
        leaf = name if name.endswith(".slice") else f"{prefix}-{name}.scope".lstrip("-")
        cgroup = "/".join([*levels, leaf])
    elif len(parts) != 1:
        raise InvalidRequest(
            f"linux.cgroupsPath {cgroup!r} is no path", hint="systemd's form is slice:prefix:name"
        )
    if ".." in cgroup.split("/"):
        raise InvalidRequest(f"linux.cgroupsPath {cgroup!r} must not lead upwards")
    levels = [part for part in cgroup.split("/") if part not in ("", ".")]
    if len(levels) > _DEEPEST:
        raise InvalidRequest(f"linux.cgroupsPath has {len(levels)} levels, over {_DEEPEST}")
    return "/" + "/".join(levels)
