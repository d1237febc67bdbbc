"""`logs`: shows the latest output of a container's firmware."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

from adapters.oci.commands import CommandContext
from domain.container import Status
from domain.firmware import LOG_FILES

if TYPE_CHECKING:
    import click

_PERIOD = 0.1  # seconds


def run(context: CommandContext, container_id: str, follow: bool) -> None:
    """Show what a container's firmware printed lately."""
    lifecycle, out = context.lifecycle, sys.stdout.buffer
    directory = lifecycle.directory(container_id)
    older, current = (f"{directory}/{name}" for name in LOG_FILES)
    _copy(older, out)
    file: BinaryIO | None = None
    try:
        while True:
            ended = lifecycle.state(container_id).status is Status.STOPPED
            file = _copy_new(current, file, out)
            if ended or not follow:
                return
            time.sleep(_PERIOD)
    finally:
        if file is not None:
            file.close()


def _copy(path: str, out: BinaryIO) -> None:
    try:
        with open(path, "rb") as file:
            out.write(file.read())
    except FileNotFoundError:
        pass


def _copy_new(path: str, file: BinaryIO | None, out: BinaryIO) -> BinaryIO | None:
    """Copy what the supervisor appended; return the open file, the successor after a rotation."""
    if file is not None:
        out.write(file.read())
        try:
            same = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
        except FileNotFoundError:
            same = True
        if not same:
            out.write(file.read())
            file.close()
            file = None
    if file is None:
        try:
            file = open(path, "rb")  # noqa: SIM115 -- stays open between calls
        except FileNotFoundError:
            return None
        out.write(file.read())
    out.flush()
    return file


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command

    follow = click.Option(
        ["--follow", "-f"], is_flag=True, help="Go on until the container has ended."
    )
    return command("logs", run, follow, CONTAINER_ID)
