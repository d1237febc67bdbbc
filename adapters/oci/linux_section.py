"""Reads hooks, namespaces, the control group and limits from config.json.

A number outside of its bounds is an error. Properties that have no meaning for a supervisor
(devices, block I/O, seccomp, ...) are ignored.
"""

from __future__ import annotations

from adapters.oci.json_value import Value
from domain.hooks import KINDS, Hook
from domain.linux_config import IdMapping, LinuxConfig, Namespace, Rlimit

NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
_NUMBERS = {
    "memory": ("limit", "reservation", "swap"),
    "cpu": ("shares", "period", "quota"),
    "pids": ("limit",),
}
_YEAR = 366 * 86400  # seconds


def read_hooks(config: Value) -> dict[str, tuple[Hook, ...]]:
    """Return the hooks by kind. Raises InvalidRequest."""
    hooks = config.get("hooks")
    found = {}
    for kind in KINDS:
        if hooks and (listed := hooks.get(kind)):
            found[kind] = tuple(_hook(each) for each in listed.items())
    return {kind: each for kind, each in found.items() if each}


def _hook(value: Value) -> Hook:
    path = value.need("path")
    if not path.text().startswith("/"):
        raise path.fail("must be an absolute path")
    args, env, timeout = value.get("args"), value.get("env"), value.get("timeout")
    return Hook(
        path=path.text(),
        args=tuple(each.text() for each in args.items()) if args else (),
        env=tuple(each.text() for each in env.items()) if env else (),
        timeout=timeout.number(1, _YEAR) if timeout else None,
    )


def read_linux_config(config: Value) -> LinuxConfig:
    """Return what the supervisor's process gets from Linux. Raises InvalidRequest."""
    process, linux = config.get("process"), config.get("linux")
    oom = process.get("oomScoreAdj") if process else None
    hostname = config.get("hostname")
    found = LinuxConfig(
        hostname=hostname.text() if hostname else "",
        oom_score_adj=oom.number(-1000, 1000) if oom else None,
        rlimits=_rlimits(process) if process else (),
        proc=_has_proc(config),
    )
    if linux is None:
        return found
    cgroup = linux.get("cgroupsPath")
    return found._replace(
        namespaces=_namespaces(linux),
        users=_ranges(linux, "uidMappings"),
        groups=_ranges(linux, "gidMappings"),
        cgroup=cgroup.text() if cgroup else "",
        limits=read_limits(resources) if (resources := linux.get("resources")) else {},
    )


def _has_proc(config: Value) -> bool:
    """Return whether the bundle mounts /proc; its other mounts mean nothing for firmware."""
    listed = config.get("mounts")
    return any(
        isinstance(each, dict) and (each.get("type"), each.get("destination")) == ("proc", "/proc")
        for each in (listed.raw if listed and isinstance(listed.raw, list) else ())
    )


def _rlimits(process: Value) -> tuple[Rlimit, ...]:
    listed = process.get("rlimits")
    found: dict[str, Rlimit] = {}
    for each in listed.items() if listed else ():
        kind = each.need("type").text()
        if kind in found:
            raise each.fail(f"names {kind} a second time")
        found[kind] = Rlimit(kind, each.need("soft").number(-1), each.need("hard").number(-1))
    return tuple(found.values())


def _namespaces(linux: Value) -> tuple[Namespace, ...]:
    listed = linux.get("namespaces")
    found: dict[str, Namespace] = {}
    for each in listed.items() if listed else ():
        kind, path = each.need("type").text(), each.get("path")
        if kind not in NAMESPACES:
            raise each.fail(
                f"is of unknown type {kind!r}", hint=f"types are {', '.join(NAMESPACES)}"
            )
        if kind in found:
            raise each.fail(f"names {kind} a second time")
        if path and not path.text().startswith("/"):
            raise path.fail("must be an absolute path")
        found[kind] = Namespace(kind, path.text() if path else "")
    return tuple(found.values())


def _ranges(linux: Value, name: str) -> tuple[IdMapping, ...]:
    listed = linux.get(name)
    return tuple(
        IdMapping(*(each.need(key).number(0, 1 << 32) for key in ("containerID", "hostID", "size")))
        for each in (listed.items() if listed else ())
    )


def read_limits(resources: Value) -> dict[str, int | str]:
    """Return the limits of a control group, from linux.resources. Raises InvalidRequest."""
    found: dict[str, int | str] = {}
    for group, names in _NUMBERS.items():
        section = resources.get(group)
        if section is None:
            continue
        for name in names:
            value = section.get(name)
            number = value.number(-1) if value else 0
            if number:  # engines write 0 for a limit that is not given
                found[f"{group}.{name}"] = number
        if group == "cpu":
            for name in ("cpus", "mems"):
                if (value := section.get(name)) and value.text():
                    found[f"cpu.{name}"] = value.text()
    return found
