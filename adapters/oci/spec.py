"""Writes a config.json to begin with."""

from __future__ import annotations

import os

from adapters.oci.render import OCI_VERSION, as_json
from domain.errors import AlreadyExists, host_fault


def write_spec(bundle: str, firmware: str, processor: str) -> None:
    """Write config.json into the bundle. Raises AlreadyExists, HostFault."""
    config = {
        "ociVersion": OCI_VERSION,
        "root": {"path": "rootfs", "readonly": True},
        "process": {"cwd": "/", "args": [firmware]},
        "annotations": {"remoteproc.name": processor} if processor else {},
    }
    path = os.path.join(os.path.abspath(bundle), "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(as_json(config) + "\n")
    except FileExistsError:
        raise AlreadyExists(f"{path} exists", hint="remove it first") from None
    except OSError as error:
        raise host_fault(f"cannot write {path}", error) from error
