"""The document that `features` prints (runtime-spec features.md and features-linux.md)."""

from __future__ import annotations

from typing import Any

from adapters.oci.linux_section import NAMESPACES
from adapters.oci.render import OCI_VERSION
from domain.annotations import PREFIX, known
from domain.hooks import KINDS


def features(version: str) -> dict[str, Any]:
    """Say what this runtime recognises; `version` is its own."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": list(KINDS),
        "mountOptions": [],  # firmware has no file system: mounts are ignored
        "linux": {
            "namespaces": list(NAMESPACES),
            "capabilities": [],
            "cgroup": {
                "v1": True,
                "v2": True,
                "systemd": False,
                "systemdUser": False,
                "rdma": False,
            },
            "seccomp": {"enabled": False},
            "apparmor": {"enabled": False},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": False}},
        },
        "annotations": {
            "org.remoteproc.runtime.version": version,
            "org.remoteproc.runtime.annotations": ",".join(known()),
        },
        "potentiallyUnsafeConfigAnnotations": [PREFIX],
    }
