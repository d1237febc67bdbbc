"""Reads the mounts of config.json (config.md#mounts), as far as they change what firmware is found.

Nothing is mounted: firmware sees no file system. But the firmware's file may be on a mount.
"""

from __future__ import annotations

import os

from adapters.oci.json_value import Value
from domain.mounts import BundleMount

_READ_ONLY = ("ro", "rro")  # the second also for what is mounted below (mount_setattr(2))
_BIND = ("bind", "rbind")
_COPY_UP = "tmpcopyup"  # runc and crun: a tmpfs that begins with a copy of what it covers


def read_mounts(config: Value, bundle: str) -> tuple[BundleMount, ...]:
    """Return the mounts that hide or show files, in their order. Raises InvalidRequest."""
    listed = config.get("mounts")
    return tuple(filter(None, (_mount(each, bundle) for each in listed.items()))) if listed else ()


def _mount(value: Value, bundle: str) -> BundleMount | None:
    destination = value.need("destination").text()
    kind, options = value.get("type"), value.get("options")
    words = [option.text() for option in options.items()] if options else []
    name = kind.text() if kind else "untyped"
    if name == "bind" or any(option in _BIND for option in words):
        path = value.need("source", hint="say which file or directory to mount").text()
        read_only = any(option in _READ_ONLY for option in words)
        return BundleMount(destination, os.path.join(bundle, path), read_only=read_only)
    if name == "tmpfs" and _COPY_UP in words:
        return None
    return BundleMount(destination, kind=name, layers=_layers(words) if name == "overlay" else "")


def _layers(options: list[str]) -> str:
    named = dict(option.split("=", 1) for option in options if "=" in option)
    # Firmware is read, not written: the directory for changes is the uppermost layer.
    return ":".join(filter(None, (named.get("upperdir"), named.get("lowerdir"))))
