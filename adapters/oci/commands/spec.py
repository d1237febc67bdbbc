"""`spec`: writes a config.json to begin with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext
from adapters.oci.render import OCI_VERSION, as_json
from domain.errors import AlreadyExists, host_fault

if TYPE_CHECKING:
    import click


def run(context: CommandContext, bundle: str | None, firmware: str, processor: str) -> None:
    """Write a config.json for firmware into a bundle."""
    config = {
        "ociVersion": OCI_VERSION,
        "root": {"path": "rootfs", "readonly": True},
        "process": {"cwd": "/", "args": [firmware]},
        "annotations": {"remoteproc.name": processor} if processor else {},
    }
    path = os.path.join(os.path.abspath(context.bundle(bundle)), "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(as_json(config) + "\n")
    except FileExistsError:
        raise AlreadyExists(f"{path} exists", hint="remove it first") from None
    except OSError as error:
        raise host_fault(f"cannot write {path}", error) from error


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import BUNDLE, command, ignored

    return command(
        "spec",
        run,
        BUNDLE,
        click.Option(
            ["--firmware"], default="hello.elf", show_default=True, help="Path inside the image."
        ),
        click.Option(["--processor"], default="", metavar="NAME", help="Sets the annotation."),
        ignored("--rootless", is_flag=True),
    )
