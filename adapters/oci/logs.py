"""Shows the latest output of a container's firmware."""

from __future__ import annotations

import os
import time
from typing import BinaryIO

from domain.container import Status
from domain.lifecycle import Lifecycle

_PERIOD = 0.1  # seconds


def show(lifecycle: Lifecycle, container_id: str, *, follow: bool, out: BinaryIO) -> None:
    """Copy the log to `out`; with `follow`, go on until the container has ended."""
    directory = lifecycle.directory(container_id)
    _copy(f"{directory}/log.1", out)
    file: BinaryIO | None = None
    try:
        while True:
            ended = lifecycle.state(container_id).status is Status.STOPPED
            file = _pour(f"{directory}/log", file, out)
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


def _pour(path: str, file: BinaryIO | None, out: BinaryIO) -> BinaryIO | None:
    """Copy what is new; move on to the file's successor when there is one."""
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
            file = open(path, "rb")  # noqa: SIM115 -- it lives on over several calls
        except FileNotFoundError:
            return None
        out.write(file.read())
    out.flush()
    return file
