"""Names what a bundle asks for that has no meaning for firmware, for callers who debug."""

from __future__ import annotations

from adapters.oci.bundle import load_json

# Properties of config.json, by the object that they are in.
_NAMES = {
    "": ("domainname",),
    "process": (
        *("apparmorProfile", "capabilities", "env", "execCPUAffinity", "ioPriority"),
        *("noNewPrivileges", "scheduler", "selinuxLabel", "user"),
    ),
    "root": ("readonly",),
    "linux": (
        *("devices", "intelRdt", "maskedPaths", "mountLabel", "personality", "readonlyPaths"),
        *("rootfsPropagation", "seccomp", "sysctl", "timeOffsets"),
    ),
    "linux.resources": ("blockIO", "devices", "hugepageLimits", "network", "rdma", "unified"),
}


def ignored_properties(bundle: str) -> list[str]:
    """Return the properties of the bundle that are given and ignored. Raises as read_bundle."""
    config = load_json(f"{bundle}/config.json")
    found = []
    for place, names in _NAMES.items():
        value = config
        for part in place.split(".") if place else ():
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, dict):
            found += [f"{place}.{name}".lstrip(".") for name in names if value.get(name)]
    return found
