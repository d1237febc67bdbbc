"""`features`: prints the features document (runtime-spec features.md and features-linux.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters import __version__
from adapters.oci.commands import CommandContext, show
from adapters.oci.linux_section import NAMESPACES
from adapters.oci.render import OCI_VERSION, as_json
from domain.annotations import PREFIX, known
from domain.hooks import KINDS

if TYPE_CHECKING:
    import click


def run(_: CommandContext) -> None:
    """Print the recognised features of the specification, as JSON."""
    show(as_json(_features()))


def _features() -> dict[str, Any]:
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
            "org.remoteproc.runtime.version": __version__,
            "org.remoteproc.runtime.annotations": ",".join(known()),
        },
        "potentiallyUnsafeConfigAnnotations": [PREFIX],
    }


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import command

    return command("features", run)
